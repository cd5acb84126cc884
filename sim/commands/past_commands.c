/*
 * Commands for journals of a real proctord: replay, step through, shrink, draw.
 * A journal holds every input with its time, so what happened on a real machine
 * can be repeated here as often as needed.
 */
#include "commands/past_commands.h"

#include "commands/commands.h"
#include "core/model/child.h"
#include "core/vocabulary/text.h"
#include "system/number.h"
#include "search/clock.h"
#include "trace/past.h"
#include "trace/timeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void print_record(void *userdata, const struct record *record)
{
    char line[500];

    record_format(record, line, sizeof(line));
    text_make_line(line); /* the journal came from elsewhere */
    fprintf(userdata, "%s\n", line);
}

/* ---- replay ---------------------------------------------------------------------------------- */

static void print_state(const struct life *life)
{
    printf("-- after input %" PRIu64 ", %.6f s\n", life->inputs, (double)life->end_nsec / 1e9);
    for (const struct child *child = life->core ? core_first(life->core) : NULL; child;
         child = core_next(child))
        printf("   %-16s %s, %s, generation %" PRIu64 ", attempt %" PRIu64
               ", stop state %s, fence %s\n",
               child->id, child_operation_to_string(child->operation),
               child_status_to_string(child_status(child)), child->generation, child_attempt(child),
               stop_state_to_string(child->stop_state), fence_phase_to_string(child->fence_phase));
}

/* What a replay proves, line by line: the same lines of the audit, and the same
 * state at the end. */
static void print_end(const struct life *life)
{
    if (life->fails)
        printf("FAILED: %s\n", life->verdict);
    printf("%" PRIu64 " inputs, %" PRIu64 " events, %.3f s, hash %016" PRIx64 "\n", life->inputs,
           life->events, (double)life->end_nsec / 1e9, life->hash);
    if (life->fails)
        return;
    if (life->compared > 0)
        printf("%" PRIu64 " lines of the audit: identical here\n", life->compared);
    if (life->has_end)
        printf("the core ends in the same state, byte for byte\n");
}

struct range {
    uint64_t from, until;
};

static void print_some(void *userdata, const struct record *record)
{
    const struct range *range = userdata;

    if (record->input >= range->from && record->input <= range->until)
        print_record(stdout, record);
}

/* Returns how far it came. */
static uint64_t show_until(struct past *past, uint64_t from, uint64_t until)
{
    struct range range = {from, until};
    struct life life = {.until = until, .observe = print_some, .observe_userdata = &range};

    past_live(past, &life);
    if (life.fails)
        printf("FAILED: %s\n", life.verdict);
    print_state(&life);
    return life.inputs;
}

/* Step by step, forwards and backwards. Going back means to replay from the
 * start, which takes less than a second. */
static void walk(struct past *past)
{
    uint64_t at = show_until(past, 0, 1);
    char line[64];

    for (;;) {
        printf("%" PRIu64 " of %zu: [n]ext, [p]revious, a number, [q]uit > ", at,
               past_inputs(past));
        fflush(stdout);
        if (!fgets(line, sizeof(line), stdin) || line[0] == 'q')
            return;
        const char *word = line;
        uint64_t to;
        if (number_take(&word, &to) < 0)
            to = line[0] == 'p' ? at - (at > 1) : at + 1;
        to = to > 0 ? to : 1;
        at = show_until(past, to > at ? at + 1 : to, to);
    }
}

/* Entry: the whole journal, up to one input, or step by step. */
int past_replay(const char *path, uint64_t until, bool step, bool log)
{
    struct past *past = past_read(path);
    struct life life = {};

    if (!past)
        return EXIT_USAGE;
    if (step) {
        walk(past);
    } else if (until > 0) {
        show_until(past, 0, until);
    } else {
        life.observe = log ? print_record : NULL;
        life.observe_userdata = stdout;
        past_live(past, &life);
        print_end(&life);
    }
    past_free(past);
    return life.fails ? EXIT_FOUND : 0;
}

/* ---- shrink ---------------------------------------------------------------------------------- */

/* Delta debugging (Zeller): stretches of inputs are left out, large ones first, as long as what is
 * looked for still happens. */
struct shrinking {
    struct past *past;
    const char *wanted, *child;
    bool *left_out;
    size_t count;
    double end;
    uint64_t tries;
};

static bool still(struct shrinking *s, struct life *life)
{
    *life = (struct life){.left_out = s->left_out, .wanted = s->wanted, .wanted_child = s->child};
    s->tries++;
    past_live(s->past, life);
    return s->wanted ? life->found : life->fails;
}

