/*
 * The manager object: methods by id, jobs, the shutdown, and the properties of
 * the tree as a whole.
 */
#include "bus/manager.h"

#include "bus/authorisation.h"
#include "bus/caller.h"
#include "bus/child_object.h"
#include "bus/encode.h"
#include "bus/event_log.h"
#include "bus/history.h"
#include "bus/job_object.h"
#include "bus/key.h"
#include "bus/options.h"
#include "bus/path.h"
#include "bus/subscription.h"
#include "bus/verbs.h"
#include "bus/wait.h"
#include "bus/audit_query.h"
#include "bus/declare.h"
#include "bus/job_list.h"
#include "bus/listing.h"
#include "manifest/manifest_set.h"
#include "bus/metrics.h"
#include "core/model/members.h"
#include "bus/private.h"
#include "bus/reexecute.h"
#include "bus/reload.h"
#include "bus/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- RunJob ---------------------------------------------------------------------------------- */

static size_t jobs_of(const struct service *service, uid_t uid)
{
    size_t count = 0;

    for (const struct job *job = core_first_job(service->core); job; job = job->next)
        count += job->child && job->child->config->declaration.owner == uid;
    return count;
}

static int job_refused(struct service *service, const struct caller *caller,
                       const struct manifest *manifest, int r,
                       const struct declaration_problem *problem, sd_bus_error *error)
{
    struct tree_declaration none = {};
    return declare_refuse(service, caller, manifest, &none, r, problem, error);
}

static int check_job(const struct manifest *manifest, struct manifest_error *why)
{
    if (manifest_supervisor_count(manifest) == 0 &&
        manifest_declaration(manifest, 0)->role != ROLE_SERVICE &&
        manifest_declaration(manifest, 0)->role != ROLE_SIDECAR)
        return 0;
    *why = (struct manifest_error){.line = 1, .column = 1};
    snprintf(why->text, sizeof(why->text), "expected the manifest of one job");
    return -EINVAL;
}

static int check_share(const struct service *service, const struct caller *caller,
                       sd_bus_error *error)
{
    if (!caller_has_its_share(caller, jobs_of(service, caller->uid), JOBS_PER_UID))
        return 0;
    return refuse_call(error, PROCTOR_ERROR "LimitExceeded",
                       "%d jobs of %s are not finished yet, which is the limit", JOBS_PER_UID,
                       caller->text);
}

/* What a call of RunJob or PlanRunJob has said. */
struct job_call {
    struct manifest *manifest; /* of one job */
    const struct caller *caller;
    struct options options;
    const char *reason; /* belongs to the message */
};

/* A dry run, which is refused as the job would be. */
static int plan_job(struct service *service, const struct job_call *call, struct job_plan *plan,
                    sd_bus_error *error)
{
    const struct child_declaration *declaration = manifest_declaration(call->manifest, 0);
    struct declaration_problem problem = {};
    int r = check_share(service, call->caller, error);

    if (r < 0)
        return r;
    r = core_plan_job(service->core, declaration, declaration->same_name, plan, &problem);
    if (r < 0)
        return job_refused(service, call->caller, call->manifest, r, &problem, error);
    tell_dry_run(service, "run", call->options.requester, call->reason);
    return 0;
}

/* A dry run has its own path through the core, as a job that does not exist has
 * no object. */
static int run_job(struct service *service, sd_bus_message *m, struct job_call *call,
                   sd_bus_error *error)
{
    struct child_declaration declaration = *manifest_declaration(call->manifest, 0);
    struct declaration_problem problem = {};
    struct job_plan ignored;
    struct job *job = NULL;
    int r = 0;

    declaration.owner = call->caller->uid;
    if (call->options.dry_run) {
        r = plan_job(service, call, &ignored, error);
    } else {
        r = check_share(service, call->caller, error);
        if (r < 0)
            return r;
        r = core_run_job(service->core, &declaration, declaration.same_name,
                         call->options.requester, call->reason, &job, &problem);
        service->hooks.settle(service->hooks.userdata);
        if (r < 0)
            r = job_refused(service, call->caller, call->manifest, r, &problem, error);
    }
    return r < 0 ? r : answer_job(service, m, job, &call->options, call->caller->uid);
}

/* Reads the call and lets `act` answer it. The manifest is that of a child; `kind` may be missing.
 */
