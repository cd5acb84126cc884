/*
 * The daemon dies and comes back: the core is thrown away, read again from the
 * journal of the model, and compared with the one that died, byte by byte. Then
 * the world is told what a real daemon would find: processes that are alive,
 * that ended, or that nobody knows about.
 *
 * A death may come at any call, between any two of them, and during the
 * recovery itself. Whatever was promised before must hold afterwards.
 */
#include "daemon/crash.h"

#include "checks/arrival.h"
#include "checks/checks.h"
#include "checks/recovered.h"
#include "checks/shown.h"
#include "daemon/disk.h"
#include "daemon/executor.h"
#include "daemon/inputs.h"
#include "journal/boot.h"
#include "journal/replay.h"
#include "reference/liveness.h"
#include "reference/wake.h"
#include "world/process.h"
#include "world/queue.h"

#include <errno.h>
#include <stdlib.h>

#define CHECKPOINT_AT  (16 * 1024) /* bytes of journal that are more than enough to replay */
#define TORN_BYTES_MAX 24
#define DEATHS         2 /* of the daemon while it takes over */
#define DEATH_STEPS    6
#define NEVER          UINT32_MAX

static int read_boot(void *userdata, const struct frame *frame, struct archive *archive)
{
    (void)frame;
    boot_archive(archive, userdata);
    return archive->failed ? -EBADMSG : 0;
}

/* As proctord does it at its start. A last frame that is incomplete is cut off:
 * it was never confirmed to anyone. */
static struct core *read_back(struct world *world)
{
    struct disk *disk = world->disk;
    struct core_settings settings = {};
    struct core *core;
    struct core_ports ports;
    struct boot boot = {};
    struct two_clocks present = world_clocks(world);
    char id[BOOT_SIZE + 1];
    struct frame frame;
    size_t offset = JOURNAL_HEADER_SIZE;

    executor_ports(world, &ports);
    if (core_new(&ports, &settings, &core) < 0)
        exit(EXIT_FAILURE);
    struct replay replay = {.core = core,
                            .memory = &disk->memory,
                            .exact = true,
                            .userdata = &boot,
                            .other = read_boot};
    while (frame_next(disk->frames.data, disk->frames.used, &offset, &frame) > 0)
        if (replay_frame(&replay, &frame) < 0)
            world_fail(world, CHECK_RECOVERY, "a record of the journal cannot be read");
    disk->frames.used = offset; /* what is torn is cut off */
    disk_boot_id(world, id);
    world->era = boot_resume(&boot, id, core, &present);
    return core;
}

/* Both cores are written out and compared. A field that is not archived, or
 * that is worked out differently, shows here. */
static void compare(struct world *world, struct core *before, struct core *after)
{
    struct disk *a = disk_new(world), *b = disk_new(world);
    struct archive x = frame_begin(&a->frames), y = frame_begin(&b->frames);
    size_t at = 0;

    core_archive(before, &x);
    core_archive(after, &y);
    while (at < x.used && at < y.used && x.data[at] == y.data[at])
        at++;
    if (at != x.used || at != y.used)
        world_fail(world, CHECK_RECOVERY,
                   "the recovered core differs from the one that died, at byte %zu of %zu", at,
                   x.used);
    disk_free(a);
    disk_free(b);
}

/* The world's pointers into the core that died are replaced. Children are found
 * by id and serial: a removed one with the same id is another child. */
static void take_over(struct world *world, struct core *core)
{
    core_free(world->core);
    world->core = core;
    shown_forget(world);
    world->timer_usec = 0;
    for (uint32_t i = 0; i < world->n_actors; i++) {
        struct actor *actor = &world->actors[i];
        struct child *child = core_find(core, actor->declaration->id);
        actor->child = child && child->serial == actor->serial ? child : NULL;
        if (!actor->child)
            continue;
        child->host = actor;
        actor->ledger.config = child->config;
    }
}

/* Reports in flight are lost with the daemon, except those in the notify socket. */
static void lose_reports(struct world *world)
{
    for (uint32_t i = world->n_pending; i-- > 0;) {
        const struct pending *pending = &world->pending[i];
        if (pending->kind == PENDING_REPORT && pending->report.kind != INPUT_NOTIFY)
            world->pending[i] = world->pending[--world->n_pending];
    }
}

