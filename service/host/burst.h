/*
 * Burst: a storm of ends and starts is handled before everything else, so that what the core knows
 * is as new as can be; but callers that ask meanwhile are to be answered meanwhile.
 */
#pragma once

struct host;

/* An end has been handled: now and then others are answered. */
void host_breathe(struct host *host);
void host_answer_now(struct host *host);
