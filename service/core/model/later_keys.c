#include "core/model/later_keys.h"

#include "core/model/archive.h"
#include "core/model/commands.h"
#include "core/model/process_spec.h"
#include "core/model/resource.h"
#include "core/model/sandbox.h"

_Static_assert(FD_STORE_MAX < 1 << 8, "later_keys_archive() has it in the bits from 16 to 23");

void later_keys_archive_directories(struct archive *a, struct directory_list *list)
{
    size_t count = 0;

    archive_strings(a, &list->names);
    ARCHIVE(a, list->mode);
    while (!a->failed && list->names && list->names[count])
        count++;
    if (!a->failed && (count > DIRECTORIES_MAX || list->mode > 0777))
        a->failed = true;
    if (a->reading && a->failed)
        *list = (struct directory_list){.mode = DIRECTORY_MODE};
}

static bool has_directories(const struct process_spec *spec)
{
    for (size_t i = 0; i < DIRECTORY_KINDS; i++)
        if (spec->directories[i].names || spec->directories[i].mode != DIRECTORY_MODE)
            return true;
    return false;
}

#define HAS_BEFORE      (UINT64_C(1) << 24)
#define HAS_DIRECTORIES (UINT64_C(1) << 25)
#define HAS_RESOURCES   (UINT64_C(1) << 26)
#define HAS_COMMANDS    (UINT64_C(1) << 32)
#define HAS_SANDBOX     (UINT64_C(1) << 33)
#define HAS_AFTER_START (UINT64_C(1) << 34)
#define KNOWN_KEYS                                                                                 \
    (HAS_RESOURCES | (HAS_RESOURCES - 1) | HAS_COMMANDS | HAS_SANDBOX | HAS_AFTER_START)

/* The bits of the later keys, packed behind the one for `nice`. The order is
 * fixed for good: a bit that has been written once never gets another
 * meaning. */
static uint64_t later_keys_of(const struct process_spec *spec)
{
    uint64_t score = (uint64_t)(spec->oom_score_adj - OOM_SCORE_ADJ_MIN);

    return (uint64_t)spec->nice_set | (uint64_t)spec->ignore_sigpipe << 1 |
           (uint64_t)spec->oom_score_adj_set << 2 | (spec->oom_score_adj_set ? score << 3 : 0) |
           (uint64_t)spec->fd_store_max << 16 | (spec->before.count > 0 ? HAS_BEFORE : 0) |
           (has_directories(spec) ? HAS_DIRECTORIES : 0) |
           (resource_is_given(spec) ? HAS_RESOURCES : 0) |
           (commands_follow_a_start(spec) ? HAS_COMMANDS : 0) | (spec->sandbox ? HAS_SANDBOX : 0) |
           (spec->after_start.count > 0 ? HAS_AFTER_START : 0);
}

void later_keys_archive(struct archive *a, struct process_spec *spec)
{
    uint64_t bits = later_keys_of(spec);

    ARCHIVE(a, bits);
    uint64_t score = bits >> 3 & 0x1FFF, stored = bits >> 16 & 0xFF;
    if (bits & ~KNOWN_KEYS || stored > FD_STORE_MAX ||
        score > (uint64_t)(OOM_SCORE_ADJ_MAX - OOM_SCORE_ADJ_MIN))
        a->failed = true;
    if (!a->failed && bits & HAS_BEFORE)
        commands_archive(a, &spec->before);
    for (size_t i = 0; i < DIRECTORY_KINDS; i++)
        if (!a->failed && bits & HAS_DIRECTORIES)
            later_keys_archive_directories(a, &spec->directories[i]);
        else if (a->reading)
            spec->directories[i].mode = DIRECTORY_MODE;
    if (!a->failed && bits & HAS_RESOURCES) {
        resource_archive_more(a, spec);
        resource_archive_affinity(a, spec);
    }
    if (!a->failed && bits & HAS_COMMANDS) {
        commands_archive(a, &spec->reload);
        commands_archive(a, &spec->stop);
        commands_archive(a, &spec->after_stop);
    }
    if (!a->failed && bits & HAS_SANDBOX)
        sandbox_archive(a, &spec->sandbox);
    if (!a->failed && bits & HAS_AFTER_START)
        commands_archive(a, &spec->after_start);
    if (!a->reading || a->failed)
        return;
    spec->fd_store_max = (uint32_t)stored;
    spec->nice_set = bits & 1;
    spec->ignore_sigpipe = bits & 2;
    spec->oom_score_adj_set = bits & 4;
    spec->oom_score_adj = spec->oom_score_adj_set ? (int)score + OOM_SCORE_ADJ_MIN : 0;
}
