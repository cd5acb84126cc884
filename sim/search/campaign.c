/*
 * A campaign: seeds in chunks, worked at by several processes, which share
 * counters and nothing else. It can be stopped and continued, split among
 * machines and merged.
 */
#include "checks/coverage.h"
#include "search/campaign.h"

#include "search/clock.h"
#include "search/shrink.h"
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATES_BYTES ((1u << WORLD_STATE_BITS) / 8)
#define WORKERS_MAX  256

/* What a worker tells; written by it alone. */
struct worker {
    uint64_t runs, inputs, failures, simulated_nsec;
    uint64_t marks[COVERAGE_WORDS];
    unsigned char states[STATES_BYTES];
    bool failed;
    uint64_t failed_seed;
    struct verdict verdict;
};

struct shared {
    atomic_ullong next_chunk;
    atomic_bool stop;
    struct worker workers[];
};

void campaign_begin_schedule(struct schedule *schedule, uint64_t seed)
{
    bool pct = seed % 4 == 3;

    schedule_set_depth(schedule, pct ? 1 + (unsigned)(seed / 4 % 8) : 0);
    schedule_begin(schedule, pct ? CHOOSER_PCT : CHOOSER_RANDOM, seed);
}

/* ---- workers --------------------------------------------------------------------------------- */

/* The first failure of a worker is kept. */
static void run_seed(struct run *run, struct worker *worker, uint64_t seed)
{
    struct result result;

    run->seed = seed;
    campaign_begin_schedule(run->schedule, seed);
    run_once(run, &result);
    worker->runs++;
    worker->inputs += result.inputs;
    worker->simulated_nsec += result.simulated_nsec;
    for (int i = 0; i < COVERAGE_WORDS; i++)
        worker->marks[i] |= result.marks[i];
    if (result.verdict.check == CHECK_NONE)
        return;
    worker->failures++;
    if (!worker->failed) {
        worker->failed = true;
        worker->failed_seed = seed;
        worker->verdict = result.verdict;
    }
}

/* Takes chunks until there are none, or somewhere a seed has failed. */
static void work(const struct campaign_options *options, struct shared *shared,
                 struct worker *worker)
{
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY), .schedule = &schedule};

    run.states = worker->states;
    while (!atomic_load(&shared->stop)) {
        uint64_t chunk = atomic_fetch_add(&shared->next_chunk, 1);
        uint64_t seed =
            options->first + (chunk * options->shards + options->shard) * CAMPAIGN_CHUNK;
        if (seed >= options->last) {
            atomic_fetch_sub(&shared->next_chunk, 1);
            break;
        }
        for (uint64_t i = 0; i < CAMPAIGN_CHUNK && seed + i < options->last; i++)
            run_seed(&run, worker, seed + i);
        if (worker->failed && !options->keep_going)
            atomic_store(&shared->stop, true); /* chunks are whole: a checkpoint counts them */
    }
    memory_free(run.memory);
    schedule_free(&schedule);
}

/* ---- totals ---------------------------------------------------------------------------------- */

static unsigned count_bits(const unsigned char *bytes, size_t count)
{
    unsigned bits = 0;

    for (size_t i = 0; i < count; i++)
        bits += (unsigned)__builtin_popcount(bytes[i]);
    return bits;
}

/* The failure with the smallest seed is reported, so that the report does not
 * depend on which worker was faster. */
static void add_up(const struct shared *shared, unsigned jobs, const struct worker *before,
                   struct worker *sum)
{
    *sum = *before;
    for (unsigned i = 0; i < jobs; i++) {
        const struct worker *worker = &shared->workers[i];
        sum->runs += worker->runs;
        sum->inputs += worker->inputs;
        sum->failures += worker->failures;
        sum->simulated_nsec += worker->simulated_nsec;
        for (int k = 0; k < COVERAGE_WORDS; k++)
            sum->marks[k] |= worker->marks[k];
        for (size_t b = 0; b < STATES_BYTES; b++)
            sum->states[b] |= worker->states[b];
        if (worker->failed && (!sum->failed || worker->failed_seed < sum->failed_seed)) {
            sum->failed = true;
            sum->failed_seed = worker->failed_seed;
            sum->verdict = worker->verdict;
        }
    }
}

