/*
 * The manifest of a supervisor: how its members are restarted, and when that is given up. The
 * children in its list are manifest.c's.
 */
#include "manifest/reader.h"
#include "core/vocabulary/invariant.h"
#include "core/model/restart_limit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BURST_DEFAULT    10
#define INTERVAL_DEFAULT (UINT64_C(300) * 1000000)
#define IN_FLIGHT_MAX    10000
#define BUDGET_MAX       1000000

/* A limit, of a supervisor or of a group. */
struct limit {
    uint32_t burst;
    uint64_t interval_usec;
};

struct parsed {
    struct supervisor_declaration *declaration;
    const char *above, *name;
    bool settings;
    struct group_declaration *group; /* the one that is being read */
    bool group_strategy[GROUPS_MAX];
};

const char *manifest_path_below(struct reader *reader, const char *above, const char *name)
{
    size_t size = strlen(above) + strlen(name) + 2;
    char *path = arena_allocate(reader->arena, size);

    if (path)
        snprintf(path, size, "%s%s%s", above, above[0] ? "/" : "", name);
    return path;
}

/* "root" is the root's name for people. */
int manifest_read_path(struct reader *reader, const struct node *node, const char **path)
{
    int r = reader_text(reader, node, path);

    if (r < 0)
        return r;
    if (strcmp(*path, "root") == 0)
        *path = "";
    else if (!child_id_valid(*path))
        return reader_refuse(reader, node, "\"%.60s\" is not a valid supervisor path", *path);
    return 0;
}

static int read_name(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;
    int r = manifest_read_path(reader, node, &parsed->name);

    if (r == 0 && parsed->above && (parsed->name[0] == '\0' || strchr(parsed->name, '/')))
        return reader_refuse(reader, node, "expected the name of a supervisor, one segment");
    return r;
}

static int read_burst(struct reader *reader, const struct node *node, void *target)
{
    return reader_u32(reader, node, RESTART_LIMIT_BURST_MAX, &((struct limit *)target)->burst);
}

static int read_interval(struct reader *reader, const struct node *node, void *target)
{
    struct limit *limit = target;
    int r = reader_duration(reader, node, &limit->interval_usec);

    if (r == 0 && limit->interval_usec == 0)
        return reader_refuse(reader, node, "must be longer than 0");
    return r;
}

static int read_limit(struct reader *reader, const struct node *node, struct limit *limit)
{
    static const struct key keys[] = {{"burst", read_burst}, {"interval", read_interval}, {}};

    *limit = (struct limit){BURST_DEFAULT, INTERVAL_DEFAULT};
    return reader_mapping(reader, node, keys, limit);
}

/* Shared by supervisors and groups. */
static int read_strategy_word(struct reader *reader, const struct node *node,
                              enum strategy *strategy)
{
    static const struct word words[] = {{"one-for-one", STRATEGY_ONE_FOR_ONE},
                                        {"one-for-all", STRATEGY_ONE_FOR_ALL},
                                        {"rest-for-one", STRATEGY_REST_FOR_ONE},
                                        {}};
    int value, r = reader_word(reader, node, words, &value);

