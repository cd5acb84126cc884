/*
 * What the reference model says has happened in an input: an event for each thing that semantics.md
 * and docs/dbus.md have one for, with the facts that the model knows, and each call of the
 * executor. checks/told.c compares both lists with what the core has told and asked for, one by
 * one, in order.
 *
 * The lists are of one input only. They stand outside of the world, so that an exploration need not
 * copy them.
 */
#pragma once

#include "core/vocabulary/event.h"

#define REF_TOLD_MAX    8192
#define REF_TOLD_FIELDS 12
#define REF_CALLS_MAX   4096

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

/* What the executor is asked for. */
enum ref_call_kind {
    REF_CALL_START,
    REF_CALL_CANCEL,
    REF_CALL_ABORT,
    REF_CALL_ESCALATE, /* number: the signal */
    REF_CALL_KILL,     /* number: the signal, and whole */
    REF_CALL_CHECK,    /* number: of the check */
    REF_CALL_CHECK_END,
    REF_CALL_FORGET,
};

struct ref_call {
    enum ref_call_kind kind;
    const char *child;
    uint64_t generation, attempt; /* 0 for FORGET */
    int64_t number;
    bool whole;
};

/* How many of them are members of struct ref: what a dry run says is taken back with the rest. */
struct ref_told_list {
    struct ref_told events[REF_TOLD_MAX];
    struct ref_call calls[REF_CALLS_MAX];
};

/* c is NULL for an event of the tree. A dry run tells nothing. */
void ref_tell(struct ref *r, const struct ref_child *c, enum event_kind kind,
              const struct event_field *fields, uint32_t n_fields);

/* Of the last event, if the kind alone does not say it. */
void ref_tell_cause(struct ref *r, uint64_t cause);

/* A dry run asks the executor for nothing. */
void ref_call(struct ref *r, const struct ref_child *c, enum ref_call_kind kind);
void ref_call_with(struct ref *r, const struct ref_child *c, enum ref_call_kind kind,
                   int64_t number, bool whole);

#define TELL(r, c, kind, ...)                                                                      \
    ref_tell(r, c, kind, (const struct event_field[]){__VA_ARGS__},                                \
             sizeof((const struct event_field[]){__VA_ARGS__}) / sizeof(struct event_field))
#define TELL_BARE(r, c, kind) ref_tell(r, c, kind, NULL, 0)
