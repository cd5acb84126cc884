/*
 * Starts: how far the last start of each slot has come, in a file that outlives proctord.
 *
 * Each launch of an attempt gets a gate that none has had before. Proctord opens it when it sends
 * the plan; the child goes through it, by an atomic exchange of the open gate for the passed one,
 * when nothing but the exec is left. When proctord dies between the two, or before the journal has
 * heard of it, the next one shuts the gate, by another atomic exchange: the gate was either passed,
 * and the attempt has been or still is, or it never will be, and the attempt is begun again. So
 * neither does it run twice, nor not at all, however long the child hangs on its way: stopped by
 * its user, or in a file system that does not answer.
 *
 * The child also writes its PID, so that it can be found and ended.
 */
#pragma once

#include "core/core.h"

#include <stdbool.h>
#include <stdint.h>

struct starts;

#define STARTS_HEADER 4096 /* bytes; the records follow */

struct starts_record {
    uint64_t attempt;    /* serial of the child << 32, and its number; 0: none */
    uint64_t gate;       /* see starts_open_gate(); odd: it has been passed; 0: it is shut */
    uint64_t begun_usec; /* when the child began, since the boot (CLOCK_BOOTTIME): a process that
                            has its PID and is younger is another */
    uint32_t pid;
    uint32_t step; /* where it is: enum plan_step */
};

/* Opens or makes DIRECTORY/starts; in memory where there is no directory. Returns 0; 1 where what
 * was there is none of ours, and has been put aside as starts.damaged; or a negative errno. */
int starts_open(const char *directory, struct starts **starts);
void starts_close(struct starts *starts);

/* Nothing has been started. */
void starts_clear(struct starts *starts);

/* The gate of a launch of this attempt, for its plan; 0: there is no room for its record. */
uint64_t starts_open_gate(struct starts *starts, const struct attempt_id *id);
/* Whether the attempt has passed its gate; where it has not, it never will from now on. *record is
 * a copy of what is known, with an attempt of 0 where nothing is. */
bool starts_shut_gate(struct starts *starts, const struct attempt_id *id,
                      struct starts_record *record);
/* For the child. */
bool starts_pass_gate(struct starts_record *record, uint64_t gate);
void starts_go_back(struct starts_record *record, uint64_t gate); /* the exec has failed */

/* Where the last start of the slot was seen last: enum plan_step. */
uint32_t starts_step(const struct starts *starts, const struct attempt_id *id);

int starts_descriptor(const struct starts *starts);

/* The whole file in memory, for the spawner. NULL: it cannot be found. */
void *starts_map(int descriptor);
struct starts_record *starts_record_in(void *map, uint32_t slot);