static int job_call(sd_bus_message *m, struct service *service,
                    int (*act)(struct service *service, sd_bus_message *m, struct job_call *call,
                               sd_bus_error *error),
                    sd_bus_error *error)
{
    struct job_call call;
    struct manifest_error why;

    int r = declare_read_manifest(service, m, &(struct permission){MAY_RUN_JOBS, "run", NULL},
                                  &call.manifest, &call.caller, &call.options, &call.reason, error);
    if (r != 1)
        return r == 2 ? 1 : r;
    r = check_job(call.manifest, &why) < 0
            ? declare_refuse_manifest(service, call.caller, &why, error)
            : act(service, m, &call, error);
    manifest_free(call.manifest);
    return r;
}

static int method_run_job(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    return job_call(m, userdata, run_job, error);
}

/* Those of the name that would be cancelled for it. */
static int append_replaced(const struct service *service, sd_bus_message *reply, const char *name)
{
    int r = 0;

    for (const struct job *job = core_first_job(service->core); r >= 0 && job; job = job->next)
        if (job->state != JOB_FINISHED && job->child && strcmp(job->name, name) == 0)
            r = append_values(reply, "s", job->child->id);
    return r;
}

static int append_list(sd_bus_message *reply, const char *key)
{
    int r = append_open(reply, 'e', "sv");

    if (r >= 0)
        r = append_values(reply, "s", key);
    if (r >= 0)
        r = append_open(reply, 'v', "as");
    return r < 0 ? r : append_open(reply, 'a', "s");
}

static int close_list(sd_bus_message *reply)
{
    int r = 0;

    for (int i = 0; r >= 0 && i < 3; i++)
        r = sd_bus_message_close_container(reply);
    return r;
}

/* What would happen to the job, and to the earlier one of its name. */
static int append_job_plan(const struct service *service, sd_bus_message *reply, const char *name,
                           const struct job_plan *plan)
{
    int r = append_open(reply, 'a', "{sv}");

    if (r >= 0)
        r = append_flag(reply, "DryRun", true);
    if (r >= 0)
        r = append_text(reply, "Name", name);
    if (r >= 0)
        r = append_text(reply, "State", job_state_to_string(plan->runs ? JOB_RUNNING : JOB_QUEUED));
    if (r >= 0)
        r = append_list(reply, "WouldStop");
    if (r >= 0 && plan->replaces)
        r = append_replaced(service, reply, name);
    if (r >= 0)
        r = close_list(reply);
    if (r >= 0)
        r = append_list(reply, "WouldStart");
    if (r >= 0 && plan->starts)
        r = append_values(reply, "s", name);
    if (r >= 0)
        r = close_list(reply);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int answer_job_plan(struct service *service, sd_bus_message *m, const char *name,
                           const struct job_plan *plan)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(m, &reply);

    if (r >= 0)
        r = append_job_plan(service, reply, name, plan);
    return r < 0 ? r : service_acknowledge(service, reply);
}

/* What RunJob would come to; its answer has no room for that. */
static int plan_and_answer(struct service *service, sd_bus_message *m, struct job_call *call,
                           sd_bus_error *error)
{
    struct job_plan plan;

    call->options.dry_run = true;
    int r = plan_job(service, call, &plan, error);
    return r < 0 ? r
                 : answer_job_plan(service, m, manifest_declaration(call->manifest, 0)->id, &plan);
}

static int method_plan_run_job(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    return job_call(m, userdata, plan_and_answer, error);
}

static int get_max_jobs(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const struct service *service = userdata;

    (void)bus;
    (void)path;
    (void)interface;
    (void)property;
    (void)error;
    return append_values(reply, "u", core_max_jobs(service->core));
}

/* sd-bus answers a Set at once, so polkit cannot be asked: only root and
 * proctord's own user may. */
