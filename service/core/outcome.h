/*
 * Outcomes: what became of a command, of a restart, and of a child in a shutdown.
 */
#pragma once

#include "core/model/declaration.h"
#include "core/model/restart_limit.h"
#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stdint.h>

struct child;

#define FAILURE_REASON_MAX 160
#define CONFLICT_MAX       (CHILD_ID_MAX + 64) /* bytes of why a restart is refused */

struct failure {
    enum failure_phase phase;
    bool recoverable;
    char reason[FAILURE_REASON_MAX];
};

struct fence_outcome {
    enum fence_decision decision;
    bool has_old;
    uint64_t old_generation;
    uint64_t old_attempt;
    bool has_target;
    uint64_t target_generation;
    bool cancel_delivered;
    bool abort_requested;
    uint64_t duplicate_request_count;
    char conflict[CONFLICT_MAX + 1]; /* empty: none */
    bool conflict_recoverable;
};

enum planned_action {
    PLAN_STOP = 1 << 0,
    PLAN_START = 1 << 1,
    PLAN_RESTART = 1 << 2,
    PLAN_BRING = 1 << 3 /* others start that wait for this child: its brings_first */
};

/* What became of a command; semantics.md section 3 tells each field. */
struct outcome {
    uint64_t command_id;
    char child_id[CHILD_ID_MAX + 1];
    uint64_t attempt; /* 0: there was none */
    uint64_t generation;
    enum child_operation operation_before;
    enum child_operation operation_after;
    enum child_status status;
    bool cancel_delivered;
    enum stop_state stop_state;
    struct restart_limit_view restart_limit;
    uint64_t last_heartbeat_usec; /* realtime; 0: none */
    bool heartbeat_stale;
    enum readiness readiness;
    bool idempotent;
    struct failure failure;
    bool has_fence;
    struct fence_outcome fence;
    enum reload_result reload; /* COMMAND_RELOAD */
    bool dry_run;
    unsigned plan; /* of a dry run: enum planned_action */
};

/* What the shell may rely on: the id ends. */
static inline bool outcome_is_sound(const struct outcome *outcome)
{
    return outcome && outcome->child_id[CHILD_ID_MAX] == '\0';
}

/* One row of the shutdown report. */
struct shutdown_row {
    struct child *child;
    enum shutdown_result result;
    uint64_t generation;
    uint64_t attempt;
    bool cancel_delivered;
    enum exit_kind exit;
    int exit_code;
    int exit_signal;
    enum shutdown_phase phase; /* the phase in which the row was decided */
    const char *reason;        /* constant text */
    enum resource_state cgroup;
};
