/*
 * Again: system calls that are retried after a transient error: no descriptor, no memory, a signal,
 * an error of the device. What proctord sees of its processes decides whether one is killed or
 * another one started, so a failed look must never count as "there is no process". A caller that
 * gets such an error in spite of the retries must assume that there may be one.
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* error: a negative errno. Whether a retry of the same call may succeed. */
bool again_may_help(int error);

/* All return a negative errno on failure: that of the last of up to four tries. */
int again_open(int directory, const char *path, int flags); /* O_CLOEXEC is added */
int again_pidfd(pid_t pid);
/* A copy of the descriptor, close-on-exec, that is not below lowest. Where the limit allows none
 * there, which fcntl(2) calls an invalid argument, -EMFILE. */
int again_copy(int fd, int lowest);

/* A file of /proc or of a cgroup, at once and with a zero behind it. Returns its length; what does
 * not fit is left out. */
ssize_t again_read(int directory, const char *path, char *text, size_t size);
/* The same; where it could be read it is still open, for the caller to close. */
ssize_t again_read_open(int directory, const char *path, char *text, size_t size, int *fd);

/* The caller closes the folder with closedir(3). NULL: *error says why. */
DIR *again_folder(int directory, const char *path, int *error);

/* NULL at the end, and where it cannot be read on: then *error, which the caller has set to 0, is
 * not 0 any more. */
struct dirent *again_next(DIR *folder, int *error);
