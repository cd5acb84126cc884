/*
 * Reads a scenario: a document with a tree, models of the programs, faults,
 * steps and expectations. The language is that of manifests, with the same
 * reader, so errors have the same form.
 */
#include "scenario/scenario.h"

#include "core/vocabulary/invariant.h"
#include "system/open_regular.h"
#include "scenario/read_events.h"
#include "scenario/read_steps.h"
#include "scenario/read_tree.h"
#include "scenario/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULT(name)                                                                                \
    static int read_fault_##name(struct reader *reader, const struct node *node, void *target)     \
    {                                                                                              \
        uint64_t percent;                                                                          \
        int r = reader_number(reader, node, 100, &percent);                                        \
        ((struct subject *)target)->faults.name = r == 0 ? (uint16_t)(percent * 10) : 0;           \
        return r;                                                                                  \
    }

FAULT(delay)
FAULT(duplicate)
FAULT(late_notify)
FAULT(spawn_failure)
FAULT(slow_spawn)
FAULT(lack)
FAULT(exit_first)
FAULT(lost_cancel)
FAULT(lost_abort)
FAULT(late_timer)

static int read_from(struct reader *reader, const struct node *node, void *target)
{
    return reader_duration(reader, node, &((struct subject *)target)->faults_from_usec);
}

static int read_until(struct reader *reader, const struct node *node, void *target)
{
    return reader_duration(reader, node, &((struct subject *)target)->faults_until_usec);
}

/* Rates in thousandths, and the time in which they apply. */
static int read_faults(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"delay", read_fault_delay},
                                      {"duplicate", read_fault_duplicate},
                                      {"late_notify", read_fault_late_notify},
                                      {"spawn_failure", read_fault_spawn_failure},
                                      {"slow_spawn", read_fault_slow_spawn},
                                      {"lack", read_fault_lack},
                                      {"exit_first", read_fault_exit_first},
                                      {"lost_cancel", read_fault_lost_cancel},
                                      {"lost_abort", read_fault_lost_abort},
                                      {"late_timer", read_fault_late_timer},
                                      {"from", read_from},
                                      {"until", read_until},
                                      {}};
    return reader_mapping(reader, node, keys, target);
}

static int read_name(struct reader *reader, const struct node *node, void *target)
{
    return reading_text(reader, node, &((struct subject *)target)->name);
}

static int read_about(struct reader *reader, const struct node *node, void *target)
{
    return reading_text(reader, node, &((struct subject *)target)->about);
}

static int read_covers(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    return reader_strings(reader, node, 64, &scenario->covers, &scenario->n_covers);
}

static int read_source(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    return reader_strings(reader, node, 16, &scenario->source, &scenario->n_source);
}

static int read_seed(struct reader *reader, const struct node *node, void *target)
{
    return reader_number(reader, node, UINT32_MAX, &((struct subject *)target)->seed);
}

static const struct key keys_of_scenario[] = {
    {"scenario", read_name},
    {"about", read_about},
    {"covers", read_covers},
    {"source", read_source},
    {"seed", read_seed},
    {"tree", read_tree},
    {"max_jobs", read_steps_max_jobs},
    {"faults", read_faults},
    {"steps", read_steps},
    {"events", read_events},
    {"always", read_events_always},
    {"eventually", read_events_eventually},
    {"explore", read_steps_explore},
    {},
};

/* A job is the child jobs/N, with the number that it will have. */
static int number_jobs(struct reader *reader, struct subject *scenario)
{
    unsigned next = 1;

    for (size_t i = 0; i < scenario->n_steps; i++) {
        struct scenario_step *step = &scenario->steps[i];
        char id[32];
        if (step->action != ACTION_RUN_JOB)
            continue;
        snprintf(id, sizeof(id), JOB_SUPERVISOR "/%u", step->refused ? 0 : next++);
        step->declaration->id = step->child = arena_copy(reader->arena, id, strlen(id));
        step->declaration->restart = RESTART_TEMPORARY;
        step->declaration->autostart = false;
        if (!step->child)
            return -ENOMEM;
    }
    return 0;
}

