/*
 * Tree: declaring children, all of a set or none, and letting them go. The only place of the core
 * that allocates. Every array that an input could need grows here, before anything is changed.
 */
#include "private.h"
#include "text.h"

#define INDEX_MIN 16

/* ---- memory --------------------------------------------------------------------------------- */

static void *allocate(struct core *core, size_t size)
{
    return core->ports.allocate(core->ports.userdata, size);
}

static void release(struct core *core, void *memory)
{
    if (memory)
        core->ports.release(core->ports.userdata, memory);
}

/* Replaces *array by a larger one with the same content. */
static int grow(struct core *core, void *array, size_t old_size, size_t new_size)
{
    void *old, *fresh = allocate(core, new_size);
    if (!fresh)
        return -ENOMEM;
    memcpy(&old, array, sizeof(old));
    if (old)
        memcpy(fresh, old, old_size);
    release(core, old);
    memcpy(array, &fresh, sizeof(fresh));
    return 0;
}

/* One block that is first measured, then filled: base is NULL while measuring. */
struct block {
    char *base;
    size_t used;
};

static void *block_take(struct block *block, size_t size)
{
    size_t at = (block->used + 7) & ~(size_t)7;
    block->used = at + size;
    return block->base ? block->base + at : NULL;
}

static const char *block_string(struct block *block, const char *string)
{
    if (!string)
        return NULL;
    size_t size = strlen(string) + 1;
    char *copy = block->base ? block->base + block->used : NULL;
    block->used += size;
    return copy ? memcpy(copy, string, size) : NULL;
}

static const char **block_strings(struct block *block, const char **strings, size_t count)
{
    if (!strings)
        return NULL;
    const char **copy = block_take(block, (count + 1) * sizeof(*copy));
    for (size_t i = 0; i < count; i++) {
        const char *string = block_string(block, strings[i]);
        if (copy)
            copy[i] = string;
    }
    if (copy)
        copy[count] = NULL;
    return copy;
}

static size_t strings_count(const char **strings)
{
    size_t count = 0;
    while (strings && strings[count])
        count++;
    return count;
}

static void copy_process(struct block *block, const struct process_spec *from,
                         struct process_spec *to)
{
    *to = *from;
    to->arguments = block_strings(block, from->arguments, strings_count(from->arguments));
    to->supplementary_groups =
        block_strings(block, from->supplementary_groups, strings_count(from->supplementary_groups));
    to->environment = block_strings(block, from->environment, strings_count(from->environment));
    to->working_directory = block_string(block, from->working_directory);
    to->user = block_string(block, from->user);
    to->group = block_string(block, from->group);
    to->environment_file = block_string(block, from->environment_file);
    to->output.path = block_string(block, from->output.path);
    if (from->limits) {
        size_t size = PROCESS_LIMITS * sizeof(*from->limits);
        void *limits = block_take(block, size);
        to->limits = limits ? memcpy(limits, from->limits, size) : NULL;
    }
}

static void fill_config(struct block *block, const struct child_declaration *from,
                        struct child_config *scratch)
{
    struct child_config *config = block_take(block, sizeof(*config));
    struct child_declaration *to = &scratch->declaration;

    *to = *from;
    scratch->ring = block_take(block, restart_limit_ring_size(from->burst));
    scratch->targets =
        block_take(block, (from->n_requires + from->n_after) * sizeof(struct child *));
    to->requires = block_strings(block, from->requires, from->n_requires);
    to->after = block_strings(block, from->after, from->n_after);
    to->tags = block_strings(block, from->tags, from->n_tags);
    copy_process(block, &from->process, &to->process);
    to->id = block_string(block, from->id);
    to->manifest = block_string(block, from->manifest);
    to->manifest_path = block_string(block, from->manifest_path);
    if (config)
        *config = *scratch;
}

static struct child_config *config_new(struct core *core,
                                       const struct child_declaration *declaration)
{
    struct child_config scratch = {};
    struct block block = {};

    fill_config(&block, declaration, &scratch);
    block.base = allocate(core, block.used);
    if (!block.base)
        return NULL;
    block.used = 0;
    fill_config(&block, declaration, &scratch);
    return (struct child_config *)(void *)block.base;
}

/* ---- the index of ids ------------------------------------------------------------------------ */

static uint32_t id_hash(const char *id)
{
    uint32_t hash = UINT32_C(2166136261);
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * UINT32_C(16777619);
    return hash;
}

