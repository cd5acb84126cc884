/*
 * Defaults of a supervisor are merged as YAML, before anything is read: a child
 * is then read as if it had written them itself, so there is one way to read a
 * key.
 */
#include "manifest/defaults_manifest.h"

#include <errno.h>
#include <string.h>

static const char *const keys[] = {
    "restart",       "restart_limit", "backoff",   "fatal_exit_codes", "success_exit_codes", "stop",
    "reload_signal", "start_timeout", "heartbeat", "health_check",     "criticality",        NULL};

static bool is_one_of(const char *const *words, const char *word)
{
    for (; *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

/* ---- merging --------------------------------------------------------------------------------- */

typedef bool (*pair_filter)(const struct node *own, const struct pair *pair);

/* `own`, and what it does not say of `below` and the filter lets through; mappings on both sides
 * are merged in their turn, by `within`. NULL without memory. */
static const struct node *merge(struct arena *arena, const struct node *own,
                                const struct node *below, pair_filter passes, pair_filter within)
{
    struct node *merged = arena_allocate(arena, sizeof(*merged));
    struct pair *pairs = arena_allocate(arena, (own->count + below->count + 1) * sizeof(*pairs));

    if (!merged || !pairs)
        return NULL;
    *merged = *own;
    merged->pairs = pairs;
    for (size_t i = 0; i < own->count; i++) {
        const struct node *value = own->pairs[i].value;
        const struct node *other = node_find(below, own->pairs[i].key->text);
        pairs[i] = own->pairs[i];
        if (!within || !other || other->kind != NODE_MAPPING || value->kind != NODE_MAPPING ||
            value->count == 0)
            continue;
        pairs[i].value = merge(arena, value, other, within, NULL);
        if (!pairs[i].value)
            return NULL;
    }
    for (size_t i = 0; i < below->count; i++)
        if (!node_find(own, below->pairs[i].key->text) && passes(own, &below->pairs[i]))
            pairs[merged->count++] = below->pairs[i];
    return merged;
}

static bool always(const struct node *own, const struct pair *pair)
{
    (void)own;
    (void)pair;
    return true;
}

/* How a child is asked is one thing, whichever of the keys says it. */
static bool asks_in_no_other_way(const struct node *own, const struct pair *pair)
{
    static const char *const ways[] = {"exec", "tcp", "unix", NULL};

    if (!is_one_of(ways, pair->key->text))
        return true;
    for (size_t i = 0; ways[i]; i++)
        if (node_find(own, ways[i]))
            return false;
    return true;
}

static bool is(const struct node *node, const char *text)
{
    return node && node->kind == NODE_SCALAR && strcmp(node->text, text) == 0;
}

/* What a kind would refuse, or take for something else, is not meant for it. */
static bool fits_kind(const struct node *child, const struct pair *pair)
{
    const struct node *kind = node_find(child, "kind");
    const char *key = pair->key->text;

    if (is(kind, "sidecar"))
        return strcmp(key, "restart") != 0 && strcmp(key, "criticality") != 0;
    if (is(kind, "job"))
        return strcmp(key, "restart") != 0 && strcmp(key, "start_timeout") != 0;
    return strcmp(key, "restart") != 0 || !is(kind, "service") || !is(pair->value, "temporary");
}

const struct node *manifest_with_defaults(struct arena *arena, const struct node *child,
                                          const struct node *defaults)
{
    if (!defaults || child->kind != NODE_MAPPING)
        return child;
    return merge(arena, child, defaults, fits_kind, asks_in_no_other_way);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Reads them as a child would have them, so that a mistake is found where no child has them yet. */
static int check(struct reader *reader, struct arena *arena, const struct node *defaults)
{
    static const struct node name = {.kind = NODE_SCALAR, .text = "name", .length = 4};
    static const struct node any = {.kind = NODE_SCALAR, .text = "any", .length = 3};
    static const struct pair pair = {&name, &any};
    struct node child = {.kind = NODE_MAPPING, .line = defaults->line, .pairs = &pair, .count = 1};
    struct child_declaration declaration;

    child.column = defaults->column;
    const struct node *whole = merge(arena, &child, defaults, always, NULL);
    return whole ? manifest_read_child(reader, whole, NULL, &declaration) : -ENOMEM;
}

/* Keys that belong to a single child cannot have a default; the size is limited
 * because every child has a copy. */
static int check_keys(struct reader *reader, const struct node *defaults)
{
    if (defaults->kind != NODE_MAPPING)
        return reader_refuse(reader, defaults, "expected a mapping");
    if (defaults->weight > DEFAULTS_WEIGHT_MAX) /* each child has a copy */
        return reader_refuse(reader, defaults, "is longer than %d characters", DEFAULTS_WEIGHT_MAX);
    for (size_t i = 0; i < defaults->count; i++)
        if (!is_one_of(keys, defaults->pairs[i].key->text))
            return reader_refuse(reader, defaults->pairs[i].key,
                                 "\"%.60s\" is set for each child, and cannot have a default",
                                 defaults->pairs[i].key->text);
    return 0;
}

/* Checked where they stand, although no child may ever use them. */
int manifest_read_defaults(struct reader *reader, struct arena *arena, const struct node *node,
                           const struct node *inherited, const struct node **defaults)
{
    const struct node *own = node_find(node, "defaults");

    *defaults = inherited;
    if (!own)
        return 0;
    size_t mark = reader_enter(reader, "defaults");
    int r = check_keys(reader, own);
    if (r == 0)
        r = check(reader, arena, own);
    if (r < 0)
        return r;
    reader_leave(reader, mark);
    *defaults = inherited ? merge(arena, own, inherited, always, asks_in_no_other_way) : own;
    return *defaults ? 0 : -ENOMEM;
}
