/*
 * JSON from D-Bus: any value of a message, written as it is read. Keys become snake_case, so that
 * RestartLimit is restart_limit and LastHeartbeatUSec is last_heartbeat_usec.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

struct json {
    FILE *out;
    bool pretty;
    int depth;
};

/* Writes the next value of the message. absent: keys (NULL-terminated, as on the bus) that the
 * dictionary at the top must have; null is written for those without a value. */
int json_value(struct json *json, sd_bus_message *m, const char *const *absent);

void json_text(FILE *out, const char *text);
