/*
 * proctor-sim daemon: the whole proctord, unchanged, on a machine of the model.
 */
#include "commands/commands.h"
#include "machine/guest.h"
#include "whole/whole.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct options {
    const char *proctord, *seam;
    uint64_t first, last; /* seeds */
    bool tells, tells_calls, prints_manifest, random_addresses, twice;
};

static double real_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Beside this program, as they are built and installed. */
static const char *beside(const char *first, const char *second)
{
    static char found[2][PATH_MAX];
    static int n;
    char here[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", here, sizeof(here) - 1);

    here[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(here, '/');
    if (slash)
        *slash = '\0';
    char *path = found[n++ % 2];
    snprintf(path, PATH_MAX, "%.2000s/%s", here, first);
    if (access(path, R_OK) < 0)
        snprintf(path, PATH_MAX, "%.2000s/%s", here, second);
    return path;
}

static void stay_on_one_core(void)
{
    cpu_set_t set;
    int cpu = sched_getcpu();

    CPU_ZERO(&set);
    CPU_SET(cpu < 0 ? 0 : cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

static void run_seed(struct guest *guest, uint64_t seed, const struct options *options,
                     struct whole_result *result)
{
    static struct story story;
    struct schedule schedule = {};
    const struct whole_settings settings = {.guest = guest,
                                            .schedule = &schedule,
                                            .story = &story,
                                            .told = options->tells_calls ? stdout : NULL,
                                            .tell_output = options->tells_calls};

    schedule_begin(&schedule, CHOOSER_RANDOM, seed);
    story_draw(&schedule, &story);
    if (options->prints_manifest) {
        fputs(story.manifest, stdout);
        printf("# %s, durability %s, PIDs up to %d\n", story.cgroups ? "cgroups" : "no cgroups",
               story.power ? "power" : "crash", story.pid_max);
        for (size_t i = 0; i < story.n_moments; i++)
            printf("# at %.3f s: %s %u\n", (double)story.moments[i].at_nsec / 1e9,
                   moment_words[story.moments[i].kind], story.moments[i].which);
    }
    whole_run(&settings, result);
    schedule_free(&schedule);
}

static int run_seeds(struct guest *guest, const struct options *options)
{
    double began = real_seconds(), virtual = 0;
    uint64_t failed = 0, calls = 0;

    for (uint64_t seed = options->first; seed < options->last; seed++) {
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
                   "children, %llu signals, %llu SIGKILL\n",
                   (unsigned long long)seed, (unsigned long long)result.hash,
                   (unsigned long long)result.calls, (double)result.nsec / 1e9,
                   (unsigned long long)result.proctords, (unsigned long long)result.starts,
                   (unsigned long long)result.signals, (unsigned long long)result.kills);
    }
    double took = real_seconds() - began;
    uint64_t n = options->last - options->first;
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
    struct guest *guest;
    int r = read_options(argc, argv, &options);

    if (r != 0)
        return r;
    stay_on_one_core();
    sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){}); /* a thread that is woken waits */
    r = guest_new(options.proctord, options.seam, options.random_addresses, &guest);
    if (r < 0) {
        fprintf(stderr, "proctor-sim: %s cannot be simulated: %s\n", options.proctord,
                strerror(-r));
        return EXIT_USAGE;
    }
    r = run_seeds(guest, &options);
    guest_free(guest);
    return r;
}

const struct command_entry command_daemon = {
    .name = "daemon",
    .run = run_daemon,
    .usage = "daemon [--seeds A..B] [--twice] [--tell] [--calls] [--proctord PATH]",
    .summary = "the whole daemon, unchanged, on a simulated machine",
    .help = "  --seeds A..B       seeds of the stories, or one seed (default 0..100)\n"
            "  --twice            runs each twice: both must make the same system calls\n"
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
        else if (!value)
            return commands_refuse(&command_daemon, "\"%s\" is unknown, or lacks a value", argv[i]);
        else if (strcmp(argv[i], "--proctord") == 0)
            options->proctord = argv[++i];
        else if (strcmp(argv[i], "--seam") == 0)
            options->seam = argv[++i];
        else if (strcmp(argv[i], "--seeds") != 0 || !read_seeds(argv[++i], options))
            return commands_refuse(&command_daemon, "\"%s\" is not understood", argv[i]);
    }
    if (!options->proctord)
        options->proctord = beside("../service/proctord", "../sbin/proctord");
    if (!options->seam)
        options->seam =
            beside("seam/libproctor-sim-seam.so", "../lib/proctor/libproctor-sim-seam.so");
    return 0;
}
