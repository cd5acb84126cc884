#include "story.h"

#include "terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * How a kind is told. In a sentence {key} is the field's value, {key!t} a time, and [...] is left
 * out where one of its fields is empty or 0. An event whose `needs` has no value is not told unless
 * it is asked for.
 */
static const struct telling {
    const char *kind;
    const char *needs; /* NULL: nothing; "-": never told by itself, others say the same */
    const char *sentence;
} tellings[] = {
    {"child-starting", "-", "is being started, generation {generation}, attempt {attempt}"},
    {"child-running", NULL,
     "is started: process {pid}, generation {generation}, attempt {attempt}"},
    {"child-ready", NULL, "is ready"},
    {"child-not-ready", NULL, "says that it is [{stopping!q}stopping, and ]not ready"},
    {"child-reload-completed", NULL, "its reload: {result}[, after {took_usec!t}]"},
    {"child-heartbeat-stale", NULL, ""},
    {"child-heartbeat-recovered", NULL, "is well again"},
    {"child-backoff-scheduled", NULL, "will be started again in {delay_usec!t}"},
    {"child-start-delayed", NULL,
     "waits for its start, as proctord lacks something for it: {reason}"},
    {"child-restart-queued", NULL,
     "waits for its turn, as number {position}: {in_flight} others of {supervisor} are being "
     "started"},
    {"child-restarted", "-", "has been restarted[, for the {restart_count}. time by policy]"},
    {"child-quarantined", NULL, "is quarantined: {why}"},
    {"child-operation-changed", "-", "was {from} and is {to}, by {by}[: \"{reason}\"]"},
    {"child-control-cancel-delivered", NULL, "is told to stop ({command})"},
    {"child-control-abort-requested", NULL, "is killed"},
    {"child-control-stop-completed", "-", "has stopped[, {exit}]"},
    {"child-control-stop-failed", NULL, "does not stop in time[: {reason}]"},
    {"child-control-command-completed", "-", "{command}: {result}"},
    {"child-restart-limit-updated", "gave_up", "[is given up: {why}][, {used} of {burst} used]"},
    {"child-runtime-state-removed", NULL, "is removed"},
    {"child-restart-fence-entered", NULL,
     "waits: generation {target_generation} starts when nothing of the old one is left"},
    {"child-restart-fence-abort-requested", "-",
     "is killed, as generation {target_generation} waits"},
    {"child-restart-fence-released", NULL, "has passed the fence: nothing of the old one was left"},
    {"child-attempt-stale-report", NULL,
     "gets a late report ({report}) about attempt {reported_attempt}: it changes nothing"},
    {"child-spawn-failed", NULL, "cannot be started: {reason}"},
    {"child-added", NULL, "is declared by {by}[: \"{reason}\"]"},
    {"child-declaration-rejected", NULL, "a declaration of {by} is refused: {why}"},
    {"meltdown", NULL,
     "takes its supervisor \"{supervisor}\" down with it: {why}[ ({used} of {burst})]"},
    {"escalated", NULL, "is passed on[ from \"{from}\"] to \"{to}\": {why}"},
    {"group-fuse-triggered", NULL,
     "blows the fuse of the group \"{group}\": {used} failures, and {burst} are allowed"},
    {"budget-exhausted", NULL,
     "has to wait {wait_usec!t}: the restart budget of the group \"{group}\" is used up"},
    {"shutdown-requested", NULL, "shutdown, by {by}: \"{reason}\""},
    {"shutdown-phase-changed", NULL, "shutdown: {phase}[, {left} children left]"},
    {"child-shutdown-cancel-delivered", "-", "is told to stop, for the shutdown"},
    {"child-shutdown-graceful", NULL, "has ended as it should"},
    {"child-shutdown-aborted", NULL, "had to be killed[: {result}]"},
    {"child-shutdown-late-report", NULL, "ended after the shutdown had given it up"},
    {"shutdown-completed", NULL, "the shutdown is complete"},
    {"command-accepted", NULL,
     "gets the command {command} from {by}: \"{reason}\"[ (dry run{dry_run!q})]"},
    {"command-rejected", NULL, "{command} is rejected[ for {child}]: {why}"},
    {"job-queued", NULL, "job {job} \"{name}\" is queued[, {running} are running]"},
    {"job-finished", NULL, "job {job} \"{name}\": {result}, after {wall_usec!t}"},
    {"supervisor-started", NULL, "proctord {version} is up"},
    {"supervisor-recovered", NULL,
     "proctord goes on after its death: {adopted} running children taken over[, {lost} had "
     "ended][, {damaged_bytes} bytes of the journal were damaged]"},
    {"child-control-stop-escalated", NULL, "is sent signal {signal}, number {step} of its stop"},
    {"child-leftovers", NULL,
     "has lost its main process, and {left} others of it are there: {action}"},
    {"supervisor-reexecuting", NULL, "proctord is replaced in place, by {by}: \"{reason}\""},
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

static const struct telling *telling_of(const char *kind)
{
    for (size_t i = 0; i < sizeof(tellings) / sizeof(tellings[0]); i++)
        if (strcmp(tellings[i].kind, kind) == 0)
            return &tellings[i];
    return NULL;
}

int story_read(sd_bus_message *m, const char *kind, struct story *story)
{
    story->kind = kind;
    return fields_read(m, &story->fields);
}

/* ---- telling --------------------------------------------------------------------------------- */

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

/* Somebody asked it to end, or proctord did: it has not died. */
static bool was_stopped(const char *exit)
{
    return strcmp(exit, "cancelled") == 0 || strcmp(exit, "timed-out") == 0 ||
           strcmp(exit, "unhealthy") == 0;
}

static void write_end(FILE *out, const struct story *story)
{
    int64_t code = number_of(story, "code"), signal = number_of(story, "signal");
    bool stopped = was_stopped(text_of(story, "exit"));

    if (signal > 0)
        fprintf(out, "%sSIG%s%s%s", stopped ? "stopped (" : "died by ",
                sigabbrev_np((int)signal) ? sigabbrev_np((int)signal) : "?",
                number_of(story, "core_dumped") ? ", with a core dump" : "", stopped ? ")" : "");
    else if (code != 0)
        fprintf(out, stopped ? "stopped (exit code %" PRId64 ")" : "ended with exit code %" PRId64,
                code);
    else
        fputs(stopped ? "stopped" : "ended", out);
    if (is_news(text_of(story, "reason")))
        write_sentence(out, story, " ({reason})");
}

static void write_decision(FILE *out, const struct story *story)
{
    static const struct {
        const char *decision, *words;
    } words[] = {
        {"leave", "and is left alone, as its policy says"},
        {"hold", "and stays down: it is held"},
        {"remove", "and goes"},
        {"give-up", "and is given up"},
        {"fuse", "and its group is given up"},
        {"meltdown", "and its supervisor gives up"},
    };
    const char *decision = text_of(story, "decision");

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].decision, decision) == 0)
            fprintf(out, ", %s", words[i].words);
    if (number_of(story, "counted"))
        fprintf(out, "; failure %" PRId64 " of %" PRId64, number_of(story, "used"),
                number_of(story, "burst"));
}

