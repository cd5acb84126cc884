/*
 * Past: the journal of a real proctord (`proctorctl trace -o FILE`, or a segment of its state
 * folder), replayed. Its checkpoint is read into a core, and each input is handled at its own time:
 * the same events and the same calls come out of it as did there, also where what came out was a
 * fault. Nothing is called, nothing waits.
 *
 * The journal tells of what the audit saw and, in a trace, what the core was in the end: both are
 * compared.
 */
#pragma once

#include "core/core.h"
#include "world/record.h"

struct past;

/* Whether a file is a journal. */
bool past_is(const char *path);

/* Says what is wrong on stderr, and returns NULL then. What is damaged at its end is left out, and
 * this is said. */
struct past *past_read(const char *path);
void past_free(struct past *past);
size_t past_inputs(const struct past *past);

/* One life. */
struct life {
    const bool *left_out; /* of the inputs, by their numbers from 0; NULL: none */
    uint64_t until;       /* how many inputs; 0: all */
    void (*observe)(void *userdata, const struct record *record);
    void *observe_userdata;
    const char *wanted, *wanted_child; /* stops at such an event; child NULL: anybody's */

    /* What came of it. */
    uint64_t inputs, events, compared;
    uint64_t hash;     /* of all events */
    uint64_t end_nsec; /* from the first input */
    bool found;        /* what was wanted */
    bool fails;        /* an assertion of the core, an event or an end that is another one */
    bool has_end;      /* the trace says what the core was in the end, and it was the same */
    char verdict[400]; /* where it fails */
    struct core *core; /* valid until the next life; NULL behind an assertion */
};

/* The past's own memory is used: one life at a time. */
void past_live(struct past *past, struct life *life);

/* The same journal without what was left out. Returns 0 or a negative errno. */
int past_write(const struct past *past, const bool *left_out, const char *path);
