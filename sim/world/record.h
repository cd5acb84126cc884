/*
 * Record: one thing that happened in a simulated run, in the order in which it happened: an input
 * that went into the core, a call that came out of it, an event, an outcome, a fault that struck.
 * Traces, timelines and the step-by-step replay are made of records and of nothing else.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind {
    RECORD_INPUT,   /* into the core */
    RECORD_CALL,    /* out of the core: start, cancel, abort, kill, forget */
    RECORD_EVENT,   /* the core's event */
    RECORD_OUTCOME, /* of a command */
    RECORD_PROCESS, /* in the world: a process was born, or is gone */
    RECORD_FAULT,   /* in the world: something was lost, doubled, delayed */
    RECORD_VERDICT, /* a check failed */
};

struct record {
    enum record_kind kind;
    uint64_t input;     /* the number of the input, from 1 */
    uint64_t time_nsec; /* virtual, from the start of the run */
    const char *what;   /* a word: "completed", "cancel", "child-ready" */
    enum event_kind event;
    const char *child; /* "" for the tree */
    bool has_attempt;
    uint64_t generation;
    uint64_t attempt;
    uint64_t cause;
    const char *text; /* the rest, for people */
};

#define RECORD_EVENT_TEXT 240

/* The fields of an event, and what a message of a child says, for people; cut. */
struct event;
struct notify_message;
void record_event_text(const struct event *event, char text[RECORD_EVENT_TEXT]);
void record_message_text(const struct notify_message *message, char text[RECORD_EVENT_TEXT]);

/* One line without its end, cut at size. Returns its length. */
int record_format(const struct record *record, char *line, size_t size);
