/*
 * The D-Bus object of a child. Properties come from one table: name, signature,
 * reader; the vtable, the replies about all children and the signals of changes
 * are made from it. Which properties have changed is found by comparing a
 * compact picture of the child before and after, rather than by remembering at
 * each place that changes something.
 */
#include "bus/child_object.h"

#include "bus/encode.h"
#include "bus/explanation.h"
#include "bus/options.h"
#include "bus/path.h"
#include "bus/verbs.h"
#include "bus/wait.h"
#include "bus/objects.h"
#include "bus/private.h"
#include "core/model/resource.h"
#include "core/model/start_wait.h"
#include "core/rules/dependency.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef int (*property_reader)(struct service *service, sd_bus_message *m, struct child *child);

struct property {
    const char *name;
    const char *signature;
    property_reader read;
    uint64_t flags;
};

#define CONSTANT    SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGE      SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define INVALIDATES SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION
#define SILENT      0

#define READER(name, ...)                                                                          \
    static int name(struct service *service, sd_bus_message *m, struct child *child)               \
    {                                                                                              \
        (void)service;                                                                             \
        (void)child;                                                                               \
        return append_values(m, __VA_ARGS__);                                                      \
    }

#define DECLARATION (&child->config->declaration)

READER(read_id, "s", child->id)
READER(read_name, "s", child->name)

static int read_supervisor(struct service *service, sd_bus_message *m, struct child *child)
{
    char *path = path_of_supervisor(child->member.supervisor->path);
    int r = path ? append_values(m, "o", path) : -ENOMEM;

    (void)service;
    free(path);
    return r;
}

READER(read_role, "s", child_role_to_string(DECLARATION->role))
READER(read_criticality, "s", criticality_to_string(DECLARATION->criticality))
READER(read_operation, "s", child_operation_to_string(child->operation))
READER(read_status, "s", child_status_to_string(child_status(child)))
READER(read_generation, "t", child->generation)
READER(read_attempt, "t", child_attempt(child))
READER(read_main_pid, "u", child->attempt.pid)
READER(read_stop_state, "s", stop_state_to_string(child->stop_state))
READER(read_stop_deadline, "t", child_stop_deadline_usec(service->core, child))
READER(read_readiness, "s", readiness_to_string(child->readiness))
READER(read_heartbeat, "t", child->heartbeat_usec)
READER(read_heartbeat_monotonic, "t",
       service->hooks.clock(service->hooks.userdata, child->heartbeat_usec_monotonic))
READER(read_heartbeat_stale, "b", child->heartbeat_stale)
READER(read_status_text, "s", child->status_text->text)
READER(read_interval, "t", child->restart_limit.interval_usec)
READER(read_burst, "u", child->restart_limit.burst)
READER(read_used, "u", child->restart_limit.used)
READER(read_remaining, "u", restart_limit_view(&child->restart_limit).remaining)
READER(read_exhausted, "b", restart_limit_view(&child->restart_limit).exhausted)
READER(read_limit_updated, "t", child->restart_limit.updated_usec)
READER(read_left, "u", child->left)
READER(read_restart_count, "t", child->restart_count)
READER(read_next_restart, "t", child_next_restart_usec(service->core, child))
READER(read_description, "s", DECLARATION->description ? DECLARATION->description : "")
READER(read_schedule, "s", DECLARATION->schedule ? DECLARATION->schedule : "")
READER(read_next_run, "t", child->next_run_usec)
READER(read_last_run, "t", child->last_run_usec)
READER(read_fence_phase, "s", fence_phase_to_string(child->fence_phase))
READER(read_started, "t", child->started_usec)
READER(read_manifest_path, "s", DECLARATION->manifest_path)
READER(read_manifest_pending, "b", child->next_config != NULL)

/* The values of the environment are the child's alone. */
static int read_manifest(struct service *service, sd_bus_message *m, struct child *child)
{
    static const char instead[] = "{HIDDEN: \"the environment is not shown\"}";
    const struct child_declaration *d = DECLARATION;
    size_t length = strlen(d->manifest), end = (size_t)d->secret_from + d->secret_length;

    (void)service;
    if (d->secret_length == 0)
        return append_lines(m, d->manifest);
    char *text = malloc(length - d->secret_length + sizeof(instead));
    if (!text)
        return -ENOMEM;
    memcpy(text, d->manifest, d->secret_from);
    strcpy(text + d->secret_from, instead);
    strcpy(text + d->secret_from + sizeof(instead) - 1, d->manifest + end);
    int r = append_lines(m, text);
    free(text);
    return r;
}