/* A step that adds a child needs an actor for it; one of the same name may have been there. */
static int add_later_actors(struct reader *reader, struct subject *scenario)
{
    for (size_t i = 0; i < scenario->n_steps; i++) {
        struct scenario_step *step = &scenario->steps[i];
        if (step->action != ACTION_ADD && step->action != ACTION_RUN_JOB)
            continue;
        size_t k = 0;
        while (k < scenario->n_actors &&
               strcmp(scenario->actors[k].declaration.id, step->child) != 0)
            k++;
        step->actor = (uint32_t)k;
        if (k < scenario->n_actors)
            continue;
        struct scenario_actor *actor = read_tree_new_actor(reader, scenario);
        if (!actor)
            return -ENOMEM;
        /* The declaration is the first member of what read_declared() made. */
        *actor = *(struct scenario_actor *)(void *)step->declaration;
        actor->later = true;
    }
    return 0;
}

/* Names of children are checked here rather than when the step comes, so that a
 * mistyped one is an error of the scenario. */
static int check_names(struct reader *reader, const struct subject *scenario,
                       const struct scenario_step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct scenario_step *step = &steps[i];
        const char *name = step->action == ACTION_EXPECT ? step->claims.child : step->child;
        bool found = !name || !*name || step->action == ACTION_FIRE || step->refused;
        for (size_t k = 0; !found && !step->scope && k < scenario->n_actors; k++)
            found = strcmp(scenario->actors[k].declaration.id, name) == 0;
        for (size_t k = 0; !found && step->scope && k < scenario->n_supervisors; k++)
            found =
                strcmp(scenario->supervisors[k].path, strcmp(name, "root") == 0 ? "" : name) == 0;
        if (found)
            continue;
        reader_refuse(reader, NULL, "no %s is called \"%s\"", step->scope ? "supervisor" : "child",
                      name);
        reader->error->line = step->line;
        reader->error->column = step->column;
        return -EINVAL;
    }
    return 0;
}

/* The keys first, then what concerns several of them. */
static int read_scenario(struct reader *reader, const struct node *root, struct subject *scenario)
{
    if (!root)
        return reader_refuse(reader, NULL, "the scenario is empty");
    int r = reader_mapping(reader, root, keys_of_scenario, scenario);
    if (r == 0 && !scenario->name)
        return reader_refuse(reader, root, "scenario: the name is missing");
    if (r == 0)
        r = number_jobs(reader, scenario);
    if (r == 0)
        r = add_later_actors(reader, scenario);
    if (r == 0 && scenario->n_actors == 0)
        return reader_refuse(reader, root, "tree: has no children");
    if (r == 0)
        r = check_names(reader, scenario, scenario->steps, scenario->n_steps);
    return r == 0 ? check_names(reader, scenario, scenario->actions, scenario->n_actions) : r;
}

/* The text is kept, because traces contain it. */
int scenario_parse(const char *text, const char *path, struct subject **scenario,
                   struct manifest_error *error)
{
    struct subject *fresh = calloc(1, sizeof(*fresh));
    struct reader reader = {.error = error};
    const struct node *root;

    INVARIANT(text && error);
    *error = (struct manifest_error){};
    if (!fresh)
        return -ENOMEM;
    reader.arena = &fresh->arena;
    fresh->path = arena_copy(&fresh->arena, path, strlen(path));
    fresh->text = arena_copy(&fresh->arena, text, strlen(text));
    fresh->about = "";
    int r = fresh->path && fresh->text
                ? node_parse(&fresh->arena, text, strlen(text), SCENARIO_FILE_MAX, &root, error)
                : -ENOMEM;
    if (r == 0)
        r = read_scenario(&reader, root, fresh);
    if (r < 0) {
        scenario_free(fresh);
        return r;
    }
    *scenario = fresh;
    return 0;
}

/* NULL after a message. */
static char *read_file(const char *path)
{
    size_t length;
    char *text;
    int r = read_regular(AT_FDCWD, path, SCENARIO_FILE_MAX, &text, &length);

    if (r == 0)
        return text;
    fprintf(stderr, "%s: %s\n", path,
            r == -EFBIG ? "is larger than 1 MiB" : open_regular_explain(AT_FDCWD, path, r));
    return NULL;
}

/* NULL after a message with the place of the error. */
struct subject *scenario_read(const char *path)
{
    char *text = read_file(path);
    struct subject *scenario = NULL;
    struct manifest_error error;

    if (text && scenario_parse(text, path, &scenario, &error) < 0) {
        if (error.line > 0)
            fprintf(stderr, "%s:%zu:%zu: %s\n", path, error.line, error.column, error.text);
        else
            fprintf(stderr, "%s: %s\n", path, error.text[0] ? error.text : "out of memory");
        scenario = NULL;
    }
    free(text);
    return scenario;
}

void scenario_free(struct subject *scenario)
{
    if (!scenario)
        return;
    arena_free(&scenario->arena);
    free(scenario);
}