    if (r == 0)
        *strategy = (enum strategy)value;
    return r;
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* Unique within the supervisor. */
static int read_group_name(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;
    const struct supervisor_declaration *d = parsed->declaration;
    int r = reader_text(reader, node, &parsed->group->name);

    if (r < 0)
        return r;
    if (!child_id_valid(parsed->group->name) || strchr(parsed->group->name, '/'))
        return reader_refuse(reader, node,
                             "expected 1 to 64 characters of A-Z a-z 0-9 _ . @ : -, got \"%.60s\"",
                             parsed->group->name);
    for (const struct group_declaration *group = d->groups; group < parsed->group; group++)
        if (group->name && strcmp(group->name, parsed->group->name) == 0) /* NULL: a mistake */
            return reader_refuse(reader, node, "a group is already called \"%s\"", group->name);
    return 0;
}

static int read_group_strategy(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;

    parsed->group_strategy[parsed->group - parsed->declaration->groups] = true;
    return read_strategy_word(reader, node, &parsed->group->strategy);
}

/* Both values, with defaults. */
static int read_group_limit(struct reader *reader, const struct node *node, void *target)
{
    struct group_declaration *group = ((struct parsed *)target)->group;
    struct limit limit;
    int r = read_limit(reader, node, &limit);

    group->limited = true;
    group->burst = limit.burst;
    group->interval_usec = limit.interval_usec;
    return r;
}

static int read_restarts(struct reader *reader, const struct node *node, void *target)
{
    struct group_declaration *group = target;
    int r = reader_u32(reader, node, BUDGET_MAX, &group->budget_restarts);

    if (r == 0 && group->budget_restarts == 0)
        return reader_refuse(reader, node, "must be at least 1");
    return r;
}

static int read_budget_interval(struct reader *reader, const struct node *node, void *target)
{
    return reader_duration(reader, node, &((struct group_declaration *)target)->budget_usec);
}

/* At least a microsecond per restart. */
static int read_budget(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {
        {"restarts", read_restarts}, {"interval", read_budget_interval}, {}};
    struct group_declaration *group = ((struct parsed *)target)->group;
    int r = reader_mapping(reader, node, keys, group);

    if (r == 0 && (group->budget_restarts == 0 || group->budget_usec < group->budget_restarts))
        return reader_refuse(reader, node, "expected {restarts: NUMBER, interval: DURATION}");
    return r;
}

/* The strategy is filled in at the end, if it is not given. */
static int read_group(struct reader *reader, const struct node *node, size_t i, void *target)
{
    static const struct key keys[] = {{"name", read_group_name},
                                      {"strategy", read_group_strategy},
                                      {"restart_limit", read_group_limit},
                                      {"budget", read_budget},
                                      {}};
    struct parsed *parsed = target;

    parsed->group = (struct group_declaration *)(uintptr_t)&parsed->declaration->groups[i];
    int r = reader_mapping(reader, node, keys, parsed);
    if (r == 0 && !parsed->group->name)
        return reader_refuse(reader, node, "name is missing");
    return r;
}

/* Settings of a supervisor may only stand in one file. */
static int read_groups(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;
    size_t count = reader_list_length(node);

    if (count > GROUPS_MAX)
        return reader_refuse(reader, node, "has %zu entries, at most %d are allowed", count,
                             GROUPS_MAX);
    parsed->declaration->groups =
        arena_allocate(reader->arena, (count + 1) * sizeof(struct group_declaration));
    parsed->declaration->n_groups = count;
    parsed->settings = true;
    return parsed->declaration->groups ? reader_list(reader, node, parsed, read_group) : -ENOMEM;
}

/* ---- the supervisor -------------------------------------------------------------------------- */

static int read_strategy(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;
    parsed->settings = true;
    return read_strategy_word(reader, node, &parsed->declaration->strategy);
}

/* `limited` says that it was declared. */
static int read_restart_limit(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;
    struct limit limit;
    int r = read_limit(reader, node, &limit);

    parsed->settings = true;
    parsed->declaration->limited = true;
    parsed->declaration->burst = limit.burst;
    parsed->declaration->interval_usec = limit.interval_usec;
    return r;
}

/* What follows from a meltdown. */
static int read_escalation(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {{"parent", ESCALATION_PARENT},
                                        {"quarantine-scope", ESCALATION_QUARANTINE_SCOPE},
                                        {"shutdown-tree", ESCALATION_SHUTDOWN_TREE},
                                        {}};
    struct parsed *parsed = target;
    int value, r = reader_word(reader, node, words, &value);

    parsed->settings = true;
    if (r == 0)
        parsed->declaration->escalation = (enum escalation)value;
    return r;
}

static int read_in_flight(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;
    int r = reader_u32(reader, node, IN_FLIGHT_MAX, &parsed->declaration->max_restarts_in_flight);

    parsed->settings = true;
    if (r == 0 && parsed->declaration->max_restarts_in_flight == 0)
        return reader_refuse(reader, node, "must be at least 1");
    return r;
}

static int read_nothing(struct reader *reader, const struct node *node, void *target)
{
    (void)reader;
    (void)node;
    (void)target;
    return 0;
}

static const struct key supervisor_keys[] = {{"supervisor", read_name},
                                             {"strategy", read_strategy},
                                             {"restart_limit", read_restart_limit},
                                             {"escalation", read_escalation},
                                             {"max_restarts_in_flight", read_in_flight},
                                             {"groups", read_groups},
                                             {"defaults", read_nothing}, /* with the children */
                                             {"children", read_nothing},
                                             {}};

/* The path is completed from the list that it stands in. */
int manifest_read_supervisor(struct reader *reader, const struct node *node, const char *above,
                             struct supervisor_declaration *declaration, bool *settings)
{
    struct parsed parsed = {.declaration = declaration, .above = above};

    INVARIANT(declaration);
    supervisor_declaration_defaults(declaration, "");
    int r = reader_mapping(reader, node, supervisor_keys, &parsed);
    if (r == 0 && above && !parsed.name)
        r = reader_refuse(reader, node, "supervisor is missing: expected its name");
    if (r < 0 && above && (!parsed.name || parsed.name[0] == '\0' || strchr(parsed.name, '/')))
        parsed.name = "mistake"; /* for what is below it, if all mistakes are asked for */
    declaration->path =
        manifest_path_below(reader, above ? above : "", parsed.name ? parsed.name : "");
    if (!declaration->path)
        return -ENOMEM;
    if (r < 0)
        return r;
    for (size_t i = 0; i < declaration->n_groups; i++)
        if (!parsed.group_strategy[i])
            ((struct group_declaration *)(uintptr_t)declaration->groups)[i].strategy =
                declaration->strategy;
    *settings = parsed.settings;
    return 0;
}
