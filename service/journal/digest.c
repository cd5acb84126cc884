/*
 * A state as one number, for the end of a trace: a replay can be compared with
 * it.
 */
#include "journal/digest.h"
#include "core/vocabulary/invariant.h"

#include "core/model/input_archive.h"
#include "journal/borrow.h"

#include <stdlib.h>

uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    if (digest == 0)
        digest = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ at[i]) * UINT64_C(0x100000001B3);
    return digest;
}

bool digest_core(struct core *core, const char *(*redact)(void *redactor, const char *secret),
                 void *redactor, uint64_t *digest)
{
    INVARIANT(core);
    struct archive archive = {.grow = archive_grow, .redact = redact, .redactor = redactor};
    bool good = core_archive(core, &archive) == 0;

    *digest = digest_bytes(0, archive.data, archive.used);
    free(archive.data);
    return good;
}
