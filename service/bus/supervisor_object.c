/*
 * The D-Bus object of a supervisor.
 */
#include "bus/supervisor_object.h"

#include "core/model/members.h"
#include "core/vocabulary/invariant.h"
#include "bus/objects.h"
#include "bus/private.h"
#include "bus/encode.h"
#include "bus/options.h"
#include "bus/path.h"
#include "bus/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- properties ------------------------------------------------------------------------------ */

#define PROPERTY(name, ...)                                                                        \
    static int name(sd_bus *bus, const char *path, const char *interface, const char *property,    \
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)                    \
    {                                                                                              \
        const struct object *object = userdata;                                                    \
        struct core *core = object->service->core;                                                 \
        struct supervisor *supervisor = object->supervisor;                                        \
        (void)core;                                                                                \
        (void)bus;                                                                                 \
        (void)path;                                                                                \
        (void)interface;                                                                           \
        (void)property;                                                                            \
        (void)error;                                                                               \
        (void)supervisor;                                                                          \
        return __VA_ARGS__;                                                                        \
    }

#define DECLARATION (&supervisor->config->declaration)

static int append_path(sd_bus_message *m, char *path)
{
    int r = path ? append_values(m, "o", path) : -ENOMEM;

    free(path);
    return r;
}

static int append_parent(sd_bus_message *m, const struct supervisor *supervisor)
{
    const struct supervisor *parent = supervisor->member.supervisor;

    return append_path(m, parent ? path_of_supervisor(parent->path) : strdup("/"));
}

