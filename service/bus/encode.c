/*
 * Outcomes, reports and events as D-Bus values. The keys are those of
 * docs/dbus.md; a test compares the two in both directions. A key without a
 * value is left out.
 */
#include "bus/encode.h"

#include "bus/explanation.h"
#include "bus/bulk.h"
#include "core/vocabulary/invariant.h"
#include "bus/private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define APPEND(expression)                                                                         \
    do {                                                                                           \
        int append_result = (expression);                                                          \
        if (append_result < 0)                                                                     \
            return append_result;                                                                  \
    } while (0)

int append_text(sd_bus_message *m, const char *key, const char *value)
{
    return append_values(m, "{sv}", key, "s", value);
}

int append_number(sd_bus_message *m, const char *key, uint64_t value)
{
    return append_values(m, "{sv}", key, "t", value);
}

int append_u32(sd_bus_message *m, const char *key, uint32_t value)
{
    return append_values(m, "{sv}", key, "u", value);
}

int append_signed(sd_bus_message *m, const char *key, int32_t value)
{
    return append_values(m, "{sv}", key, "i", value);
}

int append_flag(sd_bus_message *m, const char *key, bool value)
{
    return append_values(m, "{sv}", key, "b", value);
}

void command_text(const struct service *service, uint64_t number, char text[COMMAND_ID_SIZE])
{
    command_id_text((struct command_id){service->instance, number}, text);
}

static int open_dictionary(sd_bus_message *m, const char *key)
{
    APPEND(append_open(m, 'e', "sv"));
    APPEND(append_values(m, "s", key));
    APPEND(append_open(m, 'v', "a{sv}"));
    return append_open(m, 'a', "{sv}");
}

