/*
 * Metrics serving: where proctord serves its metrics, by what its command line says and what it was
 * handed over.
 */
#pragma once

struct daemon;

/* Returns 0, or a negative errno when it has been said what is wrong. */
int metrics_serving_begin(struct daemon *daemon);
void metrics_serving_end(struct daemon *daemon);