static void index_add(struct core *core, struct child *child)
{
    struct child **bucket = &core->index[id_hash(child->id) & (core->index_size - 1)];
    child->index_next = *bucket;
    *bucket = child;
}

static void index_remove(struct core *core, struct child *child)
{
    struct child **link = &core->index[id_hash(child->id) & (core->index_size - 1)];
    while (*link != child)
        link = &(*link)->index_next;
    *link = child->index_next;
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

static int index_reserve(struct core *core, size_t count)
{
    uint32_t size = core->index_size > 0 ? core->index_size : INDEX_MIN;
    while (size < count)
        size *= 2;
    if (size == core->index_size)
        return 0;

    struct child **fresh = allocate(core, size * sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    release(core, core->index);
    core->index = fresh;
    core->index_size = size;
    for (struct child *child = core->root.first; child; child = child->next)
        index_add(core, child);
    return 0;
}

static int reserve(struct core *core, size_t more)
{
    size_t count = core->root.members + more;
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
    if (count * CHILD_TIMERS > core->timers.capacity) {
        size_t size = core->n_slots * (size_t)CHILD_TIMERS;
        if (grow(core, &core->timers.timers,
                 (core->timers.count + 1) * sizeof(*core->timers.timers),
                 (size + 1) * sizeof(*core->timers.timers)) < 0)
            return -ENOMEM;
        core->timers.capacity = (uint32_t)size;
    }
    return index_reserve(core, count);
}

/* ---- checks ---------------------------------------------------------------------------------- */

static void problem_text(struct declaration_problem *problem, size_t declaration, int dependency,
                         const char *a, const char *b, const char *c)
{
    struct text text = text_in(problem->error.text, sizeof(problem->error.text));

    problem->declaration = declaration;
    problem->dependency = dependency;
    text_append(&text, a);
    text_append(&text, b);
    text_append(&text, c);
}

static const char *dependency_id(const struct child_declaration *declaration, size_t i)
{
    return i < declaration->n_requires ? declaration->requires[i]
                                       : declaration->after[i - declaration->n_requires];
}

static size_t dependency_count(const struct child_declaration *declaration)
{
    return declaration->n_requires + declaration->n_after;
}

static int connect(struct core *core, struct child *child, size_t declaration,
                   struct declaration_problem *problem)
{
    struct child_config *config = child->config;

    for (size_t i = 0; i < dependency_count(&config->declaration); i++) {
        const char *id = dependency_id(&config->declaration, i);
        config->targets[i] = core_find(core, id);
        if (!config->targets[i]) {
            problem_text(problem, declaration, (int)i, "no child is called \"", id, "\"");
            return -ENOENT;
        }
    }
    return 0;
}

/*
 * Whether a child is reached from itself. Marks live in shutdown.dependents, which has no meaning
 * before a shutdown: 0 not seen, 1 on the path, 2 done. The depth is bounded, and said so.
 */
static bool visit(struct child *child, unsigned depth)
{
    if (child->shutdown.dependents == 2)
        return true;
    if (child->shutdown.dependents == 1 || depth > 1000)
        return false;

    child->shutdown.dependents = 1;
    for (size_t i = 0; i < dependency_count(&child->config->declaration); i++)
        if (child->config->targets[i] && !visit(child->config->targets[i], depth + 1))
            return false;
    child->shutdown.dependents = 2;
    return true;
}

static int check_cycles(struct core *core, struct child **children, size_t count,
                        struct declaration_problem *problem)
{
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++)
        if (!visit(children[i], 0)) {
            problem_text(problem, i, 0, "the dependencies of \"", children[i]->id,
                         "\" form a cycle, or a chain of more than 1000");
            r = -ELOOP;
        }
    for (struct child *child = core->root.first; child; child = child->next)
        child->shutdown.dependents = 0;
    return r;
}

/* ---- declaring ------------------------------------------------------------------------------- */

static const char *last_segment(const char *id)
{
    const char *slash = strrchr(id, '/');
    return slash ? slash + 1 : id;
}

static struct child *child_new(struct core *core, const struct child_declaration *declaration)
{
    struct child *child = allocate(core, sizeof(*child));
    if (!child)
        return NULL;
    child->config = config_new(core, declaration);
    if (!child->config) {
        release(core, child);
        return NULL;
    }
    child->id = child->config->declaration.id;
    child->name = last_segment(child->id);
    restart_limit_init(&child->restart_limit, child->config->ring, declaration->burst,
                       declaration->interval_usec);
    return child;
}

static void link_child(struct core *core, struct child *child)
{
    struct supervisor *root = &core->root;

    child->supervisor = root;
    child->previous = root->last;
    *(root->last ? &root->last->next : &root->first) = child;
    root->last = child;
    root->members++;
    child->serial = core->next_serial++;
    child->slot =
        core->free_slot_count > 0 ? core->free_slots[--core->free_slot_count] : core->next_slot++;
    core->slots[child->slot] = child;
    index_add(core, child);
}

static void unlink_child(struct core *core, struct child *child)
{
    struct supervisor *root = child->supervisor;

    *(child->previous ? &child->previous->next : &root->first) = child->next;
    *(child->next ? &child->next->previous : &root->last) = child->previous;
    root->members--;
    core->slots[child->slot] = NULL;
    core->free_slots[core->free_slot_count++] = child->slot;
    index_remove(core, child);
}

static void child_release(struct core *core, struct child *child)
{
    release(core, child->next_config);
    release(core, child->config);
    release(core, child);
}

/* Points everybody who depends on an id at its present record; NULL when it goes away. */
static void repoint(struct core *core, const char *id, struct child *target)
{
    for (struct child *child = core->root.first; child; child = child->next)
        for (size_t i = 0; i < dependency_count(&child->config->declaration); i++)
            if (strcmp(dependency_id(&child->config->declaration, i), id) == 0)
                child->config->targets[i] = target;
}

static bool anybody_misses_one(const struct core *core)
{
    for (const struct child *child = core->root.first; child; child = child->next)
        for (size_t i = 0; i < dependency_count(&child->config->declaration); i++)
            if (!child->config->targets[i])
                return true;
    return false;
}

static void undo(struct core *core, struct child **children, size_t linked, size_t made)
{
    while (linked > 0) {
        struct child *child = children[--linked];
        repoint(core, child->id, NULL);
        unlink_child(core, child);
    }
    for (size_t i = 0; i < made; i++)
        child_release(core, children[i]);
}

static int link_all(struct core *core, struct child **children, size_t count, size_t *linked,
                    struct declaration_problem *problem)
{
    bool missing = anybody_misses_one(core);
    int r;

    for (*linked = 0; *linked < count; ++*linked) {
        struct child *child = children[*linked];
        if (core_find(core, child->id)) {
            problem_text(problem, *linked, -1, "a child is already called \"", child->id, "\"");
            return -EEXIST;
        }
        link_child(core, child);
    }
    for (size_t i = 0; i < count; i++) {
        r = connect(core, children[i], i, problem);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; missing && i < count; i++)
        repoint(core, children[i]->id, children[i]);
    return check_cycles(core, children, count, problem);
}

static void announce(struct core *core, struct child *child, uint64_t id, const char *requester,
                     const char *reason)
{
    core_changed(core, child);
    EMIT(core, EVENT_CHILD_ADDED, child, id, FIELD_TEXT_OF("by", requester),
         FIELD_TEXT_OF("reason", reason));
}

int core_declare(struct core *core, const struct child_declaration *declarations, size_t count,
                 const char *requester, const char *reason, struct declaration_problem *problem)
{
    size_t made = 0, linked = 0;
    int r;

    if (core->shutdown_phase != SHUTDOWN_IDLE) {
        problem_text(problem, 0, -1, "the tree is shutting down", "", "");
        return -ESHUTDOWN;
    }
    if (count > CORE_CHILDREN_MAX || core->root.members + count > CORE_CHILDREN_MAX) {
        problem_text(problem, 0, -1, "more than 100000 children", "", "");
        return -E2BIG;
    }
    problem_text(problem, 0, -1, "out of memory", "", "");
    struct child **children = allocate(core, (count + 1) * sizeof(*children));
    if (!children)
        return -ENOMEM;

    r = reserve(core, count);
    for (; r == 0 && made < count; made++) {
        children[made] = child_new(core, &declarations[made]);
        if (!children[made]) {
            r = -ENOMEM;
            break;
        }
    }
    if (r == 0)
        r = link_all(core, children, count, &linked, problem);
    if (r < 0) {
        undo(core, children, linked, made);
        release(core, children);
        return r;
    }

    uint64_t id = core_new_command(core);
    for (size_t i = 0; i < count; i++)
        announce(core, children[i], id, requester, reason);
    for (size_t i = 0; i < count; i++)
        children[i]->wanted =
            declarations[i].autostart && children[i]->config->declaration.has_process;
    for (size_t i = 0; i < count; i++)
        if (children[i]->wanted)
            dependency_request_start(core, children[i], id, false);
    release(core, children);
    core_finish_input(core);
    return 0;
}

/* ---- a newer declaration --------------------------------------------------------------------- */

/* A child that is to have a new declaration. */
struct change {
    struct child *child;
    struct child_config *config;
};

static void swap_configs(struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct child_config *old = changes[i].child->config;
        changes[i].child->config = changes[i].config;
        changes[i].config = old;
    }
}

