/*
 * Nodes: a YAML text as a tree of nodes, with its aliases followed and its merge keys merged.
 *
 * The tree is made in one walk over the parser's events that looks ahead at nothing, so that
 * whatever the text is, the work is bounded before it is done: levels, what aliases stand for, and
 * memory. An alias shares the nodes that its anchor names; what all aliases stand for is added up
 * and may not be more than max_aliased, so that a walk over the tree, too, has an end.
 *
 * As people know it from Compose: `<<: *base` or `<<: [*one, *two]` merges mappings, where a
 * mapping's own keys win, and of several mappings the first; top-level keys that begin with `x-`
 * are there to hold anchors and are left out.
 *
 * Refused, with line and column: a key that is given twice, a key that is no text, a second
 * document, an alias within what it names, tags that say what is not read here.
 */
#pragma once

#include "manifest/arena.h"

#include <stdbool.h>
#include <stddef.h>

#define NODE_DEPTH_MAX 32

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAPPING };

struct pair {
    const struct node *key; /* a scalar */
    const struct node *value;
};

struct node {
    enum node_kind kind;
    bool quoted;         /* a scalar that did not stand there as it is */
    const char *file;    /* NULL: that of the manifest, else that of a drop-in */
    size_t line, column; /* from 1; of an alias its own, and below it those of what it names */
    const char *text;    /* of a scalar, terminated */
    size_t length;       /* bytes of the text, which may contain a NUL character */
    const struct node *const *items; /* of a list, */
    const struct pair *pairs;        /* or of a mapping: count of them */
    size_t count;
    size_t depth;  /* levels, with this one: 1 for a scalar */
    size_t weight; /* bytes and nodes, as if all were written out */
};

struct manifest_error;

/*
 * Parses a text that holds one document. *root is NULL where it holds nothing. The nodes live in
 * the arena. Returns 0; -EINVAL with the place in the error; -ENOMEM.
 */
int node_parse(struct arena *arena, const char *text, size_t length, size_t max_aliased,
               const struct node **root, struct manifest_error *error);

/* The value of a key of a mapping; NULL: there is none, or the node is no mapping. */
const struct node *node_find(const struct node *node, const char *key);

/* A mapping as it is without one of its keys; NULL without memory. */
const struct node *node_without(struct arena *arena, const struct node *mapping, const char *key);
