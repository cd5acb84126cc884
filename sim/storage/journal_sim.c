/*
 * Journal simulator: service/journal on a disk that lies.
 *
 *   proctor-journal-sim [--seeds A..B] [--first] [--trace]
 *
 * --first: the first failure ends it. --trace: each call.
 *
 * A core handles commands, and the real journal writes them down, on the model of a disk
 * (kernel/volume.h) behind the linker's --wrap (port.h). At any call the process dies, or the power
 * goes, and calls fail. Then another core is brought up by the real recovery, and it is checked:
 *
 * - It comes up: with no fault at work, opening and recovering the journal does not fail.
 * - Its state is one that the dead core was in, after some of its inputs and no others.
 * - Of these, it has at least all that were acknowledged: those whose mark was
 *   past while the journal had no error; after a loss of power only with durability=power.
 * - It takes no more than a bounded number of calls.
 */
#include "core/core.h"
#include "core/idle_ports.h"
#include "core/query.h"
#include "journal/journal.h"
#include "storage/port.h"
#include "world/schedule.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHILDREN      3
#define LIVES         4
#define TURNS         40
#define INPUTS_MAX    4096
#define RECOVER_CALLS 4000

struct faults {
    bool power;    /* the power can go */
    bool bad_disk; /* it flips bits or lies about syncs: only that it comes up is promised */
    struct volume_faults disk, memory;
    uint64_t capacity;
};

struct run {
    struct schedule schedule;
    struct faults faults;
    struct core *core;
    struct journal *journal;
    uint64_t hashes[INPUTS_MAX]; /* the state after so many inputs */
    size_t n;                    /* inputs so far */
    size_t acknowledged;         /* inputs that a recovery must have */
    enum durability durability;
    uint64_t mark;
    size_t marked; /* inputs before the mark; 0: there is no mark */
    uint64_t timer;
    bool over;
    char failure[256];
    uint64_t inputs, powers, deaths, recoveries, errors;
};

static uint32_t choose(void *userdata, uint32_t n)
{
    struct run *run = userdata;

    return schedule_choose(&run->schedule, n);
}

static uint32_t draw(struct run *run, uint32_t n)
{
    return schedule_choose(&run->schedule, n);
}

static void fail(struct run *run, const char *format, size_t a, size_t b)
{
    if (*run->failure == '\0')
        snprintf(run->failure, sizeof(run->failure), format, a, b);
}

/* ---- the core's ports ------------------------------------------------------------------------ */

static uint64_t monotonic(void *userdata)
{
    (void)userdata;
    return port.now_nsec / 1000;
}

static void set_timer(void *userdata, uint64_t deadline_usec)
{
    struct run *run = userdata;

    run->timer = deadline_usec;
}

static void record(void *userdata, const struct core_input *input)
{
    struct run *run = userdata;

    if (run->journal)
        journal_input(run->journal, input);
}

/* A core that starts nothing: its inputs are commands. */
static struct core *make_core(struct run *run)
{
    struct core_ports ports = core_ports_idle();
    struct core_settings settings = {.seed = 7};
    struct core *core;

    ports.userdata = run;
    ports.monotonic = ports.realtime = monotonic;
    ports.set_timer = set_timer;
    ports.record = record;
    INVARIANT(core_new(&ports, &settings, &core) == 0);
    return core;
}

/* ---- one life -------------------------------------------------------------------------------- */

static void notes(void *userdata, struct journal *journal)
{
    (void)userdata;
    (void)journal;
}

/* An input has been handled: whatever it was, the state after it is one that may be found. */
static void count_input(struct run *run)
{
    INVARIANT(run->n + 1 < INPUTS_MAX);
    run->hashes[++run->n] = core_hash(run->core);
    run->inputs++;
}

/* The children that commands are about. */
static void declare(struct run *run)
{
    struct child_declaration declarations[CHILDREN];
    static const char *const names[CHILDREN] = {"a", "b", "c"};
    static const char *arguments[] = {"/bin/true", NULL};
    struct declaration_problem problem;

    for (int i = 0; i < CHILDREN; i++) {
        declaration_defaults(&declarations[i], ROLE_SERVICE);
        declarations[i].id = names[i];
        declarations[i].process.arguments = arguments;
    }
    if (core_declare(run->core, declarations, CHILDREN, "test", "begin", &problem) < 0)
        fail(run, "the children cannot be declared (%zu, %zu)", problem.declaration, 0);
    count_input(run);
}

/* A command with a reason of any length, so that frames end anywhere in a
 * page. */
static void command(struct run *run)
{
    static const char *const names[CHILDREN] = {"a", "b", "c"};
    static const enum command_verb verbs[] = {COMMAND_PAUSE, COMMAND_RESUME, COMMAND_QUARANTINE};
    char reason[REASON_MAX];
    struct outcome outcome;
    struct error error;
    struct command command = {.verb = verbs[draw(run, 3)],
                              .child = names[draw(run, CHILDREN)],
                              .reason = reason,
                              .requester = "test"};

    snprintf(reason, sizeof(reason), "number %zu %0*d", run->n, 1 + (int)draw(run, 200), 0);
    port.now_nsec += 1000000;
    core_command(run->core, &command, &outcome, &error);
    count_input(run);
}

