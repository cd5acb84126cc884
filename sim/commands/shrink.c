/*
 * proctor-sim shrink: the shortest schedule that still fails. A failure of a
 * thousand choices can often be had with a dozen, and those can be read.
 */
#include "commands/commands.h"
#include "commands/past_commands.h"
#include "search/clock.h"
#include "search/shrink.h"
#include "trace/past.h"
#include "trace/trace.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes the shorter trace, and prints how to repeat it. */
static int shrink_trace(struct run *run, const struct trace *trace, const char *path,
                        double seconds)
{
    struct shrunk shrunk;
    struct result result;

    double began = clock_seconds();
    shrink(run, trace->choices, trace->n_choices, seconds, &shrunk);
    if (shrunk.result.verdict.check == CHECK_NONE) {
        printf("this run does not fail: there is nothing to shrink\n");
        free(shrunk.choices);
        return EXIT_FOUND;
    }
    printf("from %zu choices to %zu in %" PRIu64 " tries, %.1f s\n",
           schedule_weight(trace->choices, trace->n_choices),
           schedule_weight(shrunk.choices, shrunk.count), shrunk.tries, clock_seconds() - began);
    int r = trace_write(path, run, shrunk.choices, shrunk.count, &result);
    commands_print_verdict(&result);
    commands_print_repeat(trace->scenario ? trace->scenario->path : "swarm", run, shrunk.choices,
                          shrunk.count);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", path, strerror(-r));
    free(shrunk.choices);
    return r < 0 ? EXIT_USAGE : 0;
}

/* Without -o the result is beside the trace, with ".short" added to its
 * name. */
static int handle(int argc, char **argv)
{
    static const struct option longs[] = {
        {"time", required_argument, NULL, 't'}, {"event", required_argument, NULL, 'e'}, {}};
    const char *wanted = NULL;
    double seconds = 30;
    char path[4096] = "";

    for (int c; (c = getopt_long(argc, argv, "o:", longs, NULL)) != -1;) {
        if (c == 'o')
            snprintf(path, sizeof(path), "%s", optarg);
        else if (c == 'e')
            wanted = optarg;
        else if (c != 't' || commands_seconds(optarg, &seconds) < 0)
            return commands_refuse(&command_shrink, "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    if (optind + 1 != argc)
        return commands_refuse(&command_shrink, "one trace is expected");
    if (!path[0])
        snprintf(path, sizeof(path), "%s.short", argv[optind]);
    if (past_is(argv[optind]))
        return past_shrink(argv[optind], path, wanted, seconds);
    if (wanted)
        return commands_refuse(&command_shrink, "--event is for the journal of a real proctord");
    struct trace *trace = trace_read(argv[optind]);
    if (!trace)
        return EXIT_USAGE;
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY),
                      .schedule = &schedule,
                      .subject = trace->scenario,
                      .seed = trace->seed};
    int status = shrink_trace(&run, trace, path, seconds);
    commands_close_run(&run);
    trace_free(trace);
    return status;
}

const struct command_entry command_shrink = {
    "shrink", handle, "shrink TRACE|JOURNAL [-o FILE]",
    "the shortest trace that still fails the same check",
    "  --event KIND[:ID]  for a journal: the shortest one in which such an event still occurs\n"
    "  -o FILE            output file (default: TRACE.short)\n"
    "  --time T           stops after this time (default 30s)\n"};
