/*
 * The record of a core, and how its files tell events. Only files of service/core include this.
 * What else they know of each other stands in the header of each; docs/architecture.md lists them
 * from the bottom to the top.
 */
#pragma once

#include "core/core.h"
#include "core/model/child.h"
#include "core/model/lineage.h"
#include "core/model/present.h"
#include "core/model/random.h"
#include "core/model/timer.h"

struct core_input;
struct seldom;

struct jobs {
    struct job *first, *last;
    struct job *queue_first, *queue_last;
    uint64_t next_id;
    uint32_t most, queued, running, finished;
};

struct core {
    struct core_ports ports;
    struct random random;
    struct timer_heap timers;
    uint64_t armed_usec; /* what the shell's timer is set to */
    bool handling;       /* an input, at these times: */
    uint64_t now_usec, realtime_usec;
    const struct core_input *replayed; /* it is one that came before; NULL: it is new */
    bool muted;                        /* a dry run: no port is called, no timer moves */
    unsigned plan;                     /* what a dry run would have done */

    struct supervisor root;
    uint32_t supervisors; /* below the root */
    uint32_t children;
    uint32_t max_restarts_in_flight; /* where a supervisor does not say */
    uint32_t stops_named;            /* within an input, see stop_order.h */
    struct child *released_stops;    /* whose turn to stop has come */
    struct scope *restarting;        /* in the order in which they began */
    struct supervisor *released;     /* queues that may have room */
    struct supervisor *changed_supervisor;
    struct jobs jobs;
    struct child **slots;
    uint32_t n_slots; /* capacity */
    uint32_t next_slot;
    uint32_t free_slot_count;
    uint32_t *free_slots;
    uint32_t next_serial;
    struct seldom *seldom; /* the last block; the others behind it */
    struct child **index;  /* hash of id -> children; behind it hash of name -> jobs under way, and
                              hash of id -> number of dependencies */
    uint32_t index_size;   /* a power of two, or 0 */
    bool may_miss;         /* another child may depend on one that was removed; false: none does */
    struct lineages lineages; /* of those that were removed */
    struct child *waiting_first, *waiting_last;
    struct child *changed_first;

    uint64_t sequence;
    uint64_t next_command;

    enum shutdown_phase shutdown_phase;
    uint64_t shutdown_command;
    bool shutdown_by_policy, shutdown_by_signal;
    int shutdown_exit_code;
    uint32_t shutdown_unsettled;
    struct timer shutdown_bound; /* the only timer that is no child's */
    uint64_t shutdown_bound_command;
};

#define EMIT(core, kind, child, cause, ...)                                                        \
    event_emit(core, kind, child, cause, (const struct event_field[]){__VA_ARGS__},                \
               sizeof((const struct event_field[]){__VA_ARGS__}) / sizeof(struct event_field))
#define EMIT_BARE(core, kind, child, cause) event_emit(core, kind, child, cause, NULL, 0)