static int set_max_jobs(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *value, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    const struct caller *caller;
    uint32_t most;

    (void)bus;
    (void)path;
    (void)interface;
    (void)property;
    int r = sd_bus_message_read(value, "u", &most);
    if (r >= 0)
        r = caller_of(service, value, &caller, error);
    if (r >= 0)
        r = caller_must_be_trusted(caller, "MaxJobs", error); /* sd-bus answers at once */
    if (r < 0)
        return r;
    if (most == 0 || most > JOBS_AT_ONCE_MAX)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "MaxJobs: expected a number from 1 to %d", JOBS_AT_ONCE_MAX);
    bool changes = most != core_max_jobs(service->core);
    core_set_max_jobs(service->core, most);
    service->hooks.settle(service->hooks.userdata);
    if (changes && service->bus)
        sd_bus_emit_properties_changed(service->bus, PROCTOR_PATH, PROCTOR_INTERFACE "Manager",
                                       "MaxJobs", NULL);
    return 0;
}

/* ---- queries --------------------------------------------------------------------------------- */

static int no_such_child(const char *id, sd_bus_error *error)
{
    return refuse_call(error, PROCTOR_ERROR "NoSuchChild", "%.200s: no child has this id", id);
}

static int reply_with_path(sd_bus_message *m, const struct child *child)
{
    char *path = path_of_child(child->id);
    int r = path ? sd_bus_reply_method_return(m, "o", path) : -ENOMEM;

    free(path);
    return r;
}

static int method_get_child(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    const char *id;
    int r = argument_read(m, "id", &id, error);

    if (r < 0)
        return r;
    struct child *child = core_find(service->core, id);
    return child ? reply_with_path(m, child) : no_such_child(id, error);
}

/* Answers by the same proof as for messages: the cgroup, or the parents. */
static int method_get_child_by_pid(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    struct attempt_id id;
    uint32_t pid;
    int r = sd_bus_message_read(m, "u", &pid);

    if (r < 0)
        return r;
    if (pid == 0 || pid > INT32_MAX)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument", "pid: not a process id");
    r = service->hooks.find_pid(service->hooks.userdata, (pid_t)pid, &id);
    struct child *child = r == 0 ? core_child_of(service->core, id) : NULL;
    if (!child)
        return refuse_call(
            error, PROCTOR_ERROR "NoSuchChild",
            r == -ESRCH ? "there is no process %u" : "process %u belongs to no child", pid);
    return reply_with_path(m, child);
}

static int method_query_events(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct event_filter *filter;
    uint64_t after;
    uint32_t max;
    int r = sd_bus_message_read(m, "tu", &after, &max);

    if (r >= 0)
        r = event_filter_read(m, &filter, error);
    return r < 0 ? r : event_log_query(userdata, m, after, max, filter, error);
}

static int method_subscribe(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    return subscribe(userdata, m, error);
}

static int method_unsubscribe(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    return unsubscribe(userdata, m, error);
}

/* ---- verbs by id ----------------------------------------------------------------------------- */

static int verb_by_id(sd_bus_message *m, void *userdata, enum command_verb verb,
                      sd_bus_error *error)
{
    struct service *service = userdata;
    const char *id;
    int r = argument_read(m, "id", &id, error);

    return r < 0 ? r : verb_call(service, m, verb, id, error);
}

#define BY_ID(name, verb)                                                                          \
    static int name(sd_bus_message *m, void *userdata, sd_bus_error *error)                        \
    {                                                                                              \
        return verb_by_id(m, userdata, verb, error);                                               \
    }

BY_ID(method_pause_child, COMMAND_PAUSE)
BY_ID(method_resume_child, COMMAND_RESUME)
BY_ID(method_quarantine_child, COMMAND_QUARANTINE)
BY_ID(method_restart_child, COMMAND_RESTART)
BY_ID(method_remove_child, COMMAND_REMOVE)

/* ---- shutdown ------------------------------------------------------------------------------- */

static int answer_shutdown(struct service *service, sd_bus_message *m, bool idempotent,
                           const struct options *options, uid_t uid)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(m, &reply);

    size_t bytes = 0;

    outgoing_count(&bytes);
    if (r >= 0)
        r = append_shutdown(service, reply, options->dry_run, idempotent, false);
    outgoing_count(NULL);
    r = answer_is_sendable(m, r, bytes);
    if (r != 0)
        return r;
    r = sd_bus_send(NULL, reply, NULL);
    if (r >= 0 && !options->dry_run)
        key_remember(service, options, uid, reply);
    return r;
}

