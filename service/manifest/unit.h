/*
 * Units: how manifests write durations, sizes, signals and capabilities. Each returns 0 or
 * -EINVAL; *value is only written on success.
 */
#pragma once

#include <stdint.h>

/* "100ms", "5m", "1h 30m"; a bare number counts seconds. At most 10 years. */
int unit_duration(const char *text, uint64_t *usec);

/* "10M", "64K", "2G" (powers of 1024), or bytes. */
int unit_size(const char *text, uint64_t *bytes);

/* A whole number from 0 to max. */
int unit_number(const char *text, uint64_t max, uint64_t *number);

/* A decimal number with up to three digits behind the point, in thousandths. */
int unit_milli(const char *text, uint64_t max_milli, uint64_t *milli);

/* "SIGTERM", "TERM" or "15". */
int unit_signal(const char *text, int *signal);

/* "CAP_NET_BIND_SERVICE" or "net_bind_service". */
int unit_capability(const char *text, int *capability);

/* "nofile", "core", ...: the number of RLIMIT_*. */
int unit_limit(const char *text, int *limit);
