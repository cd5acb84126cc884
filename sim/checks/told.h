/*
 * Is it reported, and is it true? Each event of the core is compared with what the reference model
 * says has happened (reference/told.h), and each call of the executor with what it says is to be
 * done: one that did not come is as wrong as one that came, came twice, came in another order, or
 * says something else.
 */
#pragma once

#include "reference/told.h"

#include "core/report.h"

struct actor;
struct event;
struct world;

/* The world's reference model writes its list where this can read it. */
void told_open(struct world *world);
void told_begin(struct world *world); /* an input */
void told_event(struct world *world, const struct event *event);
void told_call(struct world *world, const struct actor *actor, enum ref_call_kind kind,
               struct attempt_id id, int64_t number, bool whole);
void told_end(struct world *world);
