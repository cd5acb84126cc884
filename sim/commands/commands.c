#include "commands/commands.h"

#include "commands/past_commands.h"
#include "number.h"
#include "scenario/scenario.h"
#include "search/campaign.h"
#include "search/clock.h"
#include "search/explore.h"
#include "search/shrink.h"
#include "trace/past.h"
#include "trace/timeline.h"
#include "trace/trace.h"
#include "world/process.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what commands share --------------------------------------------------------------------- */

static bool read_number(const char *text, uint64_t *number)
{
    return number_read(text, UINT64_MAX, number) == 0;
}

/* "0/4": the first of four. */
static bool read_shard(const char *text, unsigned *shard, unsigned *shards)
{
    uint64_t one, all;

    if (number_take(&text, &one) < 0 || *text != '/' || number_read(text + 1, UINT_MAX, &all) < 0 ||
        one >= all)
        return false;
    *shard = (unsigned)one;
    *shards = (unsigned)all;
    return true;
}

static bool read_range(const char *text, uint64_t *first, uint64_t *last)
{
    char left[32];
    const char *dots = strstr(text, "..");

    if (!dots || dots - text >= (ptrdiff_t)sizeof(left))
        return false;
    snprintf(left, sizeof(left), "%.*s", (int)(dots - text), text);
    *last = UINT64_MAX;
    return read_number(left, first) && (!dots[2] || read_number(dots + 2, last)) && *first < *last;
}

static bool read_chooser(const char *text, enum chooser *chooser, unsigned *depth)
{
    uint64_t number;

    *depth = 0;
    if (strcmp(text, "fifo") == 0)
        *chooser = CHOOSER_FIFO;
    else if (strcmp(text, "random") == 0)
        *chooser = CHOOSER_RANDOM;
    else if (strncmp(text, "pct:", 4) == 0 && read_number(text + 4, &number) &&
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

static void print_verdict(const struct result *result)
{
    if (result->verdict.check == CHECK_NONE)
        printf("passed");
    else
        printf("FAILED %s at input %" PRIu64 ": %s", check_to_string(result->verdict.check),
               result->verdict.input, result->verdict.text);
    printf("\nhash %016" PRIx64 ", %" PRIu64 " inputs, %.3f s simulated\n", result->hash,
           result->inputs, (double)result->simulated_nsec / 1e9);
}

static void print_repeat(const char *name, const struct run *run, const uint32_t *choices,
                         size_t count)
{
    char *text = schedule_to_text(choices, count);

    printf("repeat it with: proctor-sim run %s --seed %" PRIu64 " --schedule %s\n", name, run->seed,
           text);
    free(text);
}

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

static void close_run(struct run *run)
{
    memory_free(run->memory);
    schedule_free(run->schedule);
}

static void print_record(void *userdata, const struct record *record)
{
    char line[500];

    (void)userdata;
    record_format(record, line, sizeof(line));
    puts(line);
}

/* ---- run ------------------------------------------------------------------------------------- */

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

static int run_subject(const char *name, struct run *run, const struct run_options *options,
                       uint32_t *given, size_t n_given)
{
    struct result result, again;
    size_t count;

    begin(run, options, given, n_given);
    run_once(run, &result);
    uint32_t *choices = copy_choices(run->schedule, &count);
    print_verdict(&result);
    bool failed = result.verdict.check != CHECK_NONE;
    if (failed)
        print_repeat(name, run, choices, count);
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

int command_run(int argc, char **argv)
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
        if (c == 's' && read_number(optarg, &options.seed))
            options.seeded = true;
        else if (c == 'c' && read_chooser(optarg, &options.chooser, &options.depth))
            options.chosen = true;
        else if (c == 'S' && schedule_from_text(optarg, &given, &n_given, &problem) == 0)
            options.schedule = optarg;
        else if (c == 'S')
            return commands_refuse("run", "--schedule: %s", problem);
        else if (c == 't')
            options.trace = optarg;
        else if (c == '2')
            options.twice = true;
        else if (c == 'l')
            options.log = true;
        else
            return commands_refuse("run", "what is \"%s\"?", optarg ? optarg : argv[optind - 1]);
    }
    if (optind + 1 != argc)
        return commands_refuse("run", "one scenario, or the word swarm, is expected");
    if (options.seeded && !options.chosen)
        options.chooser = CHOOSER_RANDOM;
    struct subject *subject;
    if (!read_subject(argv[optind], &subject))
        return EXIT_USAGE;
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY), .schedule = &schedule, .subject = subject};
    run.seed = options.seed;
    run.observe = options.log ? print_record : NULL;
    int status = run_subject(argv[optind], &run, &options, given, n_given);
    close_run(&run);
    scenario_free(subject);
    free(given);
    return status;
}

