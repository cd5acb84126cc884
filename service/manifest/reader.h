/*
 * Reader: a YAML document, read by tables. A table names the keys of a mapping and the function
 * that reads each; the reader does the rest: types, unknown and doubled keys, where it happened.
 */
#pragma once

#include "arena.h"
#include "manifest.h"

#include <stdbool.h>
#include <yaml.h>

struct reader {
    yaml_document_t *document;
    struct arena *arena;
    struct manifest_error *error;
    char path[128]; /* the key that is being read: "restart_limit.burst" */
};

struct key {
    const char *name;
    int (*read)(struct reader *reader, yaml_node_t *node, void *target);
};

struct word {
    const char *word;
    int value;
};

/* Parses a text that holds one document. Returns 0; -EINVAL with the place in the error; -ENOMEM.
 * Free with yaml_document_delete(). */
int reader_load(yaml_document_t *document, const char *text, size_t length,
                struct manifest_error *error);

/* Reads one child's mapping within another document: manifest.c's table of keys. Strings live in
 * the reader's arena; the declaration has no manifest text and no origin. */
int manifest_read_child(struct reader *reader, yaml_node_t *node,
                        struct child_declaration *declaration);

/* Sets the error, with the node's place and the key's path before the text. Returns -EINVAL. */
int reader_refuse(struct reader *reader, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads a mapping by its table of keys, which ends with a NULL name. */
int reader_mapping(struct reader *reader, yaml_node_t *node, const struct key *keys, void *target);

/* The text of a scalar, or NULL with the error set. expected: "a duration such as 10s". */
const char *reader_scalar(struct reader *reader, yaml_node_t *node, const char *expected);

/* The scalars of a list, NULL-terminated, in the arena; at most max of them. */
int reader_strings(struct reader *reader, yaml_node_t *node, size_t max, const char ***strings,
                   size_t *count);

/* Finds a scalar in a table of words that ends with NULL. */
int reader_word(struct reader *reader, yaml_node_t *node, const struct word *words, int *value);

int reader_duration(struct reader *reader, yaml_node_t *node, uint64_t *usec);
int reader_number(struct reader *reader, yaml_node_t *node, uint64_t max, uint64_t *number);
int reader_bool(struct reader *reader, yaml_node_t *node, bool *value);

/* Extends the path while something below a key is read; restore with the value returned. */
size_t reader_enter(struct reader *reader, const char *key);
void reader_leave(struct reader *reader, size_t mark);
