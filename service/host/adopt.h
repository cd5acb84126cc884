/*
 * Adopt: after the death of a proctord, its children continue to run. This finds them again.
 *
 * While a core lives through its past, the host only notes what it hears: which process belonged
 * to which attempt, and which of them were to be stopped. Then each attempt that the core holds for
 * active is looked for: by its PID, start time and a pidfd, never by the PID alone, or, where the
 * journal does not have it, among the processes of its cgroup, or those that carry its identity in
 * their environment. A process that is there is adopted; one that is not has ended, or was never
 * begun.
 */
#pragma once

#include "host/host.h"
#include "journal/journal.h"

/* From now on the core is in its past: nothing is started, stopped or timed. */
void adopt_begin(struct host *host);

/* What the journal tells; see journal_reader. userdata is the host. */
void adopt_note_process(void *userdata, const struct process_note *note);
void adopt_note_input(void *userdata, const struct core_input *input, bool last);

/* The core has arrived in the present: finds its attempts, and tells it of those that it cannot
 * have known of. strangers: the machine was restarted since, and the processes that have these PIDs
 * now are others. Counts in *recovery. */
void adopt_all(struct host *host, bool strangers, struct recovery *recovery);

/* Ends what a proctord has left of which nothing is known any more: nothing may run twice. */
void adopt_nobody(struct host *host);

/* For the beginning of a segment: userdata is the host. */
void adopt_write_notes(void *userdata, struct journal *journal);
