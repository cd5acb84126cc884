/*
 * Mutants: does the simulator notice? Each file of tests/mutants/ is a bug of a kind that a real
 * supervisor had, as a replacement of a few lines of the core. For each, the changed file is
 * compiled, linked with everything else as it was built, and let loose on a campaign and on the
 * scenarios. A mutant that lives is a failure of the simulator. Several are tried side by side,
 * each job with a folder of its own.
 */
#include "commands/commands.h"

#include "manifest/reader.h"
#include "search/clock.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUTANT_JOBS_MAX 64

struct mutant {
    const char *name, *like, *file, *replace, *with;
};

struct mutants_options {
    const char *folder, *source, *build, *only, *scenarios;
    double seconds, shrink_seconds;
    unsigned jobs;
    char work[80];
};

/* What the jobs share. */
struct progress {
    int next; /* entry that nobody has taken yet */
    unsigned tried, alive, broken;
};

/* ---- reading --------------------------------------------------------------------------------- */

#define TEXT(function, member)                                                                     \
    static int function(struct reader *reader, const struct node *node, void *target)              \
    {                                                                                              \
        const char *text = reader_scalar(reader, node, "text");                                    \
        ((struct mutant *)target)->member =                                                        \
            text ? arena_copy(reader->arena, text, strlen(text)) : NULL;                           \
        return ((struct mutant *)target)->member ? 0 : -EINVAL;                                    \
    }

TEXT(read_name, name)
TEXT(read_like, like)
TEXT(read_file_name, file)
TEXT(read_replace, replace)
TEXT(read_with, with)

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? calloc(1, 1 << 20) : NULL;

    if (text)
        text[fread(text, 1, (1 << 20) - 1, file)] = '\0';
    else
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    if (file)
        fclose(file);
    return text;
}

/* A mutant is a small document in the language of the manifests: which file,
 * which lines, and what they are replaced with. */
static int parse(const char *path, const char *text, struct arena *arena, struct mutant *mutant)
{
    static const struct key keys[] = {{"mutant", read_name},    {"like", read_like},
                                      {"file", read_file_name}, {"replace", read_replace},
                                      {"with", read_with},      {}};
    const struct node *root;
    struct manifest_error error = {};
    struct reader reader = {.arena = arena, .error = &error};

    int r = node_parse(arena, text, strlen(text), 1 << 20, &root, &error);
    if (r == 0) {
        r = root ? reader_mapping(&reader, root, keys, mutant) : -EINVAL;
        if (r == 0 && (!mutant->name || !mutant->file || !mutant->replace || !mutant->with))
            r = reader_refuse(&reader, root, "mutant, file, replace and with are needed");
    }
    if (r < 0)
        fprintf(stderr, "%s:%zu:%zu: %s\n", path, error.line, error.column, error.text);
    return r;
}

/* ---- building -------------------------------------------------------------------------------- */

static int run_shell(const char *command)
{
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

/* Writes the core's file with the bug in it. The place must be there, once. */
static int write_source(const struct mutants_options *options, const struct mutant *mutant)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/service/core/%s", options->source, mutant->file);
    char *text = read_whole(path);
    if (!text)
        return -ENOENT;
    char *place = strstr(text, mutant->replace);
    if (!place || strstr(place + 1, mutant->replace)) {
        fprintf(stderr, "%s: the lines to replace are %s\n", path,
                place ? "there more than once" : "not there");
        free(text);
        return -EINVAL;
    }
    snprintf(path, sizeof(path), "%s/mutant.c", options->work);
    FILE *file = fopen(path, "we");
    if (file) {
        fprintf(file, "%.*s%s%s", (int)(place - text), text, mutant->with,
                place + strlen(mutant->replace));
        fclose(file);
    }
    free(text);
    return file ? 0 : -errno;
}

/* Compiles the changed file alone and links it with the objects of the build
 * folder: seconds instead of minutes for each mutant. */
static int build(const struct mutants_options *options)
{
    char command[8192];
    const char *compiler = getenv("CC") ? getenv("CC") : "cc";

    snprintf(command, sizeof(command),
             "b=%s && w=%s && %s -std=gnu11 -D_GNU_SOURCE -O1 -w -I%s/service -c $w/mutant.c "
             "-o $w/mutant.o && %s -o $w/mutant $w/mutant.o $b/sim/proctor-sim.p/main.c.o "
             "-Wl,--start-group $b/sim/libsimulator.a $b/sim/libkernel-model.a "
             "$b/service/manifest/libproctor-manifest.a $b/service/core/libproctor-core.a "
             "$b/service/journal/libproctor-journal.a $b/service/system/libproctor-system.a "
             "-Wl,--end-group -pthread -lsystemd -lyaml",
             options->build, options->work, compiler, options->source, compiler);
    return run_shell(command);
}

/* ---- hunting --------------------------------------------------------------------------------- */

