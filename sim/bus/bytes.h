/*
 * Bytes: a buffer that grows at its end and is consumed at its beginning. The memory is the
 * broker's own model of a peer's memory, so running out of it ends the run.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data;
    size_t size, room;
};

/* Appends. There is always enough memory, or the program ends. */
void bytes_add(struct bytes *bytes, const void *data, size_t size);
void bytes_add_zeros(struct bytes *bytes, size_t count);
/* Removes count bytes at the beginning. */
void bytes_drop(struct bytes *bytes, size_t count);
void bytes_free(struct bytes *bytes);
