/*
 * Limits of resources in checkpoints and records. Each is optional, and absent
 * means that the kernel's or proctord's own value stays.
 */
#include "core/model/resource.h"

#include "core/model/archive.h"
#include "core/model/process_spec.h"
#include "core/vocabulary/invariant.h"

_Static_assert(UNENFORCED_IO_WEIGHT == 1 << (RESOURCE_LIMITS - 1), "each has a name");

const char *resource_name(size_t i)
{
    static const char *const names[RESOURCE_LIMITS] = {"memory",      "pids",    "cpu_weight",
                                                       "memory_high", "cpu_max", "io_weight"};

    INVARIANT(i < RESOURCE_LIMITS);
    return names[i];
}

bool resource_is_given(const struct process_spec *spec)
{
    INVARIANT(spec);
    return spec->memory_high > 0 || spec->cpu_max_usec > 0 || spec->io_weight > 0 || spec->affinity;
}

/* All or none: a table with an entry for each limit, of which most are not
 * set. */
void resource_archive_limits(struct archive *a, struct process_spec *spec)
{
    size_t count = spec->limits ? PROCESS_LIMITS : 0;

    INVARIANT(archive_is_sound(a));
    archive_count(a, &count, PROCESS_LIMITS);
    if (a->reading)
        spec->limits = count > 0 ? a->allocate(a, PROCESS_LIMITS * sizeof(*spec->limits)) : NULL;
    struct process_limit *limits = (struct process_limit *)(uintptr_t)spec->limits;
    if (count > 0 && !limits)
        a->failed = true;
    for (size_t i = 0; !a->failed && i < count; i++) {
        ARCHIVE(a, limits[i].set);
        ARCHIVE(a, limits[i].soft);
        ARCHIVE(a, limits[i].hard);
    }
}

void resource_archive_whole(struct archive *a, struct process_spec *spec)
{
    INVARIANT(archive_is_sound(a));
    ARCHIVE(a, spec->memory_max);
    ARCHIVE(a, spec->pids_max);
    ARCHIVE(a, spec->cpu_weight);
}

void resource_archive_more(struct archive *a, struct process_spec *spec)
{
    INVARIANT(archive_is_sound(a));
    ARCHIVE(a, spec->memory_high);
    ARCHIVE(a, spec->cpu_max_usec);
    ARCHIVE(a, spec->io_weight);
}

/* A bitmap of processors. The count is either none or all words; anything else
 * is damage. */
void resource_archive_affinity(struct archive *a, struct process_spec *spec)
{
    size_t count = spec->affinity ? AFFINITY_WORDS : 0;

    INVARIANT(archive_is_sound(a));
    archive_count(a, &count, AFFINITY_WORDS);
    if (count != 0 && count != AFFINITY_WORDS)
        a->failed = true;
    if (a->reading)
        spec->affinity =
            a->failed || count == 0 ? NULL : a->allocate(a, count * sizeof(*spec->affinity));
    uint64_t *words = (uint64_t *)(uintptr_t)spec->affinity;
    if (count > 0 && !words)
        a->failed = true;
    for (size_t i = 0; !a->failed && i < count; i++) {
        uint64_t word = words[i];
        ARCHIVE(a, word);
        if (a->reading) /* what is written may be a constant */
            words[i] = word;
    }
}