/* ---- test ------------------------------------------------------------------------------------ */

struct tests {
    char **paths;
    size_t count, capacity;
};

static void add_path(struct tests *tests, const char *path)
{
    if (tests->count == tests->capacity) {
        tests->capacity = tests->capacity ? tests->capacity * 2 : 64;
        tests->paths = realloc(tests->paths, tests->capacity * sizeof(*tests->paths));
    }
    char *copy = strdup(path);
    if (!tests->paths || !copy) {
        perror("proctor-sim");
        exit(EXIT_USAGE);
    }
    tests->paths[tests->count++] = copy;
}

static int find_scenarios(struct tests *tests, const char *path)
{
    struct stat status;
    struct dirent **entries;

    if (stat(path, &status) < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -errno;
    }
    if (!S_ISDIR(status.st_mode)) {
        add_path(tests, path);
        return 0;
    }
    int n = scandir(path, &entries, NULL, alphasort);
    int r = n < 0 ? -errno : 0;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name, *dot = strrchr(name, '.');
        char inner[4096];
        snprintf(inner, sizeof(inner), "%s/%s", path, name);
        bool folder = name[0] != '.' && stat(inner, &status) == 0 && S_ISDIR(status.st_mode);
        if (r == 0 && (folder || (dot && strcmp(dot, ".yaml") == 0)))
            r = find_scenarios(tests, inner);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return r;
}

/* Once in plain order, then in random ones. The first failure is printed with its way back. */
static bool test_one(struct run *run, const char *path, uint64_t seeds, bool failed_only)
{
    struct subject *subject = scenario_read(path);
    struct result result = {}, first = {};
    bool passed = subject != NULL;
    uint64_t inputs = 0;

    run->subject = subject;
    if (subject && subject->n_actions > 0 && subject->n_steps == 0)
        seeds = 0; /* its point is to be explored */
    for (uint64_t seed = 0; passed && seed <= seeds; seed++) {
        run->seed = seed;
        schedule_begin(run->schedule, seed ? CHOOSER_RANDOM : CHOOSER_FIFO, seed);
        run_once(run, &result);
        first = seed == 0 ? result : first;
        inputs += result.inputs;
        passed = result.verdict.check == CHECK_NONE;
    }
    if (!passed || !failed_only)
        printf("%-6s %8" PRIu64 "  %s\n", passed ? "ok" : "FAILED", inputs,
               subject ? subject->name : path);
    if (!passed && subject) {
        printf("       %s: %s\n", check_to_string(result.verdict.check), result.verdict.text);
        printf("       ");
        print_repeat(path, run, run->schedule->choices, run->schedule->count);
    }
    scenario_free(subject);
    return passed;
}

int command_test(int argc, char **argv)
{
    static const struct option longs[] = {
        {"seeds", required_argument, NULL, 's'}, {"failed", no_argument, NULL, 'f'}, {}};
    uint64_t seeds = 20;
    bool failed_only = false;
    struct tests tests = {};

    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'f')
            failed_only = true;
        else if (c != 's' || !read_number(optarg, &seeds))
            return commands_refuse("test", "what is \"%s\"?", optarg ? optarg : argv[optind - 1]);
    }
    if (optind == argc)
        return commands_refuse("test", "a folder or a scenario is expected");
    for (int i = optind; i < argc; i++)
        if (find_scenarios(&tests, argv[i]) < 0)
            return EXIT_USAGE;
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY), .schedule = &schedule};
    size_t failed = 0;
    for (size_t i = 0; i < tests.count; i++) {
        failed += !test_one(&run, tests.paths[i], seeds, failed_only);
        free(tests.paths[i]);
    }
    printf("%zu scenarios, %zu failed\n", tests.count, failed);
    free(tests.paths);
    close_run(&run);
    return failed > 0 || tests.count == 0;
}

