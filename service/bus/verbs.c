/*
 * The verbs on children and supervisors. command_prepare() is the one gate of
 * all commands: who calls, may they, which options, is the reason valid, can it
 * be recorded, has the same call been made before.
 */
#include "bus/verbs.h"

#include "core/model/members.h"
#include "bus/bulk.h"
#include "bus/private.h"
#include "bus/authorisation.h"
#include "bus/caller.h"
#include "bus/encode.h"
#include "bus/history.h"
#include "bus/key.h"
#include "bus/options.h"
#include "bus/wait.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The core's errors as D-Bus errors. */
static int error_of(int r, const char *id, const struct error *why, sd_bus_error *error)
{
    switch (-r) {
    case ENOENT:
        return refuse_call(error, PROCTOR_ERROR "NoSuchChild", "%.200s: %s", id, why->text);
    case ESRCH:
        return refuse_call(error, SD_BUS_ERROR_UNIX_PROCESS_ID_UNKNOWN, "%s: %s", id, why->text);
    case EINVAL:
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument", "%s", why->text);
    default:
        return refuse_errno(error, r, "%s: %s: %s", id, why->text, strerror(-r));
    }
}

/* Answers, now or (later) when the effect is complete, and keeps the answer for calls with the same
 * key. */
static int answer(struct service *service, sd_bus_message *m, const struct outcome *outcome,
                  const struct options *options, uid_t uid, bool later)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(m, &reply);

    if (r >= 0)
        r = append_outcome(service, reply, outcome);
    if (r < 0)
        return r;
    if (later) {
        /* No caller gets this one; it is only kept. */
        if (options->key && sd_bus_message_seal(reply, 1, 0) >= 0)
            key_remember(service, options, uid, reply);
        return 1;
    }
    r = service_acknowledge(service, reply); /* seals it: it can be read again from now on */
    if (r >= 0 && !outcome->dry_run)
        key_remember(service, options, uid, reply);
    return r < 0 ? r : 1;
}

static bool worth_waiting(const struct outcome *outcome)
{
    if (outcome->dry_run)
        return false;
    return !outcome->has_fence || (outcome->fence.decision != FENCE_REJECTED &&
                                   outcome->fence.decision != FENCE_BLOCKED_BY_SHUTDOWN);
}

/* The serial shows whether it is still the same child: a Remove may have
 * deleted it. */
static int carry_out(struct service *service, sd_bus_message *m, struct command *command,
                     const struct options *options, const struct caller *caller,
                     sd_bus_error *error)
{
    struct outcome outcome;
    struct error why = {};
    /* A Remove without an attempt deletes the record: nothing is left to wait for. */
    struct child *child = core_find(service->core, command->child);
    uint32_t serial = child ? child->serial : 0;

    command->requester = options->requester;
    command->origin = caller->origin;
    command->dry_run = options->dry_run;
    int r = core_command(service->core, command, &outcome, &why);
    service->hooks.settle(service->hooks.userdata);
    if (r < 0)
        return error_of(r, command->child, &why, error);

    child = core_find(service->core, command->child);
    bool wait = options->wait && child && child->serial == serial && worth_waiting(&outcome) &&
                command->verb != COMMAND_KILL; /* it is done */
    if (wait) {
        r = wait_for_child(service, m, command->verb, child, &outcome, options->wait_usec);
        if (r < 0)
            return refuse_call(error, PROCTOR_ERROR "LimitExceeded",
                               WAITERS_FULL "; the command was carried out");
    }
    return answer(service, m, &outcome, options, caller->uid, wait);
}

/* Returns 1 if the call has been answered, or waits for polkit. */
int command_prepare(struct service *service, sd_bus_message *m, const struct permission *permission,
                    const char *reason, const struct caller **caller, struct options *options,
                    sd_bus_error *error)
{
    int r = caller_of(service, m, caller, error);
    if (r >= 0)
        r = authorise(service, m, *caller, permission, error);
    if (r > 0)
        return r;
    if (r >= 0)
        r = options_read(m, *caller, permission->option, options, error);
    if (r >= 0 && reason)
        r = reason_check(reason, error);
    if (r >= 0 && !options->dry_run)
        r = journal_check(service, error);
    if (r >= 0)
        r = key_claim(service, m, options, *caller, error);
    return r;
}