static unsigned marks_of(const struct worker *sum)
{
    unsigned marks = 0;

    for (int i = 0; i < COVERAGE_WORDS; i++)
        marks += (unsigned)__builtin_popcountll(sum->marks[i]);
    return marks;
}

/* One line that is overwritten. */
static void show_progress(const struct campaign_options *options, const struct worker *sum,
                          double seconds)
{
    char bar[31] = "";
    double part = options->seconds > 0 ? seconds / options->seconds : 0;

    if (options->last != UINT64_MAX && options->last > options->first) {
        double seeds =
            (double)sum->runs * options->shards / (double)(options->last - options->first);
        part = seeds > part ? seeds : part;
    }
    for (int i = 0; i < 30; i++)
        bar[i] = i < (int)(part * 30) ? '#' : '.';
    fprintf(stderr,
            "\r[%s] %" PRIu64 " seeds, %.0f seeds/s, %.2f M inputs/s, %.1f M x real time, "
            "%u states, %u marks ",
            bar, sum->runs, (double)sum->runs / seconds, (double)sum->inputs / seconds / 1e6,
            (double)sum->simulated_nsec / 1e9 / seconds / 1e6,
            count_bits(sum->states, STATES_BYTES), marks_of(sum));
}

/* What it should have drawn at least once, and has not: also a tenth of the range of a jitter. */
static bool print_draws(uint64_t marks)
{
    bool any = false;

    for (int i = 0; i < COVERAGE_DRAWS; i++)
        if (!(marks & UINT64_C(1) << i)) {
            printf("%s%s", any ? ", " : "never drawn: ", coverage_draw_to_string(i));
            any = true;
        }
    printf("%s\n", any ? "" : "each verb, option, refusal and tenth of a jitter was drawn");
    return !any;
}

/* The "sometimes": what a campaign should have seen at least once, and has not. */
static bool print_marks(const struct worker *sum)
{
    bool any = false;

    for (int kind = 0; kind < EVENT_KINDS; kind++) {
        if (sum->marks[0] & UINT64_C(1) << kind)
            continue;
        printf("%s%s",
               any ? ", " : "never occurred: ", event_kind_to_string((enum event_kind)kind));
        any = true;
    }
    for (int kind = EXIT_SUCCEEDED; kind <= EXIT_SPAWN_FAILED; kind++)
        if (!(sum->marks[1] & UINT64_C(1) << kind)) {
            printf("%sexit %s",
                   any ? ", " : "never occurred: ", exit_kind_to_string((enum exit_kind)kind));
            any = true;
        }
    for (int result = SHUTDOWN_ALREADY_EXITED; result <= SHUTDOWN_LATE_REPORT; result++)
        if (!(sum->marks[1] & UINT64_C(1) << (40 + result))) {
            printf("%sshutdown result %s", any ? ", " : "never occurred: ",
                   shutdown_result_to_string((enum shutdown_result)result));
            any = true;
        }
    printf("%s\n", any ? "" : "every event, exit and shutdown result has occurred");
    return print_draws(sum->marks[2]) && !any;
}

