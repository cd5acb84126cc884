/*
 * The process in a manifest: what a child executes is given, from its user to its output.
 */
#include "system/environment_file.h"
#include "system/number.h"
#include "manifest/reader.h"
#include "manifest/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENVIRONMENT_MAX  256
#define ACCOUNT_NAME_MAX 255

#define SUPPLEMENTARY_GROUPS_MAX 32

static struct process_spec *process_of(void *target)
{
    return &((struct child_declaration *)target)->process;
}

#define READER(name, expression)                                                                   \
    static int name(struct reader *reader, const struct node *node, void *target)                  \
    {                                                                                              \
        struct process_spec *process = process_of(target);                                         \
        return (expression);                                                                       \
    }

static int read_absolute_path(struct reader *reader, const struct node *node, const char **target)
{
    int r = reader_text(reader, node, target);
    if (r == 0 && **target != '/')
        return reader_refuse(reader, node, "expected an absolute path, got \"%.60s\"", *target);
    return r;
}

static bool environment_name_valid(const char *name, size_t length)
{
    if (length == 0 || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_", name[i]))
            return false;
    return true;
}

static int read_variable(struct reader *reader, const struct pair *pair, const char **variable)
{
    const struct node *key = pair->key;
    const char *name = reader_scalar(reader, key, "the name of a variable");
    const char *value = name ? reader_scalar(reader, pair->value, "text") : NULL;

    if (!value)
        return -EINVAL;
    if (!environment_name_valid(name, strlen(name)))
        return reader_refuse(reader, key, "\"%.60s\" is not a valid variable name", name);
    if (environment_is_own(name))
        return reader_refuse(reader, key, "%s is set by proctord itself", name);
    size_t size = strlen(name) + strlen(value) + 2;
    char *entry = arena_allocate(reader->arena, size);
    if (!entry)
        return -ENOMEM;
    snprintf(entry, size, "%s=%s", name, value);
    *variable = entry;
    return 0;
}

/* Names that proctord sets itself are refused. */
static int read_environment(struct reader *reader, const struct node *node, void *target)
{
    struct process_spec *process = process_of(target);

    if (node->kind != NODE_MAPPING)
        return reader_refuse(reader, node, "expected a mapping, such as {NAME: value}");

    size_t n = node->count;
    if (n > ENVIRONMENT_MAX)
        return reader_refuse(reader, node, "has %zu entries, at most %d are allowed", n,
                             ENVIRONMENT_MAX);
    const char **list = arena_allocate(reader->arena, (n + 1) * sizeof(*list));
    if (!list)
        return -ENOMEM;
    int worst = 0;
    size_t mark = strlen(reader->path);
    for (size_t i = 0; i < n; i++) {
        int r = read_variable(reader, &node->pairs[i], &list[i]);
        if (r < 0 && !reader_goes_on(reader, mark, r))
            return r;
        worst = r < 0 ? r : worst;
    }
    process->environment = list;
    return worst;
}

/* As a bit set. */
static int read_capabilities(struct reader *reader, const struct node *node, void *target)
{
    struct process_spec *process = process_of(target);
    const char **list;
    size_t count;
    int r = reader_strings(reader, node, 64, &list, &count);

    if (r < 0)
        return r;
    process->capabilities_set = true;
    for (size_t i = 0; i < count; i++) {
        int capability;
        if (unit_capability(list[i], &capability) < 0)
            return reader_refuse(reader, node,
                                 "expected names such as CAP_NET_BIND_SERVICE, got \"%.60s\"",
                                 list[i]);
        process->capabilities |= UINT64_C(1) << capability;
    }
    return 0;
}

/* A number, a size, or infinity. */
static int parse_limit_value(const char *text, size_t length, uint64_t *value)
{
    char part[32];

    if (length >= sizeof(part))
        return -EINVAL;
    memcpy(part, text, length);
    part[length] = '\0';
    if (strcmp(part, "infinity") == 0) {
        *value = UINT64_MAX;
        return 0;
    }
    return unit_size(part, value);
}

static int read_limit(struct reader *reader, const struct pair *pair, struct process_spec *process,
                      struct process_limit *limits)
{
    const char *name = reader_scalar(reader, pair->key, "the name of a limit");
    const char *text = name ? reader_scalar(reader, pair->value, "a limit") : NULL;
    struct process_limit limit = {.set = true};
    int number;

    if (!text)
        return -EINVAL;
    int r = manifest_read_whole_limit(reader, name, pair->value, text, process);
    if (r != 0)
        return r < 0 ? r : 0;
    if (unit_limit(name, &number) < 0)
        return reader_refuse(reader, pair->key, "unknown limit \"%.60s\"", name);
    size_t soft = strcspn(text, ":");
    r = parse_limit_value(text, soft, &limit.soft);
    limit.hard = limit.soft;
    if (r == 0 && text[soft] == ':')
        r = parse_limit_value(text + soft + 1, strlen(text + soft + 1), &limit.hard);
    if (r < 0 || limit.soft > limit.hard)
        return reader_refuse(reader, pair->value,
                             "expected a limit such as 1024, 64M, infinity or SOFT:HARD, "
                             "got \"%.60s\"",
                             text);
    limits[number] = limit;
    return 0;
}

/* Limits of the whole child, by its cgroup, are in the same mapping. */
static int read_limits(struct reader *reader, const struct node *node, void *target)
{
    struct process_spec *process = process_of(target);
    struct process_limit *limits;
    if (node->kind != NODE_MAPPING)
        return reader_refuse(reader, node, "expected a mapping, such as {nofile: 1024}");
    limits = arena_allocate(reader->arena, PROCESS_LIMITS * sizeof(*limits));
    if (!limits)
        return -ENOMEM;
    process->limits = limits;

    int worst = 0;
    size_t mark = strlen(reader->path);
    for (const struct pair *pair = node->pairs; pair < node->pairs + node->count; pair++) {
        int r = read_limit(reader, pair, process, limits);
        if (r < 0 && !reader_goes_on(reader, mark, r))
            return r;
        worst = r < 0 ? r : worst;
    }
    return worst;
}

/* Octal, with or without a leading 0. */
static int read_umask(struct reader *reader, const struct node *node, void *target)
{
    struct process_spec *process = process_of(target);
    const char *text = reader_scalar(reader, node, "a mask such as 0027");
    if (!text)
        return -EINVAL;

    uint64_t mask;
    if (number_read_octal(text, 0777, &mask) < 0)
        return reader_refuse(reader, node, "expected an octal mask such as 0027, got \"%.60s\"",
                             text);
    process->umask = (uint32_t)mask;
    process->umask_set = true;
    return 0;
}

/* Whether it was given is kept: the default is to set it to 0. */
static int read_nice(struct reader *reader, const struct node *node, void *target)
{
    struct process_spec *process = process_of(target);
    const char *text = reader_scalar(reader, node, "a whole number from -20 to 19");
    if (!text)
        return -EINVAL;

    int64_t nice;
    if (number_read_signed(text, -20, 19, &nice) < 0)
        return reader_refuse(reader, node, "expected a whole number from -20 to 19, got \"%.60s\"",
                             text);
    process->nice = (int)nice;
    process->nice_set = true;
    return 0;
}

/* The same. */
static int read_oom_score_adj(struct reader *reader, const struct node *node, void *target)
{
    struct process_spec *process = process_of(target);
    const char *text = reader_scalar(reader, node, "a whole number from -1000 to 1000");
    int64_t score;

    if (!text)
        return -EINVAL;
    if (number_read_signed(text, OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX, &score) < 0)
        return reader_refuse(reader, node,
                             "expected a whole number from -1000 to 1000, got \"%.60s\"", text);
    process->oom_score_adj = (int)score;
    process->oom_score_adj_set = true;
    return 0;
}

/* A name that could be one, or digits that are one: what the kernel takes for "leave it as it is"
 * would run the child as root. Whether there is such a user is seen at the start. */
static int check_account(struct reader *reader, const struct node *node, const char *text)
{
    uint32_t id;

    if (number_is(text))
        return number_read_id(text, &id) == 0
                   ? 0
                   : reader_refuse(reader, node,
                                   "expected a number from 0 to %" PRIu32 ", got \"%.60s\"",
                                   NUMBER_ID_MAX, text);
    if (strchr("-+.", text[0]) || strpbrk(text, ":/, \t\n") || strlen(text) > ACCOUNT_NAME_MAX)
        return reader_refuse(reader, node, "\"%.60s\" is not a valid name or number", text);
    return 0;
}

static int read_account(struct reader *reader, const struct node *node, const char **target)
{
    int r = reader_text(reader, node, target);
    return r < 0 ? r : check_account(reader, node, *target);
}

/* Names or numbers; they are looked up at the start. */
static int read_supplementary_groups(struct reader *reader, const struct node *node, void *target)
{
    struct process_spec *process = process_of(target);
    size_t count;
    int r = reader_strings(reader, node, SUPPLEMENTARY_GROUPS_MAX, &process->supplementary_groups,
                           &count);

    for (size_t i = 0; r == 0 && i < count; i++)
        r = process->supplementary_groups[i][0]
                ? check_account(reader, node->items[i], process->supplementary_groups[i])
                : reader_refuse(reader, node->items[i], "must not be empty");
    return r;
}

static int read_output_file(struct reader *reader, const struct node *node, void *target)
{
    struct process_output *output = target;
    output->kind = OUTPUT_FILE;
    return read_absolute_path(reader, node, &output->path);
}

static int read_output_size(struct reader *reader, const struct node *node, void *target)
{
    struct process_output *output = target;
    const char *text = reader_scalar(reader, node, "a size such as 10M");
    if (!text)
        return -EINVAL;
    if (unit_size(text, &output->max_size_bytes) < 0 || output->max_size_bytes < 4096)
        return reader_refuse(reader, node, "expected a size of at least 4K, got \"%.60s\"", text);
    return 0;
}

static int read_output_keep(struct reader *reader, const struct node *node, void *target)
{
    struct process_output *output = target;
    return reader_u32(reader, node, 100, &output->keep);
}

/* A word, or a mapping for a file. */
static int read_stdout(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {{"journal", OUTPUT_JOURNAL},
                                        {"inherit", OUTPUT_INHERIT},
                                        {"raw", OUTPUT_RAW},
                                        {"null", OUTPUT_NULL},
                                        {}};
    static const struct key keys[] = {
        {"file", read_output_file}, {"max_size", read_output_size}, {"keep", read_output_keep}, {}};
    struct process_output *output = &process_of(target)->output;
    int kind;

    if (node->kind == NODE_MAPPING) {
        *output = (struct process_output){.max_size_bytes = 10 << 20, .keep = 5};
        int r = reader_mapping(reader, node, keys, output);
        if (r == 0 && !output->path)
            return reader_refuse(reader, node, "file is missing");
        return r;
    }
    int r = reader_word(reader, node, words, &kind);
    if (r == 0)
        output->kind = (enum output_kind)kind;
    return r;
}

/* ---- the keys -------------------------------------------------------------------------------- */

READER(read_fd_store_max, reader_u32(reader, node, FD_STORE_MAX, &process->fd_store_max))
READER(read_before, manifest_read_commands(reader, node, &process->before))
READER(read_reload, manifest_read_commands(reader, node, &process->reload))
READER(read_after_start, manifest_read_commands(reader, node, &process->after_start))
READER(read_after_stop, manifest_read_commands(reader, node, &process->after_stop))
READER(read_runtime,
       manifest_read_directories(reader, node, &process->directories[DIRECTORY_RUNTIME]))
READER(read_runtime_mode,
       manifest_read_directory_mode(reader, node, &process->directories[DIRECTORY_RUNTIME]))
READER(read_state, manifest_read_directories(reader, node, &process->directories[DIRECTORY_STATE]))
READER(read_state_mode,
       manifest_read_directory_mode(reader, node, &process->directories[DIRECTORY_STATE]))
READER(read_logs, manifest_read_directories(reader, node, &process->directories[DIRECTORY_LOGS]))
READER(read_logs_mode,
       manifest_read_directory_mode(reader, node, &process->directories[DIRECTORY_LOGS]))
READER(read_cache, manifest_read_directories(reader, node, &process->directories[DIRECTORY_CACHE]))
READER(read_cache_mode,
       manifest_read_directory_mode(reader, node, &process->directories[DIRECTORY_CACHE]))
READER(read_cpu_affinity, manifest_read_affinity(reader, node, &process->affinity))
READER(read_sandbox, manifest_read_sandbox(reader, node, &process->sandbox))
READER(read_sockets, manifest_read_sockets(reader, node, process))
READER(read_working_directory, read_absolute_path(reader, node, &process->working_directory))
READER(read_user, read_account(reader, node, &process->user))
READER(read_unix_group, read_account(reader, node, &process->group))
READER(read_environment_file, reader_text(reader, node, &process->environment_file))
READER(read_ignore_sigpipe, reader_bool(reader, node, &process->ignore_sigpipe))
READER(read_no_new_privileges, reader_bool(reader, node, &process->no_new_privileges))

const struct key process_keys[] = {
    {"working_directory", read_working_directory},
    {"user", read_user},
    {"unix_group", read_unix_group},
    {"supplementary_groups", read_supplementary_groups},
    {"umask", read_umask},
    {"nice", read_nice},
    {"oom_score_adj", read_oom_score_adj},
    {"ignore_sigpipe", read_ignore_sigpipe},
    {"limits", read_limits},
    {"cpu_affinity", read_cpu_affinity},
    {"capabilities", read_capabilities},
    {"no_new_privileges", read_no_new_privileges},
    {"environment", read_environment},
    {"environment_file", read_environment_file},
    {"sandbox", read_sandbox},
    {"stdout", read_stdout},
    {"sockets", read_sockets},
    {"before", read_before},
    {"reload", read_reload},
    {"after_start", read_after_start},
    {"after_stop", read_after_stop},
    {"runtime_directory", read_runtime},
    {"runtime_directory_mode", read_runtime_mode},
    {"state_directory", read_state},
    {"state_directory_mode", read_state_mode},
    {"logs_directory", read_logs},
    {"logs_directory_mode", read_logs_mode},
    {"cache_directory", read_cache},
    {"cache_directory_mode", read_cache_mode},
    {"fd_store_max", read_fd_store_max},
    {},
};
