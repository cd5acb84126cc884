/*
 * Events as sentences, from the templates of event_table.def. A part in
 * brackets is left out if one of its fields is missing.
 */
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/noun.h"
#include "ctl/story.h"

#include "core/vocabulary/vocabulary.h"
#include "ctl/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How a kind is worded: event_table.def has its language. */
static const struct telling {
    const char *needs;
    const char *sentence; /* NULL: one of the functions below writes it */
} tellings[] = {
#define EVENT(kind, number, word, id, level, audited, needs, sentence, when)                       \
    [kind] = {needs, sentence},
#include "core/vocabulary/event_table.def"
#undef EVENT
};

static const char *text_of(const struct story *story, const char *key)
{
    return fields_text(&story->fields, key);
}

static int64_t number_of(const struct story *story, const char *key)
{
    return fields_number(&story->fields, key);
}

static bool has_value(const struct story *story, const char *key, size_t length)
{
    const struct field *field = fields_find(&story->fields, key, length);
    return field && (field->text ? field->text[0] != '\0' : field->number != 0);
}

/* NULL: it is of a newer proctord. */
static const struct telling *telling_of(const char *word)
{
    enum event_kind kind;
    return event_kind_from_string(word, &kind) < 0 ? NULL : &tellings[kind];
}

int story_read(sd_bus_message *m, const char *kind, struct story *story)
{
    INVARIANT(kind && kind[0]);
    story->kind = kind;
    return fields_read(m, &story->fields);
}

/* ---- telling --------------------------------------------------------------------------------- */

/* One unit, as people compare orders of magnitude. */
void story_duration(FILE *out, uint64_t usec)
{
    if (usec < 1000)
        fprintf(out, "%" PRIu64 " us", usec);
    else if (usec < 1000000)
        fprintf(out, "%" PRIu64 " ms", usec / 1000);
    else if (usec < UINT64_C(120000000))
        fprintf(out, "%.1f s", (double)usec / 1e6);
    else if (usec < UINT64_C(7200000000))
        fprintf(out, "%" PRIu64 " min", usec / 60000000);
    else
        fprintf(out, "%" PRIu64 " h", usec / UINT64_C(3600000000));
}

static void write_count(FILE *out, int64_t number, const char *noun, size_t length)
{
    char singular[32];

    snprintf(singular, sizeof(singular), "%.*s", (int)length, noun);
    fprintf(out, "%" PRId64 " %s", number, noun_of((uint64_t)number, singular));
}

static void write_moment(FILE *out, uint64_t realtime_usec)
{
    time_t seconds = (time_t)(realtime_usec / 1000000);
    struct tm local;
    char text[32];

    if (localtime_r(&seconds, &local) &&
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) > 0)
        fputs(text, out);
}

/* key, without its braces. */
static void write_field(FILE *out, const struct story *story, const char *key, size_t length)
{
    size_t name = 0;

    while (name < length && key[name] != '!')
        name++;
    const struct field *field = fields_find(&story->fields, key, name);
    char how = name < length ? key[name + 1] : '\0';
    if (!field || how == 'q')
        return;
    if (field->text)
        text_write(out, field->text);
    else if (how == 't')
        story_duration(out, (uint64_t)field->number);
    else if (how == 'w')
        write_moment(out, (uint64_t)field->number);
    else if (how == 'n')
        write_count(out, field->number, key + name + 2, length - name - 2);
    else
        fprintf(out, "%" PRId64, field->number);
}

/* Whether all fields of the part up to the closing bracket have a value. */
static bool is_complete(const struct story *story, const char *part, const char *end)
{
    for (const char *at = part; (at = memchr(at, '{', (size_t)(end - at))); at++)
        if (!has_value(story, at + 1, strcspn(at + 1, "!}")))
            return false;
    return true;
}

/* `{field}` is replaced; `[...]` is optional. */
static void write_sentence(FILE *out, const struct story *story, const char *sentence)
{
    for (const char *at = sentence; *at; at++) {
        if (*at == '{') {
            size_t length = strcspn(at + 1, "}");
            write_field(out, story, at + 1, length);
            at += length + 1;
        } else if (*at == '[' && !is_complete(story, at + 1, strchr(at, ']'))) {
            at = strchr(at, ']');
        } else if (*at != '[' && *at != ']') {
            fputc(*at, out);
        }
    }
}

/* Whether the reason says more than code and signal do. */
static bool is_news(const char *reason)
{
    static const char *const known[] = {"exit code ", "signal ", "cancelled"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strncmp(reason, known[i], strlen(known[i])) == 0)
            return false;
    return reason[0] != '\0';
}