/* Returns whether all has occurred, and been drawn. */
static bool print_totals(const struct worker *sum, double seconds)
{
    printf("%" PRIu64 " seeds, %" PRIu64 " inputs, %.0f s simulated, %" PRIu64 " failed\n",
           sum->runs, sum->inputs, (double)sum->simulated_nsec / 1e9, sum->failures);
    if (seconds > 0)
        printf("%.0f seeds/s, %.0f inputs/s, %.0f x real time\n", (double)sum->runs / seconds,
               (double)sum->inputs / seconds, (double)sum->simulated_nsec / 1e9 / seconds);
    printf("%u states of a child, %u marks; ", count_bits(sum->states, STATES_BYTES),
           marks_of(sum));
    return print_marks(sum);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

/* Beside the old one, and then renamed: a checkpoint is whole or not there. */
static int write_checkpoint(const struct campaign_options *options, uint64_t next_chunk,
                            const struct worker *sum)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s.new", options->checkpoint);
    FILE *file = fopen(path, "we");
    if (!file)
        return -errno;
    fprintf(file, "proctor-campaign 2\nseeds: %" PRIu64 "..%" PRIu64 "\nshard: %u/%u\n",
            options->first, options->last, options->shard, options->shards);
    fprintf(file, "next: %" PRIu64 "\nruns: %" PRIu64 "\ninputs: %" PRIu64 "\n", next_chunk,
            sum->runs, sum->inputs);
    fprintf(file, "simulated: %" PRIu64 "\nfailures: %" PRIu64 "\n", sum->simulated_nsec,
            sum->failures);
    fprintf(file, "marks:");
    for (int i = 0; i < COVERAGE_WORDS; i++)
        fprintf(file, " %016" PRIx64, sum->marks[i]);
    fprintf(file, "\nfailed: %d %" PRIu64 "\nstates: ", sum->failed, sum->failed_seed);
    for (size_t i = 0; i < STATES_BYTES; i++)
        fprintf(file, "%02x", sum->states[i]);
    fprintf(file, "\nend\n");
    if (fclose(file) != 0 || rename(path, options->checkpoint) < 0)
        return -errno;
    return 0;
}

/* Returns 0, -ENOENT where there is none, or -EINVAL with a line on stderr. */
static int read_checkpoint(const char *path, struct campaign_options *about, uint64_t *next_chunk,
                           struct worker *sum)
{
    FILE *file = fopen(path, "re");
    int failed = 0;
    char end[8] = "";

    if (!file)
        return -errno;
    *sum = (struct worker){};
    bool good = fscanf(file,
                       "proctor-campaign 2 seeds: %" SCNu64 "..%" SCNu64
                       " shard: %u/%u next: %" SCNu64 " runs: %" SCNu64 " inputs: %" SCNu64
                       " simulated: %" SCNu64 " failures: %" SCNu64 " marks:",
                       &about->first, &about->last, &about->shard, &about->shards, next_chunk,
                       &sum->runs, &sum->inputs, &sum->simulated_nsec, &sum->failures) == 9;
    for (int i = 0; good && i < COVERAGE_WORDS; i++)
        good = fscanf(file, " %" SCNx64, &sum->marks[i]) == 1;
    good =
        good && fscanf(file, " failed: %d %" SCNu64 " states: ", &failed, &sum->failed_seed) == 2;
    for (size_t i = 0; good && i < STATES_BYTES; i++) {
        unsigned byte;
        good = fscanf(file, "%2x", &byte) == 1;
        sum->states[i] = (unsigned char)byte;
    }
    good = good && fscanf(file, "%7s", end) == 1 && strcmp(end, "end") == 0 &&
           about->shard < about->shards;
    sum->failed = failed;
    fclose(file);
    if (!good)
        fprintf(stderr, "%s: not a checkpoint of a campaign, or incomplete\n", path);
    return good ? 0 : -EINVAL;
}

/* ---- merging --------------------------------------------------------------------------------- */

/* A checkpoint, as far as it is about which part of a campaign it is. */
struct part {
    const char *path;
    struct campaign_options about;
    bool finished;
};

static bool is_finished(const struct campaign_options *about, uint64_t next)
{
    return about->last == UINT64_MAX ||
           about->first + (next * about->shards + about->shard) * CAMPAIGN_CHUNK >= about->last;
}

