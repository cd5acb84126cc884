/*
 * Reads the story of a scenario file with the key "daemon".
 */
#include "whole/story_read.h"

#include "whole/story_steps.h"
#include "whole/story_tree.h"

#include "core/vocabulary/invariant.h"
#include "system/open_regular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX   (256 << 10)
#define SEC        UINT64_C(1000000000)
#define QUIET_NSEC (2 * SEC) /* behind the last step */

static int read_text(struct reader *reader, const struct node *node, void *target)
{
    (void)target;
    return reader_scalar(reader, node, "text") ? 0 : -EINVAL;
}

static int read_any(struct reader *reader, const struct node *node, void *target)
{
    (void)reader;
    (void)node;
    (void)target;
    return 0;
}

static int read_name(struct reader *reader, const struct node *node, void *target)
{
    struct story *story = target;
    const char *text = reader_scalar(reader, node, "text");

    story->name = text ? arena_copy(reader->arena, text, strlen(text)) : NULL;
    return story->name ? 0 : -EINVAL;
}

static int read_seed(struct reader *reader, const struct node *node, void *target)
{
    return reader_number(reader, node, UINT32_MAX, &((struct story *)target)->seed);
}

/* ---- the kernel ------------------------------------------------------------------------------ */

/* Which control groups the machine has. */
static int read_cgroups(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {
        {"plain", 0}, {"none", 1}, {"hybrid", 2}, {"read-only", 3}, {}};
    struct story *story = target;
    int word = 0, r = reader_word(reader, node, words, &word);

    story->cgroups = word != 1;
    story->kernel.cgroups.none = word == 1;
    story->kernel.cgroups.hybrid = word == 2;
    story->kernel.cgroups.read_only = word == 3;
    return r;
}

#define HABIT_OF_KERNEL(name)                                                                      \
    static int read_##name(struct reader *reader, const struct node *node, void *target)           \
    {                                                                                              \
        return reader_bool(reader, node, &((struct story *)target)->kernel.cgroups.name);          \
    }

HABIT_OF_KERNEL(no_kill)
HABIT_OF_KERNEL(kills_newcomers)
HABIT_OF_KERNEL(misses_leaderless)
HABIT_OF_KERNEL(no_freeze)
HABIT_OF_KERNEL(no_clone_into)

static int read_pid_max(struct reader *reader, const struct node *node, void *target)
{
    uint64_t number = 0;
    int r = reader_number(reader, node, 32768, &number);

    ((struct story *)target)->pid_max = (pid_t)number;
    return r;
}

static int read_sync_takes(struct reader *reader, const struct node *node, void *target)
{
    uint64_t usec = 0;
    int r = reader_duration(reader, node, &usec);

    ((struct story *)target)->kernel.sync_nsec = usec * 1000;
    return r;
}

static int read_fifos(struct reader *reader, const struct node *node, void *target)
{
    struct story_kernel *kernel = &((struct story *)target)->kernel;

    return reader_strings(reader, node, 8, &kernel->fifos, &kernel->n_fifos);
}

/* Which kernel the machine has: what newer ones can do may be missing. */
static int read_kernel(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"cgroups", read_cgroups},
                                      {"no_kill", read_no_kill},
                                      {"kills_newcomers", read_kills_newcomers},
                                      {"misses_leaderless", read_misses_leaderless},
                                      {"no_freeze", read_no_freeze},
                                      {"no_clone_into", read_no_clone_into},
                                      {"pid_max", read_pid_max},
                                      {"sync_takes", read_sync_takes},
                                      {"fifos", read_fifos},
                                      {}};
    return reader_mapping(reader, node, keys, target);
}

static int read_durability(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {{"crash", 0}, {"power", 1}, {}};
    int word = 0, r = reader_word(reader, node, words, &word);

    ((struct story *)target)->power = word == 1;
    return r;
}

/* ---- the bus --------------------------------------------------------------------------------- */

static int read_absent(struct reader *reader, const struct node *node, void *target)
{
    return reader_bool(reader, node, &((struct story *)target)->bus.absent);
}

/* How the authority behaves. */
static int read_polkit(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {
        {"absent", AUTHORITY_ABSENT},    {"yes", AUTHORITY_SAYS_YES},
        {"no", AUTHORITY_SAYS_NO},       {"password", AUTHORITY_WANTS_A_PASSWORD},
        {"silent", AUTHORITY_IS_SILENT}, {"nonsense", AUTHORITY_TALKS_NONSENSE},
        {"dies", AUTHORITY_DIES},        {}};
    int word = 0, r = reader_word(reader, node, words, &word);

    ((struct story *)target)->bus.authority = (enum authority_manner)word;
    return r;
}

/* What a client does. */
static int read_client_habit(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {{"operates", CLIENT_OPERATES},
                                        {"leaves", CLIENT_LEAVES},
                                        {"repeats", CLIENT_REPEATS},
                                        {"never-reads", CLIENT_NEVER_READS},
                                        {"floods", CLIENT_FLOODS},
                                        {"strays", CLIENT_STRAYS},
                                        {}};
    int word = 0, r = reader_word(reader, node, words, &word);

    ((struct bus_client_story *)target)->habit = (enum client_habit)word;
    return r;
}