struct hunt {
    char check[64], text[300];
    unsigned long seed, inputs;
    double seconds, shrink_seconds;
    size_t choices;
    unsigned scenarios;
    bool by_campaign;
};

/* What a scenario has noticed already need not be hunted for long. */
static void hunt_by_campaign(const struct mutants_options *options, struct hunt *hunt)
{
    char command[4096];
    double seconds = hunt->scenarios > 0 && options->seconds > 5 ? 5 : options->seconds;

    snprintf(command, sizeof(command),
             "%s/mutant campaign --quiet --jobs 1 --seeds 0.. --time %.0fs --shrink %.0fs%s "
             "2>/dev/null",
             options->work, seconds, options->shrink_seconds, options->only ? " --store ." : "");
    FILE *pipe = popen(command, "r");
    hunt->by_campaign = pipe && fscanf(pipe, "%63s %lu %lu %lf %zu %lf %299[^\n]", hunt->check,
                                       &hunt->seed, &hunt->inputs, &hunt->seconds, &hunt->choices,
                                       &hunt->shrink_seconds, hunt->text) == 7;
    if (pipe)
        pclose(pipe);
}

/* Counts the scenarios that notice. A run that does not end has noticed,
 * too. */
static void hunt_by_scenarios(const struct mutants_options *options, struct hunt *hunt)
{
    char command[4096];
    unsigned all;

    snprintf(command, sizeof(command),
             "timeout 60 %s/mutant test --failed --seeds 3 %s 2>/dev/null | tail -n 1",
             options->work, options->scenarios);
    FILE *pipe = popen(command, "r");
    if (pipe && fscanf(pipe, "%u scenarios, %u failed", &all, &hunt->scenarios) != 2)
        hunt->scenarios = 1; /* it did not come to its end */
    if (pipe)
        pclose(pipe);
}

/* For one mutant alone: its shrunk trace and its timeline, made by the core that has the bug. */
static void keep_trace(const struct mutants_options *options, const struct hunt *found)
{
    char command[4096];

    snprintf(command, sizeof(command),
             "mv seed-%lu.trace '%s.trace' && %s/mutant timeline '%s.trace' -o '%s.html'",
             found->seed, options->only, options->work, options->only, options->only);
    printf("%s\n", found->text);
    if (run_shell(command) == 0)
        printf("its shrunk trace: %s.trace, its timeline: %s.html\n", options->only, options->only);
}

/* Returns whether the mutant was found. */
static bool hunt(const struct mutants_options *options, const struct mutant *mutant)
{
    struct hunt found = {};

    hunt_by_scenarios(options, &found);
    hunt_by_campaign(options, &found);
    if (found.by_campaign)
        printf("%-52.52s %9lu %8.2f s %4zu %6.1f s %4u  %s\n", mutant->name, found.inputs,
               found.seconds, found.choices, found.shrink_seconds, found.scenarios, found.check);
    else
        printf("%-52.52s %9s %8s   %4s %6s   %4u  %s\n", mutant->name, "-", "-", "-", "-",
               found.scenarios, found.scenarios ? "by scenarios alone" : "LIVES");
    if (options->only && found.by_campaign)
        keep_trace(options, &found);
    fflush(stdout);
    return found.by_campaign || found.scenarios > 0;
}

