/*
 * A manifest file: a child, or a supervisor with lists of more of both. The
 * result keeps, for each declaration, where it stands in the file, so that an
 * error that is only found when the whole tree is put together still has a line
 * and a column.
 */
#include "manifest/manifest.h"

#include "manifest/child_manifest.h"
#include "core/core.h"
#include "core/model/members.h"
#include "manifest/defaults_manifest.h"
#include "manifest/drop_in.h"
#include "manifest/reader.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/text.h"
#include "manifest/unit.h"
#include "manifest/written.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_CHILDREN_MAX 20000

struct parsed_supervisor {
    struct supervisor_declaration declaration;
    bool settings; /* it says more than whose children these are */
    struct place place;
};

struct manifest {
    struct arena arena;
    struct arena *nodes; /* while it is read */
    struct parsed_child *children;
    size_t count, children_room;
    struct parsed_supervisor *supervisors;
    size_t n_supervisors, supervisors_room;
    char *path;
};

static void tell_place(const struct place *place, struct manifest_error *error)
{
    error->line = place->line;
    error->column = place->column;
    text_copy(error->file, sizeof(error->file), place->file ? place->file : "");
}

static void note_places(const struct node *list, struct place *places)
{
    for (size_t i = 0; list && i < list->count; i++)
        *places++ = place_of(list->items[i]);
}

/* Makes room for one more in an array that grows. Returns it, zeroed, or NULL. */
static void *grow(struct arena *arena, void **array, size_t *count, size_t *room, size_t size)
{
    if (*count == *room) {
        size_t larger_room = *room ? *room * 2 : 16;
        char *larger = arena_allocate(arena, larger_room * size);
        if (!larger)
            return NULL;
        if (*count > 0)
            memcpy(larger, *array, *count * size);
        *array = larger;
        *room = larger_room;
    }
    return (char *)*array + (*count)++ * size;
}

/* The array grows in the arena. */
static int add_child(struct reader *reader, const struct node *node, struct manifest *manifest,
                     const struct parsed_child *child)
{
    if (manifest->count == FILE_CHILDREN_MAX)
        return reader_refuse(reader, node, "one file may have at most %d children",
                             FILE_CHILDREN_MAX);
    void *children = manifest->children;
    struct parsed_child *place = grow(&manifest->arena, &children, &manifest->count,
                                      &manifest->children_room, sizeof(*place));
    if (!place)
        return -ENOMEM;
    manifest->children = children;
    *place = *child;
    return 0;
}

/* The declaration as text, for the property Manifest. */
static int write_child(const struct node *node, struct manifest *manifest,
                       struct child_declaration *d)
{
    struct written written = manifest_write(&manifest->arena, node, NULL, "environment");

    d->manifest = written.text;
    d->manifest_path = manifest->path;
    d->secret_from = (uint32_t)written.secret_from;
    d->secret_length = (uint32_t)written.secret_length;
    return written.text ? 0 : -ENOMEM;
}

/* What stands for a child that could not be read, so that others may require it. */
static int read_name_only(struct reader *reader, const char *above, struct manifest *manifest,
                          const struct parsed_child *broken)
{
    const char *name = broken->declaration.id;
    struct parsed_child child = {.place = broken->place};

    if (!name || !child_id_valid(name) || strchr(name, '/'))
        return 0;
    declaration_defaults(&child.declaration, ROLE_WORKER);
    above = broken->above ? broken->above : above;
    name = manifest_path_below(reader, above ? above : "", name);
    child.dependencies = arena_allocate(&manifest->arena, sizeof(struct place));
    if (!name || !child.dependencies)
        return -ENOMEM;
    child.declaration.id = name;
    child.declaration.manifest = child.declaration.manifest_path = "";
    return child_id_valid(name) ? add_child(reader, NULL, manifest, &child) : 0;
}

/* The places of its dependencies are noted in the order of the declaration. */
static int read_child(struct reader *reader, const struct node *node, const char *above,
                      struct manifest *manifest)
{
    struct parsed_child child = {.place = place_of(node)};
    struct child_declaration *d = &child.declaration;
    size_t mark = strlen(reader->path);
    int r = child_manifest_read(reader, node, above, &child);

    if (reader_goes_on(reader, mark, r))
        return read_name_only(reader, above, manifest, &child);
    if (r == 0)
        r = write_child(node, manifest, d);
    if (r < 0)
        return r;
    child.dependencies =
        arena_allocate(&manifest->arena, (d->n_requires + d->n_after + 1) * sizeof(struct place));
    if (!child.dependencies)
        return -ENOMEM;
    if (child.primary_node)
        child.dependencies[0] = place_of(child.primary_node);
    note_places(child.requires_node, child.dependencies + (child.primary_node != NULL));
    note_places(child.after_node, child.dependencies + d->n_requires);
    return add_child(reader, node, manifest, &child);
}

