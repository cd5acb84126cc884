/*
 * Plays a world of the swarm: at each turn something happens that operators,
 * programs or machines do, drawn by chance. Each world lacks some kinds of
 * turns altogether, because runs with few kinds reach states that runs with all
 * of them do not.
 */
#include "runs/swarm.h"

#include "checks/arrival.h"
#include "checks/coverage.h"
#include "daemon/crash.h"
#include "daemon/declarations.h"
#include "daemon/disk.h"
#include "daemon/dry_runs.h"
#include "daemon/reports.h"
#include "daemon/requests.h"
#include "daemon/step.h"
#include "runs/draw.h"
#include "world/process.h"
#include "world/queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TURNS      24
#define DRAIN_NSEC (240 * SEC)

/* A command on one child, sometimes as a dry run. */
static void command(struct world *world, const struct swarm *swarm, uint32_t child,
                    enum command_verb verb, bool dry_run)
{
    static const int signals[] = {9, 1, 10, 12};
    struct command command = {.verb = verb,
                              .child = swarm->ids[child],
                              .reason = "campaign",
                              .requester = "client",
                              .origin = verb == COMMAND_RESUME ? "pid 7, client, :1.4" : NULL,
                              .dry_run = dry_run,
                              .signal = 9};
    struct outcome outcome;
    struct error error = {};

    if (verb == COMMAND_KILL) {
        command.signal = signals[draw_number(world, COUNT_OF(signals))];
        command.whole = draw_number(world, 2);
        coverage_drew(world, command.signal == 1 ? DRAW_KILL_RELOAD : DRAW_VERB + (int)verb);
    }
    coverage_drew(world, command.whole ? DRAW_KILL_WHOLE : DRAW_VERB + (int)verb);
    if (dry_run)
        coverage_drew(world, DRAW_DRY_RUN);
    world_command(world, &command, &outcome, &error);
}

/* What is to be refused, and changes nothing. */
static void command_in_vain(struct world *world, const struct swarm *swarm, uint32_t child)
{
    char long_reason[REASON_MAX + 2];
    struct command command = {.verb = (enum command_verb)draw_number(world, COMMAND_RELOAD),
                              .child = swarm->ids[child],
                              .reason = " \t",
                              .requester = "client"};
    struct outcome outcome;
    struct error error = {};
    uint32_t why = draw_number(world, 4);

    coverage_drew(world, DRAW_BLANK_REASON + (int)why);
    if (why == 1) {
        memset(long_reason, 'x', sizeof(long_reason) - 1);
        long_reason[sizeof(long_reason) - 1] = '\0';
        command.reason = long_reason;
    } else if (why > 1) {
        command.reason = "campaign";
        command.child = "nobody";
    }
    if (why == 3)
        world_command_scope(world, &command, &error);
    else
        world_command(world, &command, &outcome, &error);
}

/* A set of two children that is refused as a whole. */
static void declare_in_vain(struct world *world, struct swarm *swarm, uint32_t child)
{
    static const char *first[] = {"in-vain-2"}, *second[] = {"in-vain-1"}, *none[] = {"no-child"};
    struct child_declaration set[2] = {swarm->declarations[child], swarm->declarations[child]};
    uint32_t why = draw_number(world, 5);
    int wanted = -ENOENT;

    for (int i = 0; i < 2; i++) {
        set[i].role = ROLE_WORKER;
        set[i].n_requires = set[i].n_after = 0;
        set[i].group = NULL;
        set[i].id = i == 0 ? "in-vain-1" : "in-vain-2";
    }
    coverage_drew(world, DRAW_REFUSED_ID + (int)why);
    if (why == 0) {
        set[1].id = set[0].id;
        wanted = -EEXIST;
    } else if (why == 1) {
        set[1].after = none;
        set[1].n_after = 1;
    } else if (why == 2) {
        set[0].requires = first;
        set[1].requires = second;
        set[0].n_requires = set[1].n_requires = 1;
        wanted = -ELOOP;
    } else if (why == 3) {
        set[1].group = "no-group";
    } else {
        set[1].role = ROLE_SIDECAR;
        wanted = -EINVAL;
    }
    world_declare_in_vain(world, set, 2, wanted);
}

