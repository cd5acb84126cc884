/*
 * Reads the tree of a story: it is written out as a manifest for proctord,
 * without what only the model needs.
 */
#include "whole/story_tree.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct writing {
    struct reader *reader;
    struct story *story;
    char *text;
    size_t used;
};

/* ---- YAML, written --------------------------------------------------------------------------- */

static void put(struct writing *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct writing *w, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    int n = vsnprintf(w->text + w->used, STORY_MANIFEST - w->used, format, list);
    va_end(list);
    w->used += n > 0 ? (size_t)n : 0;
    w->used = w->used < STORY_MANIFEST ? w->used : STORY_MANIFEST - 1;
}

static void put_scalar(struct writing *w, const struct node *node)
{
    if (!node->quoted) {
        put(w, "%s", node->text);
        return;
    }
    put(w, "\"");
    for (const char *c = node->text; *c; c++)
        put(w, *c == '\n' ? "\\n" : *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    put(w, "\"");
}

/* Writes a node in the flow form of YAML, whatever form it had. */
static void put_node(struct writing *w, const struct node *node)
{
    if (node->kind == NODE_SCALAR) {
        put_scalar(w, node);
        return;
    }
    put(w, node->kind == NODE_LIST ? "[" : "{");
    for (size_t i = 0; i < node->count; i++) {
        if (node->kind == NODE_MAPPING) {
            put(w, "%s: ", node->pairs[i].key->text);
            put_node(w, node->pairs[i].value);
        } else {
            put_node(w, node->items[i]);
        }
        put(w, ", ");
    }
    put(w, node->kind == NODE_LIST ? "]" : "}");
}

/* ---- models ---------------------------------------------------------------------------------- */

struct steps {
    struct step *list;
    size_t count;
};

/* Steps that only programs of a whole machine know. */
static bool is_own_word(const char *text, struct step *step)
{
    static const struct {
        const char *word;
        enum habit_step kind;
        bool has_text;
    } words[] = {{"says ", HABIT_SAYS, true},
                 {"claims ", HABIT_CLAIMS, true},
                 {"new-session", HABIT_NEW_SESSION, false},
                 {"hands-over", HABIT_HANDS_OVER, false},
                 {"main-thread-ends", HABIT_MAIN_ENDS, false},
                 {"exits-either", HABIT_EXITS_EITHER, false}};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        size_t length = strlen(words[i].word);
        if (words[i].has_text ? strncmp(text, words[i].word, length) == 0
                              : strcmp(text, words[i].word) == 0) {
            *step = (struct step){.kind = (enum step_kind)words[i].kind, .word = text + length};
            return true;
        }
    }
    return false;
}

/* A step of a program's model. */
static int read_step(struct reader *reader, const struct node *node, size_t i, void *target)
{
    struct steps *steps = target;
    const char *scalar = reader_scalar(reader, node, "a step"), *expected;
    struct step step;

    (void)i;
    if (!scalar)
        return -EINVAL;
    char *text = arena_copy(reader->arena, scalar, strlen(scalar));
    if (!text)
        return -ENOMEM;
    if (!is_own_word(text, &step) && model_read_step(text, &step, &expected) < 0)
        return reader_refuse(reader, node, "expected %s, got \"%.60s\"", expected, text);
    if (steps->count == HABIT_STEPS)
        return reader_refuse(reader, node, "more than %d steps", HABIT_STEPS);
    steps->list[steps->count++] = step;
    return 0;
}

/* Traits hold for the whole life, wherever they stand. */
static void set_traits(struct player *actor, const struct steps *all)
{
    const struct model model = {all->list, all->count};

    actor->traits = model_traits(&model);
    for (size_t i = 0; i < all->count; i++)
        if ((unsigned)all->list[i].kind >= HABIT_SAYS || model_step_runs(&all->list[i]))
            actor->steps[actor->n_steps++] = all->list[i];
}

/* What the program does, and what a process does that it leaves over. */
static int read_model(struct reader *reader, const struct node *node, struct player *actor)
{
    const struct node *model = node_find(node, "model"), *left = node_find(node, "left");
    struct step all[HABIT_STEPS];
    struct steps steps = {.list = all}, of_left = {.list = actor->left_steps};
    int r = model ? reader_list(reader, model, &steps, read_step) : 0;

    if (r == 0 && left)
        r = reader_list(reader, left, &of_left, read_step);
    actor->n_left_steps = of_left.count;
    actor->n_steps = 0;
    set_traits(actor, &steps);
    actor->traits.double_forks |= left != NULL;
    return r;
}

/* ---- children -------------------------------------------------------------------------------- */

static struct player *player_of(struct story *story, const char *path)
{
    for (size_t i = 0; i < story->n_actors; i++)
        if (strcmp(story->actors[i].path, path) == 0)
            return &story->actors[i];
    return NULL;
}

