/*
 * Open regular: the one way to a file whose path a person wrote, or whose name a child can change.
 *
 * open(2) on such a path may never return (a FIFO that no other process has open), make a terminal
 * the process's own, rewind a tape, or end up in a file of another user by a link. This opens
 * without waiting, looks at what it got, and takes regular files only.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Opens `path` below the folder `at` (AT_FDCWD: as open(2)). flags: O_RDONLY, or O_WRONLY with
 * O_CREAT, O_APPEND, O_TRUNC, O_NOFOLLOW; O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added, and
 * O_TRUNC waits until it is known what it is. Returns a descriptor or a negative errno:
 * -EMEDIUMTYPE where there is something, but not a file. Allocates nothing.
 */
int open_regular(int at, const char *path, int flags, mode_t mode);

/*
 * The same for a file to write to in a folder that others than root can change. A link on the way
 * is followed only where it is root's or our own, so that its owner cannot lead a file of root's to
 * another place; the last part is never followed. *folder is a descriptor of the folder, for
 * renameat(2), to be closed by the caller; -1 on error.
 */
int open_regular_guarded(const char *path, int flags, mode_t mode, int *folder);

/*
 * The same for a file to read, which root may and its owner's neighbours may not. Links are
 * followed to the end; but where one of them is neither root's nor our own, its owner must own the
 * file, too: no user leads us to what that user could not read.
 */
int open_regular_reading(const char *path);

/*
 * O_PATH of whatever is there, as a place and not to be read. Links are followed to the end, each
 * only where it is root's or our own. Returns a descriptor or a negative errno.
 */
int open_place_guarded(const char *path);

/* Reads a whole file of at most `max` bytes, terminated, into memory to be freed. Returns 0 or a
 * negative errno, as open_regular(); -EFBIG where it is larger. */
int read_regular(int at, const char *path, size_t max, char **text, size_t *length);

/* Why a path could not be opened, for people: "is a FIFO, not a file", "No such file or directory".
 * Looks again. The text lives as long as the program, or until the next call. */
const char *open_regular_explain(int at, const char *path, int error);