void tell_dry_run(struct service *service, const char *command, const char *requester,
                  const char *reason)
{
    struct declaration_problem none;

    core_dry_run(service->core, command, &(struct tree_declaration){}, NULL, requester, reason,
                 &none);
}

const struct permission shutdown_permission = {
    .action = MAY_SHUT_DOWN, .verb = "shutdown", .option = "timeout-usec"};

/* The polkit action of each verb. */
static const char *action_of(enum command_verb verb)
{
    switch (verb) {
    case COMMAND_PAUSE:
    case COMMAND_RESUME:
    case COMMAND_RESTART:
    case COMMAND_RELOAD:
    case COMMAND_KILL:
        return MAY_MANAGE;
    case COMMAND_QUARANTINE:
        return MAY_QUARANTINE;
    case COMMAND_REMOVE:
        return MAY_CHANGE_TREE;
    }
    return MAY_CHANGE_TREE;
}

/* Of a verb upon a child, or a scope; the end of the root's is that of the tree, and of a job's
 * child that of the job. */
static struct permission permission_for(enum command_verb verb, const char *subject)
{
    bool of_job = strncmp(subject, "jobs/", 5) == 0;

    if (verb == COMMAND_REMOVE && subject[0] == '\0')
        return shutdown_permission;
    return (struct permission){.action = verb == COMMAND_REMOVE && of_job ? MAY_RUN_JOBS
                                                                          : action_of(verb),
                               .verb = command_verb_to_string(verb),
                               .child = subject};
}

/* One child. */
int verb_call(struct service *service, sd_bus_message *m, enum command_verb verb, const char *id,
              sd_bus_error *error)
{
    const struct permission permission = permission_for(verb, id);
    const struct caller *caller;
    struct options options;
    const char *reason;

    int r = argument_read(m, "reason", &reason, error);
    if (r >= 0)
        r = command_prepare(service, m, &permission, reason, &caller, &options, error);
    if (r != 0)
        return r;
    struct command command = {.verb = verb, .child = id, .reason = reason};
    return carry_out(service, m, &command, &options, caller, error);
}

/* ---- of a whole scope ------------------------------------------------------------------------ */

void shutdown_order(struct service *service, const struct options *options, const char *reason)
{
    if (core_shutdown_phase(service->core) == SHUTDOWN_IDLE) {
        snprintf(service->shutdown_requester, sizeof(service->shutdown_requester), "%s",
                 options->requester);
        snprintf(service->shutdown_reason, sizeof(service->shutdown_reason), "%s", reason);
    }
    core_shutdown_within(service->core, options->timeout_usec, options->requester, reason);
    service->hooks.settle(service->hooks.userdata);
}

struct outcomes {
    struct outcome *list;
    size_t count, room;
};

static void collect(void *userdata, const struct outcome *outcome)
{
    struct outcomes *outcomes = userdata;

    if (outcomes->count < outcomes->room)
        outcomes->list[outcomes->count++] = *outcome;
}

/* A call that waits is answered later; the reply is only kept for its key. */
static int answer_scope(struct service *service, sd_bus_message *m, const struct outcomes *outcomes,
                        const struct options *options, uid_t uid, bool later)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(m, &reply);
    size_t bytes = 0;

    outgoing_count(&bytes);
    if (r >= 0)
        r = append_outcomes(service, reply, outcomes->list, outcomes->count);
    outgoing_count(NULL);
    if (later && (r < 0 || bytes > BULK_BYTES_MAX))
        return 1; /* the waiter will say so */
    r = answer_is_sendable(m, r, bytes);
    if (r != 0)
        return r;
    r = later ? sd_bus_message_seal(reply, 1, 0) : service_acknowledge(service, reply);
    if (r >= 0 && !options->dry_run)
        key_remember(service, options, uid, reply);
    return r < 0 ? r : 1;
}

