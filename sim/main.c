/*
 * proctor-sim: the daemon's own core under a virtual clock and a virtual executor.
 */
#include "commands/commands.h"
#include "unit.h"

#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command_entry commands[] = {
    {"run", command_run,
     "run SCENARIO|swarm [--seed N] [--schedule S] [--chooser C] [--trace FILE]",
     "one run: its verdict, its hash and, if it fails, how to repeat it",
     "  SCENARIO           a scenario file, or swarm for a generated world\n"
     "  --seed N           seed of the world and of the choices (default 0)\n"
     "  --chooser C        fifo (default for a scenario without --seed), random, or pct:DEPTH\n"
     "  --schedule S       the choices, as printed by a failure\n"
     "  --trace FILE       records everything that happened\n"
     "  --log              prints everything that happened\n"
     "  --twice            runs twice and compares the hashes\n"},
    {"test", command_test, "test DIR|SCENARIO... [--seeds N]",
     "every scenario in a directory, as a table; exit status 1 on any failure",
     "  --seeds N          N random orders of each, besides the default order (default 20)\n"
     "  --failed           prints failures only\n"},
    {"campaign", command_campaign, "campaign [--seeds A..B] [--time 60s] [--jobs N] [--shard I/N]",
     "generated worlds, seed after seed; the first failure is shrunk and stored",
     "  --seeds A..B       from seed A up to, but not including, B (default 0.., no end)\n"
     "  --time T           ends after this time (default 60s without a last seed)\n"
     "  --jobs N           processes (default: processors)\n"
     "  --shard I/N        every Nth chunk of seeds, starting at I (from 0), for batch systems\n"
     "  --checkpoint FILE  continues from FILE, and records the progress there\n"
     "  --store DIR        directory for the trace of the first failure (default .)\n"
     "  --keep-going       counts failures instead of stopping at the first\n"
     "  --hashes           prints the hash of each seed (one process), to compare builds\n"
     "  campaign merge FILE...   adds up the checkpoints of shards\n"},
    {"explore", command_explore, "explore SCENARIO [--depth N] [--time T]",
     "every interleaving of the scenario's actions, up to a bound",
     "  --depth N          maximum number of steps (default: from the scenario)\n"
     "  --time T           stops after this time, with a message\n"
     "  --states N         stops after N states (default 60000000)\n"
     "  --path I,I,...     repeats one path and prints what happens\n"},
    {"replay", command_replay, "replay TRACE|JOURNAL [--until N] [--step] [--log]",
     "repeats a run, or replays the journal of a real proctord, byte for byte",
     "  TRACE              of a simulated run\n"
     "  JOURNAL            of a real proctord: proctorctl trace -o FILE\n"
     "  --log              prints everything that happened\n"
     "  --until N          prints the log up to input N, and the state at that point\n"
     "  --step             steps back and forth: n(ext), p(revious), a number, q(uit)\n"},
    {"shrink", command_shrink, "shrink TRACE|JOURNAL [-o FILE]",
     "the shortest trace that still fails the same check",
     "  --event KIND[:ID]  for a journal: the shortest one in which such an event still occurs\n"
     "  -o FILE            output file (default: TRACE.short)\n"
     "  --time T           stops after this time (default 30s)\n"},
    {"timeline", command_timeline, "timeline TRACE|JOURNAL -o FILE [--format F]",
     "a run as a picture: one page, no network",
     "  -o FILE            output file (default: standard output)\n"
     "  --format F         html (default), svg, json (for Perfetto), mermaid, text\n"},
    {"mutants", command_mutants, "mutants [DIR] [--source DIR] [--build DIR] [--time T]",
     "builds the core with each seeded bug and reports how soon it is found",
     "  DIR                the mutants (default tests/mutants)\n"
     "  --source DIR       source directory (default .)\n"
     "  --build DIR        build directory (default build)\n"
     "  --time T           time limit for each (default 60s)\n"
     "  --only NAME        only this one; writes its shrunk trace to NAME.trace, its timeline to\n"
     "                     NAME.html\n"},
    {"bench", command_bench, "bench [--time T]", "inputs/s, runs/s, states/s on one core",
     "  --time T           for each figure (default 3s)\n"
     "  --scenario FILE    scenario to explore (default "
     "tests/scenarios/explore/two-children.yaml)\n"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command_entry *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_all(FILE *file)
{
    fprintf(file,
            "Usage: proctor-sim COMMAND ...\n\n"
            "Runs the core of proctor with a virtual clock and deliberately provokes races.\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(file, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(file, "\nSee proctor-sim COMMAND --help. Scenarios and checks: docs/simulator.md.\n");
}

int commands_refuse(const char *name, const char *format, ...)
{
    const struct command_entry *command = find(name);
    va_list arguments;

    fprintf(stderr, "proctor-sim %s: ", name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nUsage: proctor-sim %s\n%s", command->usage, command->help);
    return EXIT_USAGE;
}

int commands_seconds(const char *text, double *seconds)
{
    uint64_t usec;
    int r = unit_duration(text, &usec);

    if (r == 0)
        *seconds = (double)usec / 1e6;
    return r;
}

static int carry_out(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_all(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("proctor-sim " PROCTOR_VERSION "\n");
        return 0;
    }
    const struct command_entry *command = find(argv[1]);
    if (!command) {
        fprintf(stderr, "proctor-sim: unknown command \"%s\"\n\n", argv[1]);
        print_all(stderr);
        return EXIT_USAGE;
    }
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            printf("Usage: proctor-sim %s\n\n%s.\n\n%s", command->usage, command->summary,
                   command->help);
            return 0;
        }
    return command->run(argc - 1, argv + 1);
}

/* A report that nobody can read is no success. */
int main(int argc, char **argv)
{
    int code = carry_out(argc, argv);

    if (fclose(stdout) == 0)
        return code;
    fprintf(stderr, "proctor-sim: the output cannot be written: %s\n", strerror(errno));
    return EXIT_USAGE;
}
