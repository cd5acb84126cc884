/*
 * What a manifest says of one child: the table of its keys, and what a mapping becomes. Where a key
 * of it stands is kept as long as the manifest is: a mistake that shows only among the others, such
 * as a circle of dependencies, is reported with its place.
 */
#pragma once

#include "manifest/reader.h"

struct place {
    size_t line;
    size_t column;
    const char *file; /* of a drop-in; NULL: the manifest */
};

struct parsed_child {
    struct child_declaration declaration; /* first, as process_keys expects */
    struct place place;
    struct place *dependencies;     /* requires, then after */
    const char *above;              /* the path of its supervisor; NULL: not said yet */
    struct place supervisor, group; /* where they are said; line 0: nowhere */
    bool has_interval, has_stale_after;
    const char **arguments; /* behind those of exec */
    size_t n_arguments;
    const struct node *arguments_node;
    const struct node *primary_node, *requires_node, *after_node;
};

static inline struct place place_of(const struct node *node)
{
    return (struct place){node->line, node->column, node->file};
}

/* The keys of a child, and what follows from where it stands. above: the path of the supervisor in
 * whose list it stands; NULL: it is not said yet. Returns 0, -EINVAL with the reader's error, or
 * -ENOMEM. */
int child_manifest_read(struct reader *reader, const struct node *node, const char *above,
                        struct parsed_child *child);
