/*
 * Draft: a child's manifest in the making, with remarks about what it was made from.
 *
 * A converter (systemd_unit.h, supervisord.h, ...) starts a draft for each child that its file
 * declares and puts keys into it. What changes its meaning on the way gets a comment beside the
 * key; what has no counterpart is noted as lost, with its file and line. The keys are those of
 * docs/manifest.md; a dot leads into a mapping, as in `stop.timeout`.
 *
 * All memory belongs to the conversion's arena. Functions that need memory do nothing once there is
 * none: the conversion remembers that, and its printer asks conversion_result() first.
 */
#pragma once

#include "manifest/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define DRAFTS_MAX     4096 /* children of one conversion */
#define DRAFT_NAME_MAX 64   /* bytes, as docs/manifest.md says */

/* Where something stood in the file that is converted. */
struct place {
    const char *file;
    size_t line; /* from 1; 0: the file as a whole */
};

struct remark {
    struct place place;
    const char *what; /* the key or line it is about, or NULL */
    const char *text; /* one line */
    struct remark *next;
};

enum entry_kind { ENTRY_SCALAR, ENTRY_LIST, ENTRY_MAPPING };

struct entry {
    const char *key; /* NULL: an item of a list */
    enum entry_kind kind;
    const char *text;    /* of a scalar */
    const char *comment; /* or NULL */
    struct entry *below, *next;
};

struct draft {
    const char *name;       /* of the child, valid and unique */
    const char *given_name; /* as its file says it, by which other children name it */
    const char *title;      /* a comment above it, or NULL */
    const char *supervisor; /* or NULL: root */
    struct place place;
    struct entry *entries;
    struct draft *next;
    struct conversion *conversion;
};

struct conversion {
    struct arena arena;
    struct draft *drafts;
    size_t n_drafts;
    struct remark *lost;
    size_t n_lost, n_changed, n_kept; /* keys or lines of the files */
    struct unit *units; /* of systemd, that wait until all files are there (systemd_settings.h) */
    bool no_memory, too_many;
    char error[512]; /* of the file that cannot be converted, "FILE:LINE: message" */
};

/* With all drafts, remarks and texts. */
void conversion_free(struct conversion *conversion);

/* 0, -ENOMEM or -E2BIG (more than DRAFTS_MAX children, with the error). */
int conversion_result(const struct conversion *conversion);

/* Sets the error, with its place, for a file that is refused as a whole. Returns -EINVAL. */
int conversion_refuse(struct conversion *conversion, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Text in the arena; never NULL ("" without memory). */
const char *conversion_copy(struct conversion *conversion, const char *text, size_t length);
const char *conversion_format(struct conversion *conversion, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Starts a child. The name is made a valid one, and unique. NULL without memory, or too many. */
struct draft *draft_new(struct conversion *conversion, struct place place, const char *name);

/* Sets a scalar; a later value replaces an earlier one. comment: NULL, or what changes, one line.
 */
void draft_set(struct draft *draft, const char *path, const char *value, const char *comment);

/* One line for people: its description, or a comment above it if that is too long. */
void draft_describe(struct draft *draft, const char *text); /* NULL: nothing */

/* Appends to a list; the second one only what is not there yet. */
void draft_append(struct draft *draft, const char *path, const char *item);
/* Does nothing if the list has the item already. */
void draft_append_once(struct draft *draft, const char *path, const char *item);

/* An empty list, until something is appended. */
void draft_clear(struct draft *draft, const char *path);

/* Appends a mapping to a list. pairs: key, value, key, value, ...; a pair whose value is NULL is
 * left out. */
void draft_append_pairs(struct draft *draft, const char *path, const char *const *pairs,
                        size_t n_pairs);

/* Appends a command to a list of commands. may_fail: what comes after it is run anyway. */
void draft_append_command(struct draft *draft, const char *path, const char *const *words,
                          size_t n_words, bool may_fail);

/* Sets a key of a mapping, whose name may contain dots. */
void draft_map(struct draft *draft, const char *path, const char *key, const char *value);

/* Puts a comment beside a key that is there. */
void draft_comment(struct draft *draft, const char *path, const char *comment);

/* Takes a key of the first level away. */
void draft_remove(struct draft *draft, const char *key);

/* Whether this key is set. */
bool draft_has(const struct draft *draft, const char *path);

/* Whether a scalar is there, and is this. */
bool draft_is(const struct draft *draft, const char *path, const char *value);

/* The child of a conversion that its file calls so; NULL: none. */
struct draft *draft_find(const struct conversion *conversion, const char *given_name);

/* Notes what has no counterpart. what: the key or line; text: why, or what to do instead. */
void conversion_lose(struct conversion *conversion, struct place place, const char *what,
                     const char *text);

/* When all children are there: what is required, or started after, and is none of them is lost. */
void conversion_settle(struct conversion *conversion);

/* The name of the file that a draft goes into, where each has its own: those of one supervisor
 * share one, and it is the first that names it. NULL: it goes into the file of another. */
const char *draft_file_name(const struct draft *draft);

/* Prints such a file, or all of them as one. What was lost stands above, as comments. */
void draft_print(const struct draft *draft, FILE *out);
/* All drafts as one manifest, with what was lost as comments at its head. */
void conversion_print(const struct conversion *conversion, FILE *out);
