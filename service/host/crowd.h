/*
 * Crowd: processes that were found one by one, to be counted or signalled together.
 *
 * Each is remembered by its number and the moment of its start, as a handle for each of a thousand
 * would be more descriptors than there are. It is signalled by a handle that is taken then, and
 * only where both still agree. A process that has ended does not count, also while its parent does
 * not reap it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CROWD_MAX 10000 /* processes; those beyond are met at the next look */

struct crowd_member {
    pid_t pid, parent;
    bool waited; /* an attempt waits for it */
    uint64_t started_ticks;
};

struct crowd {
    struct crowd_member *members;
    size_t n, room;
    size_t unseen; /* that could not be looked at just now */
    size_t ended;  /* descendants that have: what they leave is to be found elsewhere */
};

/* pidfd: taken before the caller looked at what has that number. Where it has not ended now, it is
 * what was looked at. */
void crowd_add(struct crowd *crowd, pid_t pid, int pidfd, bool waited);
/* The same of one that was found before. */
void crowd_append(struct crowd *crowd, const struct crowd_member *member);
/* Its children, and theirs. */
void crowd_add_below(struct crowd *crowd, pid_t pid);

/* When all have been added: each is there once, by number; except is not. */
void crowd_settle(struct crowd *crowd, pid_t except);

/* Of one that is settled. */
const struct crowd_member *crowd_find(const struct crowd *crowd, pid_t pid);
size_t crowd_count_waited(const struct crowd *crowd);

void crowd_signal(const struct crowd *crowd, int signal);
void crowd_signal_member(const struct crowd_member *member, int signal);
void crowd_free(struct crowd *crowd);
