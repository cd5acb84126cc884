/*
 * Trace: a run on paper. What it was a run of, its seed and schedule, what came of it, and the log
 * of everything that happened. The head is enough to repeat the run; the log is there to be read,
 * and to be compared byte for byte with what a repetition does.
 */
#pragma once

#include "runs/run.h"
#include "scenario/scenario.h"

struct trace {
    struct subject *scenario; /* NULL: a generated world */
    uint64_t seed;
    uint32_t *choices;
    size_t n_choices;
    uint64_t hash;
    char verdict[400];
    char *log; /* lines, each with its end */
};

/* The lines of a run's records, as they are made: an observer for struct run. */
struct log {
    char *text;
    size_t length, capacity;
};
void log_line(void *userdata, const struct record *record);

/* Repeats a run with its schedule and writes what came of it. Returns 0 or a negative errno. */
int trace_write(const char *path, const struct run *run, const uint32_t *choices, size_t count,
                struct result *result);

/* Says what is wrong on stderr, and returns NULL then. */
struct trace *trace_read(const char *path);
void trace_free(struct trace *trace);