/* Looks for unknown dependencies and cycles as if the new declarations were in force already. */
static int check_changes(struct core *core, struct change *changes, size_t count,
                         struct declaration_problem *problem)
{
    int r = 0;

    swap_configs(changes, count);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = connect(core, changes[i].child, i, problem);
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = check_cycles(core, &changes[i].child, 1, problem);
        problem->declaration = i;
    }
    swap_configs(changes, count);
    return r;
}

void tree_adopt_next_config(struct core *core, struct child *child)
{
    struct child_config *old = child->config;
    const struct child_declaration *declaration;

    child->config = child->next_config;
    child->next_config = NULL;
    declaration = &child->config->declaration;
    child->id = declaration->id;
    child->name = last_segment(child->id);
    child_disarm(core, child, TIMER_WINDOW);
    restart_limit_init(&child->restart_limit, child->config->ring, declaration->burst,
                       declaration->interval_usec);
    /* Dependencies were checked when it was given; one may have been removed since. */
    for (size_t i = 0; i < dependency_count(declaration); i++)
        child->config->targets[i] = core_find(core, dependency_id(declaration, i));
    if (!core->muted) /* a dry run puts the old one back */
        release(core, old);
    core_changed(core, child);
}

static int prepare_changes(struct core *core, struct change *changes,
                           const struct child_declaration *declarations, size_t count,
                           struct declaration_problem *problem)
{
    for (size_t i = 0; i < count; i++) {
        changes[i].child = core_find(core, declarations[i].id);
        if (!changes[i].child) {
            problem_text(problem, i, -1, "no child is called \"", declarations[i].id, "\"");
            return -ENOENT;
        }
        changes[i].config = config_new(core, &declarations[i]);
        if (!changes[i].config)
            return -ENOMEM;
    }
    return check_changes(core, changes, count, problem);
}

