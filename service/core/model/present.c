/*
 * The present: the time of the input that is being handled, and the events and
 * changes that it makes. Time stands still while an input is handled, so
 * everything that follows from it has the same time.
 */
#include "core/model/present.h"

#include "core/model/era.h"
#include "core/model/supervisor.h"
#include "core/private.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/moment.h"
#include "core/vocabulary/vocabulary.h"

/* Dry runs are muted. The generation of a child without an attempt is the last
 * one that ran. */
void event_emit(struct core *core, enum event_kind kind, struct child *child, uint64_t cause,
                const struct event_field *fields, size_t n_fields)
{
    if (core->muted)
        return;

    struct event event = {
        .sequence = ++core->sequence,
        .realtime_usec = core->realtime_usec,
        .monotonic_usec = core->now_usec,
        .kind = kind,
        .child = child,
        .cause = cause,
        .fields = fields,
        .n_fields = n_fields,
    };
    if (child) {
        event.generation = child->attempt.active ? child->attempt.generation : child->generation;
        event.attempt = child->attempt.number;
    }
    core->ports.event(core->ports.sink, &event);
}

uint64_t core_now(const struct core *core)
{
    if (core->handling)
        return core->now_usec;
    return moment_later(core->now_usec, core->ports.monotonic(core->ports.userdata));
}

uint64_t core_after(const struct core *core, uint64_t delay_usec)
{
    return moment_after(core_now(core), delay_usec);
}

void core_last(const struct core *core, struct two_clocks *last)
{
    *last = (struct two_clocks){core->now_usec, core->realtime_usec};
}

/* A moment of the core's clock as wall time, for people; computed from now, so
 * that setting the clock moves what is shown. */
uint64_t core_realtime_of(const struct core *core, uint64_t usec)
{
    uint64_t now = core_now(core), realtime = core_realtime(core);

    if (usec == 0)
        return 0;
    if (usec >= now)
        return moment_after(realtime, usec - now);
    return realtime > now - usec ? realtime - (now - usec) : 0;
}

uint64_t core_realtime(const struct core *core)
{
    return core->handling ? core->realtime_usec : core->ports.realtime(core->ports.userdata);
}

uint64_t core_new_command(struct core *core)
{
    return ++core->next_command;
}

void core_changed(struct core *core, struct child *child)
{
    if (child->changed || core->muted)
        return;
    child->changed = true;
    child->changed_next = core->changed_first;
    core->changed_first = child;
}

void core_forget_changed(struct core *core, struct child *child)
{
    struct child **link = &core->changed_first;

    while (*link && *link != child)
        link = &(*link)->changed_next;
    if (*link)
        *link = child->changed_next;
}

struct child *core_take_changed(struct core *core)
{
    struct child *child = core->changed_first;
    if (child) {
        core->changed_first = child->changed_next;
        child->changed = false;
    }
    return child;
}

void core_changed_supervisor(struct core *core, struct supervisor *supervisor)
{
    if (supervisor->changed || core->muted)
        return;
    supervisor->changed = true;
    supervisor->changed_next = core->changed_supervisor;
    core->changed_supervisor = supervisor;
}

struct supervisor *core_take_changed_supervisor(struct core *core)
{
    struct supervisor *supervisor = core->changed_supervisor;
    if (supervisor) {
        core->changed_supervisor = supervisor->changed_next;
        supervisor->changed = false;
    }
    return supervisor;
}

bool core_has_changed(const struct core *core)
{
    return core->changed_first || core->changed_supervisor;
}

uint64_t core_sequence(const struct core *core)
{
    return core->sequence;
}
