#include "core/core.h"

#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/private.h"
#include "core/vocabulary/moment.h"
#include "core/vocabulary/text.h"

int core_new(const struct core_ports *ports, const struct core_settings *settings,
             struct core **core)
{
    struct core *fresh = ports->allocate(ports->userdata, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;

    fresh->ports = *ports;
    fresh->random.state = settings->seed;
    fresh->next_serial = 1;
    fresh->max_restarts_in_flight =
        settings->max_restarts_in_flight > 0 ? settings->max_restarts_in_flight : 4;
    fresh->jobs.most = JOBS_DEFAULT;
    if (supervisor_init_root(fresh) < 0) {
        ports->release(ports->userdata, fresh);
        return -ENOMEM;
    }
    *core = fresh;
    return 0;
}

static void free_memory(struct core *core, void *memory)
{
    if (memory)
        core->ports.release(core->ports.userdata, memory);
}

void core_free(struct core *core)
{
    if (!core)
        return;
    for (struct child *child = core_first(core), *next; child; child = next) {
        next = core_next(child);
        free_memory(core, child->next_config);
        free_memory(core, child->config);
        free_memory(core, child->lineage);
        free_memory(core, child);
    }
    for (struct job *job = core->jobs.first, *next; job; job = next) {
        next = job->next;
        free_memory(core, job);
    }
    for (struct supervisor *supervisor = core->root.next, *next; supervisor; supervisor = next) {
        next = supervisor->next;
        supervisor_free(core, supervisor);
    }
    lineages_free(core);
    free_memory(core, core->root.config);
    free_memory(core, core->slots);
    free_memory(core, core->free_slots);
    free_memory(core, core->index);
    free_memory(core, core->timers.timers);
    free_memory(core, core);
}

/* ---- reports --------------------------------------------------------------------------------- */

static bool is_active(const struct child *child, struct attempt_id id)
{
    return child->attempt.active && child->attempt.generation == id.generation &&
           child->attempt.number == id.attempt;
}

/* A report of an attempt that is not there any more changes this, and nothing else. */
static void record_stale(struct core *core, struct child *child, struct attempt_id id,
                         enum report_kind kind)
{
    child->last_stale = (struct stale_report){
        .kind = kind,
        .generation = id.generation,
        .attempt = id.attempt,
        .usec = core_realtime(core),
        .count = child->last_stale.count + 1,
    };
    EMIT(core, EVENT_CHILD_ATTEMPT_STALE_REPORT, child, 0,
         FIELD_TEXT_OF("report", report_kind_to_string(kind)),
         FIELD_NUMBER_OF("reported_generation", id.generation),
         FIELD_NUMBER_OF("reported_attempt", id.attempt));
    core_changed(core, child);
}

/* The child whose active attempt a report is about; otherwise it is recorded as stale. */
static struct child *reported(struct core *core, struct attempt_id id, enum report_kind kind)
{
    struct child *child = core_child_of(core, id);

