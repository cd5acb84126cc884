/*
 * Events: one stream, gap-free from 1, that feeds all: signals, journal, metrics, audit, the
 * simulator's checks.
 *
 * An event and everything it points to is valid only while the sink handles it; a sink that wants
 * to keep it copies it.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;
struct child;

enum event_field_type { FIELD_TEXT = 0, FIELD_NUMBER = 1, FIELD_SIGNED = 2, FIELD_FLAG = 3 };

struct event_field {
    const char *key;
    enum event_field_type type;
    union {
        const char *text;
        uint64_t number;
        int64_t sign;
        bool flag;
    };
};

struct event {
    uint64_t sequence;
    uint64_t realtime_usec;
    uint64_t monotonic_usec;
    enum event_kind kind;
    struct child *child; /* NULL for events of the tree */
    uint64_t generation; /* with attempt: of the attempt that it is about */
    uint64_t attempt;    /* 0: none */
    uint64_t cause;      /* id of the command behind it; 0: none */
    const struct event_field *fields;
    size_t n_fields;
};

/* What every sink may rely on. */
static inline bool event_is_sound(const struct event *event)
{
    return event && event->sequence > 0 && (size_t)event->kind < EVENT_KINDS &&
           (event->n_fields == 0 || event->fields);
}

#define FIELD_TEXT_OF(name, value)                                                                 \
    {                                                                                              \
        .key = name, .type = FIELD_TEXT, .text = value                                             \
    }
#define FIELD_NUMBER_OF(name, value)                                                               \
    {                                                                                              \
        .key = name, .type = FIELD_NUMBER, .number = value                                         \
    }
#define FIELD_SIGNED_OF(name, value)                                                               \
    {                                                                                              \
        .key = name, .type = FIELD_SIGNED, .sign = value                                           \
    }
#define FIELD_FLAG_OF(name, value)                                                                 \
    {                                                                                              \
        .key = name, .type = FIELD_FLAG, .flag = value                                             \
    }
