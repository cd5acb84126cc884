/*
 * A sandbox in a manifest: a preset, or a mapping of its parts, with a preset for those that it
 * does not give.
 */
#include "core/model/declaration.h"
#include "core/model/sandbox.h"
#include "core/vocabulary/invariant.h"
#include "manifest/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum preset { PRESET_NONE, PRESET_SERVICE, PRESET_STRICT };

static const struct word presets[] = {
    {"none", PRESET_NONE}, {"service", PRESET_SERVICE}, {"strict", PRESET_STRICT}, {}};

static const uint8_t preset_parts[][SANDBOX_PARTS] = {
    [PRESET_NONE] = {},
    [PRESET_SERVICE] = {[SANDBOX_SYSTEM] = SYSTEM_ETC_READ_ONLY,
                        [SANDBOX_HOME] = HOME_NONE,
                        [SANDBOX_TMP] = TMP_PRIVATE,
                        [SANDBOX_DEVICES] = DEVICES_PRIVATE,
                        [SANDBOX_SYSCALLS] = SYSCALLS_SERVICE},
    [PRESET_STRICT] = {[SANDBOX_SYSTEM] = SYSTEM_READ_ONLY,
                       [SANDBOX_HOME] = HOME_NONE,
                       [SANDBOX_TMP] = TMP_PRIVATE,
                       [SANDBOX_DEVICES] = DEVICES_PRIVATE,
                       [SANDBOX_NETWORK] = NETWORK_NONE,
                       [SANDBOX_SYSCALLS] = SYSCALLS_SERVICE},
};

/* What is being read. */
struct draft {
    struct sandbox_spec sandbox;
    bool given[SANDBOX_PARTS];
    int preset;
};

static int read_part(struct reader *reader, const struct node *node, struct draft *draft,
                     enum sandbox_part part)
{
    struct word words[8] = {};
    const char *name;
    int value = 0;

    for (int i = 0; i < 7 && (name = sandbox_value_name(part, (unsigned)i)); i++)
        words[i] = (struct word){name, i};
    int r = reader_word(reader, node, words, &value);
    draft->sandbox.parts[part] = (uint8_t)value;
    draft->given[part] = true;
    return r;
}

#define PART(name, part)                                                                           \
    static int name(struct reader *reader, const struct node *node, void *target)                  \
    {                                                                                              \
        return read_part(reader, node, target, part);                                              \
    }

PART(read_system, SANDBOX_SYSTEM)
PART(read_home, SANDBOX_HOME)
PART(read_tmp, SANDBOX_TMP)
PART(read_devices, SANDBOX_DEVICES)
PART(read_network, SANDBOX_NETWORK)
PART(read_syscalls, SANDBOX_SYSCALLS)

