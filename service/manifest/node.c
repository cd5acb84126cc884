/*
 * YAML as a tree of nodes, each with its line and column. libyaml gives events;
 * this puts them together, resolves aliases and merge keys, and limits depth
 * and expansion, because a few lines of aliases can stand for gigabytes.
 */
#include "manifest/node.h"

#include "manifest/manifest.h"
#include "core/vocabulary/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ANCHOR_BUCKETS 16384

struct anchor {
    struct anchor *next; /* in its bucket, the latest first: a name may be given again */
    const char *name;
    const struct node *node; /* NULL: its end has not been seen yet */
};

struct composer {
    yaml_parser_t parser;
    struct arena *arena;
    struct manifest_error *error;
    struct anchor *anchors[ANCHOR_BUCKETS];
    const struct node **stack; /* what is collected for the lists and mappings that are open */
    size_t height, room;
    size_t aliased, max_aliased;
};

static int compose(struct composer *composer, yaml_event_t *event, size_t depth,
                   const struct node **node);

/* ---- errors ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static int refuse(struct composer *composer, size_t line,
                                                        size_t column, const char *format, ...)
{
    struct manifest_error *error = composer->error;
    va_list arguments;

    error->line = line;
    error->column = column;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    text_make_line(error->text); /* a long value was cut */
    return -EINVAL;
}

static int refuse_at(struct composer *composer, const yaml_mark_t *mark, const char *why)
{
    return refuse(composer, mark->line + 1, mark->column + 1, "%s", why);
}

