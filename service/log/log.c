/*
 * The log: lines to standard error, or entries with fields to journald.
 */
#include "core/vocabulary/noun.h"
#include "core/vocabulary/invariant.h"
#include "log/log.h"

#include "log/catalog.h"
#include "core/model/child.h"
#include "core/vocabulary/command_id.h"
#include "log/sink.h"
#include "core/vocabulary/text.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#define FIELDS_MAX  40
#define LINE_SIZE   4096 /* a longer line is cut */
#define SETTLE_MSEC 200

static bool to_journal;
static int max_level = LOG_NOTICE;
static uint32_t command_instance;
static struct sink *errors, *journal; /* standard error; NULL where it is not needed */

static void tell_loss(struct sink *sink, uint64_t lost);

void log_name_commands(uint32_t instance)
{
    command_instance = instance;
}

static struct sink *standard_error(void)
{
    if (!errors && (errors = sink_open(STDERR_FILENO)))
        sink_on_loss(errors, tell_loss);
    return errors;
}

void log_setup(enum log_target target, int level)
{
    max_level = level;
    to_journal =
        target == LOG_TARGET_JOURNAL || (target == LOG_TARGET_AUTO && getenv("JOURNAL_STREAM"));
    if (to_journal && !journal && (journal = sink_open_journal(SINK_JOURNAL)))
        sink_on_loss(journal, tell_loss);
    standard_error();
}

void log_attach(sd_event *event)
{
    if (errors)
        sink_attach(errors, event);
    if (journal)
        sink_attach(journal, event);
}

void log_settle(void)
{
    if (errors)
        sink_settle(errors, SETTLE_MSEC);
    if (journal)
        sink_settle(journal, SETTLE_MSEC);
}

uint64_t log_lost(void)
{
    return (errors ? sink_lost(errors) : 0) + (journal ? sink_lost(journal) : 0);
}

/* The words of --log-level. */
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

/* ---- lines ----------------------------------------------------------------------------------- */

static void put_line(const char *before, const char *text)
{
    char line[LINE_SIZE + 32];
    int size = snprintf(line, sizeof(line), "%s%s\n", before, text);

    if (standard_error())
        sink_put(errors, line, (size_t)size);
}

