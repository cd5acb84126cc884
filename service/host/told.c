/*
 * Which processes have been sent the stop signal already: a leftover gets it
 * once, not again when it is met the next time.
 */
#include "host/told.h"

#include "core/vocabulary/invariant.h"
#include "system/proc_stat.h"

#include <stdlib.h>

void told_forget(struct told *told)
{
    crowd_free(&told->who);
    *told = (struct told){};
}

void told_begin(struct told *told, int signal, struct crowd *crowd)
{
    told_forget(told);
    *told = (struct told){.signal = signal, .ticks = proc_stat_ticks_now(), .who = *crowd};
    *crowd = (struct crowd){};
}

void told_assume(struct told *told, int signal, uint64_t ticks)
{
    told_forget(told);
    *told = (struct told){.signal = signal, .ticks = ticks, .by_moment = true};
}

bool told_has(const struct told *told, const struct crowd_member *member)
{
    const struct crowd_member *same = crowd_find(&told->who, member->pid);

    if (same && same->started_ticks == member->started_ticks)
        return true;
    return told->by_moment && member->started_ticks <= told->ticks;
}

void told_add(struct told *told, const struct crowd *more)
{
    for (size_t i = 0; i < more->n; i++)
        crowd_append(&told->who, &more->members[i]);
    if (more->n > 0)
        crowd_settle(&told->who, 0);
}

/* For an upgrade: the signal is not sent a second time by the next program. */
void told_archive(struct archive *archive, struct told *told)
{
    size_t n = told->who.n;

    INVARIANT(archive_is_sound(archive));
    ARCHIVE(archive, told->signal);
    ARCHIVE(archive, told->ticks);
    ARCHIVE(archive, told->by_moment);
    archive_count(archive, &n, CROWD_MAX);
    for (size_t i = 0; i < n && !archive->failed; i++) {
        struct crowd_member member =
            archive->reading ? (struct crowd_member){} : told->who.members[i];
        ARCHIVE(archive, member.pid);
        ARCHIVE(archive, member.started_ticks);
        if (archive->reading)
            crowd_append(&told->who, &member);
    }
}
