/*
 * Crowd: processes that were found one by one, to be signalled together.
 *
 * Each is remembered by its number and the moment of its start, as a handle for each of a thousand
 * would be more descriptors than there are. It is signalled by a handle that is taken then, and
 * only where both still agree.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CROWD_MAX 10000 /* processes; those beyond are met at the next look */

struct crowd_member {
    pid_t pid;
    uint64_t started_ticks;
};

struct crowd {
    struct crowd_member *members;
    size_t n, room;
    size_t waited; /* of them: those that an attempt waits for */
    size_t unseen; /* that could not be looked at just now */
};

void crowd_add(struct crowd *crowd, pid_t pid);
/* Its children, and theirs. */
void crowd_add_below(struct crowd *crowd, pid_t pid);

/* To all but the members of that process group, which have had it; 0: to all. */
void crowd_signal(const struct crowd *crowd, int signal, pid_t except_group);
void crowd_free(struct crowd *crowd);
