/*
 * Since: a moment as --since takes it, everywhere the same: how long ago ("10m", "1h 30m"), or a
 * time of the clock ("14:30", "2026-11-29", "2026-11-29 14:30:15", "today", "yesterday").
 */
#pragma once

#include <stdint.h>

/* Microseconds since 1970, local time. Returns 0 or -EINVAL. */
int since_read(const char *text, uint64_t *realtime_usec);

#define SINCE_EXPECTED "--since: expected how long ago, such as 10m, or a time such as 14:30"
