/*
 * proctor-sim run: one scenario or one world of the swarm, once, with a given
 * seed or schedule. It is the command that everything else names when a failure
 * is to be repeated.
 */
#include "commands/commands.h"
#include "scenario/scenario.h"
#include "search/campaign.h"
#include "trace/trace.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How ties are decided: in order, by chance, or by priorities that change at
 * few points (PCT), which finds some bugs sooner than chance. */
static bool read_chooser(const char *text, enum chooser *chooser, unsigned *depth)
{
    uint64_t number;

    *depth = 0;
    if (strcmp(text, "fifo") == 0)
        *chooser = CHOOSER_FIFO;
    else if (strcmp(text, "random") == 0)
        *chooser = CHOOSER_RANDOM;
    else if (strncmp(text, "pct:", 4) == 0 && commands_read_number(text + 4, &number) &&
             number <= SCHEDULE_PCT_DEPTH_MAX)
        *chooser = CHOOSER_PCT, *depth = (unsigned)number;
    else
        return false;
    return true;
}

/* "swarm", or a scenario. Returns false when it cannot be read. */
static bool read_subject(const char *name, struct subject **subject)
{
    *subject = NULL;
    if (strcmp(name, "swarm") == 0)
        return true;
    *subject = scenario_read(name);
    return *subject != NULL;
}

/* The schedule of a run is reused by the next one, so what it chose is
 * copied. */
static uint32_t *copy_choices(const struct schedule *schedule, size_t *count)
{
    uint32_t *copy = malloc((schedule->count + 1) * sizeof(*copy));

    if (!copy) {
        perror("proctor-sim");
        exit(EXIT_USAGE);
    }
    memcpy(copy, schedule->choices, schedule->count * sizeof(*copy));
    *count = schedule->count;
    return copy;
}

struct run_options {
    enum chooser chooser;
    unsigned depth;
    bool chosen, twice, log;
    const char *schedule, *trace;
    uint64_t seed;
    bool seeded;
};

static void begin(const struct run *run, const struct run_options *options, uint32_t *given,
                  size_t n_given)
{
    schedule_set_depth(run->schedule, options->depth);
    if (given)
        schedule_begin_given(run->schedule, given, n_given);
    else if (!run->subject && !options->chosen)
        campaign_begin_schedule(run->schedule, run->seed);
    else
        schedule_begin(run->schedule, options->chooser, run->seed);
}

/* Runs, prints the verdict, and runs again if --twice was given. */
static int run_subject(const char *name, struct run *run, const struct run_options *options,
                       uint32_t *given, size_t n_given)
{
    struct result result, again;
    size_t count;

    begin(run, options, given, n_given);
    run_once(run, &result);
    uint32_t *choices = copy_choices(run->schedule, &count);
    commands_print_verdict(&result);
    bool failed = result.verdict.check != CHECK_NONE;
    if (failed)
        commands_print_repeat(name, run, choices, count);
    if (options->twice) {
        begin(run, options, given, n_given);
        run->observe = NULL;
        run_once(run, &again);
        printf("again: %s\n", again.hash == result.hash ? "the same hash" : "ANOTHER HASH");
        failed = failed || again.hash != result.hash;
    }
    int r = options->trace ? trace_write(options->trace, run, choices, count, &again) : 0;
    if (r < 0)
        fprintf(stderr, "%s: %s\n", options->trace, strerror(-r));
    free(choices);
    return r < 0 ? EXIT_USAGE : failed;
}

/* A seed alone means that ties are decided by chance. */
static int handle(int argc, char **argv)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 's'},
        {"schedule", required_argument, NULL, 'S'},
        {"chooser", required_argument, NULL, 'c'},
        {"trace", required_argument, NULL, 't'},
        {"twice", no_argument, NULL, '2'},
        {"log", no_argument, NULL, 'l'},
        {},
    };
    struct run_options options = {.chooser = CHOOSER_FIFO};
    const char *problem;
    uint32_t *given = NULL;
    size_t n_given = 0;

    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 's' && commands_read_number(optarg, &options.seed))
            options.seeded = true;
        else if (c == 'c' && read_chooser(optarg, &options.chooser, &options.depth))
            options.chosen = true;
        else if (c == 'S' && schedule_from_text(optarg, &given, &n_given, &problem) == 0)
            options.schedule = optarg;
        else if (c == 'S')
            return commands_refuse(&command_run, "--schedule: %s", problem);
        else if (c == 't')
            options.trace = optarg;
        else if (c == '2')
            options.twice = true;
        else if (c == 'l')
            options.log = true;
        else
            return commands_refuse(&command_run, "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    if (optind + 1 != argc)
        return commands_refuse(&command_run, "one scenario, or the word swarm, is expected");
    if (options.seeded && !options.chosen)
        options.chooser = CHOOSER_RANDOM;
    struct subject *subject;
    if (!read_subject(argv[optind], &subject))
        return EXIT_USAGE;
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY), .schedule = &schedule, .subject = subject};
    run.seed = options.seed;
    run.observe = options.log ? commands_print_record : NULL;
    int status = run_subject(argv[optind], &run, &options, given, n_given);
    commands_close_run(&run);
    scenario_free(subject);
    free(given);
    return status;
}

const struct command_entry command_run = {
    "run", handle, "run SCENARIO|swarm [--seed N] [--schedule S] [--chooser C] [--trace FILE]",
    "one run: its verdict, its hash and, if it fails, how to repeat it",
    "  SCENARIO           a scenario file, or swarm for a generated world\n"
    "  --seed N           seed of the world and of the choices (default 0)\n"
    "  --chooser C        fifo (default for a scenario without --seed), random, or pct:DEPTH\n"
    "  --schedule S       the choices, as printed by a failure\n"
    "  --trace FILE       records everything that happened\n"
    "  --log              prints everything that happened\n"
    "  --twice            runs twice and compares the hashes\n"};
