/*
 * Values of YAML files that are converted: texts with their variables replaced, lists that may be
 * written as one text, commands that may be written as a line.
 */
#pragma once

#include "manifest/node.h"
#include "convert/words.h"

struct yaml_file {
    struct conversion *conversion;
    const char *path;
    const char *folder; /* of the file, absolute */
    bool interpolates;  /* ${NAME:-default}, as Compose */
};

/* As node_find(), and NULL where there is no node. */
const struct node *yaml_find(const struct node *node, const char *key);

struct place yaml_place(const struct yaml_file *file, const struct node *node);

/* The text of a scalar, or of what is written as one; "" for what is none. */
const char *yaml_text(const struct yaml_file *file, const struct node *node);

/* The items of a list; a scalar is a list of one. */
struct words yaml_list(const struct yaml_file *file, const struct node *node);

/* A command: a list of words, or a line that is split as a shell does. Returns 0 or -EINVAL with
 * the conversion's error. */
int yaml_command(const struct yaml_file *file, const struct node *node, struct words *words);

/* Puts the words of a command into exec; a program without a path is looked for by env(1). */
void yaml_put_exec(const struct yaml_file *file, struct draft *draft, const char *path,
                   const struct words *words);

/* A duration as manifests write it: "1m30s" becomes "1m 30s". */
const char *yaml_duration(const struct yaml_file *file, const struct node *node);

/* A mapping, or a list of "NAME=VALUE", into a mapping of the draft. */
void yaml_put_environment(const struct yaml_file *file, struct draft *draft,
                          const struct node *node);

/* Notes a key that is lost. */
void yaml_lose(const struct yaml_file *file, const struct node *at, const char *what,
               const char *why);
