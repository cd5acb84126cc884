/*
 * Reads what a scenario expects of events: that they come, in order, how often,
 * and which must not.
 */
#include "scenario/read_events.h"

#include "core/vocabulary/invariant.h"
#include "system/number.h"
#include "scenario/reading.h"
#include "manifest/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* `CHILD by N`: N is the number of the command that the event carries. */
static int read_event_cause(struct reader *reader, const struct node *node,
                            struct wanted_event *wanted)
{
    const char *by = wanted->child ? strstr(wanted->child, " by ") : NULL;

    if (!by)
        return 0;
    size_t length = (size_t)(by - wanted->child);
    char *child = arena_allocate(reader->arena, length + 1);
    if (!child)
        return -ENOMEM;
    memcpy(child, wanted->child, length);
    wanted->child = child;
    wanted->has_cause = true;
    if (number_read(by + 4, UINT32_MAX, &wanted->cause) < 0)
        return reader_refuse(reader, node, "expected the number of a command after \"by\"");
    return 0;
}

/* "child-exited web" is an event of a child; the child can be left out. */
static int read_event(struct reader *reader, const struct node *node, struct wanted_event *wanted)
{
    const char *text;
    char kind[64];
    int r = reading_text(reader, node, &text);

    if (r < 0)
        return r;
    const char *space = strchr(text, ' ');
    snprintf(kind, sizeof(kind), "%.*s", space ? (int)(space - text) : 63, text);
    wanted->child = space ? space + 1 : NULL;
    wanted->line = node->line;
    wanted->column = node->column;
    if (event_kind_from_string(kind, &wanted->kind) < 0)
        return reader_refuse(reader, node, "there is no event \"%.60s\"", kind);
    return read_event_cause(reader, node, wanted);
}

static int read_include(struct reader *reader, const struct node *node, size_t i, void *target)
{
    struct subject *scenario = target;
    scenario->n_includes = i + 1;
    return read_event(reader, node, &scenario->includes[i]);
}

static int read_exclude(struct reader *reader, const struct node *node, size_t i, void *target)
{
    struct subject *scenario = target;
    scenario->n_excludes = i + 1;
    return read_event(reader, node, &scenario->excludes[i]);
}

static int read_includes(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    scenario->includes = reading_list(reader, node, sizeof(struct wanted_event));
    return scenario->includes ? reader_list(reader, node, scenario, read_include) : -ENOMEM;
}

static int read_excludes(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    scenario->excludes = reading_list(reader, node, sizeof(struct wanted_event));
    return scenario->excludes ? reader_list(reader, node, scenario, read_exclude) : -ENOMEM;
}

/* A mapping of events to numbers. */
static int read_counts(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;

    if (node->kind != NODE_MAPPING)
        return reader_refuse(reader, node, "expected a mapping of events to numbers");
    size_t n = node->count;
    scenario->counts = arena_allocate(reader->arena, (n + 1) * sizeof(struct wanted_event));
    if (!scenario->counts)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct pair *pair = &node->pairs[i];
        struct wanted_event *wanted = &scenario->counts[scenario->n_counts++];
        int r = read_event(reader, pair->key, wanted);
        if (r == 0)
            r = reader_number(reader, pair->value, UINT32_MAX, &wanted->count);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_in_order(struct reader *reader, const struct node *node, void *target)
{
    return reader_bool(reader, node, &((struct subject *)target)->in_order);
}

int read_events(struct reader *reader, const struct node *node, void *target)
{
    INVARIANT(reader->arena && node);
    static const struct key keys[] = {{"includes", read_includes},
                                      {"excludes", read_excludes},
                                      {"count", read_counts},
                                      {"in_order", read_in_order},
                                      {}};
    return reader_mapping(reader, node, keys, target);
}

/* The names of checks, which hold in every run; naming one says what the
 * scenario is about. */
static int read_always_item(struct reader *reader, const struct node *node, size_t i, void *target)
{
    const char *text = reader_scalar(reader, node, "the name of a check");

    (void)i;
    (void)target;
    if (!text)
        return -EINVAL;
    for (int check = CHECK_ONE_ATTEMPT; check < CHECK_INVARIANT; check++)
        if (strcmp(check_to_string((enum check)check), text) == 0)
            return 0;
    return reader_refuse(reader, node, "there is no check \"%.60s\"", text);
}

/* Every check is made in every run; to name one says what the scenario is about. */
int read_events_always(struct reader *reader, const struct node *node, void *target)
{
    INVARIANT(reader->arena && node);
    return reader_list(reader, node, target, read_always_item);
}

/* Facts that must hold at last, and how long that may take. */
static int read_within(struct reader *reader, const struct node *node, size_t i, void *target)
{
    static const char *const others[] = {"within", NULL};
    struct subject *scenario = target;
    struct eventually *eventually = &scenario->eventually[i];

    scenario->n_eventually = i + 1;
    eventually->within_usec = 60 * 1000000;
    int r = facts_read_child(reader, node, others, &eventually->claims);
    const struct node *within = r == 0 ? node_find(node, "within") : NULL;
    return within ? reader_duration(reader, within, &eventually->within_usec) : r;
}

int read_events_eventually(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;

    INVARIANT(reader->arena && node);
    scenario->eventually = reading_list(reader, node, sizeof(struct eventually));
    if (!scenario->eventually)
        return -ENOMEM;
    return node->kind == NODE_LIST ? reader_list(reader, node, scenario, read_within)
                                   : read_within(reader, node, 0, scenario);
}