static int compare_children(const void *a, const void *b)
{
    const struct parsed_child *const *x = a, *const *y = b;
    int order = strcmp((*x)->declaration.id, (*y)->declaration.id);
    return order ? order : (*x > *y) - (*x < *y);
}

static int refuse_double(struct reader *reader, const struct parsed_child *child)
{
    reader_refuse(reader, NULL, "a child is already called \"%s\"", child->declaration.id);
    tell_place(&child->place, reader->error);
    return -EINVAL;
}

/* Where all mistakes are asked for: so that the tree does not have them as well. */
static void drop_doubles(struct manifest *manifest)
{
    size_t kept = 0;

    for (size_t i = 0; i < manifest->count; i++)
        if (manifest->children[i].declaration.id)
            manifest->children[kept++] = manifest->children[i];
    manifest->count = kept;
}

/* By sorting, as comparing each with each would take too long for 20,000. */
static int refuse_doubles(struct manifest *manifest, struct reader *reader)
{
    struct parsed_child *first;
    struct parsed_child **sorted =
        arena_allocate(&manifest->arena, (manifest->count + 1) * sizeof(*sorted));
    if (!sorted)
        return -ENOMEM;

    for (size_t i = 0; i < manifest->count; i++)
        sorted[i] = &manifest->children[i];
    qsort(sorted, manifest->count, sizeof(*sorted), compare_children);
    first = manifest->count > 0 ? sorted[0] : NULL;
    for (size_t i = 1; i < manifest->count; i++) {
        if (strcmp(first->declaration.id, sorted[i]->declaration.id) != 0) {
            first = sorted[i];
            continue;
        }
        if (!reader_goes_on(reader, 0, refuse_double(reader, sorted[i])))
            return -EINVAL;
        sorted[i]->declaration.id = NULL;
    }
    drop_doubles(manifest);
    return 0;
}

/* ---- lists of children ----------------------------------------------------------------------- */

struct list {
    struct manifest *manifest;
    const char *above;
    const struct node *defaults; /* for its children; NULL: none */
};

static int read_supervisor_node(struct reader *reader, const struct node *node,
                                const struct list *above);

static int read_member(struct reader *reader, const struct node *node, size_t i, void *target)
{
    const struct list *list = target;

    (void)i;
    if (node_find(node, "children"))
        return read_supervisor_node(reader, node, list);
    node = manifest_with_defaults(list->manifest->nodes, node, list->defaults);
    return node ? read_child(reader, node, list->above, list->manifest) : -ENOMEM;
}

/* As add_child(). */
static int add_supervisor(struct reader *reader, const struct node *node, struct manifest *manifest,
                          const struct parsed_supervisor *supervisor)
{
    if (manifest->n_supervisors == SUPERVISORS_MAX)
        return reader_refuse(reader, node, "one file may have at most %d supervisors",
                             SUPERVISORS_MAX);
    void *supervisors = manifest->supervisors;
    struct parsed_supervisor *place = grow(&manifest->arena, &supervisors, &manifest->n_supervisors,
                                           &manifest->supervisors_room, sizeof(*place));
    if (!place)
        return -ENOMEM;
    manifest->supervisors = supervisors;
    *place = *supervisor;
    return 0;
}

/* The groups of a supervisor that could not be read are not known: its children have none. */
static void forget_groups(struct manifest *manifest, size_t first, const char *path)
{
    for (; first < manifest->count; first++) {
        struct child_declaration *child = &manifest->children[first].declaration;
        if (path_parent_length(child->id) == strlen(path))
            child->group = NULL;
    }
}

/* A supervisor, and then what is in its list: one walk, whatever stands below it. */
static int read_supervisor_node(struct reader *reader, const struct node *node,
                                const struct list *above)
{
    static const char *const elsewhere[] = {"supervisor", "children", "defaults", NULL};
    struct parsed_supervisor supervisor = {.place = place_of(node)};
    struct supervisor_declaration *d = &supervisor.declaration;
    struct manifest *manifest = above->manifest;
    struct list list = {.manifest = manifest};
    size_t outside = strlen(reader->path);
    int r = manifest_read_supervisor(reader, node, above->above, d, &supervisor.settings);

    bool broken = reader_goes_on(reader, outside, r);
    if (broken) {
        supervisor_declaration_defaults(d, d->path);
        r = 0;
    }
    if (r == 0)
        r = manifest_read_defaults(reader, manifest->nodes, node, above->defaults, &list.defaults);
    if (r < 0 && !reader_goes_on(reader, outside, r))
        return r;
    d->position = manifest->count;
    d->manifest = manifest_write(&manifest->arena, node, elsewhere, NULL).text;
    d->manifest_path = manifest->path;
    if (!d->manifest)
        return -ENOMEM;
    list.above = d->path;
    r = add_supervisor(reader, node, manifest, &supervisor);
    if (r < 0)
        return r;
    size_t mark = reader_enter(reader, "children");
    size_t first = manifest->count;
    r = reader_list(reader, node_find(node, "children"), &list, read_member);
    if (r == 0)
        reader_leave(reader, mark);
    if (broken)
        forget_groups(manifest, first, list.above);
    return r;
}

