/*
 * Written: a part of a manifest as YAML again, from what was read and not from how it stood there.
 *
 * There are no comments, no aliases, no anchors and no merge keys in it: it is whole on its own,
 * says the same wherever it stands, and two parts that say the same in the same order are the same
 * text. One key stands on a line, what is below it in flow style.
 */
#pragma once

#include "manifest/arena.h"
#include "manifest/node.h"

struct written {
    const char *text;     /* in the arena; NULL: no memory */
    size_t secret_from;   /* where the value of the key `secret` stands, */
    size_t secret_length; /* and for how many bytes; 0: nowhere */
};

/* Writes the keys of a mapping but for those in `without`, a list that ends with NULL. secret: the
 * key whose value must not be shown, or NULL. */
struct written manifest_write(struct arena *arena, const struct node *mapping,
                              const char *const *without, const char *secret);
