/*
 * Fields: the a{sv} of an event or of an object, read at once. Texts are the message's.
 */
#pragma once

#include "ctl/json.h"

#include <stdint.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#define FIELDS_MAX 64

struct field {
    const char *key;
    const char *text; /* NULL: */
    int64_t number;   /* also of a boolean; 0 of what is neither text nor number */
    char type;        /* as on the bus; 0: neither */
};

struct fields {
    struct field list[FIELDS_MAX];
    size_t count;
};

/* Writes its value: a text in quotes, a number, true or false. */
void field_write(FILE *out, const struct field *field);

/* All of them, as an object. */
void fields_write_json(struct json *json, const struct fields *fields);

/* The message stands before a dictionary. */
int fields_read(sd_bus_message *m, struct fields *fields);

/* length: of the key. NULL where there is none. */
const struct field *fields_find(const struct fields *fields, const char *key, size_t length);
const char *fields_text(const struct fields *fields, const char *key); /* "" where there is none */
int64_t fields_number(const struct fields *fields, const char *key);   /* 0 where there is none */
