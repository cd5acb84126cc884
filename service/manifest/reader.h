/*
 * Reader: a YAML document, read by tables. A table names the keys of a mapping and the function
 * that reads each; the reader does the rest: types, unknown and doubled keys, where it happened.
 */
#pragma once

#include "manifest/arena.h"
#include "manifest/node.h"
#include "manifest/manifest.h"
#include "manifest/mistakes.h"

#include <stdbool.h>

struct reader {
    struct arena *arena;
    struct manifest_error *error;
    char path[128]; /* the key that is being read: "restart_limit.burst" */
    /* where all mistakes are asked for: */
    struct mistakes *mistakes; /* NULL: the first is enough */
    const char *file;          /* they are of */
    bool unnoted;              /* the last one that was refused */
};

struct key {
    const char *name; /* NULL: the end of the table */
    int (*read)(struct reader *reader, const struct node *node, void *target);
    const struct key *more; /* at the end: the table that continues */
};

struct word {
    const char *word;
    int value;
};

/* Reads one child's mapping within another document: child_manifest.c's table of keys. Strings live
 * in the reader's arena; the declaration has no manifest text and no origin. above: as below. */
int manifest_read_child(struct reader *reader, const struct node *node, const char *above,
                        struct child_declaration *declaration);

/* Reads a supervisor's mapping but for its `children`: supervisor_manifest.c's table of keys. Its
 * path follows from what it is called and `above`, the path of the supervisor in whose list it
 * stands, or NULL where it stands for itself. *settings: it says more than what it is called. */
int manifest_read_supervisor(struct reader *reader, const struct node *node, const char *above,
                             struct supervisor_declaration *declaration, bool *settings);

/* The keys of a child that are about its process, for a target that begins with a struct
 * child_declaration: process_manifest.c. */
extern const struct key process_keys[];

/* Reads a list of sockets: socket_manifest.c. */
int manifest_read_sockets(struct reader *reader, const struct node *node,
                          struct process_spec *process);

/* Reads a list of commands: command_manifest.c. */
int manifest_read_commands(struct reader *reader, const struct node *node,
                           struct command_list *list);

/* Reads a name of a directory, or a list of them, and their mode: directory_manifest.c. */
int manifest_read_directories(struct reader *reader, const struct node *node,
                              struct directory_list *list);
int manifest_read_directory_mode(struct reader *reader, const struct node *node,
                                 struct directory_list *list);

/* Reads one of `limits`. Returns 1 if it is of the child as a whole, 0 if it is another one:
 * resource_manifest.c. */
int manifest_read_whole_limit(struct reader *reader, const char *name, const struct node *node,
                              const char *text, struct process_spec *process);

/* Reads processors such as 0-3,5: resource_manifest.c. */
int manifest_read_affinity(struct reader *reader, const struct node *node,
                           const uint64_t **affinity);

/* Reads `sandbox`; *sandbox: NULL where it leaves everything as it is: sandbox_manifest.c. */
int manifest_read_sandbox(struct reader *reader, const struct node *node,
                          const struct sandbox_spec **sandbox);

/* What contradicts a sandbox, once all keys of the child are read. */
int manifest_check_sandbox(struct reader *reader, const struct node *node,
                           const struct child_declaration *declaration);

/* Reads where to connect to, "ADDRESS:PORT" or a local path or "@NAME", with `host` where only a
 * port is given. Returns 0 or -EINVAL. */
int manifest_parse_address(const char *text, const char *host, struct socket_spec *socket);

/* Reads `health_check`: health_manifest.c. */
int manifest_read_health(struct reader *reader, const struct node *node,
                         struct child_declaration *declaration);

/* Reads `schedule`: schedule_manifest.c. */
int manifest_read_schedule(struct reader *reader, const struct node *node,
                           struct child_declaration *declaration);

/* What a child's kind asks for and forbids, once all its keys are read; puts a sidecar's primary
 * before all that it requires: role_manifest.c. */
int manifest_apply_role(struct reader *reader, const struct node *node,
                        struct child_declaration *declaration);

/* "payments/worker" from "payments" and "worker", in the arena; NULL without memory. */
const char *manifest_path_below(struct reader *reader, const char *above, const char *name);

/* The path that a `supervisor:` names: "" for root. */
int manifest_read_path(struct reader *reader, const struct node *node, const char **path);

/* Sets the error, with the node's place and the key's path before the text. Returns -EINVAL. */
int reader_refuse(struct reader *reader, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Behind what returned r: whether to read on, because all mistakes are asked for and it was one. It
 * is noted, once, and the path is as it was at the mark. */
bool reader_goes_on(struct reader *reader, size_t mark, int r);

/* Reads a mapping by its table of keys, which ends with a NULL name. */
int reader_mapping(struct reader *reader, const struct node *node, const struct key *keys,
                   void *target);

/* The text of a scalar, or NULL with the error set. expected: "a duration such as 10s". */
const char *reader_scalar(struct reader *reader, const struct node *node, const char *expected);

/* The scalars of a list, NULL-terminated, in the arena; at most max of them. */
int reader_strings(struct reader *reader, const struct node *node, size_t max,
                   const char ***strings, size_t *count);

/* The same of texts that are shown to people: each is one line without control characters. */
int reader_words(struct reader *reader, const struct node *node, size_t max, const char ***words,
                 size_t *count);

/* One such text, of at most max bytes. */
int reader_line(struct reader *reader, const struct node *node, size_t max, const char **line);

/* A text that is not empty, in the arena. */
int reader_text(struct reader *reader, const struct node *node, const char **text);

/* Each returns 0, or a negative errno with the error in the reader. */
int reader_u32(struct reader *reader, const struct node *node, uint64_t max, uint32_t *number);

/* Calls `read` for each item of a list, with the path set to it. */
int reader_list(struct reader *reader, const struct node *node, void *target,
                int (*read)(struct reader *reader, const struct node *item, size_t i,
                            void *target));
size_t reader_list_length(const struct node *node); /* 0 for what is no list */

/* Finds a scalar in a table of words that ends with NULL. */
int reader_word(struct reader *reader, const struct node *node, const struct word *words,
                int *value);

int reader_duration(struct reader *reader, const struct node *node, uint64_t *usec);

/* A duration within which something must have happened; 0: there is no deadline, in words
 * `infinity`. */
int reader_deadline(struct reader *reader, const struct node *node, uint64_t *usec);
int reader_number(struct reader *reader, const struct node *node, uint64_t max, uint64_t *number);
/* A number with up to three decimals, as thousandths; min and max are in thousandths, too. */
int reader_milli(struct reader *reader, const struct node *node, uint64_t min, uint64_t max,
                 uint32_t *target);
int reader_bool(struct reader *reader, const struct node *node, bool *value);

/* Extends the path while something below a key is read; restore with the value returned. */
size_t reader_enter(struct reader *reader, const char *key);
/* Shortens the path in messages to what it was before reader_enter(). */
void reader_leave(struct reader *reader, size_t mark);