/* The marks that are past are promises. */
static void look_at_marks(struct run *run)
{
    if (run->marked == 0 || port.dead)
        return;
    if (journal_error(run->journal) != 0) {
        run->marked = 0;
        run->errors++;
    } else if (journal_is_past(run->journal, run->mark)) {
        run->acknowledged = run->marked;
        run->marked = 0;
    }
}

static void mark(struct run *run)
{
    if (run->marked != 0 || journal_error(run->journal) != 0)
        return;
    run->mark = journal_mark(run->journal);
    run->marked = run->n;
}

/* One step of a life, drawn. */
static void turn(struct run *run)
{
    switch (draw(run, 8)) {
    case 0:
    case 1:
    case 2:
        command(run);
        if (run->durability == DURABILITY_CRASH)
            mark(run);
        break;
    case 3:
        mark(run);
        break;
    case 4:
    case 5:
        port_step_beside();
        break;
    case 6:
        if (draw(run, 4) == 1)
            journal_checkpoint(run->journal);
        break;
    default:
        port.now_nsec += draw(run, 2) * UINT64_C(1500000000);
        break;
    }
    look_at_marks(run);
    journal_tidy(run->journal);
    look_at_marks(run);
}

static int open_journal(struct run *run)
{
    struct journal_settings settings = {.directory = "/state/journal",
                                        .durability = run->durability,
                                        .keep_bytes = 0,
                                        .instance = 5,
                                        .tail_directory = "/run",
                                        .userdata = run};

    return journal_open(&settings, &run->journal);
}

static void live(struct run *run)
{
    uint32_t turns = 1 + draw(run, TURNS);

    port.disk->faults = run->faults.disk;
    port.memory->faults = run->faults.memory;
    port.disk->capacity = run->faults.capacity;
    for (uint32_t i = 0; i < turns && !port.dead; i++) {
        turn(run);
    }
}

/* ---- after its end --------------------------------------------------------------------------- */

/* The process ends with all that it has not written, and the power may end with
 * it. */
static void end_life(struct run *run, bool power)
{
    /* It ends here at the latest, and whatever it does afterwards has no effect. */
    port.dead = true;
    journal_close(run->journal);
    run->journal = NULL;
    core_free(run->core);
    run->core = NULL;
    run->marked = 0;
    memset(&port.memory->faults, 0, sizeof(port.memory->faults));
    port_end_process(power);
    memset(&port.disk->faults, 0, sizeof(port.disk->faults));
    port.disk->capacity = 0;
}

/* Whether what was acknowledged must be there now. */
static bool is_promised(const struct run *run, bool power)
{
    return !power || (run->durability == DURABILITY_POWER && !run->faults.bad_disk);
}

/* The state must be one that was, and not older than what was promised. */
static void check_state(struct run *run, bool power)
{
    uint64_t hash = core_hash(run->core);
    size_t found = run->n + 1;

    for (size_t i = run->n + 1; i-- > 0;)
        if (run->hashes[i] == hash) {
            found = i;
            break;
        }
    /* Where nothing is promised, what a loss of power had taken may be back after the next one. */
    if (found > run->n && is_promised(run, power))
        fail(run, "the recovered state is none that ever was (of %zu, %zu acknowledged)", run->n,
             run->acknowledged);
    else if (found < run->acknowledged && is_promised(run, power))
        fail(run,
             power ? "after a loss of power the state is that after %zu inputs, and %zu were "
                     "acknowledged"
                   : "after a death the state is that after %zu inputs, and %zu were "
                     "acknowledged",
             found, run->acknowledged);
    if (found > run->n) { /* a history of its own from here on */
        run->hashes[0] = hash;
        found = 0;
    }
    run->n = found;
    if (run->acknowledged > run->n)
        run->acknowledged = run->n;
}

static void see_process(void *userdata, const struct process_note *note)
{
    (void)userdata;
    (void)note;
}

static void see_input(void *userdata, const struct core_input *input, bool last)
{
    (void)userdata;
    (void)input;
    (void)last;
}

/* The journal is opened and read as after a real restart. */
static void recover(struct run *run, bool power)
{
    struct journal_reader reader = {.userdata = run, .process = see_process, .input = see_input};
    struct recovery recovery = {};
    uint64_t before = port.calls;
    int r = open_journal(run);

    run->recoveries++;
    if (r < 0) {
        fail(run, "the journal cannot be opened (error %zu, %zu inputs)", (size_t)-r, run->n);
        return;
    }
    run->core = make_core(run);
    struct journal *journal = run->journal;
    run->journal = NULL; /* nothing is written of what is lived through again */
    r = journal_recover(journal, run->core, &reader, &recovery);
    run->journal = journal;
    if (journal_is_unusable(r) && !is_promised(run, power))
        run->over = true; /* proctord puts it aside, and starts again */
    else if (r < 0)
        fail(run, "the journal cannot be recovered (error %zu, %zu inputs)", (size_t)-r, run->n);
    else
        check_state(run, power);
    if (port.calls - before > RECOVER_CALLS)
        fail(run, "a recovery took %zu calls (%zu inputs)", (size_t)(port.calls - before), run->n);
}