/* A second call joins the first. */
static int method_shutdown(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    const struct caller *caller;
    struct options options;
    const char *reason;

    int r = argument_read(m, "reason", &reason, error);
    if (r >= 0)
        r = command_prepare(service, m, &shutdown_permission, reason, &caller, &options, error);
    if (r != 0)
        return r;
    bool idempotent = core_shutdown_phase(service->core) != SHUTDOWN_IDLE;
    if (options.dry_run)
        tell_dry_run(service, "shutdown", options.requester, reason);
    else
        shutdown_order(service, &options, reason);
    if (options.wait && !options.dry_run &&
        core_shutdown_phase(service->core) != SHUTDOWN_COMPLETED)
        return wait_for_shutdown(service, m, idempotent, options.wait_usec) < 0
                   ? refuse_call(error, PROCTOR_ERROR "LimitExceeded",
                                 WAITERS_FULL "; the tree is shutting down")
                   : 1;
    return answer_shutdown(service, m, idempotent, &options, caller->uid);
}

/* ---- properties ------------------------------------------------------------------------------ */

/* The tree counts its attempts itself. */
static uint32_t count_active(const struct service *service)
{
    return core_first_supervisor(service->core)->tally.attempts;
}

static uint32_t count_failed(const struct service *service)
{
    uint32_t failed = 0;

    for (const struct child *child = core_first(service->core); child; child = core_next(child))
        failed += child_has_failed(child);
    return failed;
}

#define PROPERTY(name, ...)                                                                        \
    static int name(sd_bus *bus, const char *path, const char *interface, const char *property,    \
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)                    \
    {                                                                                              \
        const struct service *service = userdata;                                                  \
        (void)bus;                                                                                 \
        (void)path;                                                                                \
        (void)interface;                                                                           \
        (void)property;                                                                            \
        (void)error;                                                                               \
        (void)service;                                                                             \
        return append_values(reply, __VA_ARGS__);                                                  \
    }

PROPERTY(get_version, "s", PROCTOR_VERSION)
PROPERTY(get_features, "as", 8, "idempotency-key", "wait", "dry-run", "events", "supervisors",
         "jobs", "sockets", "journal")
PROPERTY(get_shutdown_phase, "s", shutdown_phase_to_string(core_shutdown_phase(service->core)))
PROPERTY(get_n_children, "u", (uint32_t)core_count(service->core))
PROPERTY(get_n_active, "u", count_active(service))
PROPERTY(get_n_failed, "u", count_failed(service))
PROPERTY(get_sequence, "t", core_sequence(service->core))
PROPERTY(get_started, "t", service->started_usec)
PROPERTY(get_recovered, "b", service->hooks.recovered(service->hooks.userdata))
PROPERTY(get_durability, "s", service->hooks.durability(service->hooks.userdata))

void service_durability_changed(struct service *service)
{
    if (service->bus)
        sd_bus_emit_properties_changed(service->bus, PROCTOR_PATH, PROCTOR_INTERFACE "Manager",
                                       "Durability", NULL);
}

/* At the end of each round of the loop, all changed properties in one
 * signal. */
void manager_show_changes(struct service *service)
{
    uint32_t active = count_active(service), count = (uint32_t)core_count(service->core);
    uint32_t failed = service->failed_changed ? count_failed(service) : service->shown_failed;
    enum shutdown_phase phase = core_shutdown_phase(service->core);
    const char *names[5];
    size_t n = 0;

    service->failed_changed = false;
    if (active != service->shown_active)
        names[n++] = "NActive";
    if (failed != service->shown_failed)
        names[n++] = "NFailed";
    if (count != service->shown_count)
        names[n++] = "NChildren";
    if (phase != service->shown_phase)
        names[n++] = "ShutdownPhase";
    names[n] = NULL;
    service->shown_active = active;
    service->shown_failed = failed;
    service->shown_count = count;
    service->shown_phase = phase;
    if (n > 0 && service->bus)
        sd_bus_emit_properties_changed_strv(service->bus, PROCTOR_PATH, PROCTOR_INTERFACE "Manager",
                                            (char **)names);
}

#define VERB_BY_ID(name, handler)                                                                  \
    SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_ARGS("s", id, "s", reason, "a{sv}", options),             \
                            SD_BUS_RESULT("a{sv}", outcome), handler, SD_BUS_VTABLE_UNPRIVILEGED)

