/*
 * org.proctor1.Supervisor: one object for each node of the supervision tree. One fallback vtable
 * serves all of them.
 */
#pragma once

#include <systemd/sd-bus.h>

struct service;
struct supervisor;

extern const sd_bus_vtable supervisor_vtable[];
void supervisor_object_serve(struct service *service);
void supervisor_show_changes(struct service *service, struct supervisor *supervisor);
void supervisor_forget_shown(struct service *service, struct supervisor *supervisor);
