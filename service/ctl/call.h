/*
 * Call: how proctorctl calls proctord. Every call goes through here, because none of them may start
 * anything: a bus can be told to start the owner of a name when it is called, and a tree that was
 * shut down by command stays down, even if it is looked at.
 *
 * As sd_bus_call_method(3), sd_bus_get_property(3) and their kin, without the destination.
 */
#pragma once

#include "ctl/client.h"

/* Starts one, to be sent with sd_bus_call(3). */
int call_new(struct client *client, const char *path, const char *interface, const char *method,
             sd_bus_message **call);

int call_method(struct client *client, const char *path, const char *interface, const char *method,
                sd_bus_error *error, sd_bus_message **reply, const char *types, ...);

/* The reply stands at the value. */
int call_property(struct client *client, const char *path, const char *interface, const char *name,
                  sd_bus_error *error, sd_bus_message **reply, const char *type);

/* The caller frees the value. */
int call_string(struct client *client, const char *path, const char *interface, const char *name,
                char **value);

/* A value of a fixed size. */
int call_basic(struct client *client, const char *path, const char *interface, const char *name,
               char type, void *value);
