/*
 * proctor-sim explore: all orders of all actions of a small scenario, instead
 * of samples of them. It ends when no state is new, and says whether the space
 * is exhausted; if a bound was reached first, that is a failure, so that nobody
 * takes a part for the whole.
 */
#include "commands/commands.h"
#include "system/number.h"
#include "scenario/scenario.h"
#include "search/explore.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static void print_path(const char *scenario, const struct explored *explored)
{
    printf("repeat it with: proctor-sim explore %s --path ", scenario);
    for (size_t i = 0; i < explored->n_path; i++)
        printf("%s%u", i > 0 ? "," : "", explored->path[i]);
    printf("\n");
}

/* Figures first, then the verdict. */
static int report_exploration(const char *scenario, const struct explored *explored)
{
    printf("%" PRIu64 " states, %" PRIu64 " transitions, %" PRIu64 " duplicates, %" PRIu64
           " ends, depth %u\n",
           explored->states, explored->transitions, explored->duplicates, explored->ends,
           explored->deepest);
    printf("%.1f s, %.0f states/s\n", explored->seconds,
           (double)explored->states / explored->seconds);
    if (explored->verdict.check != CHECK_NONE) {
        printf("FAILED %s: %s\n", check_to_string(explored->verdict.check), explored->verdict.text);
        print_path(scenario, explored);
        return EXIT_FOUND;
    }
    printf(explored->exhausted ? "the space is exhausted\n"
                               : "the space is NOT exhausted: a bound was reached\n");
    return explored->exhausted ? 0 : EXIT_FOUND;
}

/* Choices separated by commas, as the report of a failure prints them. */
static size_t read_path(const char *text, uint32_t *path, size_t max)
{
    size_t n = 0;

    while (*text && n < max) {
        uint64_t number;
        if (number_take(&text, &number) < 0 || number > UINT32_MAX)
            return 0;
        path[n++] = (uint32_t)number;
        text += *text == ',';
    }
    return n;
}

/* With --path only that one path is walked, with its log. */
static int handle(int argc, char **argv)
{
    static const struct option longs[] = {{"depth", required_argument, NULL, 'd'},
                                          {"time", required_argument, NULL, 't'},
                                          {"states", required_argument, NULL, 'n'},
                                          {"path", required_argument, NULL, 'p'},
                                          {}};
    static struct explored explored;
    static uint32_t path[1024];
    uint64_t depth = 0, states = 60000000;
    double seconds = 0;
    size_t n_path = 0;
    bool walk = false;

    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        bool good = c != '?';
        if (c == 'd')
            good = commands_read_number(optarg, &depth) && depth <= 1000;
        else if (c == 't')
            good = commands_seconds(optarg, &seconds) == 0;
        else if (c == 'n')
            good = commands_read_number(optarg, &states);
        else if (c == 'p')
            walk = (n_path = read_path(optarg, path, 1024)) > 0 || !*optarg;
        if (!good)
            return commands_refuse(&command_explore, "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    if (optind + 1 != argc)
        return commands_refuse(&command_explore, "one scenario is expected");
    struct subject *subject = scenario_read(argv[optind]);
    if (!subject)
        return EXIT_USAGE;
    if (subject->n_actions == 0) {
        fprintf(stderr, "%s: has no explore.actions\n", argv[optind]);
        scenario_free(subject);
        return EXIT_USAGE;
    }
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY), .schedule = &schedule, .subject = subject};
    int status;
    if (walk) {
        run.observe = commands_print_record;
        explore_path(&run, path, n_path, &explored);
        status = explored.verdict.check != CHECK_NONE;
        printf("%s\n", status ? explored.verdict.text : "no check failed on this path");
    } else {
        explore(&run, (unsigned)depth, seconds, states, &explored);
        status = report_exploration(argv[optind], &explored);
    }
    commands_close_run(&run);
    scenario_free(subject);
    return status;
}

const struct command_entry command_explore = {
    "explore", handle, "explore SCENARIO [--depth N] [--time T]",
    "every interleaving of the scenario's actions, up to a bound",
    "  --depth N          maximum number of steps (default: from the scenario)\n"
    "  --time T           stops after this time, with a message\n"
    "  --states N         stops after N states (default 60000000)\n"
    "  --path I,I,...     repeats one path and prints what happens\n"};
