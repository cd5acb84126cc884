/*
 * What the parts of the core know of each other. Nobody outside service/core includes this.
 *
 * Reading order: input.c (how inputs come in), child.c (one attempt: start, cancel, abort, its
 * reports), exit.c (what follows an exit), strategy.c (to whom), escalation.c (and when that
 * does not help), command.c (the verbs), dependency.c and restart_queue.c (what a start waits for),
 * requirement.c (what it lacks), stop_order.c (what a stop waits for), sidecar.c, shutdown.c,
 * supervisor.c (the shape of the tree), declare.c (declaring and removing), redeclare.c (newer
 * declarations), config.c, core.c (the door in).
 */
#pragma once

#include "core/core.h"
#include "core/rules/jobs.h"
#include "core/model/restart_queue.h"
#include "core/rules/settle.h"
#include "core/rules/start.h"
#include "core/model/registry.h"
#include "core/model/child_change.h"
#include "core/rules/strategy.h"
#include "core/model/scope.h"
#include "core/rules/restart.h"
#include "core/rules/redeclare.h"
#include "core/model/present.h"
#include "core/model/sidecar.h"
#include "core/rules/adopt.h"
#include "core/rules/liveness.h"
#include "core/rules/run_job.h"
#include "core/rules/reload.h"
#include "core/model/tally.h"
#include "core/rules/cycle.h"
#include "core/rules/exit.h"
#include "core/rules/deadline.h"
#include "core/rules/leftovers.h"
#include "core/rules/delay.h"
#include "core/rules/fence.h"
#include "core/rules/escalation.h"
#include "core/rules/declare.h"
#include "core/model/members.h"
#include "core/rules/reopen.h"
#include "core/model/config.h"
#include "core/model/supervisor_change.h"
#include "core/rules/watch.h"
#include "core/rules/report.h"
#include "core/rules/stop.h"
#include "core/rules/shutdown.h"
#include "core/model/declaration_archive.h"
#include "core/rules/exit_kind.h"
#include "core/rules/health.h"
#include "core/rules/dependency.h"
#include "core/rules/command.h"
#include "core/model/child.h"
#include "core/model/lineage.h"
#include "core/model/random.h"
#include "core/model/timer.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <string.h>

struct core_input;

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
    struct child **index;     /* hash of id -> children; behind it hash of name -> jobs under way */
    uint32_t index_size;      /* a power of two, or 0 */
    bool may_miss;            /* somebody may depend on one that was removed; false: nobody does */
    struct lineages lineages; /* of those that were removed */
    struct child *waiting_first, *waiting_last;
    struct child *changed_first;

    uint64_t sequence;
    uint64_t next_command;

    enum shutdown_phase shutdown_phase;
    uint64_t shutdown_command;
    bool shutdown_by_policy, shutdown_by_signal;
    uint32_t shutdown_unsettled;
    struct timer shutdown_bound; /* the only timer that is no child's */
    uint64_t shutdown_bound_command;
};

struct archive;

#define EMIT(core, kind, child, cause, ...)                                                        \
    event_emit(core, kind, child, cause, (const struct event_field[]){__VA_ARGS__},                \
               sizeof((const struct event_field[]){__VA_ARGS__}) / sizeof(struct event_field))
#define EMIT_BARE(core, kind, child, cause) event_emit(core, kind, child, cause, NULL, 0)
