/*
 * proctor-sim daemon: the whole proctord, unchanged, on a machine of the model.
 */
#include "commands/commands.h"
#include "commands/whole_guest.h"
#include "search/clock.h"
#include "search/shrink.h"
#include "whole/story_read.h"
#include "whole/whole.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *proctord, *seam;
    struct story *story;   /* of a scenario; NULL: they are drawn */
    const char *path;      /* of the scenario */
    uint64_t first, last;  /* seeds */
    double seconds;        /* 0: without limit */
    bool first_failure;    /* ends it */
    double shrink_seconds; /* for each that fails */
    uint32_t *given;       /* choices, instead of those of a seed */
    size_t n_given;
    bool tells, tells_calls, random_addresses, twice;
};

static void print_story(const struct story *story)
{
    fputs(story->manifest, stdout);
    printf("# %s, durability %s, PIDs up to %d\n", story->cgroups ? "cgroups" : "no cgroups",
           story->power ? "power" : "crash", story->pid_max);
    for (size_t i = 0; i < story->n_moments; i++)
        printf("# at %.3f s: %s %u\n", (double)story->moments[i].at_nsec / 1e9,
               moment_words[story->moments[i].kind], story->moments[i].which);
}

/* With the schedule as it has been begun. */
static void run_begun(struct guest *guest, struct schedule *schedule, const struct options *options,
                      bool quiet, struct whole_result *result)
{
    static struct story drawn;
    struct story *story = options->story ? options->story : &drawn;

    if (!options->story)
        story_draw(schedule, &drawn);
    if (options->tells_calls && !quiet)
        print_story(story);
    whole_guest_run(guest, story, schedule, options->tells_calls && !quiet ? stdout : NULL, result);
}

static void run_seed(struct guest *guest, uint64_t seed, const struct options *options,
                     struct schedule *schedule, struct whole_result *result)
{
    if (options->given)
        schedule_begin_given(schedule, options->given, options->n_given);
    else
        schedule_begin(schedule, options->story && seed == 0 ? CHOOSER_FIFO : CHOOSER_RANDOM, seed);
    run_begun(guest, schedule, options, false, result);
}

/* ---- what has failed ------------------------------------------------------------------------- */

struct failing {
    struct guest *guest;
    const struct options *options;
    struct schedule *schedule;
    char shape[256];
};

/* Times and PIDs are others in a shorter run. */
static void take_shape(const char *why, char *shape)
{
    for (; *why; why++)
        if (*why < '0' || *why > '9')
            *shape++ = *why;
    *shape = '\0';
}

static bool still_fails(void *userdata)
{
    struct failing *failing = userdata;
    struct whole_result result = {};
    char shape[sizeof(result.why)];

    run_begun(failing->guest, failing->schedule, failing->options, true, &result);
    take_shape(result.why, shape);
    return result.failed && strcmp(shape, failing->shape) == 0;
}

static void print_repeat(const struct options *options, const uint32_t *choices, size_t count)
{
    char *text = schedule_to_text(choices, count);

    printf("repeat it with: proctor-sim daemon %s%s--schedule %s\n",
           options->path ? options->path : "", options->path ? " " : "", text);
    free(text);
}

/* Shrinks a failure, if there is time for it, and prints the command that
 * repeats it. A shorter run counts only if it fails in the same way, digits
 * aside. */
static void explain(struct guest *guest, const struct options *options, struct schedule *schedule,
                    const struct whole_result *result)
{
    struct failing failing = {.guest = guest, .options = options, .schedule = schedule};
    const struct shrink_subject subject = {schedule, &failing, still_fails};
    size_t count = schedule->count, n_short;
    uint32_t *choices = malloc((count + 1) * sizeof(*choices)), *shorter;
    double began = clock_seconds();

    if (!choices)
        return;
    memcpy(choices, schedule->choices, count * sizeof(*choices));
    take_shape(result->why, failing.shape);
    uint64_t tries =
        shrink_schedule(&subject, choices, count, options->shrink_seconds, &shorter, &n_short);
    if (tries > 0)
        printf("shrunk from %zu choices to %zu in %llu tries, %.1f s\n",
               schedule_weight(choices, count), schedule_weight(shorter, n_short),
               (unsigned long long)tries, clock_seconds() - began);
    print_repeat(options, shorter, n_short);
    free(shorter);
    free(choices);
}

