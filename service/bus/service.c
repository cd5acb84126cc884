/*
 * The service: everything on the bus. This file connects its parts with the
 * core's events and with the loop.
 */
#include "bus/service.h"

#include "core/model/members.h"
#include "core/vocabulary/invariant.h"
#include "bus/bulk.h"
#include "bus/connection.h"
#include "handover/handover.h"
#include "bus/job_metrics.h"
#include "system/number.h"
#include "bus/objects.h"
#include "bus/private.h"
#include "bus/authorisation.h"
#include "bus/child_object.h"
#include "bus/event_log.h"
#include "bus/history.h"
#include "bus/job_object.h"
#include "bus/key.h"
#include "bus/manager.h"
#include "bus/path.h"
#include "bus/subscription.h"
#include "bus/supervisor_object.h"
#include "bus/wait.h"
#include "bus/reexecute.h"
#include "bus/reload.h"
#include "bus/stranger.h"
#include "bus/user_name.h"
#include "bus/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LAST_WORD_USEC 2000000
#define SOON_USEC      2000 /* in which a child that ends is mostly running again */
#define SHOW_USEC      5000
#define STORM_USEC     50000
#define STORM_CHANGES  50
#define SHOW_MAX       100 /* children in one turn of the loop */
#define ANSWERS        8   /* at once, in the middle of a storm */

/* ---- events ---------------------------------------------------------------------------------- */

/* The object manager's signals, and ours. */
static void announce_child(struct service *service, const char *id, bool added)
{
    char *path = service->bus ? path_of_child(id) : NULL;

    if (!path)
        return;
    if (added)
        object_announce(service, path);
    sd_bus_emit_signal(service->bus, PROCTOR_PATH, PROCTOR_INTERFACE "Manager",
                       added ? "ChildAdded" : "ChildRemoved", "so", id, path);
    if (!added) {
        sd_bus_emit_object_removed(service->bus, path);
        objects_tell(service, path, OBJECT_REMOVED);
    }
    free(path);
}

/* The sink for events. The event log comes first, so that a subscriber that
 * asks finds it. */
void service_event(void *userdata, const struct event *event)
{
    struct service *service = userdata;

    INVARIANT(event->kind < EVENT_KINDS && event->sequence > 0);
    service->events_by_kind[event->kind]++;
    event_log_add(service->log, event);
    if (service->bus)
        subscribers_send(service, event);
    job_event(service, event);
    if (event->kind == EVENT_CHILD_ADDED && !event->child->observer) {
        announce_child(service, event->child->id, true);
        child_show_from_now(service, event->child); /* from here on, changes are signalled */
    } else if (event->kind == EVENT_CHILD_RUNTIME_STATE_REMOVED) {
        waiters_child_gone(service, event->child);
        announce_child(service, event->child->id, false);
        child_forget_shown(service, event->child);
    }
}

void service_forget_job(void *userdata, struct job *job)
{
    INVARIANT(job->state == JOB_FINISHED);
    job_forgotten(userdata, job);
}

void service_forget_supervisor(void *userdata, struct supervisor *supervisor)
{
    INVARIANT(supervisor_is_sound(supervisor));
    supervisor_forget_shown(userdata, supervisor);
}

/* ---- each loop turn -------------------------------------------------------------------------- */

static void note_policy_shutdown(struct service *service)
{
    if (service->shutdown_requester[0] || core_shutdown_phase(service->core) == SHUTDOWN_IDLE)
        return;
    strcpy(service->shutdown_requester,
           core_shutdown_by_policy(service->core) ? "policy" : "signal");
    strcpy(service->shutdown_reason, core_shutdown_by_policy(service->core)
                                         ? "the end of a child ends the tree"
                                         : "proctord was asked to stop");
}

/* Returns how many children have changed. */
static size_t show_changes(struct service *service, size_t most)
{
    struct supervisor *supervisor;
    struct child *child;
    size_t changed = 0;

    for (; changed < most && (child = core_take_changed(service->core)); changed++)
        child_show_changes(service, child);
    while ((supervisor = core_take_changed_supervisor(service->core)))
        supervisor_show_changes(service, supervisor);
    if (changed > 0 || core_shutdown_phase(service->core) != service->shown_phase ||
        core_count(service->core) != service->shown_count)
        manager_show_changes(service);
    return changed;
}