static void write_conflict(FILE *out, const struct story *story)
{
    const char *decision = text_of(story, "decision");

    if (strcmp(decision, "already-pending") == 0)
        write_sentence(out, story,
                       "is to be restarted already: this request joins it[ (the "
                       "{duplicate_request_count}. to do so)]");
    else if (strcmp(decision, "withdrawn") == 0)
        write_sentence(out, story, "is not to be restarted any more ({command})");
    else
        write_sentence(out, story, "cannot be restarted: {conflict}");
}

/* The event is that of a silence and of failed health checks alike. */
static void write_doubt(FILE *out, const struct story *story)
{
    bool silent = strcmp(text_of(story, "why"), "heartbeat") == 0;

    write_sentence(out, story,
                   silent ? "has not been heard of for {silent_usec!t}"
                          : "has failed its health checks[: {why}]");
}

static void write_durability(FILE *out, const struct story *story)
{
    fputs(number_of(story, "durable") ? "the journal can be written again"
                                      : "what happens now would not survive",
          out);
    write_sentence(out, story, "[: {why}]");
}

void story_write(FILE *out, const struct story *story)
{
    const struct telling *telling = telling_of(story->kind);

    if (strcmp(story->kind, "child-exited") == 0) {
        write_end(out, story);
        write_decision(out, story);
    } else if (strcmp(story->kind, "child-restart-conflict") == 0) {
        write_conflict(out, story);
    } else if (strcmp(story->kind, "child-heartbeat-stale") == 0) {
        write_doubt(out, story);
    } else if (strcmp(story->kind, "durability-changed") == 0) {
        write_durability(out, story);
    } else if (telling) {
        write_sentence(out, story, telling->sentence);
    } else {
        text_write(out, story->kind); /* of a newer proctord */
    }
}

bool story_is_told(const struct story *story, bool named)
{
    const struct telling *telling = telling_of(story->kind);

    if (named || !telling || !telling->needs)
        return true;
    return strcmp(telling->needs, "-") != 0 &&
           has_value(story, telling->needs, strlen(telling->needs));
}
