/*
 * What the reference model says has happened in an input: an event for each thing that semantics.md
 * and docs/dbus.md have one for, with the facts that the model knows. checks/told.c compares the
 * list with what the core has told, one by one.
 *
 * The list is of one input only. It stands outside of the world, so that an exploration need not
 * copy it.
 */
#pragma once

#include "core/vocabulary/event.h"

#define REF_TOLD_MAX    8192
#define REF_TOLD_FIELDS 9

struct ref;
struct ref_child;

struct ref_told {
    enum event_kind kind;
    const char *child; /* its id; NULL: of the tree */
    uint64_t generation, attempt;
    bool has_cause; /* the model knows which command is behind it; 0: none is */
    uint64_t cause;
    struct event_field fields[REF_TOLD_FIELDS]; /* their texts are valid until the next input */
    uint32_t n_fields;
};

/* How many of them is a member of struct ref: what a dry run says is taken back with the rest. */
struct ref_told_list {
    struct ref_told events[REF_TOLD_MAX];
};

/* c is NULL for an event of the tree. A dry run tells nothing. */
void ref_tell(struct ref *r, const struct ref_child *c, enum event_kind kind,
              const struct event_field *fields, uint32_t n_fields);

/* Of the last event told, where the kind alone does not say it. */
void ref_tell_cause(struct ref *r, uint64_t cause);

#define TELL(r, c, kind, ...)                                                                      \
    ref_tell(r, c, kind, (const struct event_field[]){__VA_ARGS__},                                \
             sizeof((const struct event_field[]){__VA_ARGS__}) / sizeof(struct event_field))
#define TELL_BARE(r, c, kind) ref_tell(r, c, kind, NULL, 0)