/* The shutdown of the root is that of the tree. */
static int shut_root_down(struct service *service, const struct command *command,
                          const struct options *options, struct outcomes *outcomes)
{
    struct supervisor *root = core_first_supervisor(service->core);
    bool idempotent = core_shutdown_phase(service->core) != SHUTDOWN_IDLE;

    if (!options->dry_run)
        shutdown_order(service, options, command->reason);
    for (struct child *child = supervisor_last(root); child;
         child = supervisor_previous(root, child)) {
        struct outcome outcome = {.command_id = core_shutdown_command(service->core),
                                  .attempt = child_attempt(child),
                                  .generation = child->attempt.active ? child->attempt.generation
                                                                      : child->generation,
                                  .operation_before = child->operation,
                                  .idempotent = idempotent,
                                  .dry_run = options->dry_run,
                                  .plan = child->attempt.active ? PLAN_STOP : 0};
        outcome.cancel_delivered = child->shutdown->cancel_delivered;
        core_describe(service->core, child, &outcome);
        collect(outcomes, &outcome);
    }
    return 0;
}

/* Remove at the root is the shutdown of the tree. */
static int carry_out_scope(struct service *service, sd_bus_message *m, struct command *command,
                           const struct options *options, const struct caller *caller,
                           struct outcomes *outcomes, sd_bus_error *error)
{
    struct error why = {};

    command->requester = options->requester;
    command->origin = caller->origin;
    command->dry_run = options->dry_run;
    bool ends_the_tree = command->verb == COMMAND_REMOVE && command->child[0] == '\0';
    int r = ends_the_tree ? shut_root_down(service, command, options, outcomes)
                          : core_command_scope(service->core, command, collect, outcomes, &why);
    service->hooks.settle(service->hooks.userdata);
    if (r < 0)
        return error_of(r, command->child, &why, error);
    bool wait = options->wait && !options->dry_run && outcomes->count > 0;
    if (wait && wait_for_scope(service, m, command->verb, outcomes->list, outcomes->count,
                               options->wait_usec) < 0)
        return refuse_call(error, PROCTOR_ERROR "LimitExceeded",
                           WAITERS_FULL "; the command was carried out");
    return answer_scope(service, m, outcomes, options, caller->uid, wait);
}

/* All below a supervisor, with an outcome for each. */
int scope_call(struct service *service, sd_bus_message *m, enum command_verb verb, const char *path,
               sd_bus_error *error)
{
    const struct permission permission = permission_for(verb, path);
    struct outcomes outcomes = {.room = core_count(service->core)};
    const struct caller *caller;
    struct options options;
    const char *reason;

    int r = argument_read(m, "reason", &reason, error);
    if (r >= 0)
        r = command_prepare(service, m, &permission, reason, &caller, &options, error);
    if (r != 0)
        return r;
    outcomes.list = calloc(outcomes.room + 1, sizeof(*outcomes.list));
    if (!outcomes.list)
        return -ENOMEM;
    struct command command = {.verb = verb, .child = path, .reason = reason};
    r = carry_out_scope(service, m, &command, &options, caller, &outcomes, error);
    free(outcomes.list);
    return r;
}

/* Checked in the order of the arguments. */
int kill_call(struct service *service, sd_bus_message *m, const char *id, sd_bus_error *error)
{
    const struct permission permission = permission_for(COMMAND_KILL, id);
    const struct caller *caller;
    struct options options;
    const char *whom, *reason;
    int32_t signal;

    int r = argument_read(m, "whom", &whom, error);
    if (r >= 0)
        r = sd_bus_message_read(m, "i", &signal);
    if (r >= 0)
        r = argument_read(m, "reason", &reason, error);
    if (r >= 0)
        r = command_prepare(service, m, &permission, reason, &caller, &options, error);
    if (r != 0)
        return r;
    if (strcmp(whom, "main") != 0 && strcmp(whom, "all") != 0)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "whom: expected \"main\" or \"all\"");
    if (signal < 1 || signal > 64)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "signal: expected a number from 1 to 64");
    struct command command = {.verb = COMMAND_KILL,
                              .child = id,
                              .reason = reason,
                              .signal = signal,
                              .whole = strcmp(whom, "all") == 0};
    return carry_out(service, m, &command, &options, caller, error);
}
