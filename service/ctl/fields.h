/*
 * Fields: the a{sv} of an event or of an object, read at once. Texts are the message's.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

#define FIELDS_MAX 64

struct field {
    const char *key;
    const char *text; /* NULL: */
    int64_t number;   /* also of a boolean; 0 of what is neither text nor number */
};

struct fields {
    struct field list[FIELDS_MAX];
    size_t count;
};

/* The message stands before a dictionary. */
int fields_read(sd_bus_message *m, struct fields *fields);

/* length: of the key. NULL where there is none. */
const struct field *fields_find(const struct fields *fields, const char *key, size_t length);
const char *fields_text(const struct fields *fields, const char *key); /* "" where there is none */
int64_t fields_number(const struct fields *fields, const char *key);   /* 0 where there is none */
