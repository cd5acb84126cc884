/*
 * Reads the steps of a story.
 */
#include "whole/story_steps.h"

#include "core/vocabulary/invariant.h"
#include "manifest/unit.h"
#include "whole/story_tree.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define USEC_NSEC 1000

/* A step that is read: where it goes to, and in what. */
struct reading_step {
    struct story *story;
    struct moment *moment;
    bool has_kind;
};

static int set_kind(struct reader *reader, const struct node *node, struct reading_step *step,
                    enum moment_kind kind)
{
    if (step->has_kind)
        return reader_refuse(reader, node, "a second action in one step");
    step->has_kind = true;
    step->moment->kind = kind;
    return 0;
}

static int read_text(struct reader *reader, const struct node *node, const char **text)
{
    const char *scalar = reader_scalar(reader, node, "text");

    *text = scalar ? arena_copy(reader->arena, scalar, strlen(scalar)) : NULL;
    return *text ? 0 : -EINVAL;
}

static int read_at(struct reader *reader, const struct node *node, void *target)
{
    uint64_t usec = 0;
    int r = reader_duration(reader, node, &usec);

    ((struct reading_step *)target)->moment->at_nsec = usec * USEC_NSEC;
    return r;
}

/* ---- commands over the bus ------------------------------------------------------------------- */

#define VERB(function, name)                                                                       \
    static int function(struct reader *reader, const struct node *node, void *target)              \
    {                                                                                              \
        struct reading_step *step = target;                                                        \
        step->moment->member = name;                                                               \
        int r = set_kind(reader, node, step, MOMENT_COMMAND);                                      \
        return r < 0 ? r : read_text(reader, node, &step->moment->text);                           \
    }

VERB(read_pause, "PauseChild")
VERB(read_resume, "ResumeChild")
VERB(read_quarantine, "QuarantineChild")
VERB(read_restart, "RestartChild")
VERB(read_remove, "RemoveChild")
VERB(read_reload_child, "ReloadChild")

#define OPTION(function, read, member)                                                             \
    static int function(struct reader *reader, const struct node *node, void *target)              \
    {                                                                                              \
        return read(reader, node, &((struct reading_step *)target)->moment->member);               \
    }

OPTION(read_reason, read_text, reason)
OPTION(read_refused, read_text, refused)
OPTION(read_wait, reader_bool, waits)
OPTION(read_dry_run, reader_bool, is_question)

static int read_claims(struct reader *reader, const struct node *node, struct moment *moment)
{
    if (node->kind != NODE_MAPPING)
        return reader_refuse(reader, node, "facts and their values are expected");
    struct story_claim *claims = arena_allocate(reader->arena, (node->count + 1) * sizeof(*claims));
    int r = claims ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < node->count; i++) {
        const struct pair *pair = &node->pairs[i];
        if (strcmp(pair->key->text, "child") == 0) {
            r = read_text(reader, pair->value, &moment->text);
            continue;
        }
        struct story_claim *claim = &claims[moment->n_claims++];
        claim->line = pair->key->line;
        claim->column = pair->key->column;
        claim->fact = arena_copy(reader->arena, pair->key->text, strlen(pair->key->text));
        r = read_text(reader, pair->value, &claim->value);
    }
    moment->claims = claims;
    return r;
}

static int read_outcome(struct reader *reader, const struct node *node, void *target)
{
    return read_claims(reader, node, ((struct reading_step *)target)->moment);
}

static int read_expect(struct reader *reader, const struct node *node, void *target)
{
    struct reading_step *step = target;
    int r = set_kind(reader, node, step, MOMENT_EXPECT);

    return r < 0 ? r : read_claims(reader, node, step->moment);
}

/* ---- what is done to proctord ---------------------------------------------------------------- */

static int read_proctord(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {{"killed", MOMENT_KILL},        {"stopped", MOMENT_STOP},
                                        {"upgraded", MOMENT_REEXECUTE}, {"reloads", MOMENT_RELOAD},
                                        {"ends", MOMENT_END},           {}};
    int word = MOMENT_NOTHING, r = reader_word(reader, node, words, &word);

    return r < 0 ? r : set_kind(reader, node, target, (enum moment_kind)word);
}

static int read_killed_at(struct reader *reader, const struct node *node, void *target)
{
    struct reading_step *step = target;
    uint64_t number = 0;
    int r = set_kind(reader, node, step, MOMENT_KILL_AT);

    if (r == 0)
        r = reader_number(reader, node, 1000000, &number);
    step->moment->which = (uint32_t)number;
    return r;
}

/* A signal to proctord. */
static int read_signal(struct reader *reader, const struct node *node, void *target)
{
    struct reading_step *step = target;
    const char *text = reader_scalar(reader, node, "a signal such as SIGQUIT");
    int signal, r = set_kind(reader, node, step, MOMENT_SIGNAL);

    if (r < 0 || !text)
        return -EINVAL;
    if (unit_signal(text, &signal) < 0)
        return reader_refuse(reader, node, "expected a signal, got \"%.40s\"", text);
    step->moment->which = (uint32_t)signal;
    return 0;
}

