/*
 * Is it told, and is it true? Each event of the core is compared with what the reference model says
 * has happened (reference/told.h): one that did not come is as wrong as one that came, came twice,
 * or says something else. Their order within an input is not compared.
 */
#pragma once

struct event;
struct world;

/* The world's reference model writes its list where this can read it. */
void told_open(struct world *world);
void told_begin(struct world *world); /* an input */
void told_event(struct world *world, const struct event *event);
void told_end(struct world *world);