/* libyaml names no place for bytes that it cannot read, but how many came before. */
static int refuse_bytes(struct composer *composer)
{
    const yaml_parser_t *parser = &composer->parser;
    const unsigned char *text = parser->input.string.start;
    size_t size = (size_t)(parser->input.string.end - text), line = 1, column = 1;

    for (size_t i = 0; i < parser->problem_offset && i < size; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if ((text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    return refuse(composer, line, column, "not YAML: %s", parser->problem);
}

/* libyaml's own words, except where they mislead: a tab is the most common
 * mistake. */
static int refuse_yaml(struct composer *composer)
{
    const yaml_parser_t *parser = &composer->parser;

    if (parser->error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    if (parser->error == YAML_READER_ERROR)
        return refuse_bytes(composer);
    if (parser->error == YAML_SCANNER_ERROR && parser->buffer.pointer < parser->buffer.last &&
        *parser->buffer.pointer == '\t')
        return refuse_at(composer, &parser->problem_mark,
                         "not YAML: a tab, where YAML requires spaces");
    return refuse(composer, parser->problem_mark.line + 1, parser->problem_mark.column + 1,
                  "not YAML: %s%s%s", parser->problem ? parser->problem : "cannot be read",
                  parser->context ? " " : "", parser->context ? parser->context : "");
}

static int next_event(struct composer *composer, yaml_event_t *event)
{
    return yaml_parser_parse(&composer->parser, event) ? 0 : refuse_yaml(composer);
}

/* ---- anchors and aliases --------------------------------------------------------------------- */

static struct anchor **bucket_of(struct composer *composer, const char *name)
{
    uint32_t hash = 2166136261u;

    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return &composer->anchors[hash % ANCHOR_BUCKETS];
}

/* Leaves *anchor as it is where the node has none. */
static int note_anchor(struct composer *composer, const yaml_char_t *name, struct anchor **anchor)
{
    if (!name)
        return 0;
    struct anchor **bucket = bucket_of(composer, (const char *)name);
    *anchor = arena_allocate(composer->arena, sizeof(**anchor));
    char *copy = arena_copy(composer->arena, (const char *)name, strlen((const char *)name));
    if (!*anchor || !copy)
        return -ENOMEM;
    **anchor = (struct anchor){.next = *bucket, .name = copy};
    *bucket = *anchor;
    return 0;
}

/* The node itself is shared; the copy only has its own place. */
static int follow_alias(struct composer *composer, const yaml_event_t *event, size_t depth,
                        const struct node **node)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *anchor = *bucket_of(composer, name);
    size_t line = event->start_mark.line + 1, column = event->start_mark.column + 1;

    while (anchor && strcmp(anchor->name, name) != 0)
        anchor = anchor->next;
    if (!anchor)
        return refuse(composer, line, column, "there is no anchor &%.60s before this alias", name);
    if (!anchor->node)
        return refuse(composer, line, column,
                      "the alias *%.60s is inside the node that it refers to", name);
    if (depth - 1 + anchor->node->depth > NODE_DEPTH_MAX)
        return refuse(composer, line, column,
                      "with the contents of *%.60s nested more than %d levels deep", name,
                      NODE_DEPTH_MAX);
    composer->aliased += anchor->node->weight;
    if (composer->aliased > composer->max_aliased)
        return refuse(composer, line, column, "the aliases up to here expand to more than %zu KiB",
                      composer->max_aliased / 1024);
    struct node *copy = arena_allocate(composer->arena, sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = *anchor->node;
    copy->line = line;
    copy->column = column;
    *node = copy;
    return 0;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* What a tag can say that makes no difference here: everything is read as what its place asks for.
 */
static int check_tag(struct composer *composer, const yaml_event_t *event, const yaml_char_t *tag)
{
    static const char *const known[] = {"str", "int", "float", "bool", "null", "map", "seq"};
    static const char prefix[] = "tag:yaml.org,2002:";
    const char *name = (const char *)tag;

    if (!name || strcmp(name, "!") == 0)
        return 0;
    if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            if (strcmp(name + sizeof(prefix) - 1, known[i]) == 0)
                return 0;
    return refuse(composer, event->start_mark.line + 1, event->start_mark.column + 1,
                  "unknown tag %.60s", name);
}

/* Weight and depth are counted as the tree is built. */
static struct node *new_node(struct composer *composer, const yaml_event_t *event,
                             enum node_kind kind)
{
    struct node *node = arena_allocate(composer->arena, sizeof(*node));

    if (node)
        *node = (struct node){.kind = kind,
                              .line = event->start_mark.line + 1,
                              .column = event->start_mark.column + 1,
                              .depth = 1,
                              .weight = 1};
    return node;
}

/* The stack of nodes whose collection is not complete yet. */
static int push(struct composer *composer, const struct node *node)
{
    if (composer->height == composer->room) {
        size_t room = composer->room ? composer->room * 2 : 256;
        const struct node **larger = reallocarray(composer->stack, room, sizeof(*larger));
        if (!larger)
            return -ENOMEM;
        composer->stack = larger;
        composer->room = room;
    }
    composer->stack[composer->height++] = node;
    return 0;
}

/* Composes what follows up to the end of a list or a mapping, on the stack. */
static int compose_inside(struct composer *composer, struct node *node, yaml_event_type_t end,
                          size_t depth)
{
    for (;;) {
        const struct node *inner;
        yaml_event_t event;
        int r = next_event(composer, &event);
        if (r < 0)
            return r;
        bool ended = event.type == end;
        if (!ended)
            r = compose(composer, &event, depth + 1, &inner);
        yaml_event_delete(&event);
        if (r < 0 || ended)
            return r;
        node->weight += inner->weight;
        if (inner->depth >= node->depth)
            node->depth = inner->depth + 1;
        r = push(composer, inner);
        if (r < 0)
            return r;
    }
}

/* The items are taken off the stack. */
static int finish_list(struct composer *composer, size_t mark, struct node *node)
{
    size_t count = composer->height - mark;
    const struct node **items = arena_allocate(composer->arena, (count + 1) * sizeof(*items));

    if (!items)
        return -ENOMEM;
    if (count > 0)
        memcpy(items, composer->stack + mark, count * sizeof(*items));
    node->items = items;
    node->count = count;
    return 0;
}

/* ---- mappings -------------------------------------------------------------------------------- */

/* A pair while it is not known yet whether another one of the same key goes before it. */
struct candidate {
    struct pair pair;
    size_t rank; /* the mapping's own ones first, then those that are merged, in their order */
};

struct candidates {
    struct candidate *list;
    size_t count, own;
};

static int compare_keys(const struct node *a, const struct node *b)
{
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    return memcmp(a->text, b->text, a->length);
}

static int by_key(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = compare_keys(x->pair.key, y->pair.key);
    return order ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

static int by_rank(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static bool is_merge(const struct node *key)
{
    return !key->quoted && strcmp(key->text, "<<") == 0;
}

static void add_candidate(struct candidates *all, const struct pair *pair)
{
    all->list[all->count] = (struct candidate){*pair, all->count};
    all->count++;
}

/* Each mapping that a merge key names, one after the other; NULL: it is none. */
static const struct node *merged(const struct node *value, size_t i)
{
    const struct node *mapping = value->kind == NODE_LIST ? value->items[i] : value;
    return mapping->kind == NODE_MAPPING ? mapping : NULL;
}

static size_t merged_count(const struct node *value)
{
    return value->kind == NODE_LIST ? value->count : 1;
}

/* `<<` takes a mapping, or a list of mappings. */
static int check_merge(struct composer *composer, const struct node *value, size_t *pairs)
{
    for (size_t i = 0; i < merged_count(value); i++) {
        const struct node *mapping = merged(value, i);
        const struct node *place = value->kind == NODE_LIST ? value->items[i] : value;
        if (!mapping)
            return refuse(composer, place->line, place->column,
                          "<<: expected a mapping or a list of mappings");
        *pairs += mapping->count;
    }
    return 0;
}

/* How many pairs there are at most, and whether all of them can be ones. */
static int survey_pairs(struct composer *composer, size_t mark, size_t *pairs)
{
    *pairs = 0;
    for (size_t i = mark; i < composer->height; i += 2) {
        const struct node *key = composer->stack[i];
        int r = 0;
        if (key->kind != NODE_SCALAR)
            return refuse(composer, key->line, key->column, "a key must be a string, not a %s",
                          key->kind == NODE_LIST ? "list" : "mapping");
        if (is_merge(key))
            r = check_merge(composer, composer->stack[i + 1], pairs);
        if (r < 0)
            return r;
        ++*pairs;
    }
    return 0;
}

/* Own pairs come first, so that they win. */
static void collect_pairs(struct composer *composer, size_t mark, struct candidates *all)
{
    const struct node *merge = NULL;

    for (size_t i = mark; i < composer->height; i += 2) {
        struct pair pair = {composer->stack[i], composer->stack[i + 1]};
        add_candidate(all, &pair);
        if (is_merge(pair.key))
            merge = pair.value;
    }
    all->own = all->count;
    for (size_t i = 0; merge && i < merged_count(merge); i++)
        for (size_t j = 0; j < merged(merge, i)->count; j++)
            add_candidate(all, &merged(merge, i)->pairs[j]);
}

/* Leaves the first of each key; two of the mapping's own are a mistake. */
static int drop_hidden(struct composer *composer, struct candidates *all)
{
    size_t kept = 0;

    qsort(all->list, all->count, sizeof(*all->list), by_key);
    for (size_t i = 0; i < all->count; i++) {
        const struct candidate *c = &all->list[i], *before = kept > 0 ? &all->list[kept - 1] : NULL;
        if (!before || compare_keys(before->pair.key, c->pair.key) != 0)
            all->list[kept++] = *c;
        else if (c->rank < all->own)
            return refuse(composer, c->pair.key->line, c->pair.key->column,
                          "\"%.60s\" is given twice, first on line %zu", c->pair.key->text,
                          before->pair.key->line);
    }
    all->count = kept;
    qsort(all->list, all->count, sizeof(*all->list), by_rank);
    return 0;
}

/* Without those that are hidden. */
static int fill_pairs(struct composer *composer, struct candidates *all, struct node *node)
{
    struct pair *pairs = arena_allocate(composer->arena, (all->count + 1) * sizeof(*pairs));

    if (!pairs)
        return -ENOMEM;
    for (size_t i = 0; i < all->count; i++)
        if (!is_merge(all->list[i].pair.key))
            pairs[node->count++] = all->list[i].pair;
    node->pairs = pairs;
    return 0;
}

/* Duplicate keys are errors; merged ones are not. */
static int finish_mapping(struct composer *composer, size_t mark, struct node *node)
{
    struct candidates all = {};
    size_t pairs;
    int r = survey_pairs(composer, mark, &pairs);

    if (r < 0)
        return r;
    all.list = calloc(pairs + 1, sizeof(*all.list));
    if (!all.list)
        return -ENOMEM;
    collect_pairs(composer, mark, &all);
    r = drop_hidden(composer, &all);
    if (r == 0)
        r = fill_pairs(composer, &all, node);
    free(all.list);
    return r;
}

/* ---- one node -------------------------------------------------------------------------------- */

static int compose_scalar(struct composer *composer, const yaml_event_t *event, struct node *node)
{
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->length = event->data.scalar.length;
    node->weight += node->length;
    node->text = arena_copy(composer->arena, (const char *)event->data.scalar.value, node->length);
    return node->text ? 0 : -ENOMEM;
}

/* The stack is put back as it was, also on an error. */
static int compose_collection(struct composer *composer, struct node *node, size_t depth)
{
    size_t mark = composer->height;
    bool list = node->kind == NODE_LIST;
    int r = compose_inside(composer, node, list ? YAML_SEQUENCE_END_EVENT : YAML_MAPPING_END_EVENT,
                           depth);

    if (r == 0)
        r = list ? finish_list(composer, mark, node) : finish_mapping(composer, mark, node);
    composer->height = mark;
    return r;
}

/* What the three kinds of events that begin a node have in common. */
static enum node_kind begin(const yaml_event_t *event, const yaml_char_t **anchor,
                            const yaml_char_t **tag)
{
    if (event->type == YAML_SCALAR_EVENT) {
        *anchor = event->data.scalar.anchor;
        *tag = event->data.scalar.tag;
        return NODE_SCALAR;
    }
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        *anchor = event->data.sequence_start.anchor;
        *tag = event->data.sequence_start.tag;
        return NODE_LIST;
    }
    *anchor = event->data.mapping_start.anchor;
    *tag = event->data.mapping_start.tag;
    return NODE_MAPPING;
}

/* One node with everything below it. */
static int compose(struct composer *composer, yaml_event_t *event, size_t depth,
                   const struct node **node)
{
    const yaml_char_t *name, *tag;
    struct anchor *anchor = NULL;

    if (event->type == YAML_ALIAS_EVENT)
        return follow_alias(composer, event, depth, node);
    if (depth > NODE_DEPTH_MAX)
        return refuse(composer, event->start_mark.line + 1, event->start_mark.column + 1,
                      "nested more than %d levels deep", NODE_DEPTH_MAX);
    struct node *fresh = new_node(composer, event, begin(event, &name, &tag));
    int r = fresh ? check_tag(composer, event, tag) : -ENOMEM;
    if (r == 0)
        r = note_anchor(composer, name, &anchor);
    if (r < 0)
        return r;
    r = fresh->kind == NODE_SCALAR ? compose_scalar(composer, event, fresh)
                                   : compose_collection(composer, fresh, depth);
    if (r == 0 && anchor)
        anchor->node = fresh;
    *node = fresh;
    return r;
}

/* ---- the document ---------------------------------------------------------------------------- */

/* Reads on to the next event and drops it. Returns whether it is of this type, or a negative errno.
 */
static int skip(struct composer *composer, yaml_event_type_t type, yaml_mark_t *mark)
{
    yaml_event_t event;
    int r = next_event(composer, &event);

    if (r < 0)
        return r;
    *mark = event.start_mark;
    r = event.type == type;
    yaml_event_delete(&event);
    return r;
}

/* A second document would be silently left out otherwise. */
static int refuse_second_document(struct composer *composer)
{
    yaml_mark_t mark;
    int r = skip(composer, YAML_DOCUMENT_END_EVENT, &mark);

    if (r > 0)
        r = skip(composer, YAML_STREAM_END_EVENT, &mark);
    return r < 0   ? r
           : r > 0 ? 0
                   : refuse_at(composer, &mark, "a second document: a file contains only one");
}

static bool is_extension(const char *key, const char *prefix)
{
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

static bool is_named(const char *key, const char *name)
{
    return strcmp(key, name) == 0;
}

/* A copy of a mapping without the pairs whose key is like `what`. */
static const struct node *filter(struct arena *arena, const struct node *mapping,
                                 bool (*dropped)(const char *key, const char *what),
                                 const char *what)
{
    struct node *copy = arena_allocate(arena, sizeof(*copy));
    struct pair *pairs = arena_allocate(arena, (mapping->count + 1) * sizeof(*pairs));

    if (!copy || !pairs)
        return NULL;
    *copy = *mapping;
    copy->count = 0;
    copy->pairs = pairs;
    for (size_t i = 0; i < mapping->count; i++)
        if (!dropped(mapping->pairs[i].key->text, what))
            pairs[copy->count++] = mapping->pairs[i];
    return copy;
}

/* Keys that hold anchors for others. */
static int drop_extensions(struct composer *composer, const struct node **root)
{
    *root = filter(composer->arena, *root, is_extension, "x-");
    return *root ? 0 : -ENOMEM;
}

/* One document per file. */
static int compose_document(struct composer *composer, const struct node **root)
{
    yaml_event_t event;
    yaml_mark_t mark;
    int r = skip(composer, YAML_STREAM_START_EVENT, &mark);

    if (r >= 0)
        r = skip(composer, YAML_DOCUMENT_START_EVENT, &mark);
    if (r <= 0)
        return r; /* nothing but comments, perhaps */
    r = next_event(composer, &event);
    if (r < 0)
        return r;
    r = compose(composer, &event, 1, root);
    yaml_event_delete(&event);
    if (r == 0)
        r = refuse_second_document(composer);
    return r == 0 && (*root)->kind == NODE_MAPPING ? drop_extensions(composer, root) : r;
}

/* What is no text at all, said more clearly than a parser does. */
static int check_encoding(struct composer *composer, const char *text, size_t length)
{
    if (length >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0))
        return refuse(composer, 1, 1, "is UTF-16 or UTF-32, expected UTF-8");
    const char *nul = memchr(text, '\0', length);
    if (!nul)
        return 0;
    size_t line = 1, column = 1;
    for (const char *c = text; c < nul; c++) {
        column = *c == '\n' ? 1 : column + ((*c & 0xC0) != 0x80);
        line += *c == '\n';
    }
    return refuse(composer, line, column,
                  nul - text < 2 ? "is UTF-16, UTF-32 or not text: expected UTF-8"
                                 : "contains a NUL character: not a text file");
}

/* The root is NULL for an empty file. */
int node_parse(struct arena *arena, const char *text, size_t length, size_t max_aliased,
               const struct node **root, struct manifest_error *error)
{
    struct composer *composer = calloc(1, sizeof(*composer));

    *root = NULL;
    if (!composer)
        return -ENOMEM;
    composer->arena = arena;
    composer->error = error;
    composer->max_aliased = max_aliased;
    int r = check_encoding(composer, text, length);
    if (r == 0 && !yaml_parser_initialize(&composer->parser))
        r = -ENOMEM;
    if (r == 0) {
        size_t mark = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
        yaml_parser_set_encoding(&composer->parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&composer->parser, (const unsigned char *)text + mark,
                                     length - mark);
        r = compose_document(composer, root);
        yaml_parser_delete(&composer->parser);
    }
    free(composer->stack);
    free(composer);
    return r;
}

const struct node *node_find(const struct node *node, const char *key)
{
    for (size_t i = 0; node->kind == NODE_MAPPING && i < node->count; i++)
        if (strcmp(node->pairs[i].key->text, key) == 0)
            return node->pairs[i].value;
    return NULL;
}

const struct node *node_without(struct arena *arena, const struct node *mapping, const char *key)
{
    return filter(arena, mapping, is_named, key);
}