static int read_ends_it(struct reader *reader, const struct node *node, void *target)
{
    return reader_bool(reader, node, &((struct reading_step *)target)->moment->is_end);
}

/* ---- what is done to the rest ---------------------------------------------------------------- */

static int read_machine(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {{"loses-power", MOMENT_POWER},
                                        {"kills-spawner", MOMENT_KILL_SPAWNER},
                                        {"remembers-descriptors", MOMENT_REMEMBER},
                                        {}};
    int word = MOMENT_NOTHING, r = reader_word(reader, node, words, &word);

    return r < 0 ? r : set_kind(reader, node, target, (enum moment_kind)word);
}

static int read_bus(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {{"goes", MOMENT_BUS},         {"comes", MOMENT_BUS},
                                        {"is-mute", MOMENT_MUTE_BUS}, {"speaks", MOMENT_MUTE_BUS},
                                        {"compares", MOMENT_COMPARE}, {}};
    int word = MOMENT_NOTHING, r = reader_word(reader, node, words, &word);

    return r < 0 ? r : set_kind(reader, node, target, (enum moment_kind)word);
}

/* The clock is set. */
static int read_wall_jump(struct reader *reader, const struct node *node, void *target)
{
    struct reading_step *step = target;
    const char *text = reader_scalar(reader, node, "a duration such as 1h or -1h");
    uint64_t usec;
    int r = set_kind(reader, node, step, MOMENT_CLOCK);

    if (r < 0 || !text)
        return -EINVAL;
    if (unit_duration(text + (text[0] == '-'), &usec) < 0)
        return reader_refuse(reader, node, "expected a duration, got \"%.40s\"", text);
    step->moment->change_nsec = (int64_t)usec * (text[0] == '-' ? -USEC_NSEC : USEC_NSEC);
    return 0;
}

#define NAMED(function, kind)                                                                      \
    static int function(struct reader *reader, const struct node *node, void *target)              \
    {                                                                                              \
        struct reading_step *step = target;                                                        \
        int r = set_kind(reader, node, step, kind);                                                \
        return r < 0 ? r : read_text(reader, node, &step->moment->text);                           \
    }

NAMED(read_hangs, MOMENT_HANG)
NAMED(read_stranger, MOMENT_STRANGER)
NAMED(read_dies, MOMENT_DIE)

static int read_manifest(struct reader *reader, const struct node *node, void *target)
{
    struct reading_step *step = target;
    char *text = arena_allocate(reader->arena, STORY_MANIFEST);
    int r = set_kind(reader, node, step, MOMENT_MANIFEST);

    step->moment->text = text;
    if (r < 0 || !text)
        return r < 0 ? r : -ENOMEM;
    return story_tree_read(reader, node, step->story, text);
}

static const struct key step_keys[] = {
    {"at", read_at},
    {"expect", read_expect},
    {"pause", read_pause},
    {"resume", read_resume},
    {"quarantine", read_quarantine},
    {"restart", read_restart},
    {"remove", read_remove},
    {"reload", read_reload_child},
    {"reason", read_reason},
    {"wait", read_wait},
    {"dry_run", read_dry_run},
    {"outcome", read_outcome},
    {"refused", read_refused},
    {"proctord", read_proctord},
    {"killed_at_call", read_killed_at},
    {"signal", read_signal},
    {"ends_it", read_ends_it},
    {"machine", read_machine},
    {"bus", read_bus},
    {"wall_jump", read_wall_jump},
    {"hangs", read_hangs},
    {"stranger_takes", read_stranger},
    {"dies", read_dies},
    {"manifest", read_manifest},
    {},
};

static int find_actor(struct reader *reader, const struct node *node, struct reading_step *step)
{
    for (size_t i = 0; i < step->story->n_actors; i++)
        if (strcmp(step->story->actors[i].child, step->moment->text) == 0) {
            step->moment->which = (uint32_t)i;
            return 0;
        }
    return reader_refuse(reader, node, "no child is called \"%s\"", step->moment->text);
}

/* Some actions need a program of the story. */
static int read_step(struct reader *reader, const struct node *node, size_t i, void *target)
{
    struct story *story = target;
    struct reading_step step = {.story = story, .moment = &story->moments[i]};

    if (i + 2 >= STORY_MOMENTS)
        return reader_refuse(reader, node, "more than %d steps", STORY_MOMENTS - 2);
    story->n_moments = i + 1;
    step.moment->reason = "scenario";
    step.moment->line = node->line;
    step.moment->column = node->column;
    int r = reader_mapping(reader, node, step_keys, &step);
    if (r == 0 && !step.has_kind)
        return reader_refuse(reader, node, "does nothing: an action is missing");
    if (r == 0 && i > 0 && step.moment->at_nsec < story->moments[i - 1].at_nsec)
        return reader_refuse(reader, node, "at: is earlier than the step before");
    bool needs_actor = step.moment->kind == MOMENT_DIE || step.moment->kind == MOMENT_STRANGER;
    return r == 0 && needs_actor ? find_actor(reader, node, &step) : r;
}

int story_steps_read(struct reader *reader, const struct node *node, void *target)
{
    INVARIANT(reader->arena && node);
    return reader_list(reader, node, target, read_step);
}