static void apply_change(struct core *core, struct change *change, uint64_t id,
                         const char *requester, const char *reason)
{
    struct child *child = change->child;

    release(core, child->next_config);
    child->next_config = change->config;
    announce(core, child, id, requester, reason);
    if (!child->attempt.active)
        tree_adopt_next_config(core, child);
    else if (child->operation == CHILD_ACTIVE && !child->pending.active)
        fence_enter(core, child, id, false, "reload");
}

int core_redeclare(struct core *core, const struct child_declaration *declarations, size_t count,
                   const char *requester, const char *reason, struct declaration_problem *problem)
{
    if (core->shutdown_phase != SHUTDOWN_IDLE) {
        problem_text(problem, 0, -1, "the tree is shutting down", "", "");
        return -ESHUTDOWN;
    }
    problem_text(problem, 0, -1, "out of memory", "", "");
    struct change *changes = allocate(core, (count + 1) * sizeof(*changes));
    if (!changes)
        return -ENOMEM;

    int r = prepare_changes(core, changes, declarations, count, problem);
    uint64_t id = r == 0 ? core_new_command(core) : 0;
    for (size_t i = 0; i < count; i++)
        if (r == 0)
            apply_change(core, &changes[i], id, requester, reason);
        else
            release(core, changes[i].config);
    release(core, changes);
    core_finish_input(core);
    return r;
}

/* ---- letting go ------------------------------------------------------------------------------ */

void tree_remove(struct core *core, struct child *child, enum child_status final, uint64_t cause)
{
    INVARIANT(!child->attempt.active && !core->muted);

    for (int i = 0; i < CHILD_TIMERS; i++)
        child_disarm(core, child, (enum child_timer)i);
    dependency_withdraw(core, child);
    EMIT(core, EVENT_CHILD_RUNTIME_STATE_REMOVED, child, cause,
         FIELD_TEXT_OF("final_status", child_status_to_string(final)),
         FIELD_TEXT_OF("path", child->id));
    core->ports.forget(core->ports.userdata, child);
    repoint(core, child->id, NULL);
    unlink_child(core, child);
    for (struct child **link = &core->changed_first; *link; link = &(*link)->changed_next)
        if (*link == child) {
            *link = child->changed_next;
            break;
        }
    child_release(core, child);
}
