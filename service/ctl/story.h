/*
 * Story: an event as a sentence, for people. What matters only to a program has none.
 */
#pragma once

#include "ctl/fields.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct story {
    const char *kind;
    struct fields fields;
};

/* Reads the a{sv} of an event, which the message stands before. */
int story_read(sd_bus_message *m, const char *kind, struct story *story);

/* Whether there is something to tell. named: the caller has asked for this very kind. */
bool story_is_told(const struct story *story, bool named);

/* Writes the sentence, without a newline. */
void story_write(FILE *out, const struct story *story);

/* "1.5 s", "250 ms", "3 min": as people say it. */
void story_duration(FILE *out, uint64_t usec);
