/*
 * What the bus shows of a child may change only if the child was marked as
 * changed, because the mark is what makes proctord send PropertiesChanged. A
 * property without a signal would stay wrong in every client's cache.
 *
 * All facts are numbers here; texts and structs are hashed.
 */
#include "checks/shown.h"

#include "core/model/members.h"
#include "core/model/start_wait.h"
#include "core/rules/dependency.h"

#include <inttypes.h>
#include <string.h>

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * UINT64_C(1099511628211);
}

static uint64_t text_hash(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *text; text++)
        hash = mix(hash, (unsigned char)*text);
    return hash;
}

/* ---- children -------------------------------------------------------------------------------- */

enum child_fact {
    FACT_DECLARATION,
    FACT_OPERATION,
    FACT_STATUS,
    FACT_GENERATION,
    FACT_ATTEMPT,
    FACT_PID,
    FACT_STOP_STATE,
    FACT_STOP_DEADLINE,
    FACT_READINESS,
    FACT_HEARTBEAT,
    FACT_STALE,
    FACT_STATUS_TEXT,
    FACT_USED,
    FACT_LIMIT_UPDATED,
    FACT_RESTART_COUNT,
    FACT_NEXT_RESTART,
    FACT_FENCE_PHASE,
    FACT_PENDING,
    FACT_FAILURE,
    FACT_LAST_EXIT,
    FACT_STALE_REPORT,
    FACT_STARTED,
    FACT_MANIFEST_PENDING,
    FACT_WAITS_FOR,
    FACT_NEXT_RUN,
    FACT_LAST_RUN,
    FACTS,
};

_Static_assert(FACTS == SHOWN_FACTS, "an actor has room for each");

static const char *const fact_names[FACTS] = {
    [FACT_DECLARATION] = "the declaration",
    [FACT_OPERATION] = "Operation",
    [FACT_STATUS] = "Status",
    [FACT_GENERATION] = "Generation",
    [FACT_ATTEMPT] = "Attempt",
    [FACT_PID] = "MainPID",
    [FACT_STOP_STATE] = "StopState",
    [FACT_STOP_DEADLINE] = "StopDeadlineUSec",
    [FACT_READINESS] = "Readiness",
    [FACT_HEARTBEAT] = "LastHeartbeatUSec",
    [FACT_STALE] = "HeartbeatStale",
    [FACT_STATUS_TEXT] = "StatusText",
    [FACT_USED] = "RestartsUsed",
    [FACT_LIMIT_UPDATED] = "RestartLimitUpdatedUSec",
    [FACT_RESTART_COUNT] = "RestartCount",
    [FACT_NEXT_RESTART] = "NextRestartUSec",
    [FACT_FENCE_PHASE] = "FencePhase",
    [FACT_PENDING] = "PendingRestart",
    [FACT_FAILURE] = "Failure",
    [FACT_LAST_EXIT] = "LastExit",
    [FACT_STALE_REPORT] = "LastStaleReport",
    [FACT_STARTED] = "StartedUSec",
    [FACT_MANIFEST_PENDING] = "ManifestPending",
    [FACT_WAITS_FOR] = "WaitsFor",
    [FACT_NEXT_RUN] = "NextRunUSec",
    [FACT_LAST_RUN] = "LastRunUSec",
};

static uint64_t pending_fact(const struct pending_restart *pending)
{
    if (!pending->active)
        return 0;
    return mix(mix(mix(mix(mix(1, pending->old_generation), pending->old_attempt),
                       pending->target_generation),
                   pending->duplicates),
               pending->cause);
}

static uint64_t failure_fact(const struct failure *failure)
{
    return failure->phase == FAILURE_NONE
               ? 0
               : mix(mix(text_hash(failure->reason), failure->phase), failure->recoverable);
}

static uint64_t exit_fact(const struct last_exit *last)
{
    return mix(mix(mix(mix(text_hash(last->reason), last->kind),
                       (uint64_t)last->code << 8 | (uint64_t)last->signal << 1 | last->core_dumped),
                   last->usec),
               last->generation << 32 ^ last->attempt);
}

/* Everything that one of the child's properties is made from. A new property
 * needs a new fact here. */
