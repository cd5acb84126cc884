/*
 * Reports: what the executor finds out of an attempt, and what a child says of itself.
 */
#pragma once

#include "core/model/job.h"
#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stdint.h>

#define STATUS_TEXT_MAX 160 /* a longer STATUS= is cut */

/*
 * Which attempt. Every report carries the identity that it was made for; nothing is ever matched
 * by PID. `child` is a slot and a serial that is never used again, so that a report about a removed
 * child cannot meet its successor of the same name.
 */
struct attempt_id {
    uint32_t slot;
    uint32_t serial;
    uint64_t generation;
    uint64_t attempt;
};

#define LAST_WORDS_MAX 96

/* How an attempt's main process ended, and what was left of the attempt. */
struct completion {
    bool unknown;      /* how: no proctord was there to see it */
    bool with_machine; /* that went down: it does not count as a failure; then also unknown */
    bool by_signal;
    int code;   /* exit code, when !by_signal */
    int signal; /* when by_signal */
    bool core_dumped;
    bool oom_killed;
    enum resource_state cgroup; /* how its cgroup was left */
    uint32_t left;              /* processes that are there still */
    uint64_t cpu_usec;
    /* Read while core_completed() runs. Of a job, its result; of another child, what it wrote last,
     * of which LAST_WORDS_MAX bytes are looked at. */
    struct job_output output;
};

enum notify_flags {
    NOTIFY_READY = 1 << 0,
    NOTIFY_NOT_READY = 1 << 1,
    NOTIFY_HEARTBEAT = 1 << 2,
    NOTIFY_STATUS = 1 << 3,
    NOTIFY_EXTEND_TIMEOUT = 1 << 4,
    NOTIFY_STOPPING = 1 << 5,
    NOTIFY_RELOADING = 1 << 6,
    NOTIFY_MAIN_PID = 1 << 7,
    NOTIFY_ERRNO = 1 << 8,
    NOTIFY_TRIGGER = 1 << 9, /* WATCHDOG=trigger: the child declares itself unhealthy */
};

struct notify_message {
    unsigned flags;
    const char *status;
    uint64_t extend_usec;
    uint64_t reloading_usec; /* NOTIFY_RELOADING: since when; 0: it does not say */
    uint32_t main_pid;
    int error; /* errno */
};
