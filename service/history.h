/*
 * History: what was before this proctord was started, and what is kept for the next one. It brings
 * journal, core and host together: the core lives through its past, the host finds the processes
 * again, and from then on everything is written down.
 */
#pragma once

#include "host/adopt.h"
#include "host/host.h"
#include "journal/journal.h"

struct history {
    struct journal *journal;
    struct host *host;
    bool past;        /* the core lives through it: nothing of that is new */
    bool recovered;   /* there was something to take over */
    bool handed_over; /* by a program that is still meant to continue, or to end */
    struct kept_note *kept, *kept_last; /* of the audit, until the journal can be written */
    size_t n_kept;
    int told; /* the journal's error that has been logged */
};

struct history_settings {
    const char *state_directory;   /* where the journal's folder is */
    const char *runtime_directory; /* where its tail is */
    enum durability durability;
    uint64_t audit_bytes;
    void *userdata;
    void (*moved)(void *userdata); /* the journal: a mark may be past */
};

/* Returns 0 or a negative errno. */
int history_open(struct history *history, const struct history_settings *settings);

/* Whether there is anything to take over: then processes must be kept. 1, 0 or a negative errno. */
int history_exists(const char *state_directory);

/*
 * Lives through it. *core is new, and may be replaced by `again()` where the tree had come to its
 * end: nothing of that is taken over. Returns 0 or a negative errno.
 */
int history_live(struct history *history, struct host *host, struct core **core,
                 int (*again)(void *userdata, struct core **core), void *userdata);

/* The core's events: those that matter for the audit are kept. */
void history_event(struct history *history, const struct event *event);

/* Between two turns of the loop: new segments, and a word when the journal fails or works again. */
void history_tidy(struct history *history);

/* Why the journal cannot be written, or NULL. */
const char *history_unwritten(const struct history *history);

void history_close(struct history *history);
