/*
 * Bench: how fast the core is alone, and how fast the simulator is with everything it checks.
 */
#include "core/idle_ports.h"
#include "commands/commands.h"
#include "commands/whole_guest.h"

#include "scenario/scenario.h"
#include "search/campaign.h"
#include "search/clock.h"
#include "search/explore.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* ---- the core alone -------------------------------------------------------------------------- */

#define CHILDREN 100

/* An executor that only remembers: the answers come from the loop below. */
struct bare {
    uint64_t now_usec, timer_usec, inputs;
    struct core *core;
    struct attempt_id latest[CHILDREN];
    uint64_t calls, events;
};

static uint64_t bare_now(void *userdata)
{
    return ((struct bare *)userdata)->now_usec;
}

static void bare_start(void *userdata, struct child *child, struct attempt_id id)
{
    struct bare *bare = userdata;
    bare->latest[child->slot] = id;
    bare->calls++;
}

static void bare_call(void *userdata, struct child *child, struct attempt_id id)
{
    (void)child;
    (void)id;
    ((struct bare *)userdata)->calls++;
}

static void bare_timer(void *userdata, uint64_t deadline_usec)
{
    ((struct bare *)userdata)->timer_usec = deadline_usec;
}

static void bare_event(void *userdata, const struct event *event)
{
    ((struct bare *)userdata)->events += event->sequence > 0;
}

/* A core with nothing around it: ports that only note, and children whose limit
 * is never reached, so that the loop can go on for any time. */
static void bare_new(struct bare *bare)
{
    static char ids[CHILDREN][8];
    static struct child_declaration declarations[CHILDREN];
    struct core_ports ports = core_ports_idle();
    struct core_settings settings = {.seed = 1};
    struct declaration_problem problem;

    *bare = (struct bare){.now_usec = 1000000};
    ports.userdata = ports.sink = bare;
    ports.monotonic = ports.realtime = bare_now;
    ports.start = bare_start;
    ports.cancel = ports.abort = bare_call;
    ports.set_timer = bare_timer;
    ports.event = bare_event;
    for (int i = 0; i < CHILDREN; i++) {
        struct child_declaration *d = &declarations[i];
        snprintf(ids[i], sizeof(ids[i]), "c%d", i);
        declaration_defaults(d, ROLE_WORKER);
        d->id = ids[i];
        d->has_process = true;
        d->heartbeat_usec = 1000000;
        d->stale_after_usec = 3000000;
        d->interval_usec = 1000000; /* the limit is never reached */
    }
    if (core_new(&ports, &settings, &bare->core) < 0 ||
        core_declare(bare->core, declarations, CHILDREN, "bench", "bench", &problem) < 0)
        exit(EXIT_FAILURE);
    for (int i = 0; i < CHILDREN; i++)
        core_spawned(bare->core, bare->latest[i], 1);
}

static void take_changes(struct bare *bare)
{
    while (core_take_changed(bare->core))
        ;
}

static void ask(struct bare *bare, struct child *child, enum command_verb verb)
{
    struct command command = {
        .verb = verb, .child = child->id, .reason = "bench", .requester = "bench (uid 0)"};
    struct outcome outcome;
    struct error error;

    core_command(bare->core, &command, &outcome, &error);
    bare->inputs++;
}

static void say(struct bare *bare, uint32_t slot, unsigned flags)
{
    core_notify(bare->core, bare->latest[slot], &(struct notify_message){.flags = flags});
    bare->inputs++;
}

static void end(struct bare *bare, uint32_t slot, int code)
{
    core_completed(bare->core, bare->latest[slot], &(struct completion){.code = code});
    bare->inputs++;
}

static void answer(struct bare *bare, uint32_t slot)
{
    core_spawned(bare->core, bare->latest[slot], 1);
    bare->inputs++;
}

/* The life of one child: it beats, crashes, comes back, is restarted, paused and resumed, and hears
 * about an attempt of long ago. Twenty inputs. */
static void one_life(struct bare *bare, struct child *child)
{
    uint32_t slot = child->slot;
    struct attempt_id old = bare->latest[slot];

    for (int i = 0; i < 8; i++)
        say(bare, slot, NOTIFY_HEARTBEAT);
    end(bare, slot, 1);
    bare->now_usec += 200000;
    core_timer(bare->core);
    bare->inputs++;
    answer(bare, slot);
    ask(bare, child, COMMAND_RESTART);
    end(bare, slot, 0);
    answer(bare, slot);
    core_completed(bare->core, old, &(struct completion){.code = 0});
    bare->inputs++;
    ask(bare, child, COMMAND_PAUSE);
    end(bare, slot, 0);
    ask(bare, child, COMMAND_RESUME);
    answer(bare, slot);
    say(bare, slot, NOTIFY_READY | NOTIFY_HEARTBEAT);
    take_changes(bare);
}

