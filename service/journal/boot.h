/*
 * Boot: which boot of the machine a journal is of, and how the machine's clock was the core's time
 * in it (era.h). It stands at the beginning of each segment; a core that has lived through what
 * follows continues from there, in the same boot or in another one.
 */
#pragma once

#include "core/model/archive.h"
#include "core/core.h"

#define BOOT_SIZE 36 /* of a boot_id */

struct boot {
    char id[BOOT_SIZE + 1]; /* empty: not known */
    uint64_t audited;       /* sequence of the last event that the audit has */
    struct era era;
    struct two_clocks written; /* when the segment was begun, by the core's time; 0: not known */
};

/* Reading: journals from before there were eras end behind `audited`. */
void boot_archive(struct archive *archive, struct boot *boot);

/* Where either is not known, what runs is looked at: start times tell strangers, too. */
bool boot_is_another(const struct boot *boot, const char *id);

/* The core has lived through the past by the clock of then: the era in which it continues by
 * ours. */
struct era boot_resume(const struct boot *boot, const char *id, const struct core *core,
                       const struct two_clocks *present);

/* The machine's two clocks now. */
struct two_clocks boot_clocks(void);
