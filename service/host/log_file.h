/*
 * Log file: the file that a child's output goes to, and those that it was before.
 *
 * FILE is written to, and becomes FILE.1 when it would grow beyond its size; whole lines stay
 * together, also one that comes in parts, up to 64 KiB beyond that size. The path may be in a
 * folder of the child's, and others may move it: it is looked at before a write, at most once a
 * second. Moved away or deleted, a new one is made; a link, a FIFO or a folder in its place is not
 * used, and output continues to go into the file that is open.
 *
 * What cannot be written (a full disk) is lost and counted, and a line in the file says so where
 * it is missing when writing works again.
 *
 * Everything here may wait for a disk: it is called beside the loop, by one thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct log_file;

/* Nothing is opened yet. NULL without memory. keep: how many older ones there are. */
struct log_file *log_file_new(const char *path, uint64_t max_size, uint32_t keep);
void log_file_free(struct log_file *file);

/* A descriptor of the file that was opened elsewhere; it is taken over. */
void log_file_take(struct log_file *file, int fd);

/* The next write looks at the path, however long ago the last look was. */
void log_file_reopen(struct log_file *file);

/* missing: bytes that were dropped before these, for the reason `why`, a text of the program's;
 * they are noted in the file. */
void log_file_write(struct log_file *file, const char *data, size_t length, uint64_t missing,
                    const char *why);

/* The disk that the file is on; 0: none was opened yet. */
dev_t log_file_device(const struct log_file *file);

/* How many bytes were lost since this was asked last, and why: NULL, or a text of the program's. */
uint64_t log_file_lost(struct log_file *file, const char **why);