static void look_at(const struct child *child, uint64_t facts[FACTS])
{
    const struct stale_report *stale = child->last_stale;

    facts[FACT_DECLARATION] = (uintptr_t)child->config;
    facts[FACT_OPERATION] = child->operation;
    facts[FACT_STATUS] = child_status(child);
    facts[FACT_GENERATION] = child->generation;
    facts[FACT_ATTEMPT] = child_attempt(child);
    facts[FACT_PID] = child->attempt.pid;
    facts[FACT_STOP_STATE] = child->stop_state;
    facts[FACT_STOP_DEADLINE] = child->timers[TIMER_STOP].deadline_usec;
    facts[FACT_READINESS] = child->readiness;
    facts[FACT_HEARTBEAT] = child->heartbeat_usec_monotonic;
    facts[FACT_STALE] = child->heartbeat_stale;
    facts[FACT_STATUS_TEXT] = text_hash(child->status_text->text);
    facts[FACT_USED] = child->restart_limit.used;
    facts[FACT_LIMIT_UPDATED] = child->restart_limit.updated_usec;
    facts[FACT_RESTART_COUNT] = child->restart_count;
    facts[FACT_NEXT_RESTART] = child->timers[TIMER_START].deadline_usec;
    facts[FACT_FENCE_PHASE] = child->fence_phase;
    facts[FACT_PENDING] = pending_fact(&child->pending);
    facts[FACT_FAILURE] = failure_fact(child->failure);
    facts[FACT_LAST_EXIT] = exit_fact(child->last_exit);
    facts[FACT_STALE_REPORT] =
        mix(mix(mix(stale->count, stale->kind), stale->generation), stale->attempt);
    facts[FACT_STARTED] = child->started_usec;
    facts[FACT_NEXT_RUN] = child->next_run_usec;
    facts[FACT_LAST_RUN] = child->last_run_usec;
    facts[FACT_MANIFEST_PENDING] = child->next_config != NULL;
    const char *awaited = child_awaits(child).id;
    facts[FACT_WAITS_FOR] = mix(awaited ? text_hash(awaited) : 0, child_waits_for(child));
}

/* Compares with what was seen after the last input. A child that is new has
 * nothing to compare with. */
static void check_child(struct world *world, struct actor *actor)
{
    const struct child *child = actor->child;
    uint64_t now[FACTS];

    look_at(child, now);
    bool is_new = actor->shown_serial != child->serial + 1;
    for (int i = 0; i < FACTS; i++)
        if (!is_new && !child->changed && now[i] != actor->shown[i])
            world_fail(world, CHECK_SHOWN, "%s of %s has changed, but was not marked as changed",
                       fact_names[i], child->id);
    memcpy(actor->shown, now, sizeof(now));
    actor->shown_serial = child->serial + 1;
}

/* ---- supervisors ----------------------------------------------------------------------------- */

/* By its path, as its record may go and come: what was shown of it, in one number. */
static uint64_t look_at_supervisor(const struct world *world, const struct supervisor *supervisor)
{
    return mix(mix(mix(mix(mix(1, (uintptr_t)supervisor->config), supervisor->listed),
                       supervisor->in_flight),
                   supervisor->queued),
               supervisor_state(world->core, supervisor));
}

/* The same for supervisors, which have one hash for all their facts. */
static void check_supervisors(struct world *world)
{
    uint32_t n = 0;

    for (const struct supervisor *s = core_first_supervisor(world->core);
         s && n < WORLD_SUPERVISORS; s = core_next_supervisor(s), n++) {
        uint64_t now = look_at_supervisor(world, s);
        struct shown_supervisor *shown = &world->shown_supervisors[n];
        if (shown->supervisor == s && !s->changed && shown->facts != now)
            world_fail(world, CHECK_SHOWN,
                       "the supervisor \"%s\" has changed, but was not marked as changed", s->path);
        *shown = (struct shown_supervisor){s, now};
    }
    for (; n < WORLD_SUPERVISORS; n++)
        world->shown_supervisors[n] = (struct shown_supervisor){};
}

/* ---- all of it ------------------------------------------------------------------------------- */

void shown_check(struct world *world)
{
    for (uint32_t i = 0; i < world->n_actors; i++)
        if (world->actors[i].child)
            check_child(world, &world->actors[i]);
    check_supervisors(world);
    while (core_take_changed(world->core))
        ;
    while (core_take_changed_supervisor(world->core))
        ;
}

void shown_forget(struct world *world)
{
    for (uint32_t i = 0; i < world->n_actors; i++)
        world->actors[i].shown_serial = 0;
    memset(world->shown_supervisors, 0, sizeof(world->shown_supervisors));
}
