#include "core/vocabulary/event.h"

#include "core/private.h"

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
    core->ports.event(core->ports.userdata, &event);
}
