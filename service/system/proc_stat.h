/*
 * Proc stat: what /proc/PID/stat says of a process.
 *
 * The name in it is the process's own to choose, with brackets, blanks and digits in it: the other
 * fields are counted from the last bracket.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* The numbers of proc(5). */
enum proc_stat_field {
    PROC_STAT_PARENT = 4,
    PROC_STAT_FLAGS = 9,
    PROC_STAT_USER_TICKS = 14,
    PROC_STAT_SYSTEM_TICKS = 15,
    PROC_STAT_STARTED_TICKS = 22,
    PROC_STAT_ENVIRONMENT_END = 51, /* 0: it has none, or none yet */
};

/* Returns 0; -ESRCH where it is not said, or another negative errno. */
int proc_stat_read(pid_t pid, enum proc_stat_field field, uint64_t *value);

/* The process that an entry of /proc is about; 0: about none. */
pid_t proc_stat_pid(const char *entry);