/* ---- campaign -------------------------------------------------------------------------------- */

static int print_hashes(const struct campaign_options *options)
{
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY), .schedule = &schedule};
    struct result result;

    for (run.seed = options->first; run.seed < options->last; run.seed++) {
        campaign_begin_schedule(&schedule, run.seed);
        run_once(&run, &result);
        printf("%" PRIu64 " %016" PRIx64 "\n", run.seed, result.hash);
    }
    close_run(&run);
    return 0;
}

int command_campaign(int argc, char **argv)
{
    static const struct option longs[] = {
        {"seeds", required_argument, NULL, 's'},
        {"time", required_argument, NULL, 't'},
        {"jobs", required_argument, NULL, 'j'},
        {"shard", required_argument, NULL, 'i'},
        {"checkpoint", required_argument, NULL, 'c'},
        {"store", required_argument, NULL, 'o'},
        {"keep-going", no_argument, NULL, 'k'},
        {"hashes", no_argument, NULL, 'h'},
        {"quiet", no_argument, NULL, 'q'},
        {},
    };
    struct campaign_options options = {
        .last = UINT64_MAX, .shards = 1, .shrink_seconds = 30, .progress = isatty(2)};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct campaign_totals totals;
    uint64_t jobs = processors > 0 ? (uint64_t)processors : 1;
    bool hashes = false;

    if (argc > 1 && strcmp(argv[1], "merge") == 0)
        return argc > 2 ? campaign_merge(argc - 2, argv + 2)
                        : commands_refuse("campaign", "merge: checkpoints are expected");
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        bool good = c != '?';
        if (c == 's')
            good = read_range(optarg, &options.first, &options.last);
        else if (c == 't')
            good = commands_seconds(optarg, &options.seconds) == 0;
        else if (c == 'j')
            good = read_number(optarg, &jobs) && jobs > 0;
        else if (c == 'i')
            good = read_shard(optarg, &options.shard, &options.shards);
        else if (c == 'c')
            options.checkpoint = optarg;
        else if (c == 'o')
            options.store = optarg;
        else if (c == 'k')
            options.keep_going = true;
        else if (c == 'q')
            options.quiet = true;
        hashes = hashes || c == 'h';
        if (!good)
            return commands_refuse("campaign", "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    if (optind != argc)
        return commands_refuse("campaign", "what is \"%s\"?", argv[optind]);
    options.jobs = (unsigned)jobs;
    if (hashes)
        return options.last == UINT64_MAX
                   ? commands_refuse("campaign", "--hashes needs --seeds A..B")
                   : print_hashes(&options);
    if (options.seconds == 0 && options.last == UINT64_MAX)
        options.seconds = 60;
    return campaign_run(&options, &totals);
}

/* ---- explore --------------------------------------------------------------------------------- */

static void print_path(const char *scenario, const struct explored *explored)
{
    printf("repeat it with: proctor-sim explore %s --path ", scenario);
    for (size_t i = 0; i < explored->n_path; i++)
        printf("%s%u", i > 0 ? "," : "", explored->path[i]);
    printf("\n");
}

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

int command_explore(int argc, char **argv)
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
            good = read_number(optarg, &depth) && depth <= 1000;
        else if (c == 't')
            good = commands_seconds(optarg, &seconds) == 0;
        else if (c == 'n')
            good = read_number(optarg, &states);
        else if (c == 'p')
            walk = (n_path = read_path(optarg, path, 1024)) > 0 || !*optarg;
        if (!good)
            return commands_refuse("explore", "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    if (optind + 1 != argc)
        return commands_refuse("explore", "one scenario is expected");
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
        run.observe = print_record;
        explore_path(&run, path, n_path, &explored);
        status = explored.verdict.check != CHECK_NONE;
        printf("%s\n", status ? explored.verdict.text : "no check failed on this path");
    } else {
        explore(&run, (unsigned)depth, seconds, states, &explored);
        status = report_exploration(argv[optind], &explored);
    }
    close_run(&run);
    scenario_free(subject);
    return status;
}

/* ---- replay ---------------------------------------------------------------------------------- */

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
        print_record(NULL, record);
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
        print_verdict(&result);
    return stepping.shown;
}

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
    print_verdict(&result);
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

