/*
 * Lines of the log of a run: inputs, calls, events, verdicts.
 */
#include "world/record.h"

#include "core/core.h"
#include "core/vocabulary/invariant.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const names[] = {
    [RECORD_INPUT] = "in",        [RECORD_CALL] = "call",   [RECORD_EVENT] = "event",
    [RECORD_OUTCOME] = "outcome", [RECORD_FAULT] = "fault", [RECORD_VERDICT] = "FAILED",
    [RECORD_PROCESS] = "process",
};

/* One line. Logs of two runs are compared byte by byte, so nothing in it may
 * depend on the machine. */
int record_format(const struct record *record, char *line, size_t size)
{
    char attempt[48] = "";
    char cause[32] = "";

    if (record->has_attempt)
        snprintf(attempt, sizeof(attempt), " %" PRIu64 "/%" PRIu64, record->generation,
                 record->attempt);
    if (record->cause > 0)
        snprintf(cause, sizeof(cause), " #%" PRIu64, record->cause);
    int length = snprintf(line, size, "%6" PRIu64 " %14.6f %-8s %s%s%s%s%s%s%s", record->input,
                          (double)(record->time_nsec / 1000) / 1e6, names[record->kind],
                          record->what, record->child[0] ? " " : "", record->child, attempt, cause,
                          record->text[0] ? " " : "", record->text);
    return length < (int)size ? length : (int)size - 1;
}

/* The fields of an event. */
void record_event_text(const struct event *event, char text[RECORD_EVENT_TEXT])
{
    size_t length = 0;

    INVARIANT(event_is_sound(event));
    text[0] = '\0';
    for (size_t i = 0; i < event->n_fields && length + 1 < RECORD_EVENT_TEXT; i++) {
        const struct event_field *f = &event->fields[i];
        char value[96] = "";
        switch (f->type) {
        case FIELD_TEXT:
            snprintf(value, sizeof(value), "%.90s", f->text);
            break;
        case FIELD_NUMBER:
            snprintf(value, sizeof(value), "%ju", (uintmax_t)f->number);
            break;
        case FIELD_SIGNED:
            snprintf(value, sizeof(value), "%jd", (intmax_t)f->sign);
            break;
        case FIELD_FLAG:
            snprintf(value, sizeof(value), "%s", f->flag ? "true" : "false");
            break;
        }
        length += (size_t)snprintf(text + length, RECORD_EVENT_TEXT - length, "%s%s=%s",
                                   i > 0 ? " " : "", f->key, value);
    }
}

/* What a message to the daemon says. */
void record_message_text(const struct notify_message *m, char text[RECORD_EVENT_TEXT])
{
    INVARIANT(m);
    snprintf(text, RECORD_EVENT_TEXT, "%s%s%s%s%s%s%s%s", m->flags & NOTIFY_READY ? "READY=1 " : "",
             m->flags & NOTIFY_NOT_READY ? "READY=0 " : "",
             m->flags & NOTIFY_HEARTBEAT ? "WATCHDOG=1 " : "",
             m->flags & NOTIFY_EXTEND_TIMEOUT ? "EXTEND_TIMEOUT_USEC " : "",
             m->flags & NOTIFY_RELOADING ? "RELOADING=1 " : "",
             m->flags & NOTIFY_STOPPING ? "STOPPING=1 " : "",
             m->flags & NOTIFY_TRIGGER ? "WATCHDOG=trigger " : "",
             m->flags & NOTIFY_STATUS ? "STATUS" : "");
}