/* Each seed is one whole life of proctord. With --twice each is run again: a
 * second run that makes other calls means that something outside of the seed
 * has an influence. */
static int run_seeds(struct guest *guest, const struct options *options)
{
    double began = clock_seconds(), virtual = 0;
    struct schedule schedule = {}, other = {};
    uint64_t failed = 0, calls = 0, n = 0;

    for (uint64_t seed = options->first; seed < options->last; seed++, n++) {
        if ((options->first_failure && failed > 0) ||
            (options->seconds > 0 && clock_seconds() - began > options->seconds))
            break;
        struct whole_result result = {}, again = {};
        run_seed(guest, seed, options, &schedule, &result);
        if (options->twice) {
            run_seed(guest, seed, options, &other, &again);
            if (again.hash != result.hash && !result.failed) {
                result.failed = true;
                snprintf(result.why, sizeof(result.why), "a second run makes other calls");
            }
        }
        virtual += (double)result.nsec / 1e9;
        calls += result.calls;
        failed += result.failed;
        if (result.failed) {
            printf("seed %llu: %s\n", (unsigned long long)seed, result.why);
            explain(guest, options, &schedule, &result);
        }
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
    double took = clock_seconds() - began;
    schedule_free(&schedule);
    schedule_free(&other);
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

/* Entry of the command. */
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
    free(options.given);
    arena_free(&arena);
    return r;
}

const struct command_entry command_daemon = {
    .name = "daemon",
    .run = run_daemon,
    .usage = "daemon [SCENARIO] [--seeds A..B] [--shrink T] [--calls] [--proctord PATH]",
    .summary = "the whole daemon, unchanged, on a simulated machine",
    .help = "  SCENARIO           a scenario of the whole daemon; seed 0 is its default order\n"
            "  --seeds A..B       seeds of generated runs, or one seed (default 0..100)\n"
            "  --twice            runs each twice: both must make the same system calls\n"
            "  --time T           ends after this time\n"
            "  --shrink T         time for finding a shorter run that fails in the same way\n"
            "  --schedule S       the choices of a run, as printed by a failure\n"
            "  --first            stops after the first run that fails\n"
            "  --tell             prints a line for each run\n"
            "  --calls            prints each system call and other events\n"
            "  --proctord PATH    the proctord (default: the one built or installed with this "
            "program)\n"
            "  --seam PATH        the library that is preloaded into it\n"
            "  --aslr             leaves its addresses random\n",
};

/* By hand rather than by getopt: most options have values of a kind of their
 * own, which are read at once. */
static int read_options(int argc, char **argv, struct options *options)
{
    const char *problem;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--twice") == 0)
            options->twice = true;
        else if (strcmp(argv[i], "--tell") == 0)
            options->tells = true;
        else if (strcmp(argv[i], "--calls") == 0)
            options->tells_calls = true;
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
        else if (strcmp(argv[i], "--shrink") == 0 &&
                 commands_seconds(value, &options->shrink_seconds) == 0)
            i++;
        else if (strcmp(argv[i], "--schedule") == 0 &&
                 schedule_from_text(value, &options->given, &options->n_given, &problem) == 0)
            options->last = options->first + 1, i++;
        else if (strcmp(argv[i], "--proctord") == 0)
            options->proctord = argv[++i];
        else if (strcmp(argv[i], "--seam") == 0)
            options->seam = argv[++i];
        else if (strcmp(argv[i], "--seeds") != 0 || !read_seeds(argv[++i], options))
            return commands_refuse(&command_daemon, "\"%s\" is not understood", argv[i]);
    }
    return 0;
}
