/*
 * Commands of proctor-sim: each takes its own arguments (argv[0] is its name) and returns the exit
 * status: 0, 1 where a check failed or something was found, 2 for a mistake of the caller's.
 */
#pragma once

#include "runs/run.h"

#define EXIT_FOUND 1
#define EXIT_USAGE 2

struct command_entry {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *summary, *help;
};

/* Each in the file of its name. */
extern const struct command_entry command_run, command_test, command_campaign, command_explore,
    command_replay, command_shrink, command_timeline, command_mutants, command_bench,
    command_daemon;

/* Prints the usage of a command to stderr with what is wrong; returns EXIT_USAGE. */
int commands_refuse(const struct command_entry *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads "60s" or "5m" as seconds. Returns 0 or a negative errno. */
int commands_seconds(const char *text, double *seconds);

bool commands_read_number(const char *text, uint64_t *number);

/* Of a run, with its hash. */
void commands_print_verdict(const struct result *result);

/* How to run it again. */
void commands_print_repeat(const char *name, const struct run *run, const uint32_t *choices,
                           size_t count);

/* Gives back what the run lived in. */
void commands_close_run(struct run *run);

/* For an observer: a line for each thing that happens. */
void commands_print_record(void *userdata, const struct record *record);
