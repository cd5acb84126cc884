/*
 * The end of watching: an attempt that is asked to go, or has gone, is neither expected to beat nor
 * to become ready nor to answer a health check, and its reload ends with it. How it is watched
 * until then is explained in liveness.h and health.h.
 */
#pragma once

struct child;
struct core;

void health_ask_no_more(struct core *core, struct child *child);

/* It has been asked to go, or has gone. */
void health_end(struct core *core, struct child *child);

/* Nothing waits for the open answer any more. */
void health_withdraw(struct core *core, struct child *child);

/* It is on its way out, or has gone: nothing is expected of it any more but its end. */
void liveness_stop_watching(struct core *core, struct child *child);
void liveness_end(struct core *core, struct child *child);