    if (child && !is_active(child, id)) {
        record_stale(core, child, id, kind);
        return NULL;
    }
    return child;
}

static void commit_spawn(struct core *core, struct child *child, uint32_t pid)
{
    struct attempt *attempt = &child->attempt;
    bool restarted = child->born;
    bool fenced = child->fence_phase == FENCE_READY_TO_START;

    delay_end(core, child);
    child_disarm(core, child, TIMER_PLACE);
    attempt->spawned = true;
    attempt->confirmed = pid > 0;
    attempt->pid = pid;
    child->born = true;
    child->generation = attempt->generation;
    child->failure = (struct failure){};
    if (attempt->status == CHILD_STARTING)
        child_set_status(core, child, CHILD_RUNNING);
    EMIT(core, EVENT_CHILD_RUNNING, child, child->start_cause, FIELD_NUMBER_OF("pid", pid));
    if (fenced) {
        uint64_t cause = child->pending.cause;
        child->pending = (struct pending_restart){};
        fence_set_phase(child, FENCE_OPEN);
        EMIT_BARE(core, EVENT_CHILD_RESTART_FENCE_RELEASED, child, cause);
    }
    if (restarted) {
        child->restart_count += child->automatic_start;
        EMIT(core, EVENT_CHILD_RESTARTED, child, child->start_cause,
             FIELD_FLAG_OF("automatic", child->automatic_start),
             FIELD_NUMBER_OF("restart_count", child->restart_count));
    }
    liveness_spawned(core, child);
    health_begin(core, child);
    if (!child->attempt.cancel_delivered && !child->attempt.abort_requested)
        child_arm_timeout(core, child, TIMER_RUN, child->config->declaration.run_timeout_usec);
    core_changed(core, child);
}

/* The word of the executor about an attempt that had been heard of before. */
static void confirm_spawn(struct core *core, struct child *child, uint32_t pid)
{
    child->attempt.confirmed = true;
    if (child->attempt.pid == 0)
        child->attempt.pid = pid;
    core_changed(core, child);
}

void report_spawned(struct core *core, struct attempt_id id, uint32_t pid)
{
    struct child *child = reported(core, id, REPORT_SPAWNED);

    if (child && child->attempt.confirmed)
        record_stale(core, child, id, REPORT_SPAWNED); /* said twice */
    else if (child && child->attempt.spawned)
        confirm_spawn(core, child, pid);
    else if (child)
        commit_spawn(core, child, pid);
    core_finish_input(core);
}

void report_spawn_failed(struct core *core, struct attempt_id id, int error, const char *reason)
{
    struct child *child = reported(core, id, REPORT_SPAWN_FAILED);

    if (child && child->attempt.spawned)
        record_stale(core, child, id, REPORT_SPAWN_FAILED);
    else if (child)
        supervision_spawn_failed(core, child, error, reason);
    core_finish_input(core);
}

void report_completed(struct core *core, struct attempt_id id, const struct completion *completion)
{
    struct child *child = reported(core, id, REPORT_EXIT);

    if (child) {
        if (!child->attempt.spawned)
            commit_spawn(core, child, 0); /* it ended before the executor's word came */
        supervision_exited(core, child, completion);
    }
    core_finish_input(core);
}

void report_start_delayed(struct core *core, struct attempt_id id, const char *reason)
{
    struct child *child = reported(core, id, REPORT_DELAY);

    if (child && child->attempt.spawned)
        record_stale(core, child, id, REPORT_DELAY);
    else if (child && reason)
        delay_begin(core, child, reason);
    else if (child)
        delay_end(core, child);
    core_finish_input(core);
}

void report_main_exited(struct core *core, struct attempt_id id,
                        const struct completion *completion)
{
    struct child *child = reported(core, id, REPORT_MAIN_EXIT);

    if (child && child->attempt.main.gone) {
        record_stale(core, child, id, REPORT_MAIN_EXIT); /* said twice */
    } else if (child) {
        if (!child->attempt.spawned)
            commit_spawn(core, child, 0);
        leftovers_begin(core, child, completion);
    }
    core_finish_input(core);
}

static enum report_kind report_of(const struct notify_message *message)
{
    if (message->flags & (NOTIFY_READY | NOTIFY_NOT_READY))
        return REPORT_READINESS;
    return message->flags & NOTIFY_HEARTBEAT ? REPORT_HEARTBEAT : REPORT_STATUS;
}

void report_message(struct core *core, struct attempt_id id, const struct notify_message *message)
{
    struct child *child = reported(core, id, report_of(message));

    if (child) {
        if (!child->attempt.spawned)
            commit_spawn(core, child, 0); /* who speaks has been started */
        liveness_message(core, child, message);
    }
    core_finish_input(core);
}

void report_checked(struct core *core, struct attempt_id id, uint32_t number, bool passed,
                    const char *why)
{
    struct child *child = reported(core, id, REPORT_HEALTH);

    if (child && (!child->attempt.check_open || child->attempt.checks != number))
        record_stale(core, child, id, REPORT_HEALTH); /* nobody waits for it any more */
    else if (child)
        health_answered(core, child, passed, why);
    core_finish_input(core);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void window_moves(struct core *core, struct child *child)
{
    bool changed = restart_limit_prune(&child->restart_limit, core_now(core), core_realtime(core));
    uint64_t next = restart_limit_next_change(&child->restart_limit);

    if (next > 0)
        child_arm(core, child, TIMER_WINDOW, next);
    if (changed)
        supervision_limit_changed(core, child, "window");
}

static void fire(struct core *core, struct child *child, enum child_timer timer)
{
    switch (timer) {
    case TIMER_STOP:
        child_stop_deadline(core, child);
        return;
    case TIMER_START:
        start_is_due(core, child);
        return;
    case TIMER_START_TIMEOUT:
        supervision_force_stop(core, child, EXIT_TIMED_OUT);
        return;
    case TIMER_HEARTBEAT:
        liveness_silent(core, child);
        return;
    case TIMER_WINDOW:
        window_moves(core, child);
        return;
    case TIMER_HEALTH:
        health_due(core, child);
        return;
    case TIMER_PLACE:
        restart_queue_end(core, child);
        return;
    case TIMER_CHANGE:
        liveness_too_long(core, child);
        return;
    case TIMER_RUN:
        liveness_ran_out(core, child);
        return;
    case CHILD_TIMERS:
        break;
    }
    INVARIANT(false);
}

static void fire_first(struct core *core, struct timer *timer)
{
    if (timer == &core->shutdown_bound) {
        shutdown_bound_passed(core);
        return;
    }
    struct child *child = child_of_timer(timer);
    child_deadline_moves(core, child, (enum child_timer)timer->kind, 0);
    timer_clear(&core->timers, timer);
    fire(core, child, (enum child_timer)timer->kind);
}

/* What is armed anew while they fire, and due at once, may fire too, but not for ever: the rest has
 * the next turn, and others come between. */
void fire_timers(struct core *core)
{
    uint64_t now = core_now(core);
    uint32_t left = core->children * CHILD_TIMERS + 1;
    struct timer *timer;

    start_name_due(core);
    while (left-- > 0 && (timer = timer_first(&core->timers)) && timer->deadline_usec <= now) {
        fire_first(core, timer);
        settle_waiting(core);
    }
    core->armed_usec = 0; /* it has fired: the shell has none armed now */
    settle_timer(core);
}

/* ---- the shell's own events ------------------------------------------------------------------ */

void announce_start(struct core *core, const char *version)
{
    EMIT(core, EVENT_SUPERVISOR_STARTED, NULL, 0, FIELD_TEXT_OF("version", version));
    settle_timer(core);
}

void announce_rejected(struct core *core, const char *requester, const char *why)
{
    EMIT(core, EVENT_CHILD_DECLARATION_REJECTED, NULL, 0, FIELD_TEXT_OF("by", requester),
         FIELD_TEXT_OF("why", why));
}

void announce_recovered(struct core *core, const struct recovery *recovery)
{
    EMIT(core, EVENT_SUPERVISOR_RECOVERED, NULL, 0, FIELD_NUMBER_OF("inputs", recovery->inputs),
         FIELD_NUMBER_OF("adopted", recovery->adopted), FIELD_NUMBER_OF("lost", recovery->lost),
         FIELD_NUMBER_OF("damaged_bytes", recovery->damaged_bytes));
    reload_recovered(core);
    health_recovered(core);
    core->armed_usec = 0; /* whoever was told of it is not there any more */
    core_finish_input(core);
}

void announce_durability(struct core *core, bool durable, const char *why)
{
    EMIT(core, EVENT_DURABILITY_CHANGED, NULL, 0, FIELD_FLAG_OF("durable", durable),
         FIELD_TEXT_OF("why", why));
    core_finish_input(core);
}

void announce_reexecution(struct core *core, const char *requester, const char *reason)
{
    EMIT(core, EVENT_SUPERVISOR_REEXECUTING, NULL, 0, FIELD_TEXT_OF("by", requester),
         FIELD_TEXT_OF("reason", reason));
    core_finish_input(core);
}

/* ---- queries --------------------------------------------------------------------------------- */

enum shutdown_phase core_shutdown_phase(const struct core *core)
{
    return core->shutdown_phase;
}

bool core_shutdown_by_signal(const struct core *core)
{
    return core->shutdown_by_signal;
}

bool core_shutdown_by_policy(const struct core *core)
{
    return core->shutdown_by_policy;
}

uint64_t core_shutdown_command(const struct core *core)
{
    return core->shutdown_command;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        hash = (hash ^ ((value >> (8 * i)) & 0xFF)) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t child_hash(uint64_t hash, const struct child *child)
{
    for (const char *c = child->id; *c; c++)
        hash = mix(hash, (unsigned char)*c);
    hash = mix(hash, child->operation);
    hash = mix(hash, child->generation);
    hash = mix(hash, child->attempts);
    hash = mix(hash, child_attempt(child));
    hash = mix(hash, child_status(child));
    hash = mix(hash, child->stop_state);
    hash = mix(hash, child->fence_phase);
    hash = mix(hash, child->readiness);
    hash = mix(hash, child->failure.phase);
    hash = mix(hash, child->restart_limit.used);
    hash = mix(hash, child->restart_count);
    hash = mix(hash, child->backoff_n);
    hash = mix(hash, child->last_stale.count);
    hash = mix(hash, (uint64_t)child->attempt.checks << 32 | child->attempt.check_misses << 1 |
                         child->attempt.check_open);
    hash =
        mix(hash, (uint64_t)(child->start == START_QUEUED) << 6 | (uint64_t)child->in_flight << 5 |
                      (uint64_t)(child->scope != NULL) << 4 | (uint64_t)child->wanted << 3 |
                      (uint64_t)(child->start == START_DEPENDENCY) << 2 |
                      (uint64_t)child->gave_up << 1 | child->heartbeat_stale |
                      (uint64_t)child->attempt.delayed << 7);
    hash = mix(hash, (uint64_t)child->left << 1 | child->attempt.main.gone);
    for (int i = 0; i < CHILD_TIMERS; i++)
        hash = mix(hash, child->timers[i].deadline_usec);
    return hash;
}

uint64_t core_hash(const struct core *core)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    hash = mix(hash, core->sequence);
    hash = mix(hash, core->random.state);
    hash = mix(hash, core->shutdown_phase);
    hash = mix(hash, core->shutdown_bound.deadline_usec);
    for (const struct supervisor *supervisor = &core->root; supervisor;
         supervisor = supervisor->next)
        hash = mix(hash, (uint64_t)supervisor->limit.used << 32 | supervisor->in_flight << 16 |
                             supervisor->queued << 1 | supervisor->melted_down);
    hash = mix(hash, core->jobs.next_id << 32 | core->jobs.queued << 16 | core->jobs.running);
    for (const struct child *child = core_first(core); child; child = core_next(child))
        hash = child_hash(hash, child);
    return hash;
}
