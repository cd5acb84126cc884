/*
 * A plan is everything that a birth needs, in one piece of memory without
 * pointers: texts stand behind the structure, and are named by their offset.
 * The spawner checks every offset before it turns them into pointers, since it
 * must not trust what has come over a socket, and a birth cannot check anything
 * any more.
 */
#include "host/plan.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define GROUPS_MAX 65536 /* NGROUPS_MAX of Linux */
#define FILTER_MAX 4096  /* BPF_MAXINSNS of Linux */

/* A step is named like the key of the manifest that it belongs to. */
const char *plan_step_to_string(enum plan_step step)
{
    static const char *const names[PLAN_STEPS] = {
        [STEP_SPAWNER] = "spawner",
        [STEP_FORK] = "fork",
        [STEP_CGROUP] = "cgroup",
        [STEP_LIMITS] = "limits",
        [STEP_NICE] = "nice",
        [STEP_OOM_SCORE] = "oom_score_adj",
        [STEP_STDOUT] = "stdout",
        [STEP_SOCKETS] = "sockets",
        [STEP_ENVIRONMENT] = "environment",
        [STEP_CAPABILITIES] = "capabilities",
        [STEP_GROUPS] = "supplementary_groups",
        [STEP_GROUP] = "unix_group",
        [STEP_USER] = "user",
        [STEP_IDENTITY] = "identity",
        [STEP_NO_NEW_PRIVILEGES] = "no_new_privileges",
        [STEP_WORKING_DIRECTORY] = "working_directory",
        [STEP_EXEC] = "exec",
        [STEP_RUNTIME_DIRECTORY] = "runtime_directory",
        [STEP_STATE_DIRECTORY] = "state_directory",
        [STEP_LOGS_DIRECTORY] = "logs_directory",
        [STEP_CACHE_DIRECTORY] = "cache_directory",
        [STEP_AFFINITY] = "cpu_affinity",
        [STEP_SANDBOX] = "sandbox",
        [STEP_SYSCALLS] = "sandbox.syscalls",
    };

    return step < PLAN_STEPS ? names[step] : "start";
}

/* ---- making ---------------------------------------------------------------------------------- */

struct writer {
    char *base;
    size_t used;
};

static size_t count_of(char *const *list, size_t *bytes)
{
    size_t n = 0;

    for (; list[n]; n++)
        *bytes += strlen(list[n]) + 1;
    return n;
}

static size_t length_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Offset 0 means none: the structure itself is there. */
static uint64_t put_text(struct writer *writer, const char *text)
{
    size_t at = writer->used, size = length_of(text);

    if (!text)
        return 0;
    memcpy(writer->base + at, text, size);
    writer->used += size;
    return at;
}

/* The cells were reserved before all strings, at `cells`. */
static void put_list(struct writer *writer, uint64_t *cells, char *const *list)
{
    for (; *list; list++)
        *cells++ = put_text(writer, *list);
    *cells = 0;
}

static uint64_t place_in(const struct plan *plan, char *const *environment, const char *inside)
{
    const uint64_t *cells = (const void *)((const char *)plan + plan->environment.offset);

    for (size_t i = 0; inside && environment[i]; i++)
        if (inside >= environment[i] && inside <= environment[i] + strlen(environment[i]))
            return cells[i] + (uint64_t)(inside - environment[i]);
    return 0;
}

/* What is to be set at all; what is not set stays as the spawner has it. */
static uint32_t flags_of(const struct plan_source *source)
{
    const struct process_spec *spec = source->spec;
    const char *file = source->environment_file;

    return (source->in_cgroup ? PLAN_IN_CGROUP : 0U) | (source->set_user ? PLAN_SET_USER : 0U) |
           (source->set_group ? PLAN_SET_GROUP : 0U) | (source->set_groups ? PLAN_SET_GROUPS : 0U) |
           (spec->capabilities_set ? PLAN_SET_CAPABILITIES : 0U) |
           (spec->no_new_privileges ? PLAN_NO_NEW_PRIVILEGES : 0U) |
           (spec->nice_set ? PLAN_SET_NICE : 0U) | (spec->affinity ? PLAN_SET_AFFINITY : 0U) |
           (spec->oom_score_adj_set && spec->oom_score_adj != 0 ? PLAN_SET_OOM_SCORE : 0U) |
           (spec->ignore_sigpipe ? PLAN_IGNORE_SIGPIPE : 0U) |
           (file && *file == '-' ? PLAN_FILE_OPTIONAL : 0U);
}