static int read_uid(struct reader *reader, const struct node *node, void *target)
{
    return reader_u32(reader, node, 65000, &((struct bus_client_story *)target)->uid);
}

static int read_turns(struct reader *reader, const struct node *node, void *target)
{
    return reader_u32(reader, node, 100, &((struct bus_client_story *)target)->turns);
}

/* A client besides the two that every story has: one listens, and one is
 * asked. */
static int read_client(struct reader *reader, const struct node *node, size_t i, void *target)
{
    static const struct key keys[] = {
        {"habit", read_client_habit}, {"uid", read_uid}, {"turns", read_turns}, {}};
    struct bus_story *bus = target;

    (void)i;
    if (bus->n_clients == BUS_CLIENTS)
        return reader_refuse(reader, node, "more than %d clients", BUS_CLIENTS - 2);
    struct bus_client_story *client = &bus->clients[bus->n_clients++];
    *client = (struct bus_client_story){
        .habit = CLIENT_OPERATES, .turns = 1, .begin_nsec = SEC, .pause_nsec = SEC / 10};
    return reader_mapping(reader, node, keys, client);
}

static int read_clients(struct reader *reader, const struct node *node, void *target)
{
    return reader_list(reader, node, &((struct story *)target)->bus, read_client);
}

static int read_bus(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {
        {"absent", read_absent}, {"polkit", read_polkit}, {"clients", read_clients}, {}};
    return reader_mapping(reader, node, keys, target);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int read_tree(struct reader *reader, const struct node *node, void *target)
{
    return story_tree_read(reader, node, target, ((struct story *)target)->manifest);
}

static const struct key keys_of_story[] = {{"daemon", read_name},
                                           {"about", read_text},
                                           {"source", read_any},
                                           {"kernel", read_kernel},
                                           {"durability", read_durability},
                                           {"seed", read_seed},
                                           {"bus", read_bus},
                                           {"programs", story_tree_read_programs},
                                           {"tree", read_tree},
                                           {"steps", story_steps_read},
                                           {}};

/* Behind the last step all is quiet for a while, clients compare, and proctord is told to end. */
static void add_end(struct story *story)
{
    uint64_t at = story->n_moments > 0 ? story->moments[story->n_moments - 1].at_nsec : 0;
    bool is_over = story->n_moments > 0 && story->moments[story->n_moments - 1].is_end;

    if (!is_over) {
        story->moments[story->n_moments++] =
            (struct moment){.at_nsec = at + QUIET_NSEC, .kind = MOMENT_COMPARE};
        story->moments[story->n_moments++] =
            (struct moment){.at_nsec = at + 2 * QUIET_NSEC, .kind = MOMENT_END};
    }
    story->end_nsec = at + 300 * SEC;
}

/* What is missing is what a story would not make sense without. */
int story_parse(const char *text, const char *path, struct arena *arena, struct story *story,
                struct manifest_error *error)
{
    struct reader reader = {.arena = arena, .error = error};
    const struct node *root;

    INVARIANT(text && arena && error);
    *error = (struct manifest_error){};
    *story = (struct story){.cgroups = true, .pid_max = 32768};
    story->path = arena_copy(arena, path, strlen(path));
    story->bus.clients[story->bus.n_clients++] = (struct bus_client_story){.habit = CLIENT_LISTENS};
    story->bus.clients[story->bus.n_clients++] =
        (struct bus_client_story){.habit = CLIENT_IS_ASKED};
    int r = node_parse(arena, text, strlen(text), FILE_MAX, &root, error);
    if (r == 0 && !root)
        return reader_refuse(&reader, NULL, "the scenario is empty");
    if (r == 0)
        r = reader_mapping(&reader, root, keys_of_story, story);
    if (r == 0 && (!story->name || !story->manifest[0]))
        return reader_refuse(&reader, root, "daemon and tree are needed");
    if (r == 0)
        add_end(story);
    return r;
}

static char *read_file(const char *path)
{
    size_t length;
    char *text;
    int r = read_regular(AT_FDCWD, path, FILE_MAX, &text, &length);

    if (r == 0)
        return text;
    fprintf(stderr, "%s: %s\n", path, open_regular_explain(AT_FDCWD, path, r));
    return NULL;
}

/* An error after a message. */
int story_read(const char *path, struct arena *arena, struct story *story)
{
    struct manifest_error error = {};
    char *text = read_file(path);
    int r = text ? story_parse(text, path, arena, story, &error) : -ENOENT;

    INVARIANT(arena);
    if (text && r < 0)
        fprintf(stderr, "%s:%zu:%zu: %s\n", path, error.line, error.column, error.text);
    free(text);
    return r;
}

bool story_is_in(const char *path)
{
    char *text = read_file(path);
    bool is_one = text && (strncmp(text, "daemon:", 7) == 0 || strstr(text, "\ndaemon:"));

    free(text);
    return is_one;
}