/* A declaration that must be refused. */
static void redeclare_in_vain(struct world *world, struct swarm *swarm, uint32_t child)
{
    static const char *none[] = {"no-child"};
    struct child_declaration declaration = swarm->declarations[child];

    if (!world->actors[child].child || declaration.role == ROLE_SIDECAR)
        return;
    coverage_drew(world, DRAW_REFUSED_REDECLARATION);
    declaration.requires = none;
    declaration.n_requires = 1;
    world_redeclare_in_vain(world, &declaration);
}

/* Requests that must be refused, and change nothing. */
static void do_in_vain(struct world *world, struct swarm *swarm, uint32_t child)
{
    switch (draw_number(world, 4)) {
    case 3:
        world_reject(world);
        return;
    case 0:
        command_in_vain(world, swarm, child);
        return;
    case 1:
        declare_in_vain(world, swarm, child);
        return;
    default:
        redeclare_in_vain(world, swarm, child);
    }
}

/* A command on a whole supervisor. */
static void command_scope(struct world *world, const struct swarm *swarm)
{
    struct command command = {.verb = (enum command_verb)draw_number(world, COMMAND_RELOAD),
                              .child = swarm->nodes[draw_number(world, swarm->n_nodes)].path,
                              .reason = "campaign",
                              .requester = "client",
                              .dry_run = draw_number(world, 4) == 1};
    struct error error = {};

    coverage_drew(world, DRAW_SCOPE + (int)command.verb);
    world_command_scope(world, &command, &error);
}

/* As a reload does whose files are gone; also of some that are not there. */
static void remove_set(struct world *world, const struct swarm *swarm)
{
    const char *ids[CHILDREN_MAX];
    uint32_t members = draw_number(world, 1u << swarm->n), n = 0;

    for (uint32_t i = swarm->n; i-- > 0;)
        if (members & 1u << i)
            ids[n++] = swarm->ids[i];
    world_remove(world, ids, n);
}

/* A job, with one of three names, so that names meet. */
static void run_job(struct world *world, struct swarm *swarm)
{
    static const char *const job_names[] = {"import", "export", "report"};
    uint32_t i = swarm->n_jobs;
    struct child_declaration *d = &swarm->jobs[i];
    struct error error;

    if (i == SWARM_JOBS || world->reference.count + 1 >= world->reference.capacity)
        return;
    declaration_defaults(d, ROLE_JOB);
    snprintf(swarm->job_ids[i], sizeof(swarm->job_ids[i]), "jobs/%u", i + 1);
    d->id = swarm->job_ids[i];
    d->has_process = true;
    d->autostart = false;
    d->restart = RESTART_TEMPORARY;
    draw_times(world, d);
    if (draw_number(world, 4) == 1) {
        d->requires = swarm->requires[0];
        swarm->requires[0][0] = swarm->ids[0];
        d->n_requires = 1;
    }
    swarm->job_models[i] = draw_program(world);
    swarm->job_actors[i] = world_add_actor(world, d, &swarm->job_models[i], 1);
    d->same_name = (enum same_name)draw_number(world, 3);
    if (d->n_requires > 0 && !world->actors[0].child)
        d->n_requires = 0;
    if (world_run_job(world, swarm->job_actors[i],
                      job_names[draw_number(world, COUNT_OF(job_names))], d->same_name,
                      &error) == 0)
        swarm->n_jobs++;
    else
        world->n_actors--; /* it was refused: its number is still to be given */
}

/* What a job may be asked for, and what it may not. */
static void cancel_job(struct world *world, const struct swarm *swarm)
{
    static const enum command_verb verbs[] = {COMMAND_REMOVE, COMMAND_REMOVE, COMMAND_PAUSE,
                                              COMMAND_RESTART, COMMAND_KILL};
    struct command command = {.verb = verbs[draw_number(world, COUNT_OF(verbs))],
                              .child = swarm->job_ids[draw_number(world, SWARM_JOBS)],
                              .reason = "campaign",
                              .requester = "client",
                              .signal = 9};
    struct outcome outcome;
    struct error error = {};

    if (command.child[0])
        world_command(world, &command, &outcome, &error);
}

static void storm(struct world *world, const struct swarm *swarm, uint32_t child)
{
    static const enum command_verb verbs[] = {COMMAND_RESTART, COMMAND_PAUSE, COMMAND_RESUME,
                                              COMMAND_QUARANTINE};
    uint32_t count = 2 + draw_number(world, 6);

    for (uint32_t i = 0; i < count && world->verdict.check == CHECK_NONE; i++)
        command(world, swarm, child, verbs[draw_number(world, COUNT_OF(verbs))], false);
}