static int append_strings(sd_bus_message *m, const char **strings, size_t count)
{
    int r = append_open(m, 'a', "s");

    for (size_t i = 0; r >= 0 && i < count; i++)
        r = append_values(m, "s", strings[i]);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int read_tags(struct service *service, sd_bus_message *m, struct child *child)
{
    (void)service;
    return append_strings(m, DECLARATION->tags, DECLARATION->n_tags);
}

static int read_requires(struct service *service, sd_bus_message *m, struct child *child)
{
    (void)service;
    return append_strings(m, DECLARATION->requires, DECLARATION->n_requires);
}

/* Each of the next is an a{sv}, empty where there is nothing to tell. */
static int finish(sd_bus_message *m, int r)
{
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* An empty dictionary if no restart is pending. */
static int read_pending_restart(struct service *service, sd_bus_message *m, struct child *child)
{
    const struct pending_restart *pending = &child->pending;
    char command[COMMAND_ID_SIZE];
    int r = append_open(m, 'a', "{sv}");

    command_text(service, pending->cause, command);
    if (r >= 0 && pending->active)
        r = append_values(m, "{sv}{sv}{sv}{sv}{sv}", "OldGeneration", "t", pending->old_generation,
                          "OldAttempt", "t", pending->old_attempt, "TargetGeneration", "t",
                          pending->target_generation, "DuplicateRequestCount", "t",
                          pending->duplicates, "CommandId", "s", command);
    return finish(m, r);
}

static int read_failure(struct service *service, sd_bus_message *m, struct child *child)
{
    const struct failure *failure = child->failure;
    int r = append_open(m, 'a', "{sv}");

    (void)service;
    if (r >= 0 && failure->phase != FAILURE_NONE)
        r = append_values(m, "{sv}{sv}{sv}", "Phase", "s", failure_phase_to_string(failure->phase),
                          "Reason", "s", failure->reason, "Recoverable", "b", failure->recoverable);
    return finish(m, r);
}

/* An empty dictionary before the first exit. */
static int read_last_exit(struct service *service, sd_bus_message *m, struct child *child)
{
    const struct last_exit *last = child->last_exit;
    int r = append_open(m, 'a', "{sv}");

    (void)service;
    if (r >= 0 && last->kind != EXIT_NONE)
        r = append_values(m, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "Kind", "s",
                          exit_kind_to_string(last->kind), "Code", "i", last->code, "Signal", "i",
                          last->signal, "CoreDumped", "b", last->core_dumped, "Reason", "s",
                          last->reason, "USec", "t", last->usec, "Generation", "t",
                          last->generation, "Attempt", "t", last->attempt);
    return finish(m, r);
}

/* The last report about an attempt that was already over. */
static int read_last_stale_report(struct service *service, sd_bus_message *m, struct child *child)
{
    const struct stale_report *stale = child->last_stale;
    int r = append_open(m, 'a', "{sv}");

    (void)service;
    if (r >= 0 && stale->usec > 0)
        r = append_values(m, "{sv}{sv}{sv}{sv}{sv}", "Kind", "s",
                          report_kind_to_string(stale->kind), "Generation", "t", stale->generation,
                          "Attempt", "t", stale->attempt, "USec", "t", stale->usec, "Count", "t",
                          stale->count);
    return finish(m, r);
}

/* Both come from one look, where they are read for one answer: within one turn of the loop. */
static const struct usage *usage_of(struct service *service, const struct child *child)
{
    struct usage *usage = &service->usage;
    uint64_t turn = 0;

    if (sd_event_get_iteration(service->event, &turn) < 0 || turn != usage->turn ||
        child->serial != usage->serial)
        service->hooks.usage(service->hooks.userdata, child, &usage->cpu_nsec, &usage->memory);
    usage->turn = turn;
    usage->serial = child->serial;
    return usage;
}

READER(read_cpu, "t", usage_of(service, child)->cpu_nsec)
READER(read_memory, "t", usage_of(service, child)->memory)

static int read_unenforced(struct service *service, sd_bus_message *m, struct child *child)
{
    unsigned unenforced = service->hooks.unenforced(child);
    int r = append_open(m, 'a', "s");

    for (size_t i = 0; r >= 0 && i < RESOURCE_LIMITS; i++)
        if (unenforced & 1U << i)
            r = append_values(m, "s", resource_name(i));
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int read_sandbox(struct service *service, sd_bus_message *m, struct child *child)
{
    char text[SANDBOX_TEXT_MAX] = "";

    (void)service;
    sandbox_describe(child->config->declaration.process.sandbox, text);
    return append_values(m, "s", text);
}

static int read_explanation(struct service *service, sd_bus_message *m, struct child *child)
{
    char text[1024];
    explain(service, child, text, sizeof(text));
    return append_values(m, "s", text);
}

READER(read_waits_for, "s", start_wait_to_string(child_waits_for(child)))

static int read_waits_for_dependency(struct service *service, sd_bus_message *m,
                                     struct child *child)
{
    struct start_dependency dependency = child_awaits(child);

    (void)service;
    return append_values(m, "(ss)", start_dependency_list(&dependency),
                         dependency.id ? dependency.id : "");
}

static const struct property properties[] = {
    {"Id", "s", read_id, CONSTANT},
    {"Name", "s", read_name, CONSTANT},
    {"Supervisor", "o", read_supervisor, CONSTANT},
    {"Description", "s", read_description, CHANGE},
    {"Role", "s", read_role, CHANGE},
    {"Criticality", "s", read_criticality, CHANGE},
    {"Tags", "as", read_tags, CHANGE},
    {"Requires", "as", read_requires, CHANGE},
    {"Operation", "s", read_operation, CHANGE},
    {"Status", "s", read_status, CHANGE},
    {"Generation", "t", read_generation, CHANGE},
    {"Attempt", "t", read_attempt, CHANGE},
    {"MainPID", "u", read_main_pid, CHANGE},
    {"StopState", "s", read_stop_state, CHANGE},
    {"StopDeadlineUSec", "t", read_stop_deadline, CHANGE},
    {"Readiness", "s", read_readiness, CHANGE},
    {"LastHeartbeatUSec", "t", read_heartbeat, INVALIDATES},
    {"LastHeartbeatUSecMonotonic", "t", read_heartbeat_monotonic, INVALIDATES},
    {"HeartbeatStale", "b", read_heartbeat_stale, CHANGE},
    {"StatusText", "s", read_status_text, CHANGE},
    {"RestartLimitIntervalUSec", "t", read_interval, CHANGE},
    {"RestartLimitBurst", "u", read_burst, CHANGE},
    {"RestartsUsed", "u", read_used, CHANGE},
    {"RestartsRemaining", "u", read_remaining, CHANGE},
    {"RestartLimitExhausted", "b", read_exhausted, CHANGE},
    {"RestartLimitUpdatedUSec", "t", read_limit_updated, CHANGE},
    {"RestartCount", "t", read_restart_count, CHANGE},
    {"NextRestartUSec", "t", read_next_restart, CHANGE},
    {"Schedule", "s", read_schedule, CHANGE},
    {"NextRunUSec", "t", read_next_run, CHANGE},
    {"LastRunUSec", "t", read_last_run, CHANGE},
    {"WaitsFor", "s", read_waits_for, CHANGE},
    {"WaitsForDependency", "(ss)", read_waits_for_dependency, CHANGE},
    {"FencePhase", "s", read_fence_phase, CHANGE},
    {"PendingRestart", "a{sv}", read_pending_restart, CHANGE},
    {"Failure", "a{sv}", read_failure, CHANGE},
    {"LastExit", "a{sv}", read_last_exit, CHANGE},
    {"LeftProcesses", "u", read_left, CHANGE},
    {"LastStaleReport", "a{sv}", read_last_stale_report, CHANGE},
    {"StartedUSec", "t", read_started, CHANGE},
    {"CPUUsageNSec", "t", read_cpu, SILENT},
    {"MemoryCurrent", "t", read_memory, SILENT},
    {"UnenforcedLimits", "as", read_unenforced, SILENT},
    {"Sandbox", "s", read_sandbox, SILENT},
    {"ManifestPath", "s", read_manifest_path, CHANGE},
    {"ManifestPending", "b", read_manifest_pending, CHANGE},
    {"Manifest", "s", read_manifest, SILENT},
    {"Explanation", "s", read_explanation, SILENT},
};

#define PROPERTIES (sizeof(properties) / sizeof(properties[0]))

/* Properties are mostly read one after the other: the next one is looked at first. */
static const struct property *find_property(const char *name)
{
    static size_t next;

    for (size_t i = 0; i < PROPERTIES; i++) {
        const struct property *property = &properties[next];
        next = (next + 1) % PROPERTIES;
        if (property->name == name || strcmp(property->name, name) == 0)
            return property;
    }
    return NULL;
}

/* sd-bus calls this for every property. */
static int get_property(sd_bus *bus, const char *path, const char *interface, const char *name,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const struct property *property = find_property(name);
    const struct object *object = userdata;

    (void)bus;
    (void)path;
    (void)interface;
    (void)error;
    return property->read(object->service, reply, object->child);
}

/* ---- methods --------------------------------------------------------------------------------- */

static int call_verb(sd_bus_message *m, void *userdata, enum command_verb verb, sd_bus_error *error)
{
    const struct object *object = userdata;
    return verb_call(object->service, m, verb, object->child->id, error);
}

#define METHOD(name, verb)                                                                         \
    static int name(sd_bus_message *m, void *userdata, sd_bus_error *error)                        \
    {                                                                                              \
        return call_verb(m, userdata, verb, error);                                                \
    }

METHOD(method_pause, COMMAND_PAUSE)
METHOD(method_resume, COMMAND_RESUME)
METHOD(method_quarantine, COMMAND_QUARANTINE)
METHOD(method_restart, COMMAND_RESTART)
METHOD(method_remove, COMMAND_REMOVE)
METHOD(method_reload, COMMAND_RELOAD)

static int method_kill(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const struct object *object = userdata;
    return kill_call(object->service, m, object->child->id, error);
}

#define VERB(name, handler)                                                                        \
    (sd_bus_vtable) SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_ARGS("s", reason, "a{sv}", options),      \
                                            SD_BUS_RESULT("a{sv}", outcome), handler,              \
                                            SD_BUS_VTABLE_UNPRIVILEGED)

/* Built once from the table of properties; sd-bus wants one array. */
const sd_bus_vtable *child_vtable(void)
{
    static sd_bus_vtable vtable[PROPERTIES + 9];
    sd_bus_vtable *next = vtable;

    *next++ = (sd_bus_vtable)SD_BUS_VTABLE_START(0);
    *next++ = VERB("Pause", method_pause);
    *next++ = VERB("Resume", method_resume);
    *next++ = VERB("Quarantine", method_quarantine);
    *next++ = VERB("Restart", method_restart);
    *next++ = VERB("Remove", method_remove);
    *next++ = VERB("Reload", method_reload);
    *next++ = (sd_bus_vtable)SD_BUS_METHOD_WITH_ARGS(
        "Kill", SD_BUS_ARGS("s", whom, "i", signal, "s", reason, "a{sv}", options),
        SD_BUS_RESULT("a{sv}", outcome), method_kill, SD_BUS_VTABLE_UNPRIVILEGED);
    for (size_t i = 0; i < PROPERTIES; i++)
        *next++ = (sd_bus_vtable)SD_BUS_PROPERTY(properties[i].name, properties[i].signature,
                                                 get_property, 0, properties[i].flags);
    *next = (sd_bus_vtable)SD_BUS_VTABLE_END;
    return vtable;
}

/* All properties but the long ones, for replies about many children. */
int child_append_properties(struct service *service, sd_bus_message *m, struct child *child)
{
    int r = append_open(m, 'a', "{sv}");

    INVARIANT(child_is_sound(child));
    for (size_t i = 0; r >= 0 && i < PROPERTIES; i++) {
        if (object_property_is_long(properties[i].name))
            continue;
        r = append_open(m, 'e', "sv");
        if (r >= 0)
            r = append_word(m, properties[i].name);
        if (r >= 0)
            r = append_open(m, 'v', properties[i].signature);
        if (r >= 0)
            r = properties[i].read(service, m, child);
        if (r >= 0)
            r = sd_bus_message_close_container(m);
        if (r >= 0)
            r = sd_bus_message_close_container(m);
    }
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* ---- changes --------------------------------------------------------------------------------- */

/* What was last shown of a child: as little as tells whether a property has changed. */
struct shown {
    uint64_t generation, attempt, limit_updated, restart_count, started;
    uint64_t next_restart, stop_deadline; /* monotonic: the realtime of a deadline may flicker */
    uint64_t heartbeat, stale_count, last_exit, pending, failure, status_text, dependency;
    uint64_t tags, requires, manifest_path, interval;
    uint64_t description, schedule, next_run, last_run;
    uint32_t main_pid, used, remaining, left, burst;
    uint8_t operation, status, stop_state, readiness, heartbeat_stale, exhausted, fence_phase,
        manifest_pending, waits_for, role, criticality, failed;
};

struct watched {
    const char *name;
    size_t offset;
    size_t size;
};

#define WATCH(property, field)                                                                     \
    {                                                                                              \
        property, offsetof(struct shown, field), sizeof(((struct shown *)NULL)->field)             \
    }

static const struct watched watched[] = {
    WATCH("Description", description),
    WATCH("Role", role),
    WATCH("Criticality", criticality),
    WATCH("Tags", tags),
    WATCH("Requires", requires),
    WATCH("RestartLimitIntervalUSec", interval),
    WATCH("RestartLimitBurst", burst),
    WATCH("ManifestPath", manifest_path),
    WATCH("Operation", operation),
    WATCH("Status", status),
    WATCH("Generation", generation),
    WATCH("Attempt", attempt),
    WATCH("MainPID", main_pid),
    WATCH("StopState", stop_state),
    WATCH("StopDeadlineUSec", stop_deadline),
    WATCH("Readiness", readiness),
    WATCH("LastHeartbeatUSec", heartbeat),
    WATCH("LastHeartbeatUSecMonotonic", heartbeat),
    WATCH("HeartbeatStale", heartbeat_stale),
    WATCH("StatusText", status_text),
    WATCH("RestartsUsed", used),
    WATCH("RestartsRemaining", remaining),
    WATCH("RestartLimitExhausted", exhausted),
    WATCH("RestartLimitUpdatedUSec", limit_updated),
    WATCH("RestartCount", restart_count),
    WATCH("NextRestartUSec", next_restart),
    WATCH("Schedule", schedule),
    WATCH("NextRunUSec", next_run),
    WATCH("LastRunUSec", last_run),
    WATCH("WaitsFor", waits_for),
    WATCH("WaitsForDependency", dependency),
    WATCH("FencePhase", fence_phase),
    WATCH("PendingRestart", pending),
    WATCH("Failure", failure),
    WATCH("LastExit", last_exit),
    WATCH("LeftProcesses", left),
    WATCH("LastStaleReport", stale_count),
    WATCH("StartedUSec", started),
    WATCH("ManifestPending", manifest_pending),
};

#define WATCHED (sizeof(watched) / sizeof(watched[0]))

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_bytes(hash, text, strlen(text));
}

static uint64_t hash_dependency(uint64_t seed, const struct child *child)
{
    struct start_dependency dependency = child_awaits(child);

    return dependency.id ? hash_text(seed + dependency.required, dependency.id) : 0;
}

static uint64_t hash_pending(uint64_t hash, const struct pending_restart *pending)
{
    const uint64_t shown[] = {pending->old_generation, pending->old_attempt,
                              pending->target_generation, pending->duplicates, pending->cause};

    return pending->active ? hash_bytes(hash, shown, sizeof(shown)) : 0;
}

static uint64_t hash_exit(uint64_t hash, const struct last_exit *last)
{
    const uint64_t shown[] = {last->kind,       (uint64_t)last->code, (uint64_t)last->signal,
                              last->usec,       last->generation,     last->attempt,
                              last->core_dumped};

    return hash_text(hash_bytes(hash, shown, sizeof(shown)), last->reason);
}

bool child_has_failed(const struct child *child)
{
    INVARIANT(child_is_sound(child));
    return child->gave_up || child->operation == CHILD_QUARANTINED ||
           (!child->attempt.active && child->failure->phase != FAILURE_NONE);
}

static uint64_t hash_texts(uint64_t hash, const char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = hash_bytes(hash, texts[i], strlen(texts[i]) + 1);
    return hash;
}

/* The picture that is compared: numbers as they are, texts as hashes. A hash
 * that collides hides one signal at worst; the value itself is always read
 * fresh. */
static struct shown look_at(const struct child *child)
{
    const struct child_declaration *d = DECLARATION;
    struct restart_limit_view limit = restart_limit_view(&child->restart_limit);
    uint64_t seed = UINT64_C(14695981039346656037);

    return (struct shown){
        .generation = child->generation,
        .attempt = child_attempt(child),
        .limit_updated = limit.updated_usec,
        .left = child->left,
        .restart_count = child->restart_count,
        .started = child->started_usec,
        .next_restart = child->timers[TIMER_START].deadline_usec,
        .stop_deadline = child->timers[TIMER_STOP].deadline_usec,
        .heartbeat = child->heartbeat_usec_monotonic,
        .stale_count = child->last_stale->count,
        .last_exit = hash_exit(seed, child->last_exit),
        .pending = hash_pending(seed, &child->pending),
        .failure = hash_text(seed + 2 * child->failure->phase + child->failure->recoverable,
                             child->failure->reason),
        .status_text = hash_text(seed, child->status_text->text),
        .dependency = hash_dependency(seed, child),
        .waits_for = (uint8_t)child_waits_for(child),
        .tags = hash_texts(seed, d->tags, d->n_tags),
        .requires = hash_texts(seed, d->requires, d->n_requires),
        .manifest_path = hash_text(seed, d->manifest_path),
        .interval = limit.interval_usec,
        .description = d->description ? hash_text(seed, d->description) : 0,
        .schedule = d->schedule ? hash_text(seed, d->schedule) : 0,
        .next_run = child->next_run_usec,
        .last_run = child->last_run_usec,
        .burst = limit.burst,
        .role = (uint8_t)d->role,
        .criticality = (uint8_t)d->criticality,
        .main_pid = child->attempt.pid,
        .used = limit.used,
        .remaining = limit.remaining,
        .operation = (uint8_t)child->operation,
        .status = (uint8_t)child_status(child),
        .stop_state = (uint8_t)child->stop_state,
        .readiness = (uint8_t)child->readiness,
        .heartbeat_stale = child->heartbeat_stale,
        .exhausted = limit.exhausted,
        .fence_phase = (uint8_t)child->fence_phase,
        .manifest_pending = child->next_config != NULL,
        .failed = child_has_failed(child),
    };
}

static void emit(struct service *service, const struct child *child, const char **names)
{
    char *path = path_of_child(child->id);

    if (path && service->bus) {
        sd_bus_emit_properties_changed_strv(service->bus, path, PROCTOR_INTERFACE "Child",
                                            (char **)names);
        objects_tell(service, path, OBJECT_CHANGED);
    }
    free(path);
}

/* InterfacesAdded carries the properties as they are by now. */
void child_show_from_now(struct service *service, struct child *child)
{
    struct shown now = look_at(child);

    INVARIANT(child_is_sound(child));
    service->failed_changed = true;
    child->observer = malloc(sizeof(now));
    if (child->observer)
        memcpy(child->observer, &now, sizeof(now));
}

/* One signal with exactly what differs from what was shown before. */
void child_show_changes(struct service *service, struct child *child)
{
    struct shown now = look_at(child), *before = child->observer;
    const char *names[WATCHED + 1];
    size_t n = 0;

    INVARIANT(child_is_sound(child));
    if (!before) { /* it was there before this proctord, and what was shown then is not known */
        child_show_from_now(service, child);
        child_show_all(service, child);
        return;
    }
    for (size_t i = 0; i < WATCHED; i++)
        if (memcmp((const char *)before + watched[i].offset, (const char *)&now + watched[i].offset,
                   watched[i].size) != 0)
            names[n++] = watched[i].name;
    service->failed_changed = service->failed_changed || now.failed != before->failed;
    if (n == 0) {
        before->failed = now.failed;
        return;
    }
    names[n] = NULL;
    *before = now;
    emit(service, child, names);
}

/* When the wall clock is set, deadlines that are shown as wall time have
 * changed, although nothing about the child has. */
void child_show_deadlines(struct service *service, struct child *child)
{
    const char *names[3];
    size_t n = 0;

    INVARIANT(child_is_sound(child));
    if (child->timers[TIMER_START].deadline_usec > 0)
        names[n++] = "NextRestartUSec";
    if (child->timers[TIMER_STOP].deadline_usec > 0)
        names[n++] = "StopDeadlineUSec";
    names[n] = NULL;
    if (n > 0) /* also of one that was there before this proctord, and is not known here yet */
        emit(service, child, names);
}

/* All that is ever shown of it: what it was when it was shown last is not known here. */
void child_show_all(struct service *service, struct child *child)
{
    const char *names[WATCHED + 1];

    INVARIANT(child_is_sound(child));
    for (size_t i = 0; i < WATCHED; i++)
        names[i] = watched[i].name;
    names[WATCHED] = NULL;
    emit(service, child, names);
}

void child_forget_shown(struct service *service, struct child *child)
{
    INVARIANT(child_is_sound(child));
    service->failed_changed = true;
    free(child->observer);
    child->observer = NULL;
}

/* ---- the interface --------------------------------------------------------------------------- */

void child_object_serve(struct service *service)
{
    static const struct object_kind kind = {PROCTOR_CHILDREN, PROCTOR_INTERFACE "Child",
                                            child_vtable, child_find, child_enumerate};

    objects_serve(service, OBJECT_CHILDREN, &kind);
}
