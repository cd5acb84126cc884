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
#include "core/rules/leftovers.h"
#include "core/model/registry.h"
#include "core/rules/dependency.h"
#include "core/model/sidecar.h"
#include "core/rules/settle.h"
#include "core/model/config.h"
#include "core/model/tally.h"
#include "core/rules/exit_kind.h"
#include "core/rules/cycle.h"
#include "core/model/present.h"
#include "core/model/child_change.h"
#include "core/model/declaration_archive.h"
#include "core/rules/start.h"
#include "core/model/restart_queue.h"
#include "core/rules/delay.h"
#include "core/rules/liveness.h"
#include "core/model/supervisor_change.h"
#include "core/rules/stop.h"
#include "core/rules/watch.h"
#include "core/rules/reload.h"
#include "core/model/scope.h"
#include "core/rules/strategy.h"
#include "core/model/members.h"
#include "core/rules/restart.h"
#include "core/rules/health.h"
#include "core/rules/fence.h"
#include "core/rules/jobs.h"
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

int tree_declare(struct core *core, const struct tree_declaration *tree, const char *requester,
                 const char *reason, struct declaration_problem *problem);
int tree_check(struct core *core, const struct tree_declaration *tree,
               struct declaration_problem *problem);
int tree_redeclare(struct core *core, const struct child_declaration *declarations, size_t count,
                   enum redeclare_how how, const char *requester, const char *reason,
                   struct declaration_problem *problem);
int tree_redeclare_supervisor(struct core *core, const struct supervisor_declaration *declaration,
                              struct declaration_problem *problem);
int command_handle(struct core *core, const struct command *command, struct outcome *outcome,
                   struct error *error);
int command_handle_scope(struct core *core, const struct command *command,
                         void (*visit)(void *userdata, const struct outcome *outcome),
                         void *userdata, struct error *error);
void command_remove(struct core *core, const char *ids, const char *requester, const char *reason);
void shutdown_request(struct core *core, uint64_t timeout_usec, const char *requester,
                      const char *reason);
void shutdown_hurry(struct core *core, const char *requester, const char *reason);
void shutdown_reopen(struct core *core); /* reopen.c */
void report_spawned(struct core *core, struct attempt_id id, uint32_t pid);
void report_start_delayed(struct core *core, struct attempt_id id, const char *reason);
void report_spawn_failed(struct core *core, struct attempt_id id, int error, const char *reason);
void report_completed(struct core *core, struct attempt_id id, const struct completion *completion);
void report_main_exited(struct core *core, struct attempt_id id,
                        const struct completion *completion);
void report_message(struct core *core, struct attempt_id id, const struct notify_message *message);
void report_checked(struct core *core, struct attempt_id id, uint32_t number, bool passed,
                    const char *why);
void fire_timers(struct core *core);
void announce_start(struct core *core, const char *version);
void announce_rejected(struct core *core, const char *requester, const char *why);
void announce_recovered(struct core *core, const struct recovery *recovery);
void announce_durability(struct core *core, bool durable, const char *why);
void announce_reexecution(struct core *core, const char *requester, const char *reason);

struct archive;

#define EMIT(core, kind, child, cause, ...)                                                        \
    event_emit(core, kind, child, cause, (const struct event_field[]){__VA_ARGS__},                \
               sizeof((const struct event_field[]){__VA_ARGS__}) / sizeof(struct event_field))
#define EMIT_BARE(core, kind, child, cause) event_emit(core, kind, child, cause, NULL, 0)

void escalation_melt_down(struct core *core, struct supervisor *supervisor, struct child *child,
                          const char *why);
/* The same, as the limit of its supervisor is used up. */
void escalation_limit_used_up(struct core *core, struct child *child);

void supervision_shut_down(struct core *core, struct child *child, const char *why);
void supervision_exited(struct core *core, struct child *child, const struct completion *reported);
void supervision_spawn_failed(struct core *core, struct child *child, int error,
                              const char *reason);

void tree_problem(struct declaration_problem *problem, size_t declaration, int dependency,
                  const char *a, const char *b, const char *c);
int tree_connect(struct core *core, struct child *child, size_t declaration,
                 struct declaration_problem *problem);
void tree_announce(struct core *core, struct child *child, uint64_t id, const char *requester,
                   const char *reason);
void tree_remove(struct core *core, struct child *child, enum child_status final, uint64_t cause);
void tree_find_targets(struct core *core, struct child *child);

void redeclare_attempt_ended(struct core *core, struct child *child);

int tree_restore_child(struct core *core, const struct child_declaration *declaration,
                       uint32_t slot, uint32_t serial);

void shutdown_begin_by_policy(struct core *core, const char *reason);
void shutdown_bound_passed(struct core *core);
void shutdown_archive_bound(struct core *core, struct archive *archive);
void shutdown_child_gone(struct core *core, struct child *child);
void shutdown_child_aborting(struct core *core);
void shutdown_abort_failed(struct core *core, struct child *child);
void shutdown_late_report(struct core *core, struct child *child);