/* A program of the machine; children with the same program share it. */
static int add_player(struct reader *reader, const struct node *node, struct story *story,
                      const char *id, struct player **added)
{
    char path[HABIT_PATH_MAX];

    snprintf(path, sizeof(path), "/sim/%s", id);
    for (char *c = path + strlen("/sim/"); *c; c++)
        *c = *c == '/' ? '.' : *c;
    *added = player_of(story, path);
    if (*added)
        return 0;
    if (story->n_actors == STORY_ACTORS)
        return reader_refuse(reader, node, "more than %d programs", STORY_ACTORS);
    *added = &story->actors[story->n_actors++];
    **added = (struct player){};
    memcpy((*added)->path, path, sizeof(path));
    snprintf((*added)->child, sizeof((*added)->child), "%.47s", id);
    return read_model(reader, node, *added);
}

/* A child, with the path of its program. */
static int put_child(struct writing *w, const struct node *node, const char *above)
{
    const struct node *name = node_find(node, "name");
    char id[2 * HABIT_CHILD_MAX];
    struct player *actor;

    if (!name || name->kind != NODE_SCALAR)
        return reader_refuse(w->reader, node, "name: is missing");
    snprintf(id, sizeof(id), "%.40s%.40s", above, name->text);
    int r = add_player(w->reader, node, w->story, id, &actor);
    if (r < 0)
        return r;
    actor->is_child = true;
    put(w, "{");
    for (size_t i = 0; i < node->count; i++) {
        const char *key = node->pairs[i].key->text;
        if (strcmp(key, "model") == 0 || strcmp(key, "left") == 0)
            continue;
        put(w, "%s: ", key);
        put_node(w, node->pairs[i].value);
        put(w, ", ");
    }
    put(w, "exec: [%s]}", actor->path);
    return 0;
}

static int put_members(struct writing *w, const struct node *list, const char *above);

/* A supervisor with its members. */
static int put_supervisor(struct writing *w, const struct node *node, const char *above)
{
    const struct node *name = node_find(node, "name");
    char path[2 * HABIT_CHILD_MAX] = "";
    int r = 0;

    if (name && name->kind == NODE_SCALAR)
        snprintf(path, sizeof(path), "%.40s%.40s/", above, name->text);
    put(w, "{");
    for (size_t i = 0; r == 0 && i < node->count; i++) {
        const char *key = node->pairs[i].key->text;
        put(w, "%s: ", key);
        if (strcmp(key, "children") == 0)
            r = put_members(w, node->pairs[i].value, path);
        else
            put_node(w, node->pairs[i].value);
        put(w, ", ");
    }
    put(w, "}");
    return r;
}

/* Its children and supervisors, in their order. */
static int put_members(struct writing *w, const struct node *list, const char *above)
{
    int r = 0;

    if (list->kind != NODE_LIST)
        return reader_refuse(w->reader, list, "children: a list is expected");
    put(w, "[");
    for (size_t i = 0; r == 0 && i < list->count; i++) {
        r = node_find(list->items[i], "children") ? put_supervisor(w, list->items[i], above)
                                                  : put_child(w, list->items[i], above);
        put(w, ",\n  ");
    }
    put(w, "]");
    return r;
}

/* What watch.h needs to know of it is as proctord reads it. */
static void take_declaration(struct story *story, const struct child_declaration *declaration)
{
    for (size_t i = 0; i < story->n_actors; i++) {
        struct player *actor = &story->actors[i];
        if (strcmp(actor->child, declaration->id) != 0)
            continue;
        uint64_t grace = declaration->stop_timeout_usec;
        for (uint32_t k = 0; k < declaration->n_further_stops; k++)
            grace += declaration->further_stops[k].usec;
        actor->grace_nsec = grace * 1000;
        actor->kills_left = declaration->leftovers == LEFTOVERS_KILL;
    }
}

/* It must be right, since proctord would refuse it otherwise. */
static int check_manifest(struct reader *reader, const struct node *node, struct story *story,
                          const char *text)
{
    struct manifest_error error = {};
    struct manifest *manifest;

    if (manifest_parse(text, strlen(text), "tree.yaml", &manifest, &error) < 0)
        return reader_refuse(reader, node, "%.200s, in: %.100s", error.text, text);
    for (size_t i = 0; i < manifest_count(manifest); i++)
        take_declaration(story, manifest_declaration(manifest, i));
    manifest_free(manifest);
    return 0;
}

/* `manifest` has room for STORY_MANIFEST bytes. */
int story_tree_read(struct reader *reader, const struct node *node, struct story *story,
                    char *manifest)
{
    struct writing w = {.reader = reader, .story = story, .text = manifest};
    int r = put_supervisor(&w, node, "");

    INVARIANT(reader->arena && node);
    if (r == 0 && w.used >= STORY_MANIFEST - 2)
        return reader_refuse(reader, node, "is larger than %d bytes", STORY_MANIFEST);
    put(&w, "\n");
    return r < 0 ? r : check_manifest(reader, node, story, manifest);
}

/* Programs that belong to no child. */
int story_tree_read_programs(struct reader *reader, const struct node *node, void *target)
{
    struct player *player;
    int r = 0;

    INVARIANT(reader->arena && node);
    if (node->kind != NODE_MAPPING)
        return reader_refuse(reader, node, "a mapping of programs is expected");
    for (size_t i = 0; r == 0 && i < node->count; i++)
        r = add_player(reader, node->pairs[i].value, target, node->pairs[i].key->text, &player);
    return r;
}
