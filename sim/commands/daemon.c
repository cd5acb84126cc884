/*
 * proctor-sim daemon: the whole proctord, unchanged, on a machine of the model.
 */
#include "commands/commands.h"
#include "commands/whole_guest.h"
#include "whole/story_read.h"
#include "whole/whole.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
    const char *proctord, *seam;
    struct story *story;  /* of a scenario; NULL: they are drawn */
    const char *path;     /* of the scenario */
    uint64_t first, last; /* seeds */
    double seconds;       /* 0: without limit */
    bool first_failure;   /* ends it */
    bool tells, tells_calls, prints_manifest, random_addresses, twice;
};

static double real_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run_seed(struct guest *guest, uint64_t seed, const struct options *options,
                     struct whole_result *result)
{
    static struct story drawn;
    struct story *story = options->story ? options->story : &drawn;
    struct schedule schedule = {};
    const struct whole_settings settings = {.guest = guest,
                                            .schedule = &schedule,
                                            .story = story,
                                            .told = options->tells_calls ? stdout : NULL,
                                            .tell_output = options->tells_calls};

    schedule_begin(&schedule, options->story && seed == 0 ? CHOOSER_FIFO : CHOOSER_RANDOM, seed);
    if (!options->story)
        story_draw(&schedule, &drawn);
    if (options->prints_manifest) {
        fputs(story->manifest, stdout);
        printf("# %s, durability %s, PIDs up to %d\n", story->cgroups ? "cgroups" : "no cgroups",
               story->power ? "power" : "crash", story->pid_max);
        for (size_t i = 0; i < story->n_moments; i++)
            printf("# at %.3f s: %s %u\n", (double)story->moments[i].at_nsec / 1e9,
                   moment_words[story->moments[i].kind], story->moments[i].which);
    }
    whole_run(&settings, result);
    schedule_free(&schedule);
}

static int run_seeds(struct guest *guest, const struct options *options)
{
    double began = real_seconds(), virtual = 0;
    uint64_t failed = 0, calls = 0;

    uint64_t n = 0;
    for (uint64_t seed = options->first; seed < options->last; seed++, n++) {
        if ((options->first_failure && failed > 0) ||
            (options->seconds > 0 && real_seconds() - began > options->seconds))
            break;
        struct whole_result result = {}, again = {};
        run_seed(guest, seed, options, &result);
        if (options->twice) {
            run_seed(guest, seed, options, &again);
            if (again.hash != result.hash && !result.failed) {
                result.failed = true;
                snprintf(result.why, sizeof(result.why), "a second run makes other calls");
            }
        }
        virtual += (double)result.nsec / 1e9;
        calls += result.calls;
        failed += result.failed;
        if (result.failed)
            printf("seed %llu: %s\n", (unsigned long long)seed, result.why);
        fflush(stdout);
        if (options->tells || options->tells_calls)
            printf("seed %llu: %016llx, %llu calls, %.3f s, %llu starts of proctord, %llu of "
                   "children, %llu signals, %llu SIGKILL, %llu promises\n",
                   (unsigned long long)seed, (unsigned long long)result.hash,
                   (unsigned long long)result.calls, (double)result.nsec / 1e9,
                   (unsigned long long)result.proctords, (unsigned long long)result.starts,
                   (unsigned long long)result.signals, (unsigned long long)result.kills,
                   (unsigned long long)result.promises);
    }
    double took = real_seconds() - began;
    printf("%llu runs, %llu failed: %.1f runs/s, %.0f calls/s, %.0f x real time\n",
           (unsigned long long)n, (unsigned long long)failed, (double)n / took,
           (double)calls / took, virtual / took);
    return failed > 0 ? EXIT_FOUND : 0;
}

static bool read_seeds(const char *text, struct options *options)
{
    char *end;

    options->first = strtoull(text, &end, 10);
    options->last = options->first + 1;
    if (strncmp(end, "..", 2) == 0)
        options->last = strtoull(end + 2, &end, 10);
    return *end == '\0' && options->last > options->first;
}

static int read_options(int argc, char **argv, struct options *options);

static int run_daemon(int argc, char **argv)
{
    struct options options = {.last = 100};
    static struct story story;
    struct arena arena = {};
    struct guest *guest;
    int r = read_options(argc, argv, &options);

    if (r == 0 && options.path)
        r = story_read(options.path, &arena, &story) < 0 ? EXIT_USAGE : 0;
    if (r != 0)
        return r;
    options.story = options.path ? &story : NULL;
    r = whole_guest_new(options.proctord, options.seam, options.random_addresses, &guest);
    if (r < 0)
        return EXIT_USAGE;
    r = run_seeds(guest, &options);
    guest_free(guest);
    arena_free(&arena);
    return r;
}

const struct command_entry command_daemon = {
    .name = "daemon",
    .run = run_daemon,
    .usage = "daemon [SCENARIO] [--seeds A..B] [--twice] [--tell] [--calls] [--proctord PATH]",
    .summary = "the whole daemon, unchanged, on a simulated machine",
    .help = "  SCENARIO           one of the whole daemon; seed 0 is its plain order\n"
            "  --seeds A..B       seeds of the stories, or one seed (default 0..100)\n"
            "  --twice            runs each twice: both must make the same system calls\n"
            "  --time T           ends after this time\n"
            "  --first            ends with the first run that fails\n"
            "  --tell             prints a line for each run\n"
            "  --calls            prints each system call, and what happens besides\n"
            "  --proctord PATH    the proctord (default: the one built or installed with this "
            "program)\n"
            "  --seam PATH        the library that is preloaded into it\n"
            "  --aslr             leaves its addresses random\n",
};

static int read_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--twice") == 0)
            options->twice = true;
        else if (strcmp(argv[i], "--tell") == 0)
            options->tells = true;
        else if (strcmp(argv[i], "--calls") == 0)
            options->tells_calls = options->prints_manifest = true;
        else if (strcmp(argv[i], "--aslr") == 0)
            options->random_addresses = true;
        else if (strcmp(argv[i], "--first") == 0)
            options->first_failure = true;
        else if (argv[i][0] != '-' && !options->path)
            options->path = argv[i];
        else if (!value)
            return commands_refuse(&command_daemon, "\"%s\" is unknown, or lacks a value", argv[i]);
        else if (strcmp(argv[i], "--time") == 0 && commands_seconds(value, &options->seconds) == 0)
            i++;
        else if (strcmp(argv[i], "--proctord") == 0)
            options->proctord = argv[++i];
        else if (strcmp(argv[i], "--seam") == 0)
            options->seam = argv[++i];
        else if (strcmp(argv[i], "--seeds") != 0 || !read_seeds(argv[++i], options))
            return commands_refuse(&command_daemon, "\"%s\" is not understood", argv[i]);
    }
    return 0;
}
