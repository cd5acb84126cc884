/*
 * Drop-ins: files in a folder beside a manifest, web.yaml.d/10-site.yaml beside web.yaml, that
 * change single keys of it, so that a manifest of a package need not be edited.
 *
 * They are merged in the order of their names, each over all before it: a value replaces the one
 * below it, lists included; mappings are merged key by key; a key without a value (`nice:` or
 * `nice: null`) is taken away. In `children`, a mapping is merged into the child or supervisor of
 * its name, which has to be there. Each node keeps its file, so that a mistake is found where it
 * is.
 */
#pragma once

#include "manifest/node.h"

#define DROP_INS_MAX 64 /* of one manifest */

struct arena;
struct manifest_error;

/* One of the texts that make up a manifest. */
struct manifest_text {
    const char *path;
    const char *text;
    size_t length;
};

/* Parses a drop-in. path lives as long as the nodes, and is noted in each of them. *root is NULL
 * for a file that is empty. Errors as node_parse(). */
int drop_in_parse(struct arena *arena, const struct manifest_text *text, const char *path,
                  const struct node **root, struct manifest_error *error);

/* *root with what the drop-in says. Returns 0, -EINVAL with the error, or -ENOMEM. */
int drop_in_merge(struct arena *arena, const struct node **root, const struct node *over,
                  struct manifest_error *error);

/* Calls `visit` for each key that a drop-in sets, with its whole name: "environment.MODE", or in a
 * list of children "children[web].nice". */
void drop_in_keys(const struct node *over, void (*visit)(void *userdata, const char *key),
                  void *userdata);