/* A child that was removed is declared again. */
static void add(struct world *world, struct swarm *swarm, uint32_t child)
{
    struct error error;

    if (world->actors[child].child || world->shutdown_begun ||
        world->reference.count == world->reference.capacity)
        return;
    (void)swarm;
    if (world->inputs % 2) {
        coverage_drew(world, DRAW_DRY_ADD);
        dry_run_declare(world, &child, 1, NULL);
    }
    if (world->verdict.check == CHECK_NONE && !world->actors[child].child)
        world_declare(world, &child, 1, &error);
}

static const struct child_declaration *change(struct swarm *swarm, uint32_t child)
{
    swarm->changed[child] = !swarm->changed[child];
    return swarm->changed[child] ? &swarm->others[child] : &swarm->declarations[child];
}

static void redeclare_two(struct world *world, struct swarm *swarm, uint32_t one, uint32_t other)
{
    const struct child_declaration *two[2] = {change(swarm, one), change(swarm, other)};

    coverage_drew(world, DRAW_TWO_REDECLARED);
    world_redeclare_two(world, two, draw_number(world, 2) ? REDECLARE_APPLIES : REDECLARE_WAITS);
}

/* Between its two declarations, back and forth. */
static void redeclare(struct world *world, struct swarm *swarm, uint32_t child)
{
    struct error error;

    if (!world->actors[child].child || world->shutdown_begun)
        return;
    uint32_t other = (child + 1) % swarm->n;
    if (draw_number(world, 3) == 1 && other != child && world->actors[other].child) {
        redeclare_two(world, swarm, child, other);
        return;
    }
    swarm->changed[child] = !swarm->changed[child];
    world_redeclare(world, child,
                    swarm->changed[child] ? &swarm->others[child] : &swarm->declarations[child],
                    draw_number(world, 2) ? REDECLARE_APPLIES : REDECLARE_WAITS, &error);
}

static void redeclare_supervisor(struct world *world, struct swarm *swarm)
{
    struct node *node = &swarm->nodes[draw_number(world, swarm->n_nodes)];
    struct error error;

    if (world->shutdown_begun)
        return;
    node->changed = !node->changed;
    world_redeclare_supervisor(world, node->changed ? &node->other : &node->declaration, &error);
}

static void end_process(struct world *world, uint32_t child)
{
    static const struct completion ends[] = {
        {.code = 1}, {.code = 0}, {.by_signal = true, .signal = 11}};
    world_end_process(world, &world->actors[child], ends[draw_number(world, COUNT_OF(ends))]);
}

/* Only where there is a journal, and it is whole. */
static void reboot(struct world *world)
{
    static const uint64_t offs[] = {10 * USEC_SEC, 0, 60 * USEC_SEC, 7200 * USEC_SEC};
    static const uint64_t uptimes[] = {2 * USEC_SEC, 0, 1, 5 * USEC_SEC, 90 * USEC_SEC};

    if (!world->disk || world->cut)
        return;
    uint64_t off = offs[draw_number(world, COUNT_OF(offs))],
             uptime = uptimes[draw_number(world, COUNT_OF(uptimes))];
    crash_reboot(world, off, uptime, (enum wall)draw_number(world, WALL_UNSET + 1));
}

/* One turn, of the kind that was drawn. */
static void take_turn(struct world *world, struct swarm *swarm, enum turn turn, uint32_t child)
{
    switch (turn) {
    case TURN_NOTHING:
        return;
    case TURN_RESTART:
        command(world, swarm, child, COMMAND_RESTART, false);
        return;
    case TURN_PAUSE:
        command(world, swarm, child, COMMAND_PAUSE, false);
        return;
    case TURN_RESUME:
        command(world, swarm, child, COMMAND_RESUME, false);
        return;
    case TURN_QUARANTINE:
        command(world, swarm, child, COMMAND_QUARANTINE, false);
        return;
    case TURN_REMOVE:
        command(world, swarm, child, COMMAND_REMOVE, false);
        return;
    case TURN_KILL:
        command(world, swarm, child, COMMAND_KILL, false);
        return;
    case TURN_RELOAD:
        command(world, swarm, child, COMMAND_RELOAD, false);
        return;
    case TURN_DRY_RUN:
        command(world, swarm, child, (enum command_verb)draw_number(world, COMMAND_RELOAD), true);
        return;
    case TURN_REBOOT:
        reboot(world);
        return;
    case TURN_END:
        end_process(world, child);
        return;
    case TURN_ADD:
        add(world, swarm, child);
        return;
    case TURN_STORM:
        storm(world, swarm, child);
        return;
    case TURN_REDECLARE:
        redeclare(world, swarm, child);
        return;
    case TURN_REDECLARE_SUPERVISOR:
        redeclare_supervisor(world, swarm);
        return;
    case TURN_REMOVE_SET:
        remove_set(world, swarm);
        return;
    case TURN_SCOPE:
        command_scope(world, swarm);
        return;
    case TURN_JOB:
        run_job(world, swarm);
        return;
    case TURN_CANCEL_JOB:
        cancel_job(world, swarm);
        return;
    case TURN_IN_VAIN:
        do_in_vain(world, swarm, child);
        return;
    case TURN_REOPEN:
        world_reopen(world);
        return;
    case TURN_SHUTDOWN:
        world_shutdown(world, draw_number(world, 4) * 700 * USEC_MSEC, "client", "campaign");
        return;
    case TURN_HURRY:
        world_hurry(world);
        return;
    case TURNS_KINDS:
        return;
    }
}

