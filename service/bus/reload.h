/*
 * Reload: the method of that name. The manifests are read beside the loop; the call waits for that,
 * and what it asks for is done when they are there.
 */
#pragma once

#include <systemd/sd-bus.h>

struct service;

/* Reload: the answer comes when the manifests are read and applied. */
int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* Before the program is replaced: calls whose manifests are not there yet are refused. */
void reloads_refuse(struct service *service);
void reloads_free(struct service *service);
