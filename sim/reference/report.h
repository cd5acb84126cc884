/*
 * Report: what is heard of an attempt, if it is about the attempt that is there.
 */
#pragma once

#include "reference/reference.h"

/* What is heard of an attempt: completion for an exit, message for what it said. */
struct heard {
    enum report_kind kind;
    struct attempt_id id;
    const struct completion *completion;
    const struct notify_message *message;
    uint32_t pid;   /* of a spawn that is confirmed */
    uint32_t check; /* the number of a health check, and its answer */
    bool passed;
    int error;                    /* of a spawn that failed; and the words for it, */
    const char *why;              /* for what is lacking, or for a check that did not pass */
    enum child_commands commands; /* that have ended */
    bool lacks; /* the supervisor lacks something for the start; or no longer does */
};

/* Whether it would be about an attempt that is not there any more, or was reported before. */
bool reference_is_stale(const struct ref_child *c, const struct heard *heard);
void reference_hear(struct ref *r, struct ref_child *c, const struct heard *heard);