/* What is counted twice, or belongs to something else, makes a sum of nothing. */
static bool fits(const struct part *parts, int count, const struct part *part)
{
    for (int i = 0; i < count; i++) {
        const struct campaign_options *other = &parts[i].about, *about = &part->about;
        if (about->first != other->first || about->last != other->last ||
            about->shards != other->shards) {
            fprintf(stderr, "%s and %s are of different campaigns\n", parts[i].path, part->path);
            return false;
        }
        if (about->shard == other->shard) {
            fprintf(stderr, "%s and %s are the same shard, %u/%u\n", parts[i].path, part->path,
                    about->shard, about->shards);
            return false;
        }
    }
    return true;
}

/* Says what is missing from the whole. Returns whether it is whole. */
static bool is_whole(const struct part *parts, int count)
{
    unsigned missing = count > 0 ? parts[0].about.shards - (unsigned)count : 0;

    for (int i = 0; i < count; i++)
        if (!parts[i].finished)
            fprintf(stderr, "%s: shard %u/%u is not finished: run it again\n", parts[i].path,
                    parts[i].about.shard, parts[i].about.shards);
    if (missing > 0)
        fprintf(stderr, "%u of %u shards %s missing\n", missing, parts[0].about.shards,
                missing == 1 ? "is" : "are");
    for (int i = 0; i < count; i++)
        if (!parts[i].finished)
            return false;
    return missing == 0;
}

static void add_part(struct worker *sum, const struct worker *one)
{
    sum->runs += one->runs;
    sum->inputs += one->inputs;
    sum->simulated_nsec += one->simulated_nsec;
    sum->failures += one->failures;
    for (int i = 0; i < COVERAGE_WORDS; i++)
        sum->marks[i] |= one->marks[i];
    for (size_t b = 0; b < STATES_BYTES; b++)
        sum->states[b] |= one->states[b];
}

/* One shard's checkpoint, checked against those read before. */
static int read_part(struct part *parts, int count, char *path, struct worker *sum)
{
    struct part *part = &parts[count];
    struct worker one;
    uint64_t next;
    int r = read_checkpoint(path, &part->about, &next, &one);

    if (r == -ENOENT)
        fprintf(stderr, "%s: %s\n", path, strerror(-r));
    if (r < 0)
        return r;
    part->path = path;
    part->finished = is_finished(&part->about, next);
    if (!fits(parts, count, part))
        return -EINVAL;
    printf("%s: shard %u/%u of seeds %" PRIu64 "..%" PRIu64 ", %" PRIu64 " done\n", path,
           part->about.shard, part->about.shards, part->about.first, part->about.last, one.runs);
    add_part(sum, &one);
    if (one.failed)
        printf("  seed %" PRIu64 " failed: proctor-sim run swarm --seed %" PRIu64 "\n",
               one.failed_seed, one.failed_seed);
    return 0;
}

