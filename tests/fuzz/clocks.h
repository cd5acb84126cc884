/*
 * Clocks: times as no clock should give them. They go back, stand still, jump to where numbers end,
 * and start again with another boot.
 */
#pragma once

#include "journal/boot.h"
#include "core/model/random.h"

#include <stddef.h>

/* A time, by one that was before. */
uint64_t clocks_draw(struct random *random, uint64_t before_usec);

/* A copy of a segment with whole frames, in which each input has such times, and with a boot at its
 * beginning that is this one, another one, or not known. The caller frees it. */
uint8_t *clocks_scatter(struct random *random, const uint8_t *data, size_t size,
                        size_t *scattered_size);