/* Everything of a fixed size. */
static void fill_numbers(struct plan *plan, const struct plan_source *source)
{
    const struct process_spec *spec = source->spec;

    plan->magic = PLAN_MAGIC;
    plan->flags = flags_of(source);
    plan->n_sockets = (uint32_t)source->n_sockets;
    plan->n_groups = (uint32_t)source->n_groups;
    plan->n_before = (uint32_t)source->n_before;
    plan->uid = source->uid;
    plan->gid = source->gid;
    plan->umask = spec->umask_set ? spec->umask : 0022;
    plan->nice = spec->nice;
    plan->oom_score = spec->oom_score_adj;
    plan->slot = source->slot;
    plan->gate = source->gate;
    plan->capabilities = spec->capabilities;
    if (spec->affinity)
        memcpy(plan->affinity, spec->affinity, sizeof(plan->affinity));
    for (uint32_t i = 0; spec->limits && i < PROCESS_LIMITS; i++)
        plan->limits[i] = (struct plan_limit){.set = spec->limits[i].set,
                                              .resource = i,
                                              .soft = spec->limits[i].soft,
                                              .hard = spec->limits[i].hard};
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Their cells were reserved at `cells`. */
static void put_directories(struct writer *writer, struct plan_directory *cells,
                            const struct plan_source *source)
{
    for (uint32_t kind = 0; source->directory_bases && kind < DIRECTORY_KINDS; kind++) {
        const struct directory_list *list = &source->spec->directories[kind];
        for (uint32_t i = 0; list->names && list->names[i]; i++)
            *cells++ = (struct plan_directory){.base.offset =
                                                   put_text(writer, source->directory_bases[kind]),
                                               .name.offset = put_text(writer, list->names[i]),
                                               .kind = kind,
                                               .number = i,
                                               .mode = list->mode};
    }
}

/* Two texts each. */
static size_t count_directories(const struct plan_source *source, size_t *bytes)
{
    size_t n = 0;

    for (size_t kind = 0; source->directory_bases && kind < DIRECTORY_KINDS; kind++) {
        const struct directory_list *list = &source->spec->directories[kind];
        for (size_t i = 0; list->names && list->names[i]; i++, n++)
            *bytes += length_of(source->directory_bases[kind]) + length_of(list->names[i]);
    }
    return n;
}

/* The order is that of the sizes in plan_make(): tables first, as they have to
 * be aligned. */
static void fill_strings(struct plan *plan, const struct plan_source *source)
{
    struct writer writer = {.base = (char *)plan, .used = sizeof(*plan)};
    const char *file = source->environment_file;

    plan->arguments.offset = writer.used;
    writer.used += (plan->n_arguments + 1) * sizeof(uint64_t);
    plan->environment.offset = writer.used;
    writer.used += (plan->n_environment + 1) * sizeof(uint64_t);
    plan->directories.offset = writer.used;
    writer.used += plan->n_directories * sizeof(struct plan_directory);
    plan->sandbox.offset = writer.used;
    writer.used += (plan->n_sandbox + 1) * sizeof(uint64_t);
    plan->filter.offset = writer.used;
    if (source->n_filter > 0)
        memcpy(writer.base + writer.used, source->filter,
               source->n_filter * sizeof(struct sock_filter));
    writer.used += source->n_filter * sizeof(struct sock_filter);
    plan->groups.offset = writer.used;
    if (source->n_groups > 0) { /* in the kernel's order, so that they can be compared */
        memcpy(writer.base + writer.used, source->groups, source->n_groups * sizeof(uint32_t));
        qsort(writer.base + writer.used, source->n_groups, sizeof(uint32_t), compare_numbers);
    }
    writer.used += source->n_groups * sizeof(uint32_t);
    put_list(&writer, (void *)(writer.base + plan->arguments.offset), source->arguments);
    put_list(&writer, (void *)(writer.base + plan->environment.offset), source->environment);
    put_directories(&writer, (void *)(writer.base + plan->directories.offset), source);
    if (source->sandbox)
        put_list(&writer, (void *)(writer.base + plan->sandbox.offset), source->sandbox);
    plan->working_directory.offset = put_text(&writer, source->spec->working_directory);
    plan->environment_file.offset = put_text(&writer, file ? file + (*file == '-') : NULL);
    plan->output_file.offset = put_text(&writer, source->output_file);
    plan->watchdog_pid.offset = place_in(plan, source->environment, source->watchdog_pid);
    plan->listen_pid.offset = place_in(plan, source->environment, source->listen_pid);
    writer.base[writer.used] = '\0';
}

/* Supplementary groups are set with a user even if there are none: otherwise
 * the child would keep those of proctord. */
void plan_take_account(struct plan_source *source, const struct account *account)
{
    INVARIANT(source);
    if (!account)
        return;
    source->set_user = account->has_user;
    source->set_group = account->has_group;
    source->set_groups = account->has_user || account->n_groups > 0;
    source->uid = account->uid;
    source->gid = account->gid;
    source->groups = account->groups;
    source->n_groups = account->n_groups;
}

/* The size is computed first; the limit is larger than what exec(2) takes. */
int plan_make(const struct plan_source *source, struct plan **plan)
{
    size_t size = sizeof(struct plan) + 1;
    size_t arguments = count_of(source->arguments, &size);
    size_t variables = count_of(source->environment, &size);
    size_t directories = count_directories(source, &size);
    size_t words = source->sandbox ? count_of(source->sandbox, &size) : 0;

    size += (arguments + variables + words + 3) * sizeof(uint64_t) +
            source->n_filter * sizeof(struct sock_filter) + source->n_groups * sizeof(uint32_t) +
            directories * sizeof(struct plan_directory) +
            length_of(source->spec->working_directory) + length_of(source->environment_file) +
            length_of(source->output_file);
    if (size > PLAN_MAX || source->n_filter > FILTER_MAX || source->n_groups > GROUPS_MAX ||
        directories > PLAN_DIRECTORIES_MAX)
        return -E2BIG;
    struct plan *fresh = calloc(1, size);
    if (!fresh)
        return -ENOMEM;
    fill_numbers(fresh, source);
    fresh->size = (uint32_t)size;
    fresh->n_arguments = (uint32_t)arguments;
    fresh->n_environment = (uint32_t)variables;
    fresh->n_directories = directories;
    fresh->n_sandbox = (uint32_t)words;
    fresh->n_filter = (uint32_t)source->n_filter;
    fresh->joined = (uint64_t)source->joined;
    fill_strings(fresh, source);
    *plan = fresh;
    return 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Each string ends within the plan, as its last byte is a zero. */
static bool open_text(struct plan *plan, union plan_place *place)
{
    if (place->offset != 0 && (place->offset < sizeof(*plan) || place->offset >= plan->size))
        return false;
    place->text = place->offset == 0 ? NULL : (char *)plan + place->offset;
    return true;
}

static bool has_room(const struct plan *plan, uint64_t offset, uint64_t bytes, uint64_t alignment)
{
    return offset >= sizeof(*plan) && offset % alignment == 0 && offset <= plan->size &&
           bytes <= plan->size - offset;
}

/* The table ends with an empty entry, as execve(2) wants it. */
static bool open_list(struct plan *plan, union plan_place *place, uint32_t count)
{
    if (!has_room(plan, place->offset, ((uint64_t)count + 1) * sizeof(uint64_t), 8))
        return false;
    union plan_place *cells = (void *)((char *)plan + place->offset);
    for (uint32_t i = 0; i < count; i++)
        if (cells[i].offset == 0 || !open_text(plan, &cells[i]))
            return false;
    if (cells[count].offset != 0)
        return false;
    place->list = (char **)(void *)cells;
    return true;
}

/* Both texts are required, and the mode is bounded. */
static bool open_directories(struct plan *plan)
{
    if (plan->n_directories > PLAN_DIRECTORIES_MAX ||
        !has_room(plan, plan->directories.offset,
                  plan->n_directories * sizeof(struct plan_directory), 8))
        return false;
    struct plan_directory *list = (void *)((char *)plan + plan->directories.offset);
    for (uint64_t i = 0; i < plan->n_directories; i++)
        if (list[i].base.offset == 0 || list[i].name.offset == 0 ||
            !open_text(plan, &list[i].base) || !open_text(plan, &list[i].name) ||
            list[i].kind >= DIRECTORY_KINDS || list[i].mode > 0777)
            return false;
    plan->directories.directories = list;
    return true;
}

/* Ids of -1 mean "unchanged" to the kernel, and are therefore never allowed. */
static bool numbers_are_possible(const struct plan *plan, size_t size)
{
    for (uint32_t i = 0; i < PROCESS_LIMITS; i++)
        if (plan->limits[i].set && plan->limits[i].resource != i)
            return false;
    return plan->magic == PLAN_MAGIC && plan->size == size && plan->n_arguments > 0 &&
           plan->n_sockets <= CHILD_DESCRIPTORS_MAX + 1 && plan->n_groups <= GROUPS_MAX &&
           plan->n_before <= plan->n_environment && plan->n_filter <= FILTER_MAX &&
           plan->joined <= INT32_MAX && plan->umask <= 0777 && plan->uid != UINT32_MAX &&
           plan->gid != UINT32_MAX && ((const char *)plan)[size - 1] == '\0';
}

/* From here on the plan has pointers. Everything in it lies inside of it, and
 * every text has an end. */
int plan_open(struct plan *plan, size_t size)
{
    if (size < sizeof(*plan) || !numbers_are_possible(plan, size) ||
        !has_room(plan, plan->groups.offset, plan->n_groups * sizeof(uint32_t), 4) ||
        !has_room(plan, plan->filter.offset, plan->n_filter * sizeof(struct sock_filter), 8))
        return -EBADMSG;
    plan->filter.filter = (void *)((char *)plan + plan->filter.offset);
    plan->groups.numbers = (void *)((char *)plan + plan->groups.offset);
    bool whole = open_list(plan, &plan->arguments, plan->n_arguments) &&
                 open_list(plan, &plan->environment, plan->n_environment) &&
                 open_list(plan, &plan->sandbox, plan->n_sandbox) && open_directories(plan) &&
                 open_text(plan, &plan->working_directory) &&
                 open_text(plan, &plan->environment_file) && open_text(plan, &plan->output_file) &&
                 open_text(plan, &plan->watchdog_pid) && open_text(plan, &plan->listen_pid);
    return whole ? 0 : -EBADMSG;
}
