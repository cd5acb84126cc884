/*
 * A configuration is one block of memory: the declaration, all its strings and
 * lists, the ring for its counted exits and the table of its dependencies. It
 * is laid out twice by the same function: first without memory, which only adds
 * up the size, then for real. So the size cannot disagree with the contents,
 * and one release frees it all.
 */
#include "core/model/config.h"

#include "core/model/budget.h"
#include "core/model/declaration.h"
#include "core/model/process_spec.h"
#include "core/model/restart_limit.h"
#include "core/model/supervisor.h"
#include "core/private.h"

#include <string.h>

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

/* A list that ends with NULL. In the first round nothing is written, but every
 * string is visited, as each adds to the size. */
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

/* The commands of `before`, each with its own arguments. */
static void copy_commands(struct block *block, const struct command_list *from,
                          struct command_list *to)
{
    struct command_spec *commands = block_take(block, from->count * sizeof(*commands));

    for (size_t i = 0; i < from->count; i++) {
        const struct command_spec *command = &from->commands[i];
        const char **arguments =
            block_strings(block, command->arguments, strings_count(command->arguments));
        if (!commands)
            continue;
        commands[i] = *command;
        commands[i].arguments = arguments;
    }
    to->commands = from->count > 0 ? commands : NULL;
}

static const struct sandbox_spec *copy_sandbox(struct block *block, const struct sandbox_spec *from)
{
    if (!from)
        return NULL;
    struct sandbox_spec *sandbox = block_take(block, sizeof(*sandbox));
    const char **paths = block_strings(block, from->paths, strings_count(from->paths));
    if (sandbox) {
        *sandbox = *from;
        sandbox->paths = paths;
    }
    return sandbox;
}

/* What the child's process gets. A pointer that this function forgets would
 * point into the caller's memory: the structure is copied as a whole first, and
 * then each pointer is replaced. */
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
    struct socket_spec *sockets = block_take(block, from->n_sockets * sizeof(*sockets));
    for (size_t i = 0; i < from->n_sockets; i++) {
        const char *name = block_string(block, from->sockets[i].name);
        const char *listen = block_string(block, from->sockets[i].listen);
        if (!sockets)
            continue;
        sockets[i] = from->sockets[i];
        sockets[i].name = name;
        sockets[i].listen = listen;
    }
    to->sockets = from->n_sockets > 0 ? sockets : NULL;
    copy_commands(block, &from->before, &to->before);
    copy_commands(block, &from->reload, &to->reload);
    copy_commands(block, &from->stop, &to->stop);
    copy_commands(block, &from->after_start, &to->after_start);
    copy_commands(block, &from->after_stop, &to->after_stop);
    for (size_t i = 0; i < DIRECTORY_KINDS; i++)
        to->directories[i].names = block_strings(block, from->directories[i].names,
                                                 strings_count(from->directories[i].names));
    if (from->health) {
        struct health_spec *health = block_take(block, sizeof(*health));
        const char **arguments =
            block_strings(block, from->health->arguments, strings_count(from->health->arguments));
        const char *listen = block_string(block, from->health->target.listen);
        if (health) {
            *health = *from->health;
            health->arguments = arguments;
            health->target.listen = listen;
        }
        to->health = health;
    }
    if (from->limits) {
        size_t size = PROCESS_LIMITS * sizeof(*from->limits);
        void *limits = block_take(block, size);
        to->limits = limits ? memcpy(limits, from->limits, size) : NULL;
    }
    to->sandbox = copy_sandbox(block, from->sandbox);
    if (from->affinity) {
        size_t size = AFFINITY_WORDS * sizeof(*from->affinity);
        void *affinity = block_take(block, size);
        to->affinity = affinity ? memcpy(affinity, from->affinity, size) : NULL;
    }
}

/* The block begins with the configuration itself, so that freeing it frees the
 * block. */
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
    to->description = block_string(block, from->description);
    to->group = block_string(block, from->group);
    to->schedule = block_string(block, from->schedule);
    to->schedule_zone = block_string(block, from->schedule_zone);
    to->manifest = block_string(block, from->manifest);
    to->manifest_path = block_string(block, from->manifest_path);
    if (config)
        *config = *scratch;
}

/* Two rounds: measure, then fill. */
struct child_config *config_new(struct core *core, const struct child_declaration *declaration)
{
    struct child_config scratch = {};
    struct block block = {};

    fill_config(&block, declaration, &scratch);
    block.base = core->ports.allocate(core->ports.userdata, block.used);
    if (!block.base)
        return NULL;
    block.used = 0;
    fill_config(&block, declaration, &scratch);
    return (struct child_config *)(void *)block.base;
}

/* ---- of a supervisor ------------------------------------------------------------------------- */

/* Each group has a window of its own, and its ring lies in the same block. */
static struct group *fill_groups(struct block *block, const struct supervisor_declaration *from)
{
    struct group *groups = block_take(block, from->n_groups * sizeof(*groups));

    for (size_t i = 0; i < from->n_groups; i++) {
        uint64_t *ring = block_take(block, restart_limit_ring_size(from->groups[i].burst));
        const char *name = block_string(block, from->groups[i].name);
        if (!groups)
            continue;
        groups[i] = (struct group){.declaration = from->groups[i]};
        groups[i].declaration.name = name;
        restart_limit_init(&groups[i].limit, ring, from->groups[i].burst,
                           from->groups[i].interval_usec);
        budget_init(&groups[i].budget, from->groups[i].budget_restarts,
                    from->groups[i].budget_usec);
    }
    return groups;
}

/* The declaration's own list of groups is made from the copies, so that their
 * names point into the block, too. */
static void fill_supervisor(struct block *block, const struct supervisor_declaration *from,
                            struct supervisor_config *scratch)
{
    struct supervisor_config *config = block_take(block, sizeof(*config));
    struct supervisor_declaration *to = &scratch->declaration;

    *to = *from;
    scratch->groups = fill_groups(block, from);
    scratch->ring = block_take(block, restart_limit_ring_size(from->burst));
    struct group_declaration *groups = block_take(block, from->n_groups * sizeof(*groups));
    for (size_t i = 0; groups && i < from->n_groups; i++)
        groups[i] = scratch->groups[i].declaration;
    to->groups = groups;
    to->path = block_string(block, from->path);
    to->manifest = block_string(block, from->manifest);
    to->manifest_path = block_string(block, from->manifest_path);
    if (config)
        *config = *scratch;
}

/* Two rounds, as for a child. */
struct supervisor_config *supervisor_config_new(struct core *core,
                                                const struct supervisor_declaration *declaration)
{
    struct supervisor_config scratch = {};
    struct block block = {};

    fill_supervisor(&block, declaration, &scratch);
    block.base = core->ports.allocate(core->ports.userdata, block.used);
    if (!block.base)
        return NULL;
    block.used = 0;
    fill_supervisor(&block, declaration, &scratch);
    return (struct supervisor_config *)(void *)block.base;
}

const char *dependency_id(const struct child_declaration *declaration, size_t i)
{
    return i < declaration->n_requires ? declaration->requires[i]
                                       : declaration->after[i - declaration->n_requires];
}

size_t dependency_count(const struct child_declaration *declaration)
{
    return declaration->n_requires + declaration->n_after;
}

const char *last_segment(const char *id)
{
    const char *slash = strrchr(id, '/');
    return slash ? slash + 1 : id;
}
