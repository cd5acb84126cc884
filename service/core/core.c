/*
 * The core's life and its hash. A core is one allocation, and everything in it
 * comes from the allocator of its ports, so that a simulator can count it,
 * limit it, and find what was left.
 */
#include "core/core.h"

#include "core/model/job.h"
#include "core/model/lineage.h"
#include "core/model/seldom.h"
#include "core/model/supervisor.h"
#include "core/model/supervisor_change.h"
#include "core/private.h"
#include "core/vocabulary/vocabulary.h"

#include <errno.h>

/* No child, no timer, only the root. */
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

/* Everything that the core has allocated. Nothing is stopped and nothing is
 * reported: ending the tree is a command. */
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
    seldom_free(core);
    free_memory(core, core->root.config);
    free_memory(core, core->slots);
    free_memory(core, core->free_slots);
    free_memory(core, core->index);
    free_memory(core, core->timers.timers);
    free_memory(core, core);
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

int core_shutdown_exit_code(const struct core *core)
{
    return core->shutdown_exit_code;
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

/* What the simulator compares two runs by. FNV-1a over every field that a rule
 * may read; those that follow from others are left out. */
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
    hash = mix(hash, child->failure->phase);
    hash = mix(hash, child->restart_limit.used);
    hash = mix(hash, child->restart_count);
    hash = mix(hash, child->backoff_n);
    hash = mix(hash, child->last_stale->count);
    hash = mix(hash, (uint64_t)child->attempt.checks << 32 | child->attempt.check_misses << 1 |
                         child->attempt.check_open);
    hash =
        mix(hash, (uint64_t)(child->start == START_QUEUED) << 6 | (uint64_t)child->in_flight << 5 |
                      (uint64_t)(child->scope != NULL) << 4 | (uint64_t)child->wanted << 3 |
                      (uint64_t)(child->start == START_DEPENDENCY) << 2 |
                      (uint64_t)child->gave_up << 1 | child->heartbeat_stale |
                      (uint64_t)child->attempt.delayed << 7);
    hash = mix(hash, (uint64_t)child->left << 1 | child->attempt.main.gone);
    hash = mix(hash, child->next_run_usec << 1 | child->run_owed);
    hash = mix(hash, child->last_run_usec);
    for (int i = 0; i < CHILD_TIMERS; i++)
        hash = mix(hash, child->timers[i].deadline_usec);
    return hash;
}

/* The state as one number; equal runs have equal hashes after each input. */
uint64_t core_hash(const struct core *core)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    hash = mix(hash, core->sequence);
    hash = mix(hash, core->random.state);
    hash = mix(hash, core->shutdown_phase);
    hash = mix(hash, (uint64_t)core->shutdown_exit_code);
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
