/*
 * Census: which attempt each process is of that has lost its parent, if no cgroup says so.
 *
 * An attempt is over when none of its processes is there. Without cgroups these are looked for one
 * by one, and they fork, execute and exit while that lasts. That none has escaped follows from
 * this:
 *
 * 1. proctord is a subreaper. The parent of a process is of the same attempt, or is proctord: as
 *    soon as one ends, and before it is a zombie, its children are handed to us. So if the main
 *    process has been reaped and a process of the attempt is there, one of our own children is of
 *    the attempt, too, and has not ended.
 * 2. The kernel's list of our children is whole at the moment at which its end is read. Only we
 * take any away, by reaping it: in between no number changes hands.
 * 3. Which attempt a process is of never changes. It is asked once, and the answer is kept until
 *    it is reaped. One that cannot be asked just now (claim.h) counts for every attempt.
 * 4. One that has ended before it was asked may have left children to us after the list was read.
 *    Then the list is read again, until all that are in it have been asked, or had ended before it
 *    was read. What is not found in such a count was not there at its moment, and will never be.
 *
 * So a count says for all attempts at once whether they are over, if it began after their main
 * processes had ended. Moments are compared by a clock of their own, which each count advances.
 *
 * What a proctord that has died left behind has come to another process (PID 1), which reaps it.
 * There all processes are listed. A number is that of the same process as long as the moment of its
 * start is the same; and a process that comes while a list is read has a higher number than the one
 * that forked it, so that it is met later in the same list, unless the numbers begin again at the
 * lowest: then the list is read again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct census;
struct crowd;
struct host;
struct process;
struct tree;

int census_new(struct census **census); /* 0 or -ENOMEM */
void census_free(struct census *census);

/* The present moment: a count that begins from now on is after it. */
uint64_t census_moment(const struct census *census);
/* A moment that the last count is after, if that was just now in proportion to what it took: to
 * look takes a small share of the time. Else the present one. */
uint64_t census_lately(const struct census *census);

/* Adds those of the tree to the crowd, with all below them, as of a count after that moment.
 * A process of a tree that is being killed has SIGKILL as soon as it is met. group: the number of a
 * process group whose members are of the tree; 0: none. */
void census_gather(struct host *host, const struct tree *tree, pid_t group, uint64_t since,
                   struct crowd *crowd);

/* The same among all processes, of those in the group alone: wherever they are. */
void census_gather_group(const struct host *host, pid_t group, struct crowd *crowd);

/* Whether that child of ours, of which a tree was found to consist, is still there. */
bool census_has(const struct census *census, pid_t pid);

/* A child of ours is about to be reaped, or just was: its number can become another's. */
void census_forget(struct census *census, pid_t pid);
