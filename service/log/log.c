#include "log.h"

#include "child.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

static bool to_journal;
static int max_level = LOG_NOTICE;

void log_setup(enum log_target target, int level)
{
    max_level = level;
    to_journal =
        target == LOG_TARGET_JOURNAL || (target == LOG_TARGET_AUTO && getenv("JOURNAL_STREAM"));
}

int log_level_from_string(const char *word, int *level)
{
    static const char *const words[] = {
        [LOG_ERR] = "err",   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
        [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
    };

    for (int i = LOG_ERR; i <= LOG_DEBUG; i++)
        if (strcmp(words[i], word) == 0) {
            *level = i;
            return 0;
        }
    return -EINVAL;
}

void log_print(int level, const char *format, ...)
{
    va_list arguments;

    if (level > max_level)
        return;
    va_start(arguments, format);
    if (to_journal) {
        sd_journal_printv(level, format, arguments);
    } else {
        fputs("proctord: ", stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
    }
    va_end(arguments);
}

static int level_of(enum event_kind kind)
{
    switch (kind) {
    case EVENT_CHILD_QUARANTINED:
    case EVENT_CHILD_SPAWN_FAILED:
    case EVENT_CHILD_CONTROL_STOP_FAILED:
    case EVENT_ESCALATED:
        return LOG_WARNING;
    case EVENT_CHILD_EXITED:
    case EVENT_CHILD_HEARTBEAT_STALE:
    case EVENT_CHILD_ATTEMPT_STALE_REPORT:
    case EVENT_CHILD_DECLARATION_REJECTED:
    case EVENT_SHUTDOWN_REQUESTED:
    case EVENT_SHUTDOWN_COMPLETED:
    case EVENT_SUPERVISOR_STARTED:
    case EVENT_COMMAND_ACCEPTED:
        return LOG_INFO;
    default:
        return LOG_DEBUG;
    }
}

static void print_field(FILE *out, const struct event_field *field)
{
    switch (field->type) {
    case FIELD_TEXT:
        fprintf(out, " %s=\"%s\"", field->key, field->text);
        return;
    case FIELD_NUMBER:
        fprintf(out, " %s=%" PRIu64, field->key, field->number);
        return;
    case FIELD_SIGNED:
        fprintf(out, " %s=%" PRId64, field->key, field->sign);
        return;
    case FIELD_FLAG:
        fprintf(out, " %s=%s", field->key, field->flag ? "true" : "false");
        return;
    }
}

char *log_fields(const struct event *event)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    for (size_t i = 0; i < event->n_fields; i++)
        print_field(out, &event->fields[i]);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    if (size > 0)
        memmove(text, text + 1, size); /* the blank before the first one */
    return text;
}

void log_event(const struct event *event)
{
    int level = level_of(event->kind);
    char *text = NULL;
    size_t size;
    FILE *out = level <= max_level ? open_memstream(&text, &size) : NULL;

    if (!out)
        return;
    fprintf(out, "%s", event_kind_to_string(event->kind));
    if (event->child)
        fprintf(out, " %s gen%" PRIu64 "-attempt%" PRIu64, event->child->id, event->generation,
                event->attempt);
    for (size_t i = 0; i < event->n_fields; i++)
        print_field(out, &event->fields[i]);
    if (fclose(out) == 0)
        log_print(level, "%s", text);
    free(text);
}
