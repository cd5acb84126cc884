/*
 * Reexecute: the method of that name. The program on disk is looked at first, beside the loop; the
 * call waits for that, and then for the program that comes, which answers it.
 */
#pragma once

#include <systemd/sd-bus.h>

struct reexecutions;
struct service;

int method_reexecute(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* Before the program is replaced: calls whose turn has not come join those that wait for it. */
void reexecutions_join(struct service *service);
void reexecutions_free(struct service *service);