int command_replay(int argc, char **argv)
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
        else if (c != 'u' || !read_number(optarg, &until))
            return commands_refuse("replay", "what is \"%s\"?", optarg ? optarg : argv[optind - 1]);
    }
    if (optind + 1 != argc)
        return commands_refuse("replay", "one trace is expected");
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
    close_run(&run);
    trace_free(trace);
    return status;
}

/* ---- shrink ---------------------------------------------------------------------------------- */

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
    print_verdict(&result);
    print_repeat(trace->scenario ? trace->scenario->path : "swarm", run, shrunk.choices,
                 shrunk.count);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", path, strerror(-r));
    free(shrunk.choices);
    return r < 0 ? EXIT_USAGE : 0;
}

int command_shrink(int argc, char **argv)
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
            return commands_refuse("shrink", "what is \"%s\"?", optarg ? optarg : argv[optind - 1]);
    }
    if (optind + 1 != argc)
        return commands_refuse("shrink", "one trace is expected");
    if (!path[0])
        snprintf(path, sizeof(path), "%s.short", argv[optind]);
    if (past_is(argv[optind]))
        return past_shrink(argv[optind], path, wanted, seconds);
    if (wanted)
        return commands_refuse("shrink", "--event is for the journal of a real proctord");
    struct trace *trace = trace_read(argv[optind]);
    if (!trace)
        return EXIT_USAGE;
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY),
                      .schedule = &schedule,
                      .subject = trace->scenario,
                      .seed = trace->seed};
    int status = shrink_trace(&run, trace, path, seconds);
    close_run(&run);
    trace_free(trace);
    return status;
}

/* ---- timeline -------------------------------------------------------------------------------- */

static int write_timeline(const struct trace *trace, FILE *file, const char *format)
{
    struct schedule schedule = {};
    struct timeline *timeline = timeline_new();
    struct result result;
    const char *title = trace->scenario ? trace->scenario->name : "a generated world";
    struct run run = {.memory = memory_new(RUN_MEMORY),
                      .schedule = &schedule,
                      .subject = trace->scenario,
                      .seed = trace->seed,
                      .observe = timeline_record,
                      .observe_userdata = timeline};

    schedule_begin_given(&schedule, trace->choices, trace->n_choices);
    run_once(&run, &result);
    timeline_end(timeline, 0);
    if (strcmp(format, "html") == 0)
        timeline_write_html(timeline, file, title, trace->verdict);
    else if (strcmp(format, "svg") == 0)
        timeline_write_svg(timeline, file, title, trace->verdict);
    else if (strcmp(format, "json") == 0)
        timeline_write_perfetto(timeline, file);
    else if (strcmp(format, "mermaid") == 0)
        timeline_write_mermaid(timeline, file, title);
    else
        fputs(trace->log, file);
    timeline_free(timeline);
    close_run(&run);
    return ferror(file) ? EXIT_USAGE : 0;
}

static bool known_format(const char *format)
{
    static const char *const formats[] = {"html", "svg", "json", "mermaid", "text"};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i], format) == 0)
            return true;
    return false;
}

int command_timeline(int argc, char **argv)
{
    static const struct option longs[] = {{"format", required_argument, NULL, 'f'}, {}};
    const char *path = NULL, *format = "html";

    for (int c; (c = getopt_long(argc, argv, "o:", longs, NULL)) != -1;) {
        if (c == 'o')
            path = optarg;
        else if (c == 'f' && known_format(optarg))
            format = optarg;
        else
            return commands_refuse("timeline", "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    if (optind + 1 != argc)
        return commands_refuse("timeline", "one trace is expected");
    bool real = past_is(argv[optind]);
    struct trace *trace = real ? NULL : trace_read(argv[optind]);
    if (!trace && !real)
        return EXIT_USAGE;
    FILE *file = path ? fopen(path, "we") : stdout;
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        trace_free(trace);
        return EXIT_USAGE;
    }
    int status =
        real ? past_timeline(argv[optind], file, format) : write_timeline(trace, file, format);
    if (path && fclose(file) != 0)
        status = EXIT_USAGE;
    trace_free(trace);
    return status;
}