/* Only those directly below it. */
static int append_members(sd_bus_message *m, const struct supervisor *supervisor)
{
    int r = append_open(m, 'a', "o");

    for (const struct member *member = &supervisor->member; r >= 0 && member != supervisor->tail;) {
        member = member->next;
        if (member->supervisor != supervisor)
            continue; /* below one of its members */
        const struct child *child = member_child(member);
        r = append_path(m, child ? path_of_child(child->id)
                                 : path_of_supervisor(member_supervisor(member)->path));
    }
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* The window is pruned in a copy: reading changes nothing. */
static int append_group(sd_bus_message *m, const struct core *core, const struct group *group)
{
    struct restart_limit limit = group->limit;
    const struct group_declaration *d = &group->declaration;
    int r = append_open(m, 'a', "{sv}");

    restart_limit_prune(&limit, core_now(core), core_realtime(core)); /* of the copy */
    if (r >= 0)
        r = append_text(m, "Name", d->name);
    if (r >= 0)
        r = append_text(m, "Strategy", strategy_to_string(d->strategy));
    if (r >= 0 && d->limited)
        r = append_u32(m, "FailureLimitBurst", limit.burst);
    if (r >= 0 && d->limited)
        r = append_u32(m, "FailuresUsed", limit.used);
    if (r >= 0 && d->budget_restarts > 0)
        r = append_u32(m, "BudgetRestarts", d->budget_restarts);
    if (r >= 0 && d->budget_restarts > 0)
        r = append_number(m, "BudgetIntervalUSec", d->budget_usec);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_groups(sd_bus_message *m, const struct core *core,
                         const struct supervisor *supervisor)
{
    int r = append_open(m, 'a', "a{sv}");

    for (size_t i = 0; r >= 0 && i < DECLARATION->n_groups; i++)
        r = append_group(m, core, &supervisor->config->groups[i]);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

PROPERTY(get_path, append_values(reply, "s", supervisor->path))
PROPERTY(get_parent, append_parent(reply, supervisor))
PROPERTY(get_strategy, append_values(reply, "s", strategy_to_string(DECLARATION->strategy)))
PROPERTY(get_escalation, append_values(reply, "s", escalation_to_string(DECLARATION->escalation)))
PROPERTY(get_members, append_members(reply, supervisor))
PROPERTY(get_groups, append_groups(reply, core, supervisor))
PROPERTY(get_burst, append_values(reply, "u", supervisor_limit(core, supervisor).burst))
PROPERTY(get_interval, append_values(reply, "t", supervisor_limit(core, supervisor).interval_usec))
PROPERTY(get_used, append_values(reply, "u", supervisor_limit(core, supervisor).used))
PROPERTY(get_remaining, append_values(reply, "u", supervisor_limit(core, supervisor).remaining))
PROPERTY(get_max_in_flight, append_values(reply, "u", supervisor_cap(core, supervisor)))
PROPERTY(get_in_flight, append_values(reply, "u", supervisor->in_flight))
PROPERTY(get_queued, append_values(reply, "u", supervisor->queued))
PROPERTY(get_state,
         append_values(reply, "s", supervisor_state_to_string(supervisor_state(core, supervisor))))

/* ---- methods --------------------------------------------------------------------------------- */

#define METHOD(name, verb)                                                                         \
    static int name(sd_bus_message *m, void *userdata, sd_bus_error *error)                        \
    {                                                                                              \
        const struct object *object = userdata;                                                    \
        return scope_call(object->service, m, verb, object->supervisor->path, error);              \
    }

METHOD(method_pause, COMMAND_PAUSE)
METHOD(method_resume, COMMAND_RESUME)
METHOD(method_restart, COMMAND_RESTART)
METHOD(method_shutdown, COMMAND_REMOVE)

#define VERB(name, handler)                                                                        \
    SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_ARGS("s", reason, "a{sv}", options),                      \
                            SD_BUS_RESULT("aa{sv}", outcomes), handler,                            \
                            SD_BUS_VTABLE_UNPRIVILEGED)
#define CONSTANT SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGE   SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

const sd_bus_vtable supervisor_vtable[] = {
    SD_BUS_VTABLE_START(0),
    VERB("Pause", method_pause),
    VERB("Resume", method_resume),
    VERB("Restart", method_restart),
    VERB("Shutdown", method_shutdown),
    SD_BUS_PROPERTY("Path", "s", get_path, 0, CONSTANT),
    SD_BUS_PROPERTY("Parent", "o", get_parent, 0, CONSTANT),
    SD_BUS_PROPERTY("Strategy", "s", get_strategy, 0, CHANGE),
    SD_BUS_PROPERTY("Escalation", "s", get_escalation, 0, CHANGE),
    SD_BUS_PROPERTY("Members", "ao", get_members, 0, CHANGE),
    SD_BUS_PROPERTY("Groups", "aa{sv}", get_groups, 0, 0),
    SD_BUS_PROPERTY("FailureLimitBurst", "u", get_burst, 0, CHANGE),
    SD_BUS_PROPERTY("FailureLimitIntervalUSec", "t", get_interval, 0, CHANGE),
    SD_BUS_PROPERTY("FailuresUsed", "u", get_used, 0, 0),
    SD_BUS_PROPERTY("FailuresRemaining", "u", get_remaining, 0, 0),
    SD_BUS_PROPERTY("MaxRestartsInFlight", "u", get_max_in_flight, 0, CHANGE),
    SD_BUS_PROPERTY("RestartsInFlight", "u", get_in_flight, 0, CHANGE),
    SD_BUS_PROPERTY("RestartsQueued", "u", get_queued, 0, CHANGE),
    SD_BUS_PROPERTY("State", "s", get_state, 0, CHANGE),
    SD_BUS_VTABLE_END,
};

/* ---- changes --------------------------------------------------------------------------------- */

/* What was last shown of a supervisor. */
struct shown {
    uint64_t listed;
    const struct supervisor_config *config;
    uint32_t in_flight, queued;
    enum supervisor_state state;
};

static void tell(struct service *service, const struct supervisor *supervisor, const char **names)
{
    char *path = path_of_supervisor(supervisor->path);

    if (path && service->bus) {
        sd_bus_emit_properties_changed_strv(service->bus, path, PROCTOR_INTERFACE "Supervisor",
                                            (char **)names);
        objects_tell(service, path, OBJECT_CHANGED);
    }
    free(path);
}

/* Which properties have changed. */
static size_t differences(const struct shown *before, const struct shown *now, const char **names)
{
    static const char *const declared[] = {"Strategy", "Escalation", "FailureLimitBurst",
                                           "FailureLimitIntervalUSec", "MaxRestartsInFlight"};
    size_t n = 0;

    for (size_t i = 0; before->config != now->config && i < 5; i++)
        names[n++] = declared[i];
    if (before->listed != now->listed)
        names[n++] = "Members";
    if (before->in_flight != now->in_flight)
        names[n++] = "RestartsInFlight";
    if (before->queued != now->queued)
        names[n++] = "RestartsQueued";
    if (before->state != now->state)
        names[n++] = "State";
    names[n] = NULL;
    return n;
}

static void show_new(struct service *service, struct supervisor *supervisor)
{
    char *path = path_of_supervisor(supervisor->path);

    supervisor->observer = calloc(1, sizeof(struct shown));
    if (path && service->bus)
        object_announce(service, path);
    free(path);
}

/* A supervisor that is seen for the first time is announced. */
void supervisor_show_changes(struct service *service, struct supervisor *supervisor)
{
    struct shown now = {.listed = supervisor->listed,
                        .config = supervisor->config,
                        .in_flight = supervisor->in_flight,
                        .queued = supervisor->queued,
                        .state = supervisor_state(service->core, supervisor)};
    const char *names[10];
    bool fresh = !supervisor->observer;

    INVARIANT(supervisor_is_sound(supervisor));
    if (fresh)
        show_new(service, supervisor);
    else if (differences(supervisor->observer, &now, names) > 0)
        tell(service, supervisor, names);
    if (supervisor->observer)
        memcpy(supervisor->observer, &now, sizeof(now));
}

/* It is gone. */
void supervisor_forget_shown(struct service *service, struct supervisor *supervisor)
{
    char *path = path_of_supervisor(supervisor->path);

    INVARIANT(supervisor_is_sound(supervisor));
    if (path && service->bus) {
        sd_bus_emit_object_removed(service->bus, path);
        objects_tell(service, path, OBJECT_REMOVED);
    }
    free(path);
    free(supervisor->observer);
    supervisor->observer = NULL;
}

/* ---- the interface --------------------------------------------------------------------------- */

static const sd_bus_vtable *vtable(void)
{
    return supervisor_vtable;
}

void supervisor_object_serve(struct service *service)
{
    static const struct object_kind kind = {PROCTOR_ROOT, PROCTOR_INTERFACE "Supervisor", vtable,
                                            supervisor_find, supervisor_enumerate};

    objects_serve(service, OBJECT_SUPERVISORS, &kind);
}