void service_flush(struct service *service)
{
    note_policy_shutdown(service);
    show_changes(service, SIZE_MAX);
    if (service->waiters)
        waiters_look(service);
}

void service_clock_was_set(void *userdata)
{
    struct service *service = userdata;

    for (struct child *child = core_first(service->core); child; child = core_next(child))
        child_show_deadlines(service, child);
}

static int show_late(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    (void)userdata; /* that the loop turns is enough: turn() comes after everything else */
    return 0;
}

static void arm_show_later(struct service *service, uint64_t at)
{
    if (!service->show_later)
        sd_event_add_time(service->event, &service->show_later, CLOCK_MONOTONIC, at, 1, show_late,
                          service);
    else
        sd_event_source_set_time(service->show_later, at);
    sd_event_source_set_enabled(service->show_later, SD_EVENT_ONESHOT);
}

/* Many changes within a short time: a thousand children that crash at once, a start of the tree. */
static bool is_storm(struct service *service, uint64_t now)
{
    if (now >= service->storm_usec + STORM_USEC) {
        service->storm_usec = now;
        service->storm_changes = 0;
    }
    return service->storm_changes > STORM_CHANGES;
}

/* The next start does not share the processors with the bus, and what changes again in this time
 * (ended, starting, running) is shown once. A client that waits for an answer is not kept waiting:
 * it is shown what has changed before that answer. Nor does the end of proctord wait. */
static uint64_t show_at(struct service *service, uint64_t now)
{
    if (is_storm(service, now))
        return service->shown_usec + SHOW_USEC;
    bool at_once = service->waiters || core_shutdown_phase(service->core) != SHUTDOWN_IDLE;
    return at_once ? now : service->changed_usec + SOON_USEC;
}

/* In a storm changes are shown every few milliseconds, and not all at a time: what changes again
 * meanwhile is shown once, and nothing has to wait for the bus. */
static void show_some_changes(struct service *service)
{
    uint64_t now;

    if (!core_has_changed(service->core)) {
        service->changed_usec = 0;
        return;
    }
    sd_event_now(service->event, CLOCK_MONOTONIC, &now);
    if (service->changed_usec == 0)
        service->changed_usec = now;
    uint64_t at = show_at(service, now);
    if (now >= at) {
        service->shown_usec = now;
        service->storm_changes += show_changes(service, SHOW_MAX);
        service->changed_usec = 0;
        at = now + SHOW_USEC;
    }
    if (core_has_changed(service->core))
        arm_show_later(service, at);
}

void service_answer(void *userdata)
{
    struct service *service = userdata;

    for (int i = 0; i < ANSWERS && service->bus; i++)
        if (sd_bus_process(service->bus, NULL) <= 0)
            return;
}

static void last_word_is_out(void *userdata, int r)
{
    struct service *service = userdata;

    (void)r; /* a bus that is not there, or does not answer, is not waited for */
    service->shutdown_done(service->shutdown_userdata);
}

/* The last answers must reach their callers, and a private bus ends right after us with whatever
 * it has not passed on yet. */
static void take_leave(struct service *service)
{
    held_send(service);
    if (connection_settle(service->connection, LAST_WORD_USEC, last_word_is_out, service) < 0)
        last_word_is_out(service, -ENOMEM);
}

/* At the end of each round of the loop: changes are signalled, and calls that
 * waited are answered. */
static int turn(sd_event_source *source, void *userdata)
{
    struct service *service = userdata;

    (void)source;
    pace_turn(service->pace);
    if (!service->core)
        return 0;
    note_policy_shutdown(service);
    show_some_changes(service);
    if (service->waiters)
        waiters_look(service);
    if (service->connection)
        connection_look(service->connection);
    if (core_shutdown_phase(service->core) == SHUTDOWN_COMPLETED && service->shutdown_done &&
        !service->shutdown_reported) {
        service->shutdown_reported = true;
        take_leave(service);
    }
    return 0;
}

void service_on_shutdown(struct service *service, void (*done)(void *userdata), void *userdata)
{
    service->shutdown_done = done;
    service->shutdown_userdata = userdata;
}

