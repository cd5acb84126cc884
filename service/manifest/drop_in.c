#include "manifest/drop_in.h"

#include "core/vocabulary/invariant.h"
#include "core/vocabulary/text.h"
#include "manifest/manifest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEY_MAX 256

__attribute__((format(printf, 3, 4))) static int
refuse(struct manifest_error *error, const struct node *node, const char *format, ...)
{
    va_list arguments;

    error->line = node->line;
    error->column = node->column;
    text_copy(error->file, sizeof(error->file), node->file ? node->file : "");
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    text_make_line(error->text); /* a long value was cut */
    return -EINVAL;
}

/* ---- parsing --------------------------------------------------------------------------------- */

/* An alias shares what it names, which then is seen more than once. */
static void note_file(const struct node *node, const char *file)
{
    if (node->file == file)
        return;
    ((struct node *)(uintptr_t)node)->file = file;
    for (size_t i = 0; node->kind == NODE_LIST && i < node->count; i++)
        note_file(node->items[i], file);
    for (size_t i = 0; node->kind == NODE_MAPPING && i < node->count; i++) {
        note_file(node->pairs[i].key, file);
        note_file(node->pairs[i].value, file);
    }
}

int drop_in_parse(struct arena *arena, const struct manifest_text *text, const char *path,
                  const struct node **root, struct manifest_error *error)
{
    INVARIANT(arena && text && error);
    int r = node_parse(arena, text->text, text->length, MANIFEST_FILE_MAX, root, error);

    text_copy(error->file, sizeof(error->file), path);
    if (r < 0 || !*root)
        return r;
    note_file(*root, path);
    if ((*root)->kind != NODE_MAPPING)
        return refuse(error, *root, "a drop-in is a mapping of the keys that it changes");
    return 0;
}

/* ---- merging --------------------------------------------------------------------------------- */

/* A key that is there without a value takes away what is below it. */
static bool is_nothing(const struct node *node)
{
    return node->kind == NODE_SCALAR && !node->quoted &&
           (node->length == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

static int merge(struct arena *arena, const struct node *below, const struct node *over,
                 const struct node **merged, struct manifest_error *error);

/* What a child or a supervisor is called in its list; NULL: nothing. */
static const char *name_of(const struct node *node)
{
    const struct node *name = node_find(node, "name");

    if (!name)
        name = node_find(node, "supervisor");
    return name && name->kind == NODE_SCALAR ? name->text : NULL;
}

static int merge_child(struct arena *arena, const struct node **items, size_t count,
                       const struct node *over, struct manifest_error *error)
{
    const char *name = name_of(over);

    if (!name)
        return refuse(error, over, "children: a drop-in changes a child by its name");
    for (size_t i = 0; i < count; i++) {
        const char *other = name_of(items[i]);
        if (other && strcmp(other, name) == 0)
            return merge(arena, items[i], over, &items[i], error);
    }
    return refuse(error, over, "children: there is no \"%.60s\" that this could change", name);
}

static int merge_children(struct arena *arena, const struct node *below, const struct node *over,
                          const struct node **merged, struct manifest_error *error)
{
    struct node *list = arena_allocate(arena, sizeof(*list));
    const struct node **items = arena_allocate(arena, (below->count + 1) * sizeof(*items));
    int r = 0;

    if (!list || !items)
        return -ENOMEM;
    memcpy(items, below->items, below->count * sizeof(*items));
    for (size_t i = 0; r == 0 && i < over->count; i++)
        r = merge_child(arena, items, below->count, over->items[i], error);
    *list = *below;
    list->items = items;
    *merged = list;
    return r;
}

/* A value with what stands over it. */
static int merge_value(struct arena *arena, const struct pair *below, const struct pair *over,
                       struct pair *merged, struct manifest_error *error)
{
    const struct node *value = below->value;

    *merged = *over;
    if (value->kind == NODE_MAPPING && over->value->kind == NODE_MAPPING)
        return merge(arena, value, over->value, &merged->value, error);
    if (strcmp(over->key->text, "children") == 0 && value->kind == NODE_LIST &&
        over->value->kind == NODE_LIST)
        return merge_children(arena, value, over->value, &merged->value, error);
    if (strcmp(over->key->text, "name") == 0 &&
        (over->value->kind != NODE_SCALAR || value->kind != NODE_SCALAR ||
         strcmp(over->value->text, value->text) != 0))
        return refuse(error, over->value, "name: a drop-in cannot rename a child");
    return 0;
}

static const struct pair *pair_of(const struct node *mapping, const char *key)
{
    for (size_t i = 0; i < mapping->count; i++)
        if (strcmp(mapping->pairs[i].key->text, key) == 0)
            return &mapping->pairs[i];
    return NULL;
}

/* First what stands below, in its order, then what is new. */
static int merge(struct arena *arena, const struct node *below, const struct node *over,
                 const struct node **merged, struct manifest_error *error)
{
    struct node *mapping = arena_allocate(arena, sizeof(*mapping));
    struct pair *pairs = arena_allocate(arena, (below->count + over->count + 1) * sizeof(*pairs));
    size_t n = 0;
    int r = 0;

    if (!mapping || !pairs)
        return -ENOMEM;
    if (below->kind != NODE_MAPPING || over->kind != NODE_MAPPING)
        return refuse(error, over, "expected a mapping");
    for (size_t i = 0; r == 0 && i < below->count; i++) {
        const struct pair *changed = pair_of(over, below->pairs[i].key->text);
        if (!changed)
            pairs[n++] = below->pairs[i];
        else if (!is_nothing(changed->value))
            r = merge_value(arena, &below->pairs[i], changed, &pairs[n++], error);
    }
    for (size_t i = 0; i < over->count; i++)
        if (!pair_of(below, over->pairs[i].key->text) && !is_nothing(over->pairs[i].value))
            pairs[n++] = over->pairs[i];
    *mapping = *below;
    mapping->pairs = pairs;
    mapping->count = n;
    mapping->weight = below->weight + over->weight;
    mapping->depth = below->depth > over->depth ? below->depth : over->depth;
    *merged = mapping;
    return r;
}

int drop_in_merge(struct arena *arena, const struct node **root, const struct node *over,
                  struct manifest_error *error)
{
    INVARIANT(root && *root && over && error);
    return merge(arena, *root, over, root, error);
}

/* ---- what they say --------------------------------------------------------------------------- */

struct naming {
    void (*visit)(void *userdata, const char *key);
    void *userdata;
};

static void name_keys(const struct naming *naming, const char *above, const struct node *node)
{
    char name[KEY_MAX];

    for (size_t i = 0; node->kind == NODE_MAPPING && i < node->count; i++) {
        const struct pair *pair = &node->pairs[i];
        bool children = strcmp(pair->key->text, "children") == 0 && pair->value->kind == NODE_LIST;
        snprintf(name, sizeof(name), "%s%s%s", above, above[0] ? "." : "", pair->key->text);
        if (pair->value->kind == NODE_MAPPING)
            name_keys(naming, name, pair->value);
        else if (!children && strcmp(pair->key->text, "name") != 0)
            naming->visit(naming->userdata, name);
        for (size_t c = 0; children && c < pair->value->count; c++) {
            const char *child = name_of(pair->value->items[c]);
            snprintf(name, sizeof(name), "%schildren[%s]", above, child ? child : "");
            name_keys(naming, name, pair->value->items[c]);
        }
    }
}

void drop_in_keys(const struct node *over, void (*visit)(void *userdata, const char *key),
                  void *userdata)
{
    INVARIANT(over && visit);
    name_keys(&(struct naming){visit, userdata}, "", over);
}
