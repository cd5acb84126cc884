/*
 * Schedule: the list of choices that determines a run.
 *
 * Wherever a run could continue in more than one way (which of the reports that are due comes
 * first, does this fault strike, what does a client ask for), it asks here, and gets a small
 * integer. The list of them is the schedule: the same scenario, seed and core with the same list do
 * the same, byte for byte. 0 is always the dull choice (the oldest first, no fault, nothing asked
 * for), and behind the end of a list everything is 0: that is what makes a shrunk schedule short.
 *
 * The choosers: random; pct (Burckhardt et al., "A Randomized Scheduler with Probabilistic
 * Guarantees of Finding Bugs"); fifo (always 0); and a given list. Exploration chooses by itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum chooser { CHOOSER_FIFO, CHOOSER_RANDOM, CHOOSER_PCT, CHOOSER_GIVEN };

#define SCHEDULE_PCT_DEPTH_MAX 16

struct schedule {
    enum chooser chooser;
    uint64_t random;
    uint32_t *choices; /* made so far: owned */
    size_t count;
    size_t capacity;
    const uint32_t *given; /* CHOOSER_GIVEN: the caller's */
    size_t n_given;
    unsigned depth; /* CHOOSER_PCT: change points */
    uint64_t changes[SCHEDULE_PCT_DEPTH_MAX];
    uint64_t picks;
    uint64_t salt;
};

/* Begins a new list. The memory of the last one is used again. */
void schedule_begin(struct schedule *schedule, enum chooser chooser, uint64_t seed);
/* The choices must stay as long as the run lasts; what is missing counts as 0.
 */
void schedule_begin_given(struct schedule *schedule, const uint32_t *choices, size_t count);
void schedule_free(struct schedule *schedule);

/* PCT with this many change points, at most SCHEDULE_PCT_DEPTH_MAX. */
void schedule_set_depth(struct schedule *schedule, unsigned depth);

/* A choice from 0 to n - 1; n is at least 1, and a choice from one is not recorded. */
uint32_t schedule_choose(struct schedule *schedule, uint32_t n);

/* Whether a fault with this rate strikes: 1 or 0. Rates of 0 and of 1000 are no choice. */
bool schedule_strikes(struct schedule *schedule, unsigned per_mille);

/* One of n runnable things; keys say which actor runs, which is what PCT gives priorities to. */
uint32_t schedule_pick(struct schedule *schedule, const uint64_t *keys, uint32_t n);

/* How many choices are not the dull one: the length of a schedule for people. */
size_t schedule_weight(const uint32_t *choices, size_t count);

/*
 * As text: Crockford's base32 of the list with runs of zeros packed, and a checksum. The text is
 * allocated. Reading returns 0, or -EINVAL with *problem set to a constant sentence.
 */
char *schedule_to_text(const uint32_t *choices, size_t count);
/* 0 with a list that the caller frees, or -EINVAL and why in `problem`. */
int schedule_from_text(const char *text, uint32_t **choices, size_t *count, const char **problem);