/* ---- the connection -------------------------------------------------------------------------- */

/* The vtables, with fallbacks: objects are not registered one by one, as there
 * may be 100,000. */
int service_register(struct service *service, sd_bus *bus)
{
    int r = sd_bus_add_object_vtable(bus, NULL, PROCTOR_PATH, PROCTOR_INTERFACE "Manager",
                                     manager_vtable, service);
    if (r >= 0)
        r = sd_bus_add_object_manager(bus, NULL, PROCTOR_PATH);
    if (r >= 0)
        r = sd_bus_add_fallback_vtable(bus, NULL, PROCTOR_CHILDREN, PROCTOR_INTERFACE "Child",
                                       child_vtable(), child_find, service);
    if (r >= 0)
        r = sd_bus_add_node_enumerator(bus, NULL, PROCTOR_CHILDREN, child_enumerate, service);
    if (r >= 0)
        r = sd_bus_add_fallback_vtable(bus, NULL, PROCTOR_ROOT, PROCTOR_INTERFACE "Supervisor",
                                       supervisor_vtable, supervisor_find, service);
    if (r >= 0)
        r = sd_bus_add_node_enumerator(bus, NULL, PROCTOR_ROOT, supervisor_enumerate, service);
    if (r >= 0)
        r = sd_bus_add_fallback_vtable(bus, NULL, PROCTOR_JOBS, PROCTOR_INTERFACE "Job", job_vtable,
                                       job_find, service);
    if (r >= 0)
        r = sd_bus_add_node_enumerator(bus, NULL, PROCTOR_JOBS, job_enumerate, service);
    return r;
}

/* What a client reads it has been shown: a change that is taken back before it is shown would stay
 * with a client that has read it. */
static int show_before_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    uint8_t type;

    (void)error;
    if (service->changed_usec > 0 && service->core && core_has_changed(service->core) &&
        sd_bus_message_get_type(m, &type) >= 0 && type == SD_BUS_MESSAGE_METHOD_CALL) {
        service->changed_usec = 0;
        service->storm_changes += show_changes(service, SHOW_MAX);
    }
    return 0;
}

/* The filter that is added first is asked last. */
static int watch_calls(struct service *service, sd_bus *bus)
{
    int r = sd_bus_add_filter(bus, NULL, show_before_call, service);
    if (r >= 0)
        r = objects_watch(service, bus);
    if (r >= 0)
        r = pace_watch(service->pace, bus);
    return r < 0 ? r : strangers_watch(service->strangers, bus);
}

static void bus_is_up(struct service *service, sd_bus *bus)
{
    if (service->core)
        show_changes(service, SIZE_MAX); /* what is here by now is not announced as new */
    service->bus = bus;
    if (service->bus_hooks.came)
        service->bus_hooks.came(service->bus_hooks.userdata);
}

static void bus_is_silent(struct service *service)
{
    if (service->bus_hooks.silent)
        service->bus_hooks.silent(service->bus_hooks.userdata);
}

static void bus_is_troubled(struct service *service)
{
    if (service->bus_hooks.troubled)
        service->bus_hooks.troubled(service->bus_hooks.userdata);
}

static void bus_is_down(struct service *service)
{
    subscribers_free(service);
    waiters_free(service);
    questions_free(service);
    bulks_reset(service->bulks);
    pace_reset(service->pace);
    strangers_reset(service->strangers);
    memset(service->callers, 0, sizeof(service->callers)); /* names of another bus */
    service->bus = NULL;
}

static const struct connection_hooks connection_hooks = {.serve = service_register,
                                                         .watch = watch_calls,
                                                         .up = bus_is_up,
                                                         .down = bus_is_down,
                                                         .silent = bus_is_silent,
                                                         .troubled = bus_is_troubled};

void service_on_bus(struct service *service, const struct service_bus_hooks *hooks)
{
    service->bus_hooks = *hooks;
}

void service_connect(struct service *service)
{
    int fd = service->inherited;

    service->inherited = -1;
    connection_begin(service->connection, fd, service->inherited_name);
}