/* Returns 1 for found, 0 for a mutant that lives, or a negative errno. */
static int try_mutant(const struct mutants_options *options, const char *path)
{
    struct arena arena = {};
    struct mutant mutant = {};
    char *text = read_whole(path);

    int r = text ? parse(path, text, &arena, &mutant) : -ENOENT;
    if (r == 0)
        r = write_source(options, &mutant);
    if (r == 0 && build(options) != 0) {
        fprintf(stderr, "%s: does not compile\n", path);
        r = -EINVAL;
    }
    if (r == 0)
        r = hunt(options, &mutant);
    free(text);
    arena_free(&arena);
    return r;
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool is_wanted(const struct mutants_options *options, const char *name)
{
    const char *dot = strrchr(name, '.');

    if (!dot || strcmp(dot, ".yaml") != 0)
        return false;
    return !options->only || (strlen(options->only) == (size_t)(dot - name) &&
                              strncmp(options->only, name, (size_t)(dot - name)) == 0);
}

/* Each takes the next that nobody has taken. */
static void hunt_next(const struct mutants_options *options, struct dirent **entries, int n,
                      struct progress *progress)
{
    char path[4096];

    for (int i; (i = __atomic_fetch_add(&progress->next, 1, __ATOMIC_SEQ_CST)) < n;) {
        if (!is_wanted(options, entries[i]->d_name))
            continue;
        snprintf(path, sizeof(path), "%s/%s", options->folder, entries[i]->d_name);
        int r = try_mutant(options, path);
        __atomic_fetch_add(&progress->tried, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&progress->alive, r == 0, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&progress->broken, r < 0, __ATOMIC_SEQ_CST);
    }
}

/* One of several processes, in a folder of its own, which takes the next mutant
 * until none is left. */
static void run_job(const struct mutants_options *options, unsigned job, struct dirent **entries,
                    int n, struct progress *progress)
{
    struct mutants_options own = *options;

    snprintf(own.work, sizeof(own.work), "%.60s/%u", options->work, job);
    if (mkdir(own.work, 0700) < 0) {
        perror(own.work);
        _exit(1);
    }
    hunt_next(&own, entries, n, progress);
    _exit(0);
}

/* Returns whether all jobs have come to their end. */
static bool hunt_side_by_side(const struct mutants_options *options, struct dirent **entries, int n,
                              struct progress *progress)
{
    bool good = true;

    fflush(stdout);
    for (unsigned job = 0; job < options->jobs; job++) {
        pid_t pid = fork();
        if (pid == 0)
            run_job(options, job, entries, n, progress);
        good = good && pid > 0;
    }
    for (int status; wait(&status) > 0;)
        good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return good;
}

/* The progress is in shared memory, so that the jobs can hand out the mutants
 * among themselves. */
static int hunt_all(const struct mutants_options *options)
{
    struct dirent **entries;
    int n = scandir(options->folder, &entries, NULL, alphasort);
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (n < 0 || progress == MAP_FAILED) {
        fprintf(stderr, "%s: %s\n", options->folder, strerror(errno));
        return EXIT_USAGE;
    }
    printf("%-52s %9s %10s %4s %8s %4s  %s\n", "mutant", "inputs", "found in", "cho.", "shrunk in",
           "sc.", "check");
    double began = clock_seconds();
    bool ended = hunt_side_by_side(options, entries, n, progress);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    printf("%u mutants, %u found, %u alive, %u that could not be tried, %.0f s\n", progress->tried,
           progress->tried - progress->alive - progress->broken, progress->alive, progress->broken,
           clock_seconds() - began);
    return !ended || progress->alive + progress->broken > 0 || progress->tried == 0;
}

/* One option; false if its value is not understood. */
static bool read_option(struct mutants_options *options, int option, const char *value)
{
    uint64_t jobs;

    switch (option) {
    case 's':
        options->source = value;
        return true;
    case 'b':
        options->build = value;
        return true;
    case 'o':
        options->only = value;
        return true;
    case 'c':
        options->scenarios = value;
        return true;
    case 't':
        return commands_seconds(value, &options->seconds) == 0;
    case 'k':
        return commands_seconds(value, &options->shrink_seconds) == 0;
    case 'j':
        if (!commands_read_number(value, &jobs) || jobs == 0 || jobs > MUTANT_JOBS_MAX)
            return false;
        options->jobs = (unsigned)jobs;
        return true;
    default:
        return false;
    }
}

/* The working folder is removed at the end, whatever was found. */
static int handle(int argc, char **argv)
{
    static const struct option longs[] = {
        {"source", required_argument, NULL, 's'},    {"build", required_argument, NULL, 'b'},
        {"time", required_argument, NULL, 't'},      {"only", required_argument, NULL, 'o'},
        {"scenarios", required_argument, NULL, 'c'}, {"jobs", required_argument, NULL, 'j'},
        {"shrink", required_argument, NULL, 'k'},    {}};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct mutants_options options = {
        .source = ".",
        .build = "build",
        .seconds = 60,
        .shrink_seconds = 30,
        .jobs = processors > 0 && processors < MUTANT_JOBS_MAX ? (unsigned)processors : 1};
    char folder[4096], scenarios[4096], command[128];

    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;)
        if (!read_option(&options, c, optarg))
            return commands_refuse(&command_mutants, "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    snprintf(folder, sizeof(folder), "%s/tests/mutants", options.source);
    snprintf(scenarios, sizeof(scenarios), "%s/tests/scenarios", options.source);
    options.folder = optind < argc ? argv[optind] : folder;
    options.scenarios = options.scenarios ? options.scenarios : scenarios;
    strcpy(options.work, "/tmp/proctor-mutants-XXXXXX");
    if (!mkdtemp(options.work)) {
        perror(options.work);
        return EXIT_USAGE;
    }
    int status = hunt_all(&options);
    snprintf(command, sizeof(command), "rm -rf '%s'", options.work);
    return run_shell(command) == 0 ? status : EXIT_USAGE;
}

const struct command_entry command_mutants = {
    "mutants", handle, "mutants [DIR] [--source DIR] [--build DIR] [--time T] [--jobs N]",
    "builds the core with each seeded bug and reports how soon it is found",
    "  DIR                the mutants (default tests/mutants)\n"
    "  --source DIR       source directory (default .)\n"
    "  --build DIR        build directory (default build)\n"
    "  --time T           time limit for each (default 60s)\n"
    "  --shrink T         time for shrinking each (default 30s; 0s: only found)\n"
    "  --jobs N           mutants at a time (default: processors)\n"
    "  --only NAME        only this one; writes its shrunk trace to NAME.trace, its timeline to\n"
    "                     NAME.html\n"};