/* Inputs per second of the core alone. This is the upper bound of everything
 * that the simulator can do. */
static double bench_core(double seconds)
{
    struct bare bare;

    bare_new(&bare);
    double began = clock_seconds(), now;
    bare.inputs = 0;
    do {
        for (struct child *child = core_first(bare.core); child; child = core_next(child))
            one_life(&bare, child);
        now = clock_seconds();
    } while (now - began < seconds);
    core_free(bare.core);
    return (double)bare.inputs / (now - began);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Figures mean little without the machine that they were measured on. */
static void print_machine(void)
{
    struct utsname name;
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");

    uname(&name);
    printf("machine: %s %s", name.sysname, name.release);
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "model name", 10) == 0) {
            line[strcspn(line, "\n")] = '\0';
            printf(",%s", strchr(line, ':') + 1);
            break;
        }
    printf("\n");
    if (file)
        fclose(file);
}

/* States per second of the exploration, which depends on how fast a state is
 * saved, restored and hashed. */
static void bench_explore(const char *path, double seconds)
{
    static struct explored explored;
    struct subject *scenario = scenario_read(path);
    struct schedule schedule = {};
    struct run run = {.schedule = &schedule, .subject = scenario};

    if (!scenario)
        return;
    run.memory = memory_new(RUN_MEMORY);
    explore(&run, 0, seconds, UINT64_MAX, &explored);
    printf("%-52s %12.0f states/s  (goal 300000), %.0f transitions/s\n", "explore, with hashing",
           (double)explored.states / explored.seconds,
           (double)explored.transitions / explored.seconds);
    memory_free(run.memory);
    schedule_free(&schedule);
    scenario_free(scenario);
}

/* Drawn runs of the whole daemon, one after the other. */
static void bench_daemon(double seconds)
{
    static struct story story;
    struct schedule schedule = {};
    struct guest *guest;
    uint64_t runs = 0, calls = 0, nsec = 0;

    if (whole_guest_new(NULL, NULL, false, &guest) < 0)
        return;
    double began = clock_seconds(), took;
    do {
        struct whole_result result = {};
        schedule_begin(&schedule, CHOOSER_RANDOM, runs++);
        story_draw(&schedule, &story);
        whole_guest_run(guest, &story, &schedule, NULL, &result);
        calls += result.calls;
        nsec += result.nsec;
        took = clock_seconds() - began;
    } while (took < seconds);
    printf("%-52s %12.1f runs/s    (goal 300), %.0f calls/s\n", "the whole daemon",
           (double)runs / took, (double)calls / took);
    printf("%-52s %12.0f x         (goal 1000)\n", "the whole daemon, simulated / real time",
           (double)nsec / 1e9 / took);
    guest_free(guest);
    schedule_free(&schedule);
}

/* The goals beside the figures are those of the specification, on the machine
 * that it names. */
static int handle(int argc, char **argv)
{
    static const struct option longs[] = {
        {"time", required_argument, NULL, 't'}, {"scenario", required_argument, NULL, 's'}, {}};
    struct campaign_options options = {.last = UINT64_MAX, .shards = 1, .jobs = 1, .quiet = true};
    struct campaign_totals totals;
    const char *scenario = "tests/scenarios/explore/two-children.yaml";
    double seconds = 3;

    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 's')
            scenario = optarg;
        else if (c != 't' || commands_seconds(optarg, &seconds) < 0)
            return commands_refuse(&command_bench, "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    print_machine();
    printf("%-52s %12.0f inputs/s  (goal 5000000)\n", "core alone, mixed inputs",
           bench_core(seconds));
    options.seconds = seconds;
    options.keep_going = true;
    campaign_run(&options, &totals);
    printf("%-52s %12.0f inputs/s  (goal 500000)\n", "campaign, all checks and the reference model",
           (double)totals.inputs / totals.seconds);
    printf("%-52s %12.0f x         (goal 1000000)\n", "campaign, simulated / real time",
           totals.simulated_seconds / totals.seconds);
    printf("%-52s %12.0f runs/s\n", "campaign", (double)totals.runs / totals.seconds);
    bench_explore(scenario, seconds);
    bench_daemon(seconds);
    return 0;
}

const struct command_entry command_bench = {"bench", handle, "bench [--time T]",
                                            "inputs/s, runs/s, states/s on one core",
                                            "  --time T           for each figure (default 3s)\n"
                                            "  --scenario FILE    scenario to explore (default "
                                            "tests/scenarios/explore/two-children.yaml)\n"};
