/*
 * Call memory: what all calls use: the memory of the guest, and what becomes of a call that cannot
 * go on now.
 */
#pragma once

#include "machine/runner.h"

#include <sys/uio.h>

/* Of the guest's memory; 0 or -EFAULT. */
int calls_read(const struct runner *runner, uint64_t address, void *bytes, size_t size);
/* 0, or -EFAULT if the guest has no such memory. */
int calls_write(const struct runner *runner, uint64_t address, const void *bytes, size_t size);
/* A path of at most 4095 bytes; 0, -EFAULT or -ENAMETOOLONG. */
int calls_path(const struct runner *runner, uint64_t address, char path[4096]);

/* What comes of a call on a description that cannot go on now: it waits, or says so. */
int64_t calls_would_wait(const struct description *description, int64_t result);

/* The deadline of a call, set when it is made first. True: it has passed. */
bool calls_is_late(struct runner *runner, uint64_t deadline_nsec);

/* Between parts of the guest's memory and one piece; 0 or -EFAULT. */
int calls_gather(const struct runner *runner, const struct iovec *parts, size_t count, char *bytes,
                 size_t size);
/* Into several places of the guest, one after the other. */
int calls_scatter(const struct runner *runner, const struct iovec *parts, size_t count,
                  const char *bytes, size_t size);