/* Faults that need no cause: old reports, jumps of the clock, crashes. */
static void strike(struct world *world)
{
    if (schedule_strikes(world->schedule, world->faults.replay) && world->n_history > 0) {
        uint32_t n = world->n_history < WORLD_HISTORY ? world->n_history : WORLD_HISTORY;
        world_queue_report(world, &world->history[draw_number(world, n)], 0);
    }
    if (schedule_strikes(world->schedule, world->faults.wall_jump))
        world_set_clock(world, draw_number(world, 2) ? INT64_C(-3600000000) : INT64_C(7200000000));
    if (world->cut || !schedule_strikes(world->schedule, world->faults.crash))
        return;
    if (world->full) {
        crash_make_room(world);
        return;
    }
    if (draw_number(world, 2))
        crash_within(world, draw_number(world, 4));
    else if (draw_number(world, 4) == 1)
        crash_fill_disk(world);
    else {
        uint32_t how = draw_number(world, 3);
        if (how == 2) /* on purpose */
            world_reexecute(world);
        crash_daemon(world, how == 1);
    }
}

/* Shutting down ends most of what there is to see: it comes late, and seldom. */
static enum turn draw_turn(struct world *world, const struct swarm *swarm)
{
    enum turn turn = (enum turn)draw_number(world, TURNS_KINDS);

    if (swarm->missing_verbs & 1u << turn)
        return TURN_NOTHING;
    if (turn >= TURN_SHUTDOWN && draw_number(world, 4) != 1)
        return TURN_NOTHING;
    return turn;
}

/* The world calls this when a turn is due. Returns false when the last one is
 * over. */
static bool take_turns(struct world *world, void *userdata)
{
    struct swarm *swarm = userdata;
    static const uint64_t gaps[] = {SEC, 0, 10 * MSEC, 100 * MSEC, 5 * SEC, 20 * SEC, 90 * SEC};

    strike(world);
    enum turn turn = world->full ? TURN_NOTHING : draw_turn(world, swarm);
    take_turn(world, swarm, turn, turn == TURN_NOTHING ? 0 : draw_number(world, swarm->n));
    if (++swarm->turns < TURNS)
        world_queue_turn(world, world->now_nsec + gaps[draw_number(world, COUNT_OF(gaps))]);
    else
        swarm->over = true;
    return !swarm->over;
}

/* Until the turns are over; then the faults stop, and everybody has some time to arrive. */
static void live(struct world *world, const struct run *run)
{
    struct swarm *swarm = world->turn_userdata;
    uint64_t end = UINT64_MAX;

    world->turn = take_turns;
    world_queue_turn(world, world->now_nsec + SEC);
    while (world_step(world, end)) {
        if (run->stop_after && run->stop_after(run->observe_userdata, world))
            return;
        if (swarm->over && end == UINT64_MAX) {
            world->faults.until_nsec = world->now_nsec;
            end = world->now_nsec + DRAIN_NSEC;
        }
    }
    if (world->verdict.check == CHECK_NONE)
        checks_at_the_end(world);
}

void swarm_run(const struct run *run, struct world **world)
{
    *world = world_new(run->memory, run->schedule, run->seed, CHILDREN_MAX + SWARM_JOBS);
    (*world)->observe = run->observe;
    (*world)->observe_userdata = run->observe_userdata;
    (*world)->states = run->states;
    draw_world(*world);
    world_announce(*world);
    live(*world, run);
}