static int read_preset(struct reader *reader, const struct node *node, void *target)
{
    return reader_word(reader, node, presets, &((struct draft *)target)->preset);
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* Why it is no path that can be shown or hidden, or NULL. */
static const char *problem_of(const char *path)
{
    if (path[0] != '/')
        return "expected an absolute path, or - and one that may be missing";
    if (path[1] == '\0')
        return "is what `system` is for";
    if (strlen(path) >= PATH_MAX / 4)
        return "is longer than 1023 bytes";
    for (const char *c = path; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            return "must not contain control characters";
    for (const char *part = path; part; part = strchr(part, '/')) {
        size_t length = strcspn(++part, "/");
        if (length == 0)
            return "must not contain an empty part";
        if ((length == 1 && part[0] == '.') || (length == 2 && strncmp(part, "..", 2) == 0))
            return "must not contain . or ..";
    }
    return NULL;
}

static int read_access(struct reader *reader, const struct node *node, char *access)
{
    static const struct word words[] = {
        {"read-write", SANDBOX_WRITE}, {"read-only", SANDBOX_READ}, {"none", SANDBOX_HIDE}, {}};
    int value = SANDBOX_HIDE;
    int r = reader_word(reader, node, words, &value);

    *access = (char)value;
    return r;
}

static int read_path(struct reader *reader, const struct pair *pair, const char **entry)
{
    const char *path = reader_scalar(reader, pair->key, "a path");
    char access;

    if (!path)
        return -EINVAL;
    const char *problem = problem_of(path + (path[0] == '-'));
    if (problem)
        return reader_refuse(reader, pair->key, "\"%.60s\": %s", path, problem);
    size_t mark = reader_enter(reader, path), size = strlen(path) + 2;
    int r = read_access(reader, pair->value, &access);
    reader_leave(reader, mark);
    char *text = r < 0 ? NULL : arena_allocate(reader->arena, size);
    if (text)
        snprintf(text, size, "%c%s", access, path);
    *entry = text;
    return r < 0 ? r : text ? 0 : -ENOMEM;
}

static const char *path_of(const void *entry)
{
    const char *text = *(const char *const *)entry;
    return text + 1 + (text[1] == '-');
}

/* A directory comes before what is in it. */
static int compare(const void *a, const void *b)
{
    return strcmp(path_of(a), path_of(b));
}

static int read_paths(struct reader *reader, const struct node *node, void *target)
{
    struct draft *draft = target;

    if (node->kind != NODE_MAPPING)
        return reader_refuse(reader, node, "expected a mapping, such as {/srv/data: read-write}");
    if (node->count > SANDBOX_PATHS_MAX)
        return reader_refuse(reader, node, "has %zu entries, at most %d are allowed", node->count,
                             SANDBOX_PATHS_MAX);
    const char **list = arena_allocate(reader->arena, (node->count + 1) * sizeof(*list));
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < node->count; i++) {
        int r = read_path(reader, &node->pairs[i], &list[i]);
        if (r < 0)
            return r;
    }
    qsort(list, node->count, sizeof(*list), compare);
    for (size_t i = 1; i < node->count; i++)
        if (compare(&list[i - 1], &list[i]) == 0)
            return reader_refuse(reader, node, "%.60s stands there twice", path_of(&list[i]));
    draft->sandbox.paths = node->count > 0 ? list : NULL;
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int read_mapping(struct reader *reader, const struct node *node, struct draft *draft)
{
    static const struct key keys[] = {
        {"preset", read_preset},     {"system", read_system},   {"home", read_home},
        {"tmp", read_tmp},           {"devices", read_devices}, {"network", read_network},
        {"syscalls", read_syscalls}, {"paths", read_paths},     {}};

    return reader_mapping(reader, node, keys, draft);
}

int manifest_read_sandbox(struct reader *reader, const struct node *node,
                          const struct sandbox_spec **sandbox)
{
    struct draft draft = {};
    int r = node->kind == NODE_MAPPING ? read_mapping(reader, node, &draft)
                                       : reader_word(reader, node, presets, &draft.preset);

    INVARIANT(sandbox);
    if (r < 0)
        return r;
    for (size_t i = 0; i < SANDBOX_PARTS; i++)
        if (!draft.given[i])
            draft.sandbox.parts[i] = preset_parts[draft.preset][i];
    *sandbox = NULL;
    if (!sandbox_is_given(&draft.sandbox))
        return 0;
    struct sandbox_spec *fresh = arena_allocate(reader->arena, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    *fresh = draft.sandbox;
    *sandbox = fresh;
    return 0;
}

static const struct node *enter(struct reader *reader, const struct node *node, const char *key)
{
    const struct node *value = node_find(node, key);

    if (value)
        reader_enter(reader, key);
    return value ? value : node;
}

/* A check of a port is made by proctord, from where nothing leads into that network. */
static bool asks_a_port(const struct health_spec *health)
{
    return health && !health->arguments && health->target.listen &&
           health->target.listen[0] != '/' && health->target.listen[0] != '@';
}

int manifest_check_sandbox(struct reader *reader, const struct node *node,
                           const struct child_declaration *declaration)
{
    const struct process_spec *process = &declaration->process;
    const struct sandbox_spec *sandbox = process->sandbox;

    INVARIANT(reader && node);
    if (!sandbox)
        return 0;
    if (sandbox->parts[SANDBOX_SYSCALLS] != SYSCALLS_ALL && !process->no_new_privileges)
        return reader_refuse(reader, enter(reader, node, "no_new_privileges"),
                             "a sandbox with `syscalls: service` needs it to be true");
    if (sandbox->parts[SANDBOX_NETWORK] == NETWORK_NONE && asks_a_port(process->health))
        return reader_refuse(reader, enter(reader, node, "health_check"),
                             "no port can be reached in a sandbox with `network: none`");
    return 0;
}