/* For the status line of the service manager. */
enum service_reach service_reach(const struct service *service, const char **trouble)
{
    *trouble = connection_trouble(service->connection);
    switch (connection_state(service->connection)) {
    case CONNECTION_UNASKED:
    case CONNECTION_ASKS:
        return SERVICE_ASKS;
    case CONNECTION_WAITS:
        return SERVICE_ABSENT;
    case CONNECTION_TAKEN:
        return SERVICE_TAKEN;
    case CONNECTION_UP:
        break;
    }
    return SERVICE_UP;
}

/* ---- from one program to the next ------------------------------------------------------------ */

int service_begin_handover(struct service *service, void (*ready)(void *userdata, int r),
                           void *userdata)
{
    return connection_settle(service->connection, LAST_WORD_USEC, ready, userdata);
}

/* What has not been sent would be lost, and half a message would spoil the connection. */
static int all_is_sent(const struct service *service)
{
    uint64_t left = 0;

    if (service->bus)
        sd_bus_get_n_queued_write(service->bus, &left);
    return left > 0 ? -EAGAIN : 0;
}

/* sd-bus reads one message after the other, and nothing beyond it: when an answer has just come no
 * other message has been read by half, and it reads no more as long as it has whole ones. */
int service_prepare_handover(struct service *service)
{
    uint64_t left;
    int r = 0;

    if (!service->bus)
        return 0;
    for (bool more = true; r >= 0 && more;) {
        more = pace_open(service->pace);
        left = 1;
        while (r >= 0 && sd_bus_get_n_queued_read(service->bus, &left) >= 0 && left > 0)
            r = sd_bus_process(service->bus, NULL);
    }
    if (r < 0)
        return r;
    reexecutions_join(service);
    reloads_refuse(service);
    bulks_finish(service->bulks);
    service_flush(service);
    return all_is_sent(service);
}

static void archive_connection(struct service *service, struct handover *handover)
{
    struct archive *archive = handover_archive(handover);

    handover_descriptor(handover, &service->inherited);
    archive_text(archive, service->inherited_name, sizeof(service->inherited_name));
    ARCHIVE(archive, service->inherited_sequence);
}

/* Everything that is open, in a fixed order: the new program reads it in the
 * same one. */
int service_hand_over(struct service *service, struct handover *handover)
{
    struct archive *archive = handover_archive(handover);
    const char *name = "";

    INVARIANT(handover);
    held_send(service); /* the checkpoint has covered them */
    service->inherited = service->bus ? sd_bus_get_fd(service->bus) : -1;
    if (service->bus)
        sd_bus_get_unique_name(service->bus, &name);
    snprintf(service->inherited_name, sizeof(service->inherited_name), "%s", name);
    service->inherited_sequence = core_sequence(service->core);
    archive_connection(service, handover);
    service->inherited = -1;
    keys_archive(service, archive);
    waiters_archive(service, archive);
    questions_archive(service, archive);
    strangers_archive(service->strangers, archive);
    subscribers_archive(service, archive);
    subscribers_let_go(service);
    return all_is_sent(service);
}

/* What happened while there was no connection could not be sent. */
static void tell_late(void *userdata, const struct event *event, const char *id)
{
    struct service *service = userdata;
    struct child *child = core_find(service->core, id);
    const char *number = id + 5;
    uint64_t n;
    const struct job *job = strncmp(id, "jobs/", 5) == 0 && number_take(&number, &n) == 0
                                ? core_find_job(service->core, n)
                                : NULL;

    if (child)
        child_show_all(service, child);
    else if (event->kind == EVENT_CHILD_RUNTIME_STATE_REMOVED)
        announce_child(service, id, false);
    if (job)
        job_show_all(service, job);
}

/* Subscribers get the events of the time in between. */
void service_take_over(struct service *service, struct handover *handover)
{
    static const char *const changed[] = {"Version", "Features", "StartedUSec", "Recovered", NULL};

    INVARIANT(handover);
    if (!service->bus)
        return;
    keys_archive(service, handover_archive(handover));
    waiters_archive(service, handover_archive(handover));
    questions_archive(service, handover_archive(handover));
    strangers_archive(service->strangers, handover_archive(handover));
    subscribers_archive(service, handover_archive(handover));
    service->took_over = true;
    event_log_visit(service, service->inherited_sequence, tell_late, service);
    sd_bus_emit_properties_changed_strv(service->bus, PROCTOR_PATH, PROCTOR_INTERFACE "Manager",
                                        (char **)(uintptr_t)changed);
    service_flush(service);
}