const sd_bus_vtable manager_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("AddChild", SD_BUS_ARGS("s", manifest, "s", reason, "a{sv}", options),
                            SD_BUS_RESULT("o", child), method_add_child,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS(
        "PlanAddChild", SD_BUS_ARGS("s", manifest, "s", reason, "a{sv}", options),
        SD_BUS_RESULT("a{sv}", changes), method_plan_add_child, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("GetChild", SD_BUS_ARGS("s", id), SD_BUS_RESULT("o", child),
                            method_get_child, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("GetChildByPID", SD_BUS_ARGS("u", pid), SD_BUS_RESULT("o", child),
                            method_get_child_by_pid, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("ListChildren", SD_BUS_NO_ARGS,
                            SD_BUS_RESULT("a(sosssttbsub)", children), method_list_children,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("ListJobs", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(tsssttt)", jobs),
                            method_list_jobs, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("CurrentState", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", state),
                            method_current_state, SD_BUS_VTABLE_UNPRIVILEGED),
    VERB_BY_ID("PauseChild", method_pause_child),
    VERB_BY_ID("ResumeChild", method_resume_child),
    VERB_BY_ID("QuarantineChild", method_quarantine_child),
    VERB_BY_ID("RestartChild", method_restart_child),
    VERB_BY_ID("RemoveChild", method_remove_child),
    SD_BUS_METHOD_WITH_ARGS("Shutdown", SD_BUS_ARGS("s", reason, "a{sv}", options),
                            SD_BUS_RESULT("a{sv}", result), method_shutdown,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_ARGS("s", reason, "a{sv}", options),
                            SD_BUS_RESULT("a{sv}", changes), method_reload,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS(
        "ReplaceChild", SD_BUS_ARGS("s", manifest, "s", reason, "a{sv}", options),
        SD_BUS_RESULT("a{sv}", changes), method_replace_child, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Reexecute", SD_BUS_ARGS("s", reason, "a{sv}", options),
                            SD_BUS_RESULT("a{sv}", result), method_reexecute,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("RunJob", SD_BUS_ARGS("s", manifest, "s", reason, "a{sv}", options),
                            SD_BUS_RESULT("o", job), method_run_job, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("PlanRunJob", SD_BUS_ARGS("s", manifest, "s", reason, "a{sv}", options),
                            SD_BUS_RESULT("a{sv}", plan), method_plan_run_job,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Subscribe", SD_BUS_ARGS("a{sv}", filter),
                            SD_BUS_RESULT("t", first_sequence), method_subscribe,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Unsubscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_unsubscribe,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("QueryEvents", SD_BUS_ARGS("t", after, "u", max, "a{sv}", filter),
                            SD_BUS_RESULT("a(tttsssa{sv})", events), method_query_events,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("GetMetrics", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", openmetrics),
                            method_get_metrics, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("QueryAudit", SD_BUS_ARGS("t", since_usec, "u", max, "a{sv}", filter),
                            SD_BUS_RESULT("a(ttsssa{sv})", entries), method_query_audit,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("GetTrace", SD_BUS_NO_ARGS, SD_BUS_RESULT("t", trace, "t", size),
                            method_get_trace, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("ReadTrace", SD_BUS_ARGS("t", trace, "t", offset, "u", max),
                            SD_BUS_RESULT("ay", piece), method_read_trace,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL_WITH_ARGS("Event",
                            SD_BUS_ARGS("t", sequence, "t", realtime_usec, "t", monotonic_usec, "s",
                                        kind, "s", child, "s", cause, "a{sv}", fields),
                            0),
    SD_BUS_SIGNAL_WITH_ARGS("ChildAdded", SD_BUS_ARGS("s", id, "o", path), 0),
    SD_BUS_SIGNAL_WITH_ARGS("ChildRemoved", SD_BUS_ARGS("s", id, "o", path), 0),
    SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Features", "as", get_features, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("ShutdownPhase", "s", get_shutdown_phase, 0,
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("NChildren", "u", get_n_children, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("NActive", "u", get_n_active, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("NFailed", "u", get_n_failed, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Sequence", "t", get_sequence, 0, 0),
    SD_BUS_PROPERTY("StartedUSec", "t", get_started, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_WRITABLE_PROPERTY("MaxJobs", "u", get_max_jobs, set_max_jobs, 0,
                             SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Recovered", "b", get_recovered, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Durability", "s", get_durability, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_VTABLE_END,
};