/* It was asked to end, or proctord ended it: it has not died. */
static bool was_stopped(const char *exit)
{
    return strcmp(exit, "cancelled") == 0 || strcmp(exit, "timed-out") == 0 ||
           strcmp(exit, "unhealthy") == 0;
}

/* A requested stop is not called a failure, whatever signal ended the
 * process. */
static void write_end(FILE *out, const struct story *story)
{
    int64_t code = number_of(story, "code"), signal = number_of(story, "signal");
    bool stopped = was_stopped(text_of(story, "exit"));

    if (signal > 0)
        fprintf(out, "%sSIG%s%s%s", stopped ? "stopped (" : "killed by ",
                sigabbrev_np((int)signal) ? sigabbrev_np((int)signal) : "?",
                number_of(story, "core_dumped") ? ", core dumped" : "", stopped ? ")" : "");
    else if (code != 0)
        fprintf(out, stopped ? "stopped (exit code %" PRId64 ")" : "ended with exit code %" PRId64,
                code);
    else
        fputs(stopped ? "stopped" : "ended", out);
    if (is_news(text_of(story, "reason")))
        write_sentence(out, story, " ({reason})");
}

/* What follows from the exit, if it is not the usual. */
static void write_decision(FILE *out, const struct story *story)
{
    static const struct {
        const char *decision, *words;
    } words[] = {
        {"leave", "and is not restarted, as its policy says"},
        {"hold", "and stays down: it is held"},
        {"remove", "and is removed"},
        {"give-up", "and is given up"},
        {"fuse", "and its group is given up"},
        {"meltdown", "and its supervisor gives up"},
    };
    const char *decision = text_of(story, "decision");

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].decision, decision) == 0)
            fprintf(out, ", %s", words[i].words);
    if (number_of(story, "counted"))
        fprintf(out, "; failure %" PRId64 " (limit %" PRId64 ")", number_of(story, "used"),
                number_of(story, "burst"));
}

/* Three sentences for one kind of event. */
static void write_conflict(FILE *out, const struct story *story)
{
    const char *decision = text_of(story, "decision");

    if (strcmp(decision, "already-pending") == 0)
        write_sentence(out, story,
                       "already has a pending restart: this request joins it[ (duplicate "
                       "{duplicate_request_count})]");
    else if (strcmp(decision, "withdrawn") == 0)
        write_sentence(out, story, "will no longer be restarted ({command})");
    else
        write_sentence(out, story, "cannot be restarted: {conflict}");
}

/* The event is that of a silence and of failed health checks alike. */
static void write_doubt(FILE *out, const struct story *story)
{
    bool silent = strcmp(text_of(story, "why"), "heartbeat") == 0;

    write_sentence(out, story,
                   silent ? "has sent no heartbeat for {silent_usec!t}"
                          : "has failed its health checks[: {why}]");
}

static void write_durability(FILE *out, const struct story *story)
{
    fputs(number_of(story, "durable")
              ? "the journal can be written again"
              : "the journal cannot be written, changes would not survive a crash",
          out);
    write_sentence(out, story, "[: {why}]");
}

static void write_exit(FILE *out, const struct story *story)
{
    write_end(out, story);
    write_decision(out, story);
}

/* Those whose words depend on what has happened. */
static const struct {
    enum event_kind kind;
    void (*write)(FILE *out, const struct story *story);
} writers[] = {
    {EVENT_CHILD_EXITED, write_exit},
    {EVENT_CHILD_RESTART_CONFLICT, write_conflict},
    {EVENT_CHILD_HEARTBEAT_STALE, write_doubt},
    {EVENT_DURABILITY_CHANGED, write_durability},
};

/* A kind that this version does not know is printed by its name. */
void story_write(FILE *out, const struct story *story)
{
    const struct telling *telling = telling_of(story->kind);

    if (!telling)
        text_write(out, story->kind);
    else if (telling->sentence)
        write_sentence(out, story, telling->sentence);
    for (size_t i = 0; telling && i < sizeof(writers) / sizeof(writers[0]); i++)
        if (telling == &tellings[writers[i].kind])
            writers[i].write(out, story);
}

bool story_is_told(const struct story *story, bool named)
{
    const struct telling *telling = telling_of(story->kind);

    if (named || !telling || !telling->needs)
        return true;
    return strcmp(telling->needs, "-") != 0 &&
           has_value(story, telling->needs, strlen(telling->needs));
}
