/*
 * Metrics in OpenMetrics' text. Child ids are labels only where the operator has asked for it: a
 * scrape of ten thousand children is for a few users only. It is written line by line, so that no
 * caller has to wait for all of them: over the bus in slices (bulk.h), to the socket in slices,
 * too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

struct metrics;
struct service;

/* Returns 0 or -ENOMEM. children: with lines of each child. */
int metrics_begin(const struct service *service, bool children, struct metrics **metrics);

/* Writes some lines more. Returns 1, 0 when all is written, or -ENOMEM. */
int metrics_step(const struct service *service, struct metrics *metrics);

/* The text, once all is written; the caller frees it. */
char *metrics_take(struct metrics *metrics, size_t *size);

void metrics_free(struct metrics *metrics);

/* GetMetrics: the same text that the address of the metrics gives. */
int method_get_metrics(sd_bus_message *m, void *userdata, sd_bus_error *error);
