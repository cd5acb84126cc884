/*
 * proctor-sim replay: repeats a trace and compares its log with the one that
 * was recorded. If the log is the same but the hash is not, the core does
 * something different that no event shows.
 */
#include "commands/commands.h"
#include "commands/past_commands.h"
#include "system/number.h"
#include "trace/past.h"
#include "trace/trace.h"
#include "world/process.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What the children are at one point of a run. */
static void print_state(struct world *world)
{
    printf("-- after input %" PRIu64 ", %.6f s\n", world->inputs,
           (double)(world->now_nsec - WORLD_START_NSEC) / 1e9);
    for (uint32_t i = 0; i < world->n_actors; i++) {
        const struct child *child = world->actors[i].child;
        if (!child) {
            printf("   %-16s (not declared)\n", world->actors[i].declaration->id);
            continue;
        }
        printf("   %-16s %s, %s, generation %" PRIu64 ", attempt %" PRIu64
               ", stop state %s, fence %s, %u processes\n",
               child->id, child_operation_to_string(child->operation),
               child_status_to_string(child_status(child)), child->generation, child_attempt(child),
               stop_state_to_string(child->stop_state), fence_phase_to_string(child->fence_phase),
               world_processes(&world->actors[i]));
    }
}

struct stepping {
    uint64_t from, until;
    bool shown;
};

static bool stop_at(void *userdata, struct world *world)
{
    struct stepping *stepping = userdata;

    if (world->inputs < stepping->until)
        return false;
    print_state(world);
    stepping->shown = true;
    return true;
}

static void print_some(void *userdata, const struct record *record)
{
    const struct stepping *stepping = userdata;

    if (record->input >= stepping->from && record->input <= stepping->until)
        commands_print_record(NULL, record);
}

/* Runs up to an input, printing what happens from `from` on. Returns false where it ends before. */
static bool show_until(struct run *run, const struct trace *trace, uint64_t from, uint64_t until)
{
    struct stepping stepping = {.from = from, .until = until};
    struct result result;

    run->observe = print_some;
    run->observe_userdata = &stepping;
    run->stop_after = stop_at;
    schedule_begin_given(run->schedule, trace->choices, trace->n_choices);
    run_once(run, &result);
    if (!stepping.shown)
        commands_print_verdict(&result);
    return stepping.shown;
}

/* Step by step; going back means to run again from the beginning. */
static int walk_trace(struct run *run, const struct trace *trace)
{
    uint64_t at = 1;
    char line[64];

    show_until(run, trace, 0, at);
    for (;;) {
        printf("[n]ext, [p]revious, a number, [q]uit > ");
        fflush(stdout);
        if (!fgets(line, sizeof(line), stdin) || line[0] == 'q')
            return 0;
        const char *word = line;
        uint64_t to;
        if (number_take(&word, &to) < 0)
            to = line[0] == 'p' ? at - (at > 1) : at + 1;
        to = to > 0 ? to : 1;
        if (show_until(run, trace, to > at ? at + 1 : to, to))
            at = to;
    }
}

/* Says from which line on the two logs differ: the cause is in that line or
 * shortly before it. */
static int compare(struct run *run, const struct trace *trace)
{
    struct log log = {};
    struct result result;
    size_t line = 1;

    run->observe = log_line;
    run->observe_userdata = &log;
    schedule_begin_given(run->schedule, trace->choices, trace->n_choices);
    run_once(run, &result);
    const char *a = trace->log, *b = log.text ? log.text : "";
    while (*a && *a == *b) {
        line += *a == '\n';
        a++;
        b++;
    }
    commands_print_verdict(&result);
    bool same = *a == *b && result.hash == trace->hash;
    if (same)
        printf("the same, byte for byte\n");
    else if (*a == *b)
        printf("the same log, but A DIFFERENT HASH: the core has changed\n");
    else
        printf("DIFFERENT from line %zu of the log: the core has changed\n", line);
    free(log.text);
    return same ? 0 : EXIT_FOUND;
}

/* A file that is the journal of a real proctord goes to past_replay(). */
static int handle(int argc, char **argv)
{
    static const struct option longs[] = {{"until", required_argument, NULL, 'u'},
                                          {"step", no_argument, NULL, 's'},
                                          {"log", no_argument, NULL, 'l'},
                                          {}};
    uint64_t until = 0;
    bool step = false, log = false;

    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 's')
            step = true;
        else if (c == 'l')
            log = true;
        else if (c != 'u' || !commands_read_number(optarg, &until))
            return commands_refuse(&command_replay, "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    if (optind + 1 != argc)
        return commands_refuse(&command_replay, "one trace is expected");
    if (past_is(argv[optind]))
        return past_replay(argv[optind], until, step, log);
    struct trace *trace = trace_read(argv[optind]);
    if (!trace)
        return EXIT_USAGE;
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY),
                      .schedule = &schedule,
                      .subject = trace->scenario,
                      .seed = trace->seed};
    int status = 0;
    if (step)
        status = walk_trace(&run, trace);
    else if (until > 0)
        show_until(&run, trace, 0, until);
    else
        status = compare(&run, trace);
    if (log && !step && until == 0)
        fputs(trace->log, stdout);
    commands_close_run(&run);
    trace_free(trace);
    return status;
}

const struct command_entry command_replay = {
    "replay", handle, "replay TRACE|JOURNAL [--until N] [--step] [--log]",
    "repeats a run, or replays the journal of a real proctord, byte for byte",
    "  TRACE              of a simulated run\n"
    "  JOURNAL            of a real proctord: proctorctl trace -o FILE\n"
    "  --log              prints everything that happened\n"
    "  --until N          prints the log up to input N, and the state at that point\n"
    "  --step             steps back and forth: n(ext), p(revious), a number, q(uit)\n"};
