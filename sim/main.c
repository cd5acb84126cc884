/*
 * proctor-sim: the daemon's own core under a virtual clock and a virtual executor.
 */
#include "commands/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct command_entry *const commands[] = {
    &command_run,    &command_test,     &command_campaign, &command_explore, &command_replay,
    &command_shrink, &command_timeline, &command_mutants,  &command_bench,   &command_daemon,
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command_entry *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void print_all(FILE *file)
{
    fprintf(file,
            "Usage: proctor-sim COMMAND ...\n\n"
            "Runs the core of proctor with a virtual clock and deliberately provokes races.\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(file, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(file, "\nSee proctor-sim COMMAND --help. Scenarios and checks: docs/simulator.md.\n");
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

/* A report that cannot be read is no success. */
int main(int argc, char **argv)
{
    int code = carry_out(argc, argv);

    if (fclose(stdout) == 0)
        return code;
    fprintf(stderr, "proctor-sim: the output cannot be written: %s\n", strerror(errno));
    return EXIT_USAGE;
}
