/*
 * What the parts of the core know of each other. Nobody outside service/core includes this.
 *
 * Reading order: child.c (one attempt: start, cancel, abort, its reports), supervision.c (what
 * follows an exit), strategy.c (to whom), command.c (the verbs), dependency.c, shutdown.c, tree.c
 * (declaring and removing), core.c (the door in).
 */
#pragma once

#include "child.h"
#include "core.h"
#include "invariant.h"
#include "random.h"
#include "timer.h"

#include <errno.h>
#include <string.h>

struct core {
    struct core_ports ports;
    struct random random;
    struct timer_heap timers;
    uint64_t armed_usec; /* what the shell's timer is set to */
    bool muted;          /* a dry run: no port is called, no timer moves */
    unsigned plan;       /* what a dry run would have done */

    struct supervisor root;
    struct child **slots;
    uint32_t n_slots; /* capacity */
    uint32_t next_slot;
    uint32_t free_slot_count;
    uint32_t *free_slots;
    uint32_t next_serial;
    struct child **index; /* hash of id -> children */
    uint32_t index_size;  /* a power of two, or 0 */
    struct child *waiting_first, *waiting_last;
    struct child *changed_first;

    uint64_t sequence;
    uint64_t next_command;

    enum shutdown_phase shutdown_phase;
    uint64_t shutdown_command;
    bool shutdown_by_policy;
    uint32_t shutdown_unsettled;
};

/* core.c */
void core_finish_input(struct core *core);
void core_changed(struct core *core, struct child *child);
uint64_t core_new_command(struct core *core);
struct attempt_id child_attempt_id(const struct child *child);

/* event.c */
void event_emit(struct core *core, enum event_kind kind, struct child *child, uint64_t cause,
                const struct event_field *fields, size_t n_fields);

#define EMIT(core, kind, child, cause, ...)                                                        \
    event_emit(core, kind, child, cause, (const struct event_field[]){__VA_ARGS__},                \
               sizeof((const struct event_field[]){__VA_ARGS__}) / sizeof(struct event_field))
#define EMIT_BARE(core, kind, child, cause) event_emit(core, kind, child, cause, NULL, 0)

/* child.c: one attempt */
void child_arm(struct core *core, struct child *child, enum child_timer timer, uint64_t deadline);
void child_disarm(struct core *core, struct child *child, enum child_timer timer);
void child_set_status(struct core *core, struct child *child, enum child_status status);
void child_fail(struct core *core, struct child *child, enum failure_phase phase, bool recoverable,
                const char *reason);
bool child_cancel(struct core *core, struct child *child, uint64_t cause, const char *command);
void child_abort(struct core *core, struct child *child, uint64_t cause);
void child_insist(struct core *core, struct child *child);
void child_start(struct core *core, struct child *child);
void child_stop_deadline(struct core *core, struct child *child);
void child_set_operation(struct core *core, struct child *child, enum child_operation operation,
                         uint64_t cause, const char *by, const char *reason, const char *command);

/* fence.c: restarts behind an old attempt */
void fence_set_phase(struct child *child, enum fence_phase phase);
void fence_enter(struct core *core, struct child *child, uint64_t cause, bool by_resume,
                 const char *command);
void fence_ready(struct core *core, struct child *child, uint64_t cause, const char *command);
void fence_withdraw(struct core *core, struct child *child, uint64_t cause, const char *command);

/* strategy.c: who is restarted with whom */
bool strategy_restart(struct core *core, struct child *failed);
void strategy_look(struct core *core);
void strategy_forget(struct core *core);

/* supervision.c: after an exit */
void supervision_exited(struct core *core, struct child *child,
                        const struct completion *completion);
void supervision_spawn_failed(struct core *core, struct child *child, int error,
                              const char *reason);
void supervision_force_stop(struct core *core, struct child *child, enum exit_kind kind);
void supervision_limit_changed(struct core *core, struct child *child, const char *why);

/* liveness.c: what a child says, and its silence */
void liveness_begin(struct core *core, struct child *child);
void liveness_end(struct core *core, struct child *child);
void liveness_become_ready(struct core *core, struct child *child);
void liveness_message(struct core *core, struct child *child, const struct notify_message *message);
void liveness_silent(struct core *core, struct child *child);

/* dependency.c: requires and after */
void dependency_request_start(struct core *core, struct child *child, uint64_t cause,
                              bool automatic);
void dependency_withdraw(struct core *core, struct child *child);
void dependency_wake(struct core *core);

/* tree.c: declaring and removing */
void tree_remove(struct core *core, struct child *child, enum child_status final, uint64_t cause);
void tree_adopt_next_config(struct core *core, struct child *child);

/* shutdown.c */
void shutdown_begin(struct core *core, uint64_t command, const char *requester, const char *reason,
                    bool by_policy);
void shutdown_child_gone(struct core *core, struct child *child);
void shutdown_child_aborting(struct core *core);
void shutdown_abort_failed(struct core *core, struct child *child);
void shutdown_late_report(struct core *core, struct child *child);
