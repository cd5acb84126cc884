/*
 * proctor-sim campaign: many seeds, in parallel, and what they reached. With
 * --hashes it prints one hash per seed instead: two builds that print the same
 * behave alike, which is how a change that should change nothing is proved.
 */
#include "commands/commands.h"
#include "system/number.h"
#include "search/campaign.h"

#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* "A..B" or "A..": the second number is not part of the range. */
static bool read_range(const char *text, uint64_t *first, uint64_t *last)
{
    char left[32];
    const char *dots = strstr(text, "..");

    if (!dots || dots - text >= (ptrdiff_t)sizeof(left))
        return false;
    snprintf(left, sizeof(left), "%.*s", (int)(dots - text), text);
    *last = UINT64_MAX;
    return commands_read_number(left, first) &&
           (!dots[2] || commands_read_number(dots + 2, last)) && *first < *last;
}

/* One line per seed, in order. The format is compared by tests and by people;
 * it must not change. */
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
    commands_close_run(&run);
    return 0;
}

/* Without --seeds and --time, a campaign runs for one minute. */
static int handle(int argc, char **argv)
{
    static const struct option longs[] = {
        {"seeds", required_argument, NULL, 's'},
        {"time", required_argument, NULL, 't'},
        {"jobs", required_argument, NULL, 'j'},
        {"shard", required_argument, NULL, 'i'},
        {"checkpoint", required_argument, NULL, 'c'},
        {"store", required_argument, NULL, 'o'},
        {"shrink", required_argument, NULL, 'r'},
        {"keep-going", no_argument, NULL, 'k'},
        {"complete", no_argument, NULL, 'a'},
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
                        : commands_refuse(&command_campaign, "merge: checkpoints are expected");
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        bool good = c != '?';
        if (c == 's')
            good = read_range(optarg, &options.first, &options.last);
        else if (c == 't')
            good = commands_seconds(optarg, &options.seconds) == 0;
        else if (c == 'j')
            good = commands_read_number(optarg, &jobs) && jobs > 0;
        else if (c == 'i')
            good = read_shard(optarg, &options.shard, &options.shards);
        else if (c == 'c')
            options.checkpoint = optarg;
        else if (c == 'o')
            options.store = optarg;
        else if (c == 'r')
            good = commands_seconds(optarg, &options.shrink_seconds) == 0;
        else if (c == 'k')
            options.keep_going = true;
        else if (c == 'a')
            options.complete = true;
        else if (c == 'q')
            options.quiet = true;
        hashes = hashes || c == 'h';
        if (!good)
            return commands_refuse(&command_campaign, "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    if (optind != argc)
        return commands_refuse(&command_campaign, "what is \"%s\"?", argv[optind]);
    options.jobs = (unsigned)jobs;
    if (hashes)
        return options.last == UINT64_MAX
                   ? commands_refuse(&command_campaign, "--hashes needs --seeds A..B")
                   : print_hashes(&options);
    if (options.seconds == 0 && options.last == UINT64_MAX)
        options.seconds = 60;
    return campaign_run(&options, &totals);
}

const struct command_entry command_campaign = {
    "campaign", handle, "campaign [--seeds A..B] [--time 60s] [--jobs N] [--shard I/N]",
    "generated worlds, seed after seed; the first failure is shrunk and stored",
    "  --seeds A..B       from seed A up to, but not including, B (default 0.., no end)\n"
    "  --time T           ends after this time (default 60s without a last seed)\n"
    "  --jobs N           processes (default: processors)\n"
    "  --shard I/N        every Nth chunk of seeds, starting at I (from 0), for batch systems\n"
    "  --checkpoint FILE  continues from FILE, and records the progress there\n"
    "  --store DIR        directory for the trace of the first failure (default .)\n"
    "  --shrink T         time for shrinking the first failure (default 30s)\n"
    "  --keep-going       counts failures instead of stopping at the first\n"
    "  --complete         also fails if something was never drawn, or never occurred\n"
    "  --hashes           prints the hash of each seed (one process), to compare builds\n"
    "  campaign merge FILE...   adds up the checkpoints of shards\n"};
