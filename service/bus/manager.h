/*
 * org.proctor1.Manager.
 */
#pragma once

#include <systemd/sd-bus.h>

struct service;

extern const sd_bus_vtable manager_vtable[];
void manager_show_changes(struct service *service);