void log_say(const char *format, ...)
{
    char text[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text_make_line(text);
    put_line("", text);
}

/* Quotes in it stay in it: what others have written cannot look like a field of its own. */
static void print_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

/* As KEY=VALUE, with quotes. */
static void print_field(FILE *out, const struct event_field *field)
{
    switch (field->type) {
    case FIELD_TEXT:
        fprintf(out, " %s=", field->key);
        print_quoted(out, field->text);
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

/* ---- to journald: each field one of its own ---------------------------------------------------
 */

struct fields {
    struct iovec list[FIELDS_MAX];
    int count;
};

static void add_field(struct fields *fields, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Bounded; texts are made single lines. */
static void add_field(struct fields *fields, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    if (fields->count == FIELDS_MAX)
        return;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length >= 0)
        text_make_line(text);
    if (length >= 0)
        fields->list[fields->count++] = (struct iovec){text, strlen(text)};
}

/* journald's names are upper case. */
static void add_event_field(struct fields *fields, const struct event_field *field)
{
    char name[64] = "PROCTOR_";
    size_t length = strlen(name);

    for (const char *key = field->key; *key && length + 1 < sizeof(name); key++)
        name[length++] = *key == '-' ? '_' : (char)toupper((unsigned char)*key);
    name[length] = '\0';
    switch (field->type) {
    case FIELD_TEXT:
        add_field(fields, "%s=%s", name, field->text);
        return;
    case FIELD_NUMBER:
        add_field(fields, "%s=%" PRIu64, name, field->number);
        return;
    case FIELD_SIGNED:
        add_field(fields, "%s=%" PRId64, name, field->sign);
        return;
    case FIELD_FLAG:
        add_field(fields, "%s=%s", name, field->flag ? "yes" : "no");
        return;
    }
}

/* The native protocol of journald: NAME=value, or where there are several lines, the name, a length
 * and the value. */
static void write_field(FILE *out, const struct iovec *field)
{
    const char *text = field->iov_base;
    const char *equals = memchr(text, '=', field->iov_len);

    if (!memchr(text, '\n', field->iov_len) || !equals) {
        fwrite(text, 1, field->iov_len, out);
    } else {
        size_t name = (size_t)(equals - text);
        uint64_t length = htole64(field->iov_len - name - 1);
        fwrite(text, 1, name, out);
        fputc('\n', out);
        fwrite(&length, sizeof(length), 1, out);
        fwrite(equals + 1, 1, field->iov_len - name - 1, out);
    }
    fputc('\n', out);
}

/* In journald's native protocol. */
static void send_fields(struct fields *fields)
{
    char *datagram = NULL;
    size_t size;
    FILE *out = journal ? open_memstream(&datagram, &size) : NULL;

    add_field(fields, "SYSLOG_IDENTIFIER=%s", program_invocation_short_name);
    for (int i = 0; i < fields->count; i++) {
        if (out)
            write_field(out, &fields->list[i]);
        free(fields->list[i].iov_base);
    }
    if (out && fclose(out) == 0)
        sink_put(journal, datagram, size);
    free(datagram);
}

/* With everything that a filter may want. */
static void send_event(const struct event *event, int level, const char *text)
{
    struct fields fields = {};
    char cause[COMMAND_ID_SIZE];

    command_id_text((struct command_id){command_instance, event->cause}, cause);
    add_field(&fields, "MESSAGE=%s", text);
    add_field(&fields, "MESSAGE_ID=%s", catalog_message_id(event->kind));
    add_field(&fields, "PRIORITY=%d", level);
    add_field(&fields, "PROCTOR_EVENT=%s", event_kind_to_string(event->kind));
    add_field(&fields, "PROCTOR_SEQUENCE=%" PRIu64, event->sequence);
    if (event->cause > 0)
        add_field(&fields, "PROCTOR_COMMAND_ID=%s", cause);
    if (event->child) {
        add_field(&fields, "PROCTOR_CHILD=%s", event->child->id);
        add_field(&fields, "PROCTOR_GENERATION=%" PRIu64, event->generation);
        add_field(&fields, "PROCTOR_ATTEMPT=%" PRIu64, event->attempt);
    }
    for (size_t i = 0; i < event->n_fields; i++)
        add_event_field(&fields, &event->fields[i]);
    send_fields(&fields);
}

static void send_line(int level, const char *text)
{
    struct fields fields = {};

    add_field(&fields, "MESSAGE=%s", text);
    add_field(&fields, "PRIORITY=%d", level);
    send_fields(&fields);
}

static void tell_loss(struct sink *sink, uint64_t lost)
{
    char text[128];

    snprintf(text, sizeof(text), "%" PRIu64 " %s of this log lost: nothing was reading it", lost,
             noun_of(lost, "line"));
    if (sink == journal)
        send_line(LOG_WARNING, text);
    else
        put_line("proctord: ", text);
}

/* For messages that are not events. */
void log_print(int level, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    if (level > max_level)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    text_make_line(line); /* it may name a file, or a program's last words */
    if (to_journal)
        send_line(level, line);
    else
        put_line("proctord: ", line);
}

/* Audited events always go to journald, at the level of information at
 * least. */
void log_event(const struct event *event)
{
    INVARIANT(event_is_sound(event));
    int level = catalog_level(event->kind);
    char *text = NULL;
    size_t size;
    bool audited = to_journal && catalog_is_audited(event->kind);
    FILE *out = level <= max_level || audited ? open_memstream(&text, &size) : NULL;

    if (!out)
        return;
    fprintf(out, "%s", event_kind_to_string(event->kind));
    if (event->child)
        fprintf(out, " %s gen%" PRIu64 "-attempt%" PRIu64, event->child->id, event->generation,
                event->attempt);
    for (size_t i = 0; i < event->n_fields; i++)
        print_field(out, &event->fields[i]);
    if (fclose(out) == 0 && to_journal)
        send_event(event, level < LOG_INFO || !audited ? level : LOG_INFO, text);
    else if (text)
        log_print(level, "%s", text);
    free(text);
}
