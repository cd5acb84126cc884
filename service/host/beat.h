/*
 * Beat: what a child says again and again without anything being new in it.
 *
 * Each message is an input of the core, and so a frame in the journal. A child that beats a
 * thousand times a second would fill the disk with it. Beats that follow each other within a moment
 * count as two at most: the first at once, and for all others one at the moment's end. A moment is
 * an eighth of `stale_after`, a second at most. Thus a silence is never seen too early, and at most
 * a moment too late, and as much is what the next proctord may not know of the last beat. A beat
 * that ends a silence, or comes with something else, counts at once. A status that is the same
 * again says nothing.
 */
#pragma once

#include "core/core.h"

#include <systemd/sd-event.h>

struct process;

struct beat {
    uint64_t last_usec; /* when one counted */
    bool waits;         /* another one, for the end of this interval */
    sd_event_source *source;
};

/* Takes from a message what is not new, and sees to it that it counts in time. */
void beat_reduce(struct process *process, uint64_t now_usec, struct notify_message *message);

/* A new attempt, or the process goes away. */
void beat_forget(struct beat *beat);
