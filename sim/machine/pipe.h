/*
 * Pipe: bytes from those that hold its one end to those that hold the other; also of a FIFO, as
 * long as anybody has it open.
 */
#pragma once

#include "machine/description.h"

#include <stdbool.h>

#define PIPE_BYTES 65536
#define PIPE_WHOLE 4096 /* is written at once, or not at all */

struct inode;

/* Both ends; 0 or -ENOMEM. flags: O_NONBLOCK. */
int pipe_new(int flags, struct description *ends[2]);

/* An end of the FIFO's pipe: O_RDONLY, O_WRONLY or O_RDWR. -EAGAIN: it waits for the other end;
 * -ENXIO: there is none, and it does not wait. */
int pipe_open_fifo(struct inode *fifo, int flags, struct description **end);

/* One end more of the pipe, by its link in /proc: either end may be opened by either. */
int pipe_open_again(const struct description *of, int flags, struct description **end);
uint64_t pipe_number(const struct description *end); /* both ends have the same */

bool pipe_is_end(const struct description *description);
/* How many bytes can be read. */
size_t pipe_available(const struct description *description);

/* For model children, which have no runner. */
ssize_t pipe_read(struct description *end, void *bytes, size_t size);
/* How much was written; -EAGAIN if there is no room, -EPIPE without a reader,
 * -EBADF for the reading end. */
ssize_t pipe_write(struct description *end, const void *bytes, size_t size);
