/*
 * Proc stat: what /proc/PID/stat says of a process.
 *
 * The name in it is the process's own to choose, with brackets, blanks and digits in it: the other
 * fields are counted from the last bracket.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The numbers of proc(5). */
enum proc_stat_field {
    PROC_STAT_PARENT = 4,
    PROC_STAT_FLAGS = 9,
    PROC_STAT_USER_TICKS = 14,
    PROC_STAT_SYSTEM_TICKS = 15,
    PROC_STAT_STARTED_TICKS = 22,
    PROC_STAT_ENVIRONMENT_BEGIN = 50,
    PROC_STAT_ENVIRONMENT_END = 51, /* 0: it has none, or none yet */
    PROC_STAT_EXIT_CODE = 52,       /* as wait(2) has it; 0 too where we may not know it */
};

/* Returns 0; -ESRCH where it is not said, or another negative errno. */
int proc_stat_read(pid_t pid, enum proc_stat_field field, uint64_t *value);

/* Several at once, of the same moment. *values are 0 where it fails. */
int proc_stat_read_fields(pid_t pid, const enum proc_stat_field *fields, size_t n,
                          uint64_t *values);

/* The present moment, as PROC_STAT_STARTED_TICKS has it. */
uint64_t proc_stat_ticks_now(void);

/* The process that an entry of /proc is about; 0: about none. */
pid_t proc_stat_pid(const char *entry);