/* Whether all shards together cover the seeds, without gaps. */
int campaign_merge(int count, char **paths)
{
    struct part *parts = calloc((size_t)count, sizeof(*parts));
    struct worker sum = {};

    for (int i = 0; i < count; i++)
        if (!parts || read_part(parts, i, paths[i], &sum) < 0) {
            free(parts);
            return 2;
        }
    print_totals(&sum, 0);
    bool whole = is_whole(parts, count);
    free(parts);
    return sum.failures > 0 ? 1 : whole ? 0 : 2;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void tell_failure(const struct run *run, const char *path, const struct shrunk *shrunk,
                         bool stored)
{
    char *text = schedule_to_text(shrunk->choices, shrunk->count);

    printf("repeat it with: proctor-sim run swarm --seed %" PRIu64 " --schedule %s\n", run->seed,
           text);
    if (stored)
        printf("or look at it:  proctor-sim timeline %s -o run.html\n", path);
    free(text);
}

#define SHORT_ENOUGH  12 /* choices */
#define SHRINK_SLICES 12 /* of the time: one stubborn seed must not use all of it up */

/* Runs a seed and shrinks it where it fails this check (CHECK_NONE: any). Returns whether it did.
 */
static bool shrink_seed(struct run *run, uint64_t seed, enum check check, double seconds,
                        struct shrunk *shrunk, size_t *weight)
{
    struct result result;

    run->seed = seed;
    campaign_begin_schedule(run->schedule, seed);
    run_once(run, &result);
    if (result.verdict.check == CHECK_NONE ||
        (check != CHECK_NONE && result.verdict.check != check))
        return false;
    size_t count = run->schedule->count;
    uint32_t *choices = malloc((count + 1) * sizeof(*choices));
    if (!choices)
        return false;
    memcpy(choices, run->schedule->choices, count * sizeof(*choices));
    *weight = schedule_weight(choices, count);
    shrink(run, choices, count, seconds, shrunk);
    free(choices);
    return true;
}

/* Where one failing seed does not get short, others may: the shortest is kept. */
static uint64_t shrink_others(struct run *run, uint64_t seed, double until, double slice,
                              struct shrunk *best)
{
    uint64_t found = seed;

    for (uint64_t next = seed + 1; schedule_weight(best->choices, best->count) > SHORT_ENOUGH &&
                                   clock_seconds() < until && next < seed + 100000;
         next++) {
        struct shrunk shrunk;
        size_t weight;
        double left = until - clock_seconds();
        if (!shrink_seed(run, next, best->result.verdict.check, left < slice ? left : slice,
                         &shrunk, &weight))
            continue;
        if (schedule_weight(shrunk.choices, shrunk.count) <
            schedule_weight(best->choices, best->count)) {
            struct shrunk worse = *best;
            *best = shrunk;
            shrunk = worse;
            found = next;
        }
        free(shrunk.choices);
    }
    run->seed = found;
    return found;
}

/* Shrinks the first failure, and others of the same kind, and stores the
 * shortest. */
static void shrink_failure(const struct campaign_options *options, struct run *run,
                           const struct worker *sum, double seconds)
{
    double began = clock_seconds();
    struct shrunk shrunk;
    struct result stored;
    size_t before, weight;
    char path[4096];

    double slice = options->shrink_seconds / SHRINK_SLICES;
    if (!shrink_seed(run, sum->failed_seed, CHECK_NONE, slice, &shrunk, &before))
        return;
    shrink_others(run, sum->failed_seed, began + options->shrink_seconds, slice, &shrunk);
    double took = clock_seconds() - began;
    weight = schedule_weight(shrunk.choices, shrunk.count);
    snprintf(path, sizeof(path), "%s/seed-%" PRIu64 ".trace", options->store ? options->store : ".",
             run->seed);
    int r = options->quiet && !options->store
                ? -ENOENT
                : trace_write(path, run, shrunk.choices, shrunk.count, &stored);
    if (options->quiet) {
        printf("%s %" PRIu64 " %" PRIu64 " %.3f %zu %.3f %s\n", check_to_string(sum->verdict.check),
               run->seed, sum->inputs, seconds, weight, took, shrunk.result.verdict.text);
    } else {
        printf("seed %" PRIu64 " failed: %s at input %" PRIu64 ": %s\n", sum->failed_seed,
               check_to_string(sum->verdict.check), sum->verdict.input, sum->verdict.text);
        printf("shrunk from %zu choices to %zu in %" PRIu64 " tries, %.1f s: %s\n", before, weight,
               shrunk.tries, took, shrunk.result.verdict.text);
        tell_failure(run, path, &shrunk, r == 0);
        if (r < 0)
            fprintf(stderr, "%s: %s\n", path, strerror(-r));
    }
    free(shrunk.choices);
}

static void store_failure(const struct campaign_options *options, const struct worker *sum,
                          double seconds)
{
    struct schedule schedule = {};
    struct run run = {.memory = memory_new(RUN_MEMORY), .schedule = &schedule};

    shrink_failure(options, &run, sum, seconds);
    memory_free(run.memory);
    schedule_free(&schedule);
}

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* The parent: waits for the workers and shows progress. */
static void watch(const struct campaign_options *options, struct shared *shared,
                  const struct worker *before, unsigned left, double began, struct worker *sum)
{
    double last = 0;

    while (left > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        double seconds = clock_seconds() - began;
        left -= pid > 0;
        if (interrupted || (options->seconds > 0 && seconds > options->seconds))
            atomic_store(&shared->stop, true);
        if (pid > 0)
            continue;
        usleep(20000);
        if (!options->progress || seconds - last < 0.2)
            continue;
        last = seconds;
        add_up(shared, options->jobs, before, sum);
        show_progress(options, sum, seconds);
    }
    if (options->progress)
        fprintf(stderr, "\n");
}

/* What the caller wants to know. */
static void fill_totals(const struct worker *sum, double seconds, struct campaign_totals *totals)
{
    *totals = (struct campaign_totals){
        .runs = sum->runs,
        .inputs = sum->inputs,
        .failures = sum->failures,
        .simulated_seconds = (double)sum->simulated_nsec / 1e9,
        .seconds = seconds,
        .marks = {sum->marks[0], sum->marks[1]},
        .states = count_bits(sum->states, STATES_BYTES),
        .failed_seed = sum->failed_seed,
        .verdict = sum->verdict,
    };
}

/* Continues from a checkpoint of the same campaign only. */
static int resume(struct campaign_options *options, struct shared *shared, struct worker *before)
{
    struct campaign_options about = {};
    uint64_t next = 0;

    if (!options->checkpoint)
        return 0;
    int r = read_checkpoint(options->checkpoint, &about, &next, before);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    if (about.first != options->first || about.shard != options->shard ||
        about.shards != options->shards) {
        fprintf(stderr, "%s: belongs to seeds from %" PRIu64 ", shard %u/%u\n", options->checkpoint,
                about.first, about.shard, about.shards);
        return -EINVAL;
    }
    atomic_store(&shared->next_chunk, next);
    return 0;
}

/* Returns the status that the command ends with. */
int campaign_run(const struct campaign_options *given, struct campaign_totals *totals)
{
    struct campaign_options options = *given;
    struct worker *before = calloc(2, sizeof(*before)), *sum = before ? before + 1 : NULL;
    size_t size = sizeof(struct shared) + WORKERS_MAX * sizeof(struct worker);
    struct shared *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (!before || shared == MAP_FAILED) {
        perror("proctor-sim: campaign");
        free(before);
        return 2;
    }
    options.jobs = options.jobs > WORKERS_MAX ? WORKERS_MAX : options.jobs;
    if (resume(&options, shared, before) < 0) {
        free(before);
        munmap(shared, size);
        return 2;
    }
    signal(SIGINT, interrupt);
    fflush(NULL);
    double began = clock_seconds();
    for (unsigned i = 0; i < options.jobs; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            signal(SIGINT, SIG_IGN);
            work(&options, shared, &shared->workers[i]);
            _exit(0);
        }
        if (pid < 0)
            options.jobs = i;
    }
    watch(&options, shared, before, options.jobs, began, sum);
    add_up(shared, options.jobs, before, sum);
    double seconds = clock_seconds() - began;
    fill_totals(sum, seconds, totals);
    bool complete = options.quiet || print_totals(sum, seconds);
    if (options.checkpoint && write_checkpoint(&options, shared->next_chunk, sum) < 0)
        perror(options.checkpoint);
    if (sum->failed)
        store_failure(&options, sum, seconds);
    int status = sum->failed || (options.complete && !complete) ? 1 : 0;
    munmap(shared, size);
    free(before);
    return status;
}