static void begin(struct run *run)
{
    int r = journal_begin(run->journal, run->core, notes, run);

    if (r < 0)
        fail(run, "a journal cannot be begun (error %zu, %zu inputs)", (size_t)-r, run->n);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static uint16_t rate(struct run *run, uint16_t most)
{
    return draw(run, 3) == 1 ? (uint16_t)(1 + draw(run, most)) : 0;
}

/* Few kinds at a time, so that each can have its effect. */
static struct faults draw_faults(struct run *run)
{
    struct faults faults = {.power = draw(run, 2) == 1};

    faults.disk.no_space = rate(run, 200);
    faults.disk.write_error = rate(run, 200);
    faults.disk.sync_error = rate(run, 300);
    faults.disk.short_write = rate(run, 500);
    faults.disk.write_back = rate(run, 600);
    faults.memory.no_space = rate(run, 100);
    faults.memory.short_write = rate(run, 100);
    faults.disk.torn = rate(run, 1000);
    if (faults.power && draw(run, 8) == 1) {
        faults.bad_disk = true;
        faults.disk.flipped = rate(run, 1000);
        faults.disk.lying_sync = rate(run, 300);
    }
    faults.capacity = draw(run, 6) == 1 ? 8192 + draw(run, 8) * 4096 : 0;
    return faults;
}

/* Where it dies: 0: not before its time. */
static void draw_death(struct run *run)
{
    port.dies_at = draw(run, 3) == 0 ? 0 : port.calls + 1 + draw(run, 120);
}

static bool goes_on(const struct run *run)
{
    return *run->failure == '\0' && !run->over;
}

/* Several lives with the same disk. */
static void run_lives(struct run *run)
{
    run->core = make_core(run);
    if (open_journal(run) < 0) {
        fail(run, "a new journal cannot be opened (%zu, %zu)", 0, 0);
        return;
    }
    run->hashes[0] = core_hash(run->core);
    begin(run);
    declare(run);
    mark(run);
    look_at_marks(run);
    for (int i = 0; i < LIVES && goes_on(run); i++) {
        bool power = run->faults.power && draw(run, 2) == 1;

        draw_death(run);
        live(run);
        power ? run->powers++ : run->deaths++;
        end_life(run, power);
        recover(run, power);
        /* Sometimes it dies again before it has begun. */
        if (goes_on(run) && draw(run, 4) == 1) {
            bool again = run->faults.power && draw(run, 2) == 1;

            end_life(run, again);
            recover(run, again);
        }
        if (goes_on(run))
            begin(run);
    }
}

/* Everything begins with an empty disk. */
static bool run_seed(struct run *run, uint64_t seed)
{
    struct chance chance = {run, choose};

    schedule_begin(&run->schedule, CHOOSER_RANDOM, seed);
    run->n = run->acknowledged = run->marked = 0;
    *run->failure = '\0';
    run->over = false;
    run->faults = draw_faults(run);
    run->durability = draw(run, 2) ? DURABILITY_POWER : DURABILITY_CRASH;
    bool trace = port.trace;
    port_begin(&chance);
    port.trace = trace;
    run_lives(run);
    if (run->core)
        core_free(run->core);
    run->core = NULL;
    journal_close(run->journal);
    run->journal = NULL;
    port_end();
    return *run->failure == '\0';
}

/* Ends with status 1 if any seed has failed. */
int main(int argc, char *argv[])
{
    static struct run run;
    unsigned long long from = 0, until = 2000;
    uint64_t failed = 0, most = 10;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            port.trace = true;
        else if (strcmp(argv[i], "--first") == 0)
            most = 1;
        else if (strcmp(argv[i], "--seeds") != 0 || i + 1 == argc ||
                 sscanf(argv[++i], "%llu..%llu", &from, &until) != 2) {
            fprintf(stderr, "usage: proctor-journal-sim [--seeds A..B] [--first] [--trace]\n");
            return 2;
        }
    }
    for (uint64_t seed = from; seed < until && failed < most; seed++) {
        bool trace = port.trace;
        bool ok = run_seed(&run, seed);

        port.trace = trace;
        if (ok)
            continue;
        failed++;
        printf("seed %llu: %s\n", (unsigned long long)seed, run.failure);
    }
    printf("%llu inputs, %llu deaths, %llu losses of power, %llu recoveries, %llu marks given up, "
           "%llu failed\n",
           (unsigned long long)run.inputs, (unsigned long long)run.deaths,
           (unsigned long long)run.powers, (unsigned long long)run.recoveries,
           (unsigned long long)run.errors, (unsigned long long)failed);
    schedule_free(&run.schedule);
    return failed > 0;
}
