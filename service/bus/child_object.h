/*
 * org.proctor1.Child: one table says what a property is called, its type and how it is read. The
 * vtable, CurrentState and the change signals are all made from it, so that they cannot disagree.
 * One fallback vtable serves all children.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

struct child;
struct service;

/* Made from the table of properties, since sd-bus wants one array. */
const sd_bus_vtable *child_vtable(void);
/* Registers the interface with a new connection. */
void child_object_serve(struct service *service);
bool child_has_failed(const struct child *child); /* as NFailed counts it */
int child_append_properties(struct service *service, sd_bus_message *m, struct child *child);
/* Of a child that is announced now; of one that has changed; of one of which nothing is known. */
void child_show_from_now(struct service *service, struct child *child);
/* Announces what differs from what was last shown, and nothing if nothing does.
 */
void child_show_changes(struct service *service, struct child *child);
/* Those that are shown as moments of the wall clock, which was set. */
void child_show_deadlines(struct service *service, struct child *child);
/* Announces every property: what was shown last is not known here. */
void child_show_all(struct service *service, struct child *child);
/* The record of the child goes, and what was last shown of it. */
void child_forget_shown(struct service *service, struct child *child);
