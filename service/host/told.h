/*
 * Told: the processes of a tree that have had the signal of a stage of its stop, so that each has
 * it once. Each process that was there when the stage was reached is remembered by number and
 * start.
 *
 * A process that came later, and whose parent has left it, has no parent that would end it: it is
 * told when the tree is examined (tree.h). One whose parent is of the tree is its parent's to look
 * after: it may be what a handler of the signal waits for.
 *
 * After a death of proctord only the moment is known: one that was started later has not been told.
 * What was started in the same instant counts as told: it may be told too little, but never twice.
 */
#pragma once

#include "core/model/archive.h"
#include "host/crowd.h"

struct told {
    int signal; /* 0: none has been sent */
    uint64_t ticks;
    struct crowd who; /* settled */
    bool by_moment;   /* those that are not known */
};

/* The members of the crowd have had the signal: they are taken over. */
void told_begin(struct told *told, int signal, struct crowd *crowd);
/* Every process that was there at that moment has, as far as is known. */
void told_assume(struct told *told, int signal, uint64_t ticks);

bool told_has(const struct told *told, const struct crowd_member *member);
/* These have, too. */
void told_add(struct told *told, const struct crowd *more);

void told_forget(struct told *told);
void told_archive(struct archive *archive, struct told *told);