static int close_dictionary(sd_bus_message *m)
{
    APPEND(sd_bus_message_close_container(m));
    APPEND(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

static int append_limit(sd_bus_message *m, const struct restart_limit_view *limit)
{
    APPEND(open_dictionary(m, "RestartLimit"));
    APPEND(append_number(m, "IntervalUSec", limit->interval_usec));
    APPEND(append_u32(m, "Burst", limit->burst));
    APPEND(append_u32(m, "Used", limit->used));
    APPEND(append_u32(m, "Remaining", limit->remaining));
    APPEND(append_flag(m, "Exhausted", limit->exhausted));
    APPEND(append_number(m, "UpdatedUSec", limit->updated_usec));
    return close_dictionary(m);
}

static int append_liveness(sd_bus_message *m, const struct outcome *outcome)
{
    APPEND(open_dictionary(m, "Liveness"));
    if (outcome->last_heartbeat_usec > 0)
        APPEND(append_number(m, "LastHeartbeatUSec", outcome->last_heartbeat_usec));
    APPEND(append_flag(m, "HeartbeatStale", outcome->heartbeat_stale));
    APPEND(append_text(m, "Readiness", readiness_to_string(outcome->readiness)));
    return close_dictionary(m);
}

static int append_failure(sd_bus_message *m, const struct failure *failure)
{
    if (failure->phase == FAILURE_NONE)
        return 0;
    APPEND(open_dictionary(m, "Failure"));
    APPEND(append_text(m, "Phase", failure_phase_to_string(failure->phase)));
    APPEND(append_text(m, "Reason", failure->reason));
    APPEND(append_flag(m, "Recoverable", failure->recoverable));
    return close_dictionary(m);
}

static int append_conflict(sd_bus_message *m, const struct fence_outcome *fence)
{
    if (fence->conflict[0] == '\0')
        return 0;
    APPEND(open_dictionary(m, "Conflict"));
    APPEND(append_text(m, "Reason", fence->conflict));
    APPEND(append_flag(m, "Recoverable", fence->conflict_recoverable));
    return close_dictionary(m);
}

/* What became of a restart: the decision, the old attempt, the target, and why
 * it was refused. */
static int append_fence(sd_bus_message *m, const struct fence_outcome *fence)
{
    APPEND(open_dictionary(m, "GenerationFence"));
    APPEND(append_text(m, "Decision", fence_decision_to_string(fence->decision)));
    if (fence->has_old) {
        APPEND(append_number(m, "OldGeneration", fence->old_generation));
        APPEND(append_number(m, "OldAttempt", fence->old_attempt));
    }
    if (fence->has_target)
        APPEND(append_number(m, "TargetGeneration", fence->target_generation));
    APPEND(append_flag(m, "CancelDelivered", fence->cancel_delivered));
    APPEND(append_flag(m, "AbortRequested", fence->abort_requested));
    if (fence->duplicate_request_count > 0)
        APPEND(append_number(m, "DuplicateRequestCount", fence->duplicate_request_count));
    APPEND(append_conflict(m, fence));
    return close_dictionary(m);
}

/* The child, and those of its sidecars that go with it. */
static int append_plan_list(sd_bus_message *m, const char *key, const char *id,
                            const struct child *sidecars)
{
    APPEND(append_open(m, 'e', "sv"));
    APPEND(append_values(m, "s", key));
    APPEND(append_open(m, 'v', "as"));
    APPEND(append_open(m, 'a', "s"));
    for (const struct child *sidecar = sidecars; sidecar; sidecar = sidecar->next_sidecar)
        if (child_attempt(sidecar) > 0)
            APPEND(append_values(m, "s", sidecar->id));
    if (id)
        APPEND(append_values(m, "s", id));
    APPEND(sd_bus_message_close_container(m));
    APPEND(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

/* The child, and those that wait for it. */
static int append_would_start(sd_bus_message *m, const struct outcome *outcome,
                              const struct child *child)
{
    const struct child *brought = child && outcome->plan & PLAN_BRING ? child->brings_first : NULL;

    APPEND(append_open(m, 'e', "sv"));
    APPEND(append_values(m, "s", "WouldStart"));
    APPEND(append_open(m, 'v', "as"));
    APPEND(append_open(m, 'a', "s"));
    if (outcome->plan & PLAN_START)
        APPEND(append_values(m, "s", outcome->child_id));
    for (; brought; brought = brought->brings_next)
        APPEND(append_values(m, "s", brought->id));
    APPEND(sd_bus_message_close_container(m));
    APPEND(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

/* The lists of a dry run, for the child and its sidecars. */
static int append_plan(const struct service *service, sd_bus_message *m,
                       const struct outcome *outcome)
{
    const struct child *child = core_find(service->core, outcome->child_id);
    const struct child *sidecars = child ? child->first_sidecar : NULL;
    bool restart = outcome->plan & PLAN_RESTART, stop = !restart && outcome->plan & PLAN_STOP;
    const char *id = outcome->child_id;

    if (!outcome->dry_run)
        return 0;
    APPEND(append_flag(m, "DryRun", true));
    APPEND(append_plan_list(m, "WouldStop", stop ? id : NULL, stop ? sidecars : NULL));
    APPEND(append_would_start(m, outcome, child));
    return append_plan_list(m, "WouldRestart", restart ? id : NULL, restart ? sidecars : NULL);
}

/* What it still waits for, where the time is up, or nothing brings it about. */
static int append_awaited(const struct service *service, sd_bus_message *m,
                          const struct child *child, const char *waits_for, bool late)
{
    char why[EXPLANATION_MAX];

    if (!waits_for)
        return 0;
    explain(service, child, why, sizeof(why));
    if (late)
        APPEND(append_flag(m, "TimedOut", true));
    APPEND(append_text(m, "WaitsFor", waits_for));
    return append_text(m, "Explanation", why);
}

int append_outcome(const struct service *service, sd_bus_message *m, const struct outcome *outcome)
{
    INVARIANT(outcome_is_sound(outcome));
    return append_awaited_outcome(service, m, outcome, NULL, NULL, false);
}

/* A dry run is no command of the history: the next id goes to the next command. */
static int append_command(const struct service *service, sd_bus_message *m, uint64_t number,
                          bool dry_run)
{
    char command[COMMAND_ID_SIZE];

    if (dry_run)
        return 0;
    command_text(service, number, command);
    return append_text(m, "CommandId", command);
}

/* An outcome, as dbus-api.md lists its keys; a key without a value is left out. */
int append_awaited_outcome(const struct service *service, sd_bus_message *m,
                           const struct outcome *outcome, const struct child *child,
                           const char *waits_for, bool late)
{
    INVARIANT(outcome_is_sound(outcome) && (!child || child_is_sound(child)));
    APPEND(append_open(m, 'a', "{sv}"));
    APPEND(append_command(service, m, outcome->command_id, outcome->dry_run));
    APPEND(append_text(m, "ChildId", outcome->child_id));
    if (outcome->attempt > 0) {
        APPEND(append_number(m, "Attempt", outcome->attempt));
        APPEND(append_number(m, "Generation", outcome->generation));
    }
    APPEND(append_text(m, "OperationBefore", child_operation_to_string(outcome->operation_before)));
    APPEND(append_text(m, "OperationAfter", child_operation_to_string(outcome->operation_after)));
    if (outcome->status != CHILD_STATUS_NONE)
        APPEND(append_text(m, "Status", child_status_to_string(outcome->status)));
    APPEND(append_flag(m, "CancelDelivered", outcome->cancel_delivered));
    APPEND(append_text(m, "StopState", stop_state_to_string(outcome->stop_state)));
    APPEND(append_limit(m, &outcome->restart_limit));
    APPEND(append_liveness(m, outcome));
    APPEND(append_flag(m, "Idempotent", outcome->idempotent));
    APPEND(append_failure(m, &outcome->failure));
    if (outcome->has_fence)
        APPEND(append_fence(m, &outcome->fence));
    if (child && child->attempt.active) { /* it was waited for: what there is now */
        APPEND(append_number(m, "NewAttempt", child->attempt.number));
        APPEND(append_number(m, "NewGeneration", child->attempt.generation));
    }
    if (outcome->reload != RELOAD_NONE)
        APPEND(append_text(m, "Reload", reload_result_to_string(outcome->reload)));
    APPEND(append_plan(service, m, outcome));
    APPEND(append_awaited(service, m, child, waits_for, late));
    return sd_bus_message_close_container(m);
}

/* A reply that is too large would end the connection, so the caller gets an
 * error instead, which says that the command was carried out. */
int answer_is_sendable(sd_bus_message *call, int r, size_t bytes)
{
    if (r >= 0 && bytes <= BULK_BYTES_MAX)
        return 0;
    if (r >= 0)
        r = refuse_late(call, PROCTOR_ERROR "LimitExceeded",
                        "the command was carried out; the reply would be larger than %u bytes",
                        BULK_BYTES_MAX);
    else
        r = refuse_late(call, SD_BUS_ERROR_FAILED,
                        "the command was carried out; the reply cannot be built: %s", strerror(-r));
    return r < 0 ? r : 1;
}

int append_outcomes(const struct service *service, sd_bus_message *m,
                    const struct outcome *outcomes, size_t count)
{
    INVARIANT(count == 0 || outcomes);
    APPEND(append_open(m, 'a', "a{sv}"));
    for (size_t i = 0; i < count; i++)
        APPEND(append_outcome(service, m, &outcomes[i]));
    return sd_bus_message_close_container(m);
}

/* A field of an event keeps its type. */
int append_field(sd_bus_message *m, const struct event_field *field)
{
    INVARIANT(field->key);
    switch (field->type) {
    case FIELD_TEXT:
        return append_text(m, field->key, field->text);
    case FIELD_NUMBER:
        return append_number(m, field->key, field->number);
    case FIELD_SIGNED:
        return append_values(m, "{sv}", field->key, "x", field->sign);
    case FIELD_FLAG:
        return append_flag(m, field->key, field->flag);
    }
    return -EINVAL;
}

/* The body of an event: tttsssa{sv}, without the struct around it. */
int append_event(const struct service *service, sd_bus_message *m, const struct event *event,
                 const char *child)
{
    char cause[COMMAND_ID_SIZE];

    INVARIANT(event_is_sound(event));
    command_text(service, event->cause, cause);
    APPEND(append_values(m, "tttsss", event->sequence, event->realtime_usec,
                         service->hooks.clock(service->hooks.userdata, event->monotonic_usec),
                         event_kind_to_string(event->kind), child, cause));
    APPEND(append_open(m, 'a', "{sv}"));
    if (event->attempt > 0) {
        APPEND(append_number(m, "generation", event->generation));
        APPEND(append_number(m, "attempt", event->attempt));
    }
    for (size_t i = 0; i < event->n_fields; i++)
        APPEND(append_field(m, &event->fields[i]));
    return sd_bus_message_close_container(m);
}

/* What became of the process and of its cgroup. */
static int append_resources(sd_bus_message *m, const struct shutdown_row *row)
{
    bool gone = row->result != SHUTDOWN_ABORT_FAILED;
    bool ran = row->attempt > 0;
    const char *process = resource_state_to_string(!ran   ? RESOURCE_NOT_OWNED
                                                   : gone ? RESOURCE_CLEANED
                                                          : RESOURCE_FAILED);

    APPEND(append_open(m, 'e', "sv"));
    APPEND(append_values(m, "s", "Resources"));
    APPEND(append_values(m, "v", "a{ss}", 2, "process", process, "cgroup",
                         resource_state_to_string(ran ? row->cgroup : RESOURCE_NOT_OWNED)));
    return sd_bus_message_close_container(m);
}

/* One child in the report of a shutdown. */
static int append_row(sd_bus_message *m, const struct shutdown_row *row)
{
    APPEND(append_open(m, 'a', "{sv}"));
    APPEND(append_text(m, "ChildId", row->child->id));
    APPEND(append_text(m, "Result", shutdown_result_to_string(row->result)));
    APPEND(append_number(m, "Generation", row->generation));
    APPEND(append_number(m, "Attempt", row->attempt));
    APPEND(append_flag(m, "CancelDelivered", row->cancel_delivered));
    APPEND(append_text(m, "Exit", exit_kind_to_string(row->exit)));
    APPEND(append_signed(m, "ExitCode", row->exit_code));
    APPEND(append_signed(m, "ExitSignal", row->exit_signal));
    APPEND(append_text(m, "Phase", shutdown_phase_to_string(row->phase)));
    APPEND(append_text(m, "Reason", row->reason));
    APPEND(append_resources(m, row));
    return sd_bus_message_close_container(m);
}

/* A row for each child that was declared when it began. */
static int append_report(const struct service *service, sd_bus_message *m)
{
    APPEND(append_open(m, 'e', "sv"));
    APPEND(append_values(m, "s", "Report"));
    APPEND(append_open(m, 'v', "aa{sv}"));
    APPEND(append_open(m, 'a', "a{sv}"));
    for (struct child *child = core_first(service->core); child; child = core_next(child)) {
        struct shutdown_row row;
        if (core_shutdown_row(service->core, child, &row))
            APPEND(append_row(m, &row));
    }
    APPEND(sd_bus_message_close_container(m));
    APPEND(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

/* Those that have an attempt; or none. */
static int append_active(const struct service *service, sd_bus_message *m, const char *key,
                         bool none)
{
    APPEND(append_open(m, 'e', "sv"));
    APPEND(append_values(m, "s", key));
    APPEND(append_open(m, 'v', "as"));
    APPEND(append_open(m, 'a', "s"));
    const struct child *child = none ? NULL : core_first(service->core);
    for (; child; child = core_next(child))
        if (child->attempt.active)
            APPEND(append_values(m, "s", child->id));
    APPEND(sd_bus_message_close_container(m));
    APPEND(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

/* What Shutdown answers with: the report is there once the shutdown is complete. */
int append_shutdown(const struct service *service, sd_bus_message *m, bool dry_run, bool idempotent,
                    bool late)
{
    enum shutdown_phase phase = core_shutdown_phase(service->core);

    APPEND(append_open(m, 'a', "{sv}"));
    APPEND(append_command(service, m, core_shutdown_command(service->core), dry_run));
    APPEND(append_text(m, "Phase", shutdown_phase_to_string(phase)));
    APPEND(append_text(m, "RequestedBy", service->shutdown_requester));
    APPEND(append_text(m, "Reason", service->shutdown_reason));
    APPEND(append_flag(m, "Idempotent", idempotent));
    if (phase == SHUTDOWN_COMPLETED)
        APPEND(append_report(service, m));
    if (dry_run)
        APPEND(append_flag(m, "DryRun", true));
    if (dry_run)
        APPEND(append_active(service, m, "WouldStop", phase != SHUTDOWN_IDLE));
    if (late)
        APPEND(append_flag(m, "TimedOut", true));
    if (late)
        APPEND(append_active(service, m, "StillThere", false));
    return sd_bus_message_close_container(m);
}

/* Of a re-execution: by the new program; of a dry run by this one. */
int append_reexecution(sd_bus_message *m, const char *version)
{
    int r = append_open(m, 'a', "{sv}");

    if (r >= 0)
        r = append_text(m, "version", version);
    return r < 0 ? r : sd_bus_message_close_container(m);
}
