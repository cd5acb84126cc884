/*
 * Cgroup base: the folder of this instance in cgroup2, as all that deals with leaves below it knows
 * it (cgroup.h, members.h), and where in cgroup2 a process is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CGROUP_LEAF_MAX  160
#define CGROUP_DEPTH_MAX 64 /* of what a child makes below its leaf, and is looked at */

struct cgroup_base {
    int fd;             /* of the base folder; -1: there is none */
    char *path;         /* in the file system */
    char *kernel_path;  /* as /proc/PID/cgroup shows it */
    bool asked;         /* for controllers: limits were wanted */
    bool counts_memory; /* the leaves have the memory controller */
    bool moved;         /* proctord has made room for them, and is in a leaf of its own */
};

/* The path in cgroup2 of the process that such a file (/proc/PID/cgroup) is about. Returns 0 or a
 * negative errno. */
int cgroup_kernel_path(const char *proc, char *path, size_t size);