void service_stay(struct service *service, const char *why)
{
    pace_close(service->pace);
    waiters_refuse_reexecution(service, why);
    subscribers_track(service);
}
/* ---- the service ----------------------------------------------------------------------------- */

/* One that was forgotten would be a jump to nowhere, some day. */
static bool are_whole(const struct service_hooks *hooks)
{
    void (*hook)(void);

    for (size_t at = offsetof(struct service_hooks, find_pid); at < sizeof(*hooks);
         at += sizeof(hook)) {
        memcpy(&hook, (const char *)hooks + at, sizeof(hook));
        if (!hook)
            return false;
    }
    return true;
}

/* On an error everything made so far is freed. */
int service_new(sd_event *event, const struct service_settings *settings,
                const struct service_hooks *hooks, struct service **service)
{
    struct service *fresh = calloc(1, sizeof(*fresh));
    struct timespec now;

    if (!fresh)
        return -ENOMEM;
    INVARIANT(are_whole(hooks));
    clock_gettime(CLOCK_REALTIME, &now);
    fresh->failed_changed = true;
    fresh->started_usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    fresh->event = sd_event_ref(event);
    fresh->settings = *settings;
    fresh->inherited = -1;
    if (settings->handover)
        archive_connection(fresh, settings->handover);
    fresh->hooks = *hooks;
    fresh->address = settings->address ? strdup(settings->address) : NULL;
    child_object_serve(fresh);
    supervisor_object_serve(fresh);
    job_object_serve(fresh);
    int r = event_log_new(&fresh->log);
    if (r >= 0)
        r = job_metrics_new(&fresh->job_metrics);
    if (r >= 0)
        r = keys_new(&fresh->keys);
    if (r >= 0)
        r = pace_new(fresh, &fresh->pace);
    if (r >= 0)
        r = strangers_new(fresh, &fresh->strangers);
    if (r >= 0)
        r = user_names_new(event, &fresh->user_names);
    if (r >= 0)
        r = traces_new(event, &fresh->traces);
    if (r >= 0)
        r = bulks_new(fresh, &fresh->bulks);
    if (r >= 0)
        r = sd_event_add_post(event, &fresh->turn, turn, fresh);
    if (r >= 0)
        r = connection_new(fresh, &connection_hooks, &fresh->connection);
    if (r < 0) {
        service_free(fresh);
        return r;
    }
    *service = fresh;
    return 0;
}

/* The core goes, the service stays: for a recovery that begins again. */
void service_detach(struct service *service)
{
    if (!service->core)
        return;
    for (struct child *child = core_first(service->core); child; child = core_next(child))
        child_forget_shown(service, child);
    for (struct supervisor *s = core_first_supervisor(service->core); s;
         s = core_next_supervisor(s)) {
        free(s->observer);
        s->observer = NULL;
    }
    for (struct job *job = core_first_job(service->core); job; job = job->next) {
        free(job->observer);
        job->observer = NULL;
    }
    service->core = NULL;
}

/* In the reverse order. */
void service_free(struct service *service)
{
    if (!service)
        return;
    service_detach(service);
    held_free(service);
    waiters_free(service);
    questions_free(service);
    subscribers_free(service);
    if (service->bulks)
        bulks_reset(service->bulks);
    connection_free(service->connection);
    sd_event_source_disable_unref(service->turn);
    sd_event_source_disable_unref(service->show_later);
    sd_event_source_disable_unref(service->wait_ends);
    keys_free(service->keys);
    bulks_free(service->bulks);
    pace_free(service->pace);
    strangers_free(service->strangers);
    reexecutions_free(service);
    reloads_free(service);
    user_names_free(service->user_names);
    traces_free(service->traces);
    job_metrics_free(service->job_metrics);
    event_log_free(service->log);
    free(service->address);
    sd_event_unref(service->event);
    free(service);
}

void service_name_commands(struct service *service, uint32_t instance)
{
    service->instance = instance;
}

void service_attach(struct service *service, struct core *core)
{
    INVARIANT(core && !service->core);
    service->core = core;
}
