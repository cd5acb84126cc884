/*
 * The registry: where children and jobs are found, by slot, by id and by a
 * job's name. Memory for all of it is taken when children are declared, in
 * powers of two; after that, no lookup, timer or restart ever allocates.
 */
#include "core/model/registry.h"

#include "core/model/config.h"
#include "core/model/declaration.h"
#include "core/model/job.h"
#include "core/model/seldom.h"
#include "core/private.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <string.h>

#define INDEX_MIN 16

void *registry_allocate(struct core *core, size_t size)
{
    return core->ports.allocate(core->ports.userdata, size);
}

void registry_release(struct core *core, void *memory)
{
    if (memory)
        core->ports.release(core->ports.userdata, memory);
}

/* Replaces *array by a larger one with the same content. */
static int grow(struct core *core, void *array, size_t old_size, size_t new_size)
{
    void *old, *fresh = registry_allocate(core, new_size);
    if (!fresh)
        return -ENOMEM;
    memcpy(&old, array, sizeof(old));
    if (old)
        memcpy(fresh, old, old_size);
    registry_release(core, old);
    memcpy(array, &fresh, sizeof(fresh));
    return 0;
}

static uint32_t id_hash(const char *id)
{
    uint32_t hash = UINT32_C(2166136261);
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * UINT32_C(16777619);
    return hash;
}

/* Behind the buckets of the children and those of the jobs. */
static uint32_t *dependencies_on(const struct core *core, const char *id)
{
    uint32_t *counts = (uint32_t *)(void *)(core->index + 2 * (size_t)core->index_size);

    return &counts[id_hash(id) & (core->index_size - 1)];
}

void registry_count_dependencies(struct core *core, const struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;

    for (size_t i = 0; i < dependency_count(declaration); i++)
        ++*dependencies_on(core, dependency_id(declaration, i));
}

/* How many children name an id is counted by id, not by child: it may be named
 * before it exists. */
void registry_forget_dependencies(struct core *core, const struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;

    for (size_t i = 0; i < dependency_count(declaration); i++) {
        uint32_t *count = dependencies_on(core, dependency_id(declaration, i));
        INVARIANT(*count > 0);
        --*count;
    }
}

bool registry_may_be_needed(const struct core *core, const char *id)
{
    return *dependencies_on(core, id) > 0;
}

void registry_index(struct core *core, struct child *child)
{
    registry_count_dependencies(core, child);
    struct child **bucket = &core->index[id_hash(child->id) & (core->index_size - 1)];
    child->index_next = *bucket;
    *bucket = child;
}

void registry_unindex(struct core *core, struct child *child)
{
    struct child **link = &core->index[id_hash(child->id) & (core->index_size - 1)];
    while (*link != child)
        link = &(*link)->index_next;
    *link = child->index_next;
    registry_forget_dependencies(core, child);
}

struct child *core_find(const struct core *core, const char *id)
{
    if (core->index_size == 0)
        return NULL;
    struct child *child = core->index[id_hash(id) & (core->index_size - 1)];
    while (child && strcmp(child->id, id) != 0)
        child = child->index_next;
    return child;
}

/* Behind the buckets of the children: there are never more jobs under way than children. */
static struct job **tree_job_bucket(const struct core *core, const char *name)
{
    if (core->index_size == 0)
        return NULL;
    return (struct job **)(core->index + core->index_size) +
           (id_hash(name) & (core->index_size - 1));
}

static void jobs_index(struct core *core)
{
    for (struct job *job = core->jobs.first; job; job = job->next)
        if (job->state != JOB_FINISHED)
            registry_index_job(core, job);
}

/* One block for three tables. After growing, everything is entered again; the
 * tables are hash tables of lists, so the links stand in the children
 * themselves. */
static int index_reserve(struct core *core, size_t count)
{
    uint32_t size = core->index_size > 0 ? core->index_size : INDEX_MIN;
    while (size < count)
        size *= 2;
    if (size == core->index_size)
        return 0;

    struct child **fresh = registry_allocate(
        core, size * (sizeof(struct child *) + sizeof(struct job *) + sizeof(uint32_t)));
    if (!fresh)
        return -ENOMEM;
    registry_release(core, core->index);
    core->index = fresh;
    core->index_size = size;
    for (struct child *child = core_first(core); child; child = core_next(child))
        registry_index(core, child);
    jobs_index(core);
    return 0;
}

/* Everything that `more` children could ever need: slots, timers (each child
 * has a fixed number, and one is the shutdown's), rarely used memory, the
 * indexes. */
int registry_reserve(struct core *core, size_t more)
{
    size_t count = core->children + more;
    size_t used = core->next_slot + more;

    if (used > core->n_slots) {
        size_t size = core->n_slots > 0 ? core->n_slots : INDEX_MIN;
        while (size < used)
            size *= 2;
        if (grow(core, &core->slots, core->n_slots * sizeof(*core->slots),
                 size * sizeof(*core->slots)) < 0 ||
            grow(core, &core->free_slots, core->n_slots * sizeof(*core->free_slots),
                 size * sizeof(*core->free_slots)) < 0)
            return -ENOMEM;
        core->n_slots = (uint32_t)size;
    }
    if (count * CHILD_TIMERS + 1 > core->timers.capacity) {
        size_t size = core->n_slots * (size_t)CHILD_TIMERS + 1; /* and the bound of a shutdown */
        if (grow(core, &core->timers.timers,
                 (core->timers.count + 1) * sizeof(*core->timers.timers),
                 (size + 1) * sizeof(*core->timers.timers)) < 0)
            return -ENOMEM;
        core->timers.capacity = (uint32_t)size;
    }
    if (seldom_reserve(core, (uint32_t)used) < 0)
        return -ENOMEM;
    return index_reserve(core, count);
}

int registry_make_room(struct core *core, uint32_t slots)
{
    uint32_t next = core->next_slot;

    core->next_slot = 0;
    int r = registry_reserve(core, slots);
    core->next_slot = next;
    return r;
}

struct child *core_child_of(const struct core *core, struct attempt_id id)
{
    struct child *child = id.slot < core->n_slots ? core->slots[id.slot] : NULL;
    return child && child->serial == id.serial ? child : NULL;
}

size_t core_count(const struct core *core)
{
    return core->children;
}

void registry_index_job(struct core *core, struct job *job)
{
    struct job **bucket = tree_job_bucket(core, job->name);

    job->name_next = *bucket;
    *bucket = job;
}

void registry_unindex_job(struct core *core, struct job *job)
{
    struct job **link = tree_job_bucket(core, job->name);

    while (*link != job)
        link = &(*link)->name_next;
    *link = job->name_next;
}

struct job *registry_last_job(const struct core *core, const char *name)
{
    struct job **bucket = tree_job_bucket(core, name);
    struct job *job = bucket ? *bucket : NULL;

    while (job && strcmp(job->name, name) != 0)
        job = job->name_next;
    return job;
}