/* When the daemon dies again, while it takes over: after so many steps; NEVER: it does not. */
static uint32_t draw_death(struct world *world)
{
    bool dies = schedule_strikes(world->schedule, world->faults.crash);
    return dies ? schedule_choose(world->schedule, DEATH_STEPS) : NEVER;
}

/* What the daemon finds for one attempt, reported as the real one would report
 * it: the start is repeated if it never happened; an end that nobody saw is
 * reported as unknown. */
static void find_process(struct world *world, struct actor *actor)
{
    struct child *child = actor->child;
    struct process *process = world_process(actor, child->attempt.number);
    struct report report = {.actor = (uint32_t)(actor - world->actors),
                            .id = {.slot = child->slot,
                                   .serial = child->serial,
                                   .generation = child->attempt.generation,
                                   .attempt = child->attempt.number}};

    if (process && process->delayed) { /* it was lost with the daemon that waited */
        process_become(process, PROCESS_GONE);
        process->reported = process->stillborn = true;
    }
    if (!process || process->stillborn) {
        if (!child->attempt.spawned && !child->attempt.cancel_delivered &&
            !child->attempt.abort_requested) {
            process_start(world, actor, report.id);
            return;
        }
        if (!child->attempt.spawned) { /* and never will be: it has been asked to go already */
            report.kind = INPUT_SPAWN_FAILED;
            report.error = ECANCELED;
            world_queue_report(world, &report, 0);
            return;
        }
        process = NULL;
    }
    if (process && process->state == PROCESS_LEFTOVER) {
        report.kind = INPUT_MAIN_EXITED; /* how it ended was not seen */
        report.completion = (struct completion){.unknown = true, .left = 1};
        if (!actor->reference->attempt.main_gone)
            world_queue_report(world, &report, 0);
        return;
    }
    if (process && process->state == PROCESS_FOLLOWED) {
        report.kind = INPUT_MAIN_EXITED;
        report.completion = (struct completion){.unknown = true};
        if (!actor->reference->attempt.main_gone || actor->reference->leftovers > 0)
            world_queue_report(world, &report, 0);
        return;
    }
    if (process && process->state == PROCESS_ALIVE) {
        report.kind = INPUT_SPAWNED;
        report.pid = process->pid;
        if (!child->attempt.confirmed)
            world_queue_report(world, &report, 0);
        return;
    }
    report.kind = INPUT_COMPLETED;
    report.completion.unknown = true;
    report.completion.with_machine = world->rebooted;
    report.completion.left = process && process->state == PROCESS_KEPT;
    if (process)
        process->reported = true;
    world_queue_report(world, &report, 0);
}

/* Returns false when the daemon has died in the middle of it: what is in doubt stays so. */
static bool find_processes(struct world *world, uint32_t steps)
{
    for (uint32_t i = 0; i < world->n_actors; i++) {
        struct actor *actor = &world->actors[i];
        if (!actor->child || !actor->child->attempt.active)
            continue;
        if (steps-- == 0)
            return false;
        find_process(world, actor);
    }
    for (uint32_t i = 0; i < world->n_in_doubt; i++) {
        if (steps-- == 0)
            return false;
        executor_do_again(world, &world->in_doubt[i]);
    }
    world->n_in_doubt = 0;
    return true;
}

/* Returns false when the daemon has died again meanwhile. */
static bool recover_once(struct world *world, uint32_t death)
{
    struct core *core;

    world->cut = world->dead = false;
    world->recovering = true;
    core = read_back(world);
    compare(world, world->core, core);
    recovered_compare(world, world->core, core);
    take_over(world, core);
    world->recovering = false;
    if (world->verdict.check != CHECK_NONE)
        return true;
    lose_reports(world);
    if (find_processes(world, death))
        return true;
    world_note(world, &(struct record){.kind = RECORD_FAULT,
                                       .what = "the daemon dies while it takes over"});
    return false;
}

/* Tells the core that the recovery is over, with figures that no field has by
 * chance. */
