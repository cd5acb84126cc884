/*
 * Log lines: output that is forwarded line by line under its child's name: to journald, as entries
 * with that identifier, or to a stream, with the name before each line.
 *
 * What a child writes must not depend on who reads it: the child has a pipe of proctord's, so that
 * a journald that stops kills no child. A reader that does not come back in time loses lines, which
 * are counted, and a line says where they are missing.
 *
 * Everything here may wait for a reader, for LOG_LINES_PATIENCE_USEC a call: it is called beside
 * the loop, by one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINES_PATIENCE_USEC 5000000
#define LOG_LINE_MAX            (48 * 1024) /* as journald's LineMax: a longer one is split */

struct log_lines;

/* The socket that journald reads entries from. */
#define LOG_LINES_JOURNALD "/run/systemd/journal/socket"

/* NULL without memory. name: of the child. */
struct log_lines *log_lines_new(const char *name);
void log_lines_free(struct log_lines *lines);

/* Where the lines go: a descriptor, which stays the caller's and is used for this call only; -1: to
 * journald. missing: bytes that were dropped before these, for the reason `why`, a text of the
 * program's. end: the writer has ended, and what came last is a line even without its end. */
struct log_lines_order {
    int stream;
    bool end;
    uint64_t missing;
    const char *why;
};

void log_lines_write(struct log_lines *lines, const struct log_lines_order *order, const char *data,
                     size_t length);

/* How many bytes were lost since this was asked last, and why: NULL, or a text of the program's. */
uint64_t log_lines_lost(struct log_lines *lines, const char **why);
