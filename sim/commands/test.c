/*
 * proctor-sim test: all scenarios below some folders, each with several seeds.
 * A scenario fails if an expectation of it fails, or any check of the
 * simulator.
 */
#include "commands/commands.h"
#include "commands/whole_guest.h"
#include "scenario/scenario.h"
#include "whole/story_read.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tests {
    char **paths;
    size_t count, capacity;
};

/* Grows the list. The program ends if there is no memory: it has nothing to
 * save. */
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

/* All .yaml files below a folder, in alphabetical order, so that two runs print
 * the same. */
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

/* A scenario of the whole daemon: in plain order and in some random ones. */
static bool test_story(struct run *run, const char *path, uint64_t seeds, bool failed_only,
                       const char *proctord)
{
    static struct story story;
    static struct guest *guest;
    struct arena arena = {};
    struct whole_result result = {.failed = true};
    uint64_t calls = 0, seed = 0;

    bool read = story_read(path, &arena, &story) == 0 &&
                (guest || whole_guest_new(proctord, NULL, false, &guest) == 0);
    for (; read && seed <= seeds && (seed == 0 || !result.failed); seed++) {
        schedule_begin(run->schedule, seed ? CHOOSER_RANDOM : CHOOSER_FIFO, story.seed + seed);
        whole_guest_run(guest, &story, run->schedule, NULL, &result);
        calls += result.calls;
    }
    if (result.failed || !failed_only)
        printf("%-6s %8" PRIu64 "  %s\n", result.failed ? "FAILED" : "ok", calls,
               read ? story.name : path);
    if (result.failed && read)
        printf("       %s\n       look at it: proctor-sim daemon --seeds %" PRIu64 " --calls %s\n",
               result.why, seed > 1 ? story.seed + seed - 1 : 0, path);
    fflush(stdout);
    arena_free(&arena);
    return !result.failed;
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
        commands_print_repeat(path, run, run->schedule->choices, run->schedule->count);
    }
    scenario_free(subject);
    return passed;
}

/* A run that found no scenario at all fails: a wrong path must not look like
 * success. */
static int handle(int argc, char **argv)
{
    static const struct option longs[] = {{"seeds", required_argument, NULL, 's'},
                                          {"failed", no_argument, NULL, 'f'},
                                          {"proctord", required_argument, NULL, 'p'},
                                          {}};
    uint64_t seeds = 20;
    bool failed_only = false;
    const char *proctord = NULL;
    struct tests tests = {};

    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'f')
            failed_only = true;
        else if (c == 'p')
            proctord = optarg;
        else if (c != 's' || !commands_read_number(optarg, &seeds))
            return commands_refuse(&command_test, "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    if (optind == argc)
        return commands_refuse(&command_test, "a folder or a scenario is expected");
    for (int i = optind; i < argc; i++)
        if (find_scenarios(&tests, argv[i]) < 0)
            return EXIT_USAGE;
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY), .schedule = &schedule};
    size_t failed = 0;
    for (size_t i = 0; i < tests.count; i++) {
        bool passed = story_is_in(tests.paths[i])
                          ? test_story(&run, tests.paths[i], seeds, failed_only, proctord)
                          : test_one(&run, tests.paths[i], seeds, failed_only);
        failed += !passed;
        free(tests.paths[i]);
    }
    printf("%zu scenarios, %zu failed\n", tests.count, failed);
    free(tests.paths);
    commands_close_run(&run);
    return failed > 0 || tests.count == 0;
}

const struct command_entry command_test = {
    "test", handle, "test DIR|SCENARIO... [--seeds N]",
    "every scenario in a directory, as a table; exit status 1 on any failure",
    "  --seeds N          N random orders of each, besides the default order (default 20)\n"
    "  --failed           prints failures only\n"
    "  --proctord PATH    the proctord of scenarios of the whole daemon\n"};