static void recovered(struct world *world)
{
    struct recovery recovery = {
        .inputs = world->inputs, .adopted = 1, .lost = 2, .damaged_bytes = 3}; /* to be reported */
    struct checks_before before;

    inputs_begin(world, INPUT_RECOVERED, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "recovered"});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_recovered(world->core, &recovery);
    world->in_core = false;
    TELL(&world->reference, NULL, EVENT_SUPERVISOR_RECOVERED,
         FIELD_NUMBER_OF("inputs", recovery.inputs), FIELD_NUMBER_OF("adopted", recovery.adopted),
         FIELD_NUMBER_OF("lost", recovery.lost),
         FIELD_NUMBER_OF("damaged_bytes", recovery.damaged_bytes));
    ref_tell_cause(&world->reference, 0);
    reference_recovered(&world->reference);
    crash_end_input(world, &before);
}

/* The disk is full, or works again. */
static void durability(struct world *world, bool durable)
{
    struct checks_before before;

    inputs_begin(world, INPUT_DURABILITY, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "durability"});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_durability(world->core, durable, "the disk is full");
    world->in_core = false;
    TELL(&world->reference, NULL, EVENT_DURABILITY_CHANGED, FIELD_FLAG_OF("durable", durable),
         FIELD_TEXT_OF("why", "the disk is full"));
    ref_tell_cause(&world->reference, 0);
    reference_wake(&world->reference);
    crash_end_input(world, &before);
}

/* A death during the recovery starts it from the beginning; after a few of them
 * the next one is allowed to finish, so that every run ends. */
static void recover(struct world *world)
{
    if (world->verdict.check != CHECK_NONE)
        return;
    /* Twice at most: then the third one is let live. */
    for (int deaths = 0; !recover_once(world, deaths < DEATHS ? draw_death(world) : NEVER);)
        deaths++;
    if (world->verdict.check != CHECK_NONE)
        return;
    checks_recovered(world);
    disk_checkpoint(world->disk);
    recovered(world);
}

/* Entry. `torn`: the last write was cut short, so some bytes of it are at the
 * end of the file. */
void crash_daemon(struct world *world, bool torn)
{
    struct disk *disk = world->disk;

    if (torn) {
        struct archive archive = frame_begin(&disk->frames);
        for (uint32_t n = schedule_choose(world->schedule, TORN_BYTES_MAX); n > 0; n--)
            archive_bytes(&archive, &(uint8_t){(uint8_t)n}, 1);
        disk->frames.used = archive.used;
    }
    world_note(world, &(struct record){.kind = RECORD_FAULT, .what = "the daemon dies"});
    recover(world);
}

/* The clock reads `uptime` once the daemon is there again. */
void crash_reboot(struct world *world, uint64_t off_usec, uint64_t uptime_usec, enum wall wall)
{
    uint64_t now;

    world_note(world, &(struct record){.kind = RECORD_FAULT, .what = "the power goes"});
    process_power_off(world);
    world->now_nsec += (off_usec + uptime_usec) * 1000;
    now = world->now_nsec / 1000;
    world->boot_usec = now - uptime_usec;
    world->boots++;
    if (wall == WALL_RIGHT)
        world->wall_offset_usec = 0;
    else if (wall == WALL_SET_BACK)
        world->wall_offset_usec -= INT64_C(86400000000);
    else
        world->wall_offset_usec = (int64_t)(uptime_usec - now - WORLD_REALTIME_USEC);
    struct two_clocks clocks = world_clocks(world);
    reference_reboot(&world->reference, clocks.monotonic_usec, clocks.realtime_usec);
    world->rebooted = true;
    recover(world);
    world->rebooted = false;
}

void crash_fill_disk(struct world *world)
{
    world->full = true;
    world_note(world, &(struct record){.kind = RECORD_FAULT, .what = "the disk is full"});
    durability(world, false);
}

void crash_make_room(struct world *world)
{
    world->full = false;
    disk_checkpoint(world->disk);
    durability(world, true);
}

void crash_within(struct world *world, uint32_t effects)
{
    world->cut = true;
    world->effects_left = effects;
}

static void look(struct world *world)
{
    if (world->cut) {
        world_note(world, &(struct record){.kind = RECORD_FAULT,
                                           .what = "the daemon has died in the middle of it"});
        recover(world);
    } else if (world->disk && !world->full && world->disk->frames.used > CHECKPOINT_AT &&
               world->verdict.check == CHECK_NONE) {
        disk_checkpoint(world->disk);
    }
}

void crash_end_input(struct world *world, const struct checks_before *before)
{
    checks_after(world, before);
    look(world);
}
