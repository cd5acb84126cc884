/*
 * Commands of proctor-sim: each takes its own arguments (argv[0] is its name) and returns the exit
 * status: 0, 1 where a check failed or something was found, 2 for a mistake of the caller's.
 */
#pragma once

#define EXIT_FOUND 1
#define EXIT_USAGE 2

struct command_entry {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *summary, *help;
};

int command_run(int argc, char **argv);
int command_test(int argc, char **argv);
int command_campaign(int argc, char **argv);
int command_explore(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_shrink(int argc, char **argv);
int command_timeline(int argc, char **argv);
int command_mutants(int argc, char **argv);
int command_bench(int argc, char **argv);

/* Prints the usage of a command to stderr with what is wrong; returns EXIT_USAGE. */
int commands_refuse(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads "60s" or "5m" as seconds, "3..99" as a range. Returns false where it is none. */
int commands_seconds(const char *text, double *seconds);
