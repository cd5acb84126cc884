/*
 * Extent: what the newest segment has by now, for a reader beside the loop: so many
 * bytes of its file, and then those that are late, a copy of them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct journal_extent {
    uint64_t number; /* 0: of whichever is the newest; all that its file has */
    uint64_t size;   /* of the file; 0: it may not have its name yet */
    uint8_t *late;   /* to be freed */
    size_t late_size;
};