static int read_root(struct reader *reader, const struct node *root, struct manifest *manifest)
{
    if (!root)
        return reader_refuse(reader, NULL, "the manifest is empty");
    if (!node_find(root, "children"))
        return read_child(reader, root, NULL, manifest);
    int r = read_supervisor_node(reader, root, &(struct list){.manifest = manifest});
    return r < 0 ? r : refuse_doubles(manifest, reader);
}

/* With what the drop-ins say. */
static int merge_drop_ins(struct manifest *manifest, const struct manifest_text *texts, size_t n,
                          const struct node **root, struct manifest_error *error)
{
    int r = 0;

    for (size_t i = 0; r == 0 && *root && i < n; i++) {
        const struct node *over;
        char *path = arena_copy(&manifest->arena, texts[i].path, strlen(texts[i].path));
        if (!path)
            return -ENOMEM;
        text_make_line(path);
        r = drop_in_parse(manifest->nodes, &texts[i], path, &over, error);
        if (r == 0 && over)
            r = drop_in_merge(manifest->nodes, root, over, error);
    }
    return r;
}

/* The nodes are only needed while reading. */
static int parse(struct manifest *manifest, const struct manifest_text *texts, size_t drop_ins,
                 struct mistakes *mistakes, struct manifest_error *error)
{
    struct arena nodes = {};
    const struct node *root;
    struct reader reader = {
        .arena = &manifest->arena, .error = error, .mistakes = mistakes, .file = manifest->path};
    size_t max = manifest->path[0] ? MANIFEST_FILE_MAX : MANIFEST_CHILD_MAX;
    manifest->nodes = &nodes;
    int r = node_parse(&nodes, texts->text, texts->length, max, &root, error);

    if (r == 0)
        r = merge_drop_ins(manifest, texts + 1, drop_ins, &root, error);
    reader.unnoted = r == -EINVAL;
    if (r == 0)
        r = read_root(&reader, root, manifest);
    arena_free(&nodes);
    manifest->nodes = NULL;
    return reader_goes_on(&reader, 0, r) ? 0 : r;
}

/* `path` is for messages, and is empty for a manifest that came over the
 * bus. */
int manifest_parse(const char *text, size_t length, const char *path, struct manifest **manifest,
                   struct manifest_error *error)
{
    return manifest_parse_all(&(struct manifest_text){path, text, length}, 0, NULL, manifest,
                              error);
}

int manifest_parse_all(const struct manifest_text *texts, size_t drop_ins,
                       struct mistakes *mistakes, struct manifest **manifest,
                       struct manifest_error *error)
{
    INVARIANT(texts && error);
    struct manifest *fresh = calloc(1, sizeof(*fresh));
    *error = (struct manifest_error){};
    if (!fresh)
        return -ENOMEM;

    fresh->path = arena_copy(&fresh->arena, texts->path, strlen(texts->path));
    if (fresh->path)
        text_make_line(fresh->path);
    int r = fresh->path ? parse(fresh, texts, drop_ins, mistakes, error) : -ENOMEM;
    if (r < 0) {
        manifest_free(fresh);
        return r;
    }
    *manifest = fresh;
    return 0;
}

void manifest_free(struct manifest *manifest)
{
    if (!manifest)
        return;
    arena_free(&manifest->arena);
    free(manifest);
}

size_t manifest_count(const struct manifest *manifest)
{
    return manifest->count;
}

const struct child_declaration *manifest_declaration(const struct manifest *manifest, size_t i)
{
    return &manifest->children[i].declaration;
}

/* The place of a dependency, of the group, of the supervisor, or of the child
 * itself. */
void manifest_locate(const struct manifest *manifest, size_t i, int dependency,
                     struct manifest_error *error)
{
    const struct parsed_child *child = &manifest->children[i];
    const struct place *place = dependency >= 0 ? &child->dependencies[dependency] : &child->place;

    if (dependency == PROBLEM_SUPERVISOR && child->supervisor.line > 0)
        place = &child->supervisor;
    else if (dependency == PROBLEM_GROUP)
        place = &child->group;
    tell_place(place, error);
}

size_t manifest_supervisor_count(const struct manifest *manifest)
{
    return manifest->n_supervisors;
}

const struct supervisor_declaration *manifest_supervisor(const struct manifest *manifest, size_t i,
                                                         bool *settings)
{
    *settings = manifest->supervisors[i].settings;
    return &manifest->supervisors[i].declaration;
}

void manifest_locate_supervisor(const struct manifest *manifest, size_t i,
                                struct manifest_error *error)
{
    tell_place(&manifest->supervisors[i].place, error);
}