static size_t left(const struct shrinking *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->count; i++)
        kept += !s->left_out[i];
    return kept;
}

/* Leaves out some inputs, and takes them back if what is sought is not found
 * any more. */
static bool try_without(struct shrinking *s, size_t from, size_t length)
{
    struct life life;
    bool *before = malloc(length);
    bool any = false;

    if (!before)
        return false;
    memcpy(before, s->left_out + from, length);
    for (size_t i = from; i < from + length; i++) {
        any = any || !s->left_out[i];
        s->left_out[i] = true;
    }
    bool good = any && still(s, &life);
    if (!good)
        memcpy(s->left_out + from, before, length);
    free(before);
    return good;
}

/* First halves, then quarters, down to single inputs, from the end to the
 * beginning, until nothing more can be left out or the time is over. */
static void shrink_all(struct shrinking *s)
{
    bool better = true;

    while (better && clock_seconds() < s->end) {
        better = false;
        for (size_t length = (s->count + 1) / 2; length > 0; length /= 2)
            for (size_t from = s->count; from > 0 && clock_seconds() < s->end;) {
                size_t n = from < length ? from : length;
                from -= n;
                better = try_without(s, from, n) || better;
            }
    }
}

/* What comes behind the end of the shortest life plays no part. */
static void cut(struct shrinking *s, uint64_t inputs)
{
    uint64_t seen = 0;

    for (size_t i = 0; i < s->count; i++)
        s->left_out[i] = s->left_out[i] || ++seen > inputs;
}

/* Looks for the shortest journal in which the same event, or the same failure,
 * still occurs. */
int past_shrink(const char *path, const char *to, const char *wanted, double seconds)
{
    struct past *past = past_read(path);
    char kind[64] = "";
    struct life life;
    int status = EXIT_USAGE;

    if (!past)
        return EXIT_USAGE;
    struct shrinking s = {.past = past, .count = past_inputs(past)};
    s.left_out = calloc(s.count + 1, sizeof(*s.left_out));
    s.end = clock_seconds() + seconds;
    if (wanted) {
        const char *colon = strchr(wanted, ':');
        enum event_kind known;
        snprintf(kind, sizeof(kind), "%.*s", colon ? (int)(colon - wanted) : 63, wanted);
        s.wanted = kind;
        s.child = colon ? colon + 1 : NULL;
        if (event_kind_from_string(kind, &known) < 0) {
            fprintf(stderr, "proctor-sim shrink: unknown event \"%s\"\n", kind);
            goto out;
        }
    }
    if (!s.left_out) {
        perror("proctor-sim shrink");
        goto out;
    }
    status = EXIT_FOUND;
    if (!still(&s, &life)) {
        printf(wanted ? "no such event occurs in this journal\n"
                      : "nothing fails in this journal: name an event with --event\n");
        goto out;
    }
    cut(&s, life.inputs);
    size_t before = s.count;
    shrink_all(&s);
    still(&s, &life);
    printf("from %zu inputs to %zu in %" PRIu64 " tries\n", before, left(&s), s.tries);
    if (!wanted)
        printf("FAILED: %s\n", life.verdict);
    int r = past_write(past, s.left_out, to);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", to, strerror(-r));
    else
        printf("look at it: proctor-sim replay %s --log\n", to);
    status = r < 0 ? EXIT_USAGE : 0;
out:
    free(s.left_out);
    past_free(past);
    return status;
}

/* ---- timeline -------------------------------------------------------------------------------- */

/* Draws a journal in one of the formats of `timeline`. */
int past_timeline(const char *path, FILE *file, const char *format)
{
    struct past *past = past_read(path);
    struct timeline *timeline = timeline_new();
    bool text = strcmp(format, "text") == 0;
    struct life life = {.observe = text ? print_record : timeline_record,
                        .observe_userdata = text ? (void *)file : (void *)timeline};
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

    if (!past) {
        timeline_free(timeline);
        return EXIT_USAGE;
    }
    past_live(past, &life);
    timeline_end(timeline, life.end_nsec);
    const char *verdict = life.fails ? life.verdict : "passed";
    if (strcmp(format, "html") == 0)
        timeline_write_html(timeline, file, name, verdict);
    else if (strcmp(format, "svg") == 0)
        timeline_write_svg(timeline, file, name, verdict);
    else if (strcmp(format, "json") == 0)
        timeline_write_perfetto(timeline, file);
    else if (strcmp(format, "mermaid") == 0)
        timeline_write_mermaid(timeline, file, name);
    timeline_free(timeline);
    past_free(past);
    return ferror(file) ? EXIT_USAGE : 0;
}
