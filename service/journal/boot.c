/*
 * Which boot a journal was written in, and the clocks at that time.
 */
#include "journal/boot.h"
#include "core/vocabulary/invariant.h"

#include "core/vocabulary/moment.h"

#include <string.h>
#include <time.h>

void boot_archive(struct archive *archive, struct boot *boot)
{
    INVARIANT(archive_is_sound(archive));
    archive_bytes(archive, boot->id, BOOT_SIZE);
    ARCHIVE(archive, boot->audited);
    if (archive->reading && archive->used == archive->size)
        return;
    ARCHIVE(archive, boot->era.origin_usec);
    archive_stamp(archive, &boot->written.monotonic_usec);
    ARCHIVE(archive, boot->written.realtime_usec);
}

bool boot_is_another(const struct boot *boot, const char *id)
{
    return boot->id[0] && id[0] && strcmp(boot->id, id) != 0;
}

/* The last moment that is known: that of the last input, or of the writing. */
struct era boot_resume(const struct boot *boot, const char *id, const struct core *core,
                       const struct two_clocks *present)
{
    struct era era = boot->era;
    struct two_clocks last;

    INVARIANT(core && present);
    core_last(core, &last);
    if (last.realtime_usec == 0) /* there was no input */
        last.realtime_usec = boot->written.realtime_usec;
    last.monotonic_usec = moment_later(last.monotonic_usec, boot->written.monotonic_usec);
    era_resume(&era, !boot_is_another(boot, id), &last, present);
    return era;
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

struct two_clocks boot_clocks(void)
{
    return (struct two_clocks){read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_REALTIME)};
}
