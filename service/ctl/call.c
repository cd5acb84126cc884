/*
 * D-Bus calls of proctorctl: a method, a property, a property as a string. All
 * of them go through call_new(), which lets polkit ask for a password on a
 * terminal.
 */
#include "ctl/call.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message

int call_new(struct client *client, const char *path, const char *interface, const char *method,
             sd_bus_message **call)
{
    int r = sd_bus_message_new_method_call(client->bus, call, NAME, path, interface, method);
    return r < 0 ? r : sd_bus_message_set_auto_start(*call, false);
}

/* The reply belongs to the caller. The time limit is that of the connection;
 * calls that wait have one of their own. */
int call_method(struct client *client, const char *path, const char *interface, const char *method,
                sd_bus_error *error, sd_bus_message **reply, const char *types, ...)
{
    CLEANUP_MESSAGE *call = NULL;
    va_list values;
    int r = call_new(client, path, interface, method, &call);

    va_start(values, types);
    if (r >= 0 && types)
        r = sd_bus_message_appendv(call, types, values);
    va_end(values);
    return r < 0 ? r : sd_bus_call(client->bus, call, 0, error, reply);
}

int call_property(struct client *client, const char *path, const char *interface, const char *name,
                  sd_bus_error *error, sd_bus_message **reply, const char *type)
{
    int r = call_method(client, path, "org.freedesktop.DBus.Properties", "Get", error, reply, "ss",
                        interface, name);
    return r < 0 ? r : sd_bus_message_enter_container(*reply, 'v', type);
}

/* A copy, as the reply is freed here. */
int call_string(struct client *client, const char *path, const char *interface, const char *name,
                char **value)
{
    CLEANUP_MESSAGE *reply = NULL;
    const char *text;
    int r = call_property(client, path, interface, name, NULL, &reply, "s");

    if (r >= 0)
        r = sd_bus_message_read(reply, "s", &text);
    if (r < 0)
        return r;
    *value = strdup(text);
    return *value ? 0 : -ENOMEM;
}

int call_basic(struct client *client, const char *path, const char *interface, const char *name,
               char type, void *value)
{
    CLEANUP_MESSAGE *reply = NULL;
    const char signature[] = {type, '\0'};
    int r = call_property(client, path, interface, name, NULL, &reply, signature);

    return r < 0 ? r : sd_bus_message_read_basic(reply, type, value);
}
