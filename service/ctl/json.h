/*
 * JSON: any value of a D-Bus message, written as it is read. Keys become snake_case, so that
 * RestartLimit is restart_limit and LastHeartbeatUSec is last_heartbeat_usec. And the parts of
 * which a document is made by hand.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

struct json {
    FILE *out;
    bool pretty;
    int depth;
    bool begun; /* something stands in the innermost object or list */
};

/* Writes the next value of the message. absent: keys (NULL-terminated, as on the bus) that the
 * dictionary at the top must have; null is written for those without a value. */
int json_value(struct json *json, sd_bus_message *m, const char *const *absent);

/* '{' or '[', and its end. Between them, before each value, json_key() or json_item(). */
void json_open(struct json *json, char bracket);
/* Ends what json_open() began; bracket: the closing one. */
void json_close(struct json *json, char bracket);
void json_key(struct json *json, const char *key); /* written in snake_case */
void json_item(struct json *json);

/* A value. What is not UTF-8 becomes U+FFFD; what acts on a terminal is escaped. */
void json_text(FILE *out, const char *text);
void json_bytes(FILE *out, const char *text, size_t size); /* the same; may hold zeros */
void json_number(FILE *out, uint64_t number);
/* true or false. */
void json_flag(FILE *out, bool flag);
