#include "world.h"

#include <stdlib.h>
#include <string.h>

static uint64_t monotonic(void *userdata)
{
    return ((struct world *)userdata)->now;
}

static uint64_t realtime(void *userdata)
{
    struct world *world = userdata;
    return world->now + world->wall;
}

static void *allocate(void *userdata, size_t size)
{
    struct world *world = userdata;
    world->allocations++;
    world->allocated += size;
    return calloc(1, size);
}

static void release(void *userdata, void *memory)
{
    (void)userdata;
    free(memory);
}

static void start(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;
    struct seen_start seen = {.id = id, .child = g_strdup(child->id), .usec = world->now};
    g_array_append_val(world->starts, seen);
}

static void cancel(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;
    (void)child;
    g_array_append_val(world->cancels, id);
}

static void abort_attempt(void *userdata, struct child *child, struct attempt_id id)
{
    struct world *world = userdata;
    (void)child;
    g_array_append_val(world->aborts, id);
}

static int kill_child(void *userdata, struct child *child, struct attempt_id id, int signal,
                      bool whole)
{
    (void)userdata;
    (void)child;
    (void)id;
    (void)signal;
    (void)whole;
    return 0;
}

static void forget(void *userdata, struct child *child)
{
    (void)userdata;
    (void)child;
}

static void set_timer(void *userdata, uint64_t deadline_usec)
{
    ((struct world *)userdata)->timer = deadline_usec;
}

static void sink(void *userdata, const struct event *event)
{
    struct world *world = userdata;
    struct seen_event seen = {.event = *event,
                              .child = g_strdup(event->child ? event->child->id : "")};
    GString *fields = g_string_new("");

    for (size_t i = 0; i < event->n_fields; i++) {
        const struct event_field *f = &event->fields[i];
        if (f->type == FIELD_TEXT)
            g_string_append_printf(fields, " %s=%s", f->key, f->text);
        else if (f->type == FIELD_NUMBER)
            g_string_append_printf(fields, " %s=%" G_GUINT64_FORMAT, f->key, f->number);
        else if (f->type == FIELD_SIGNED)
            g_string_append_printf(fields, " %s=%" G_GINT64_FORMAT, f->key, f->sign);
        else
            g_string_append_printf(fields, " %s=%s", f->key, f->flag ? "true" : "false");
    }
    seen.fields = g_string_free(fields, FALSE);
    g_array_append_val(world->events, seen);
}

static void clear_event(gpointer data)
{
    struct seen_event *seen = data;
    g_free(seen->child);
    g_free(seen->fields);
}

static void clear_start(gpointer data)
{
    g_free(((struct seen_start *)data)->child);
}

struct world *world_new(void)
{
    struct world *world = g_new0(struct world, 1);
    struct core_ports ports = {.userdata = world,
                               .monotonic = monotonic,
                               .realtime = realtime,
                               .allocate = allocate,
                               .release = release,
                               .start = start,
                               .cancel = cancel,
                               .abort = abort_attempt,
                               .kill = kill_child,
                               .forget = forget,
                               .set_timer = set_timer,
                               .sink = world,
                               .event = sink};
    struct core_settings settings = {.seed = 42};

    world->now = 1000 * SEC;
    world->wall = 1700000000 * SEC;
    world->answer_starts = true;
    world->events = g_array_new(FALSE, TRUE, sizeof(struct seen_event));
    world->starts = g_array_new(FALSE, TRUE, sizeof(struct seen_start));
    world->cancels = g_array_new(FALSE, TRUE, sizeof(struct attempt_id));
    world->aborts = g_array_new(FALSE, TRUE, sizeof(struct attempt_id));
    g_array_set_clear_func(world->events, clear_event);
    g_array_set_clear_func(world->starts, clear_start);
    g_assert_cmpint(core_new(&ports, &settings, &world->core), ==, 0);
    return world;
}

void world_free(struct world *world)
{
    const struct seen_event *events = (const struct seen_event *)(void *)world->events->data;

    /* The sequence has no gap, whatever the test did. */
    for (guint i = 1; i < world->events->len; i++)
        g_assert_cmpuint(events[i].event.sequence, ==, events[0].event.sequence + i);
    core_free(world->core);
    g_array_unref(world->events);
    g_array_unref(world->starts);
    g_array_unref(world->cancels);
    g_array_unref(world->aborts);
    g_free(world);
}

struct registered {
    struct world **world;
    void (*test)(void);
};

static void run(gconstpointer data)
{
    const struct registered *registered = data;

    *registered->world = world_new();
    registered->test();
    world_free(*registered->world);
}

void world_test(struct world **world, const char *path, void (*test)(void))
{
    struct registered *registered = g_new(struct registered, 1);

    *registered = (struct registered){world, test};
    g_test_add_data_func_full(path, registered, run, g_free);
}

struct child_declaration world_worker(const char *id)
{
    struct child_declaration declaration;

    declaration_defaults(&declaration, ROLE_WORKER);
    declaration.id = id;
    declaration.has_process = true;
    declaration.backoff.jitter = JITTER_NONE;
    declaration.backoff.initial_usec = 10 * MSEC;
    declaration.backoff.max_usec = SEC;
    return declaration;
}

/* Answers the starts that have not been answered, as a host does after each input. */
static void settle(struct world *world)
{
    for (bool again = world->answer_starts; again;) {
        again = false;
        for (struct child *child = core_first(world->core); child; child = core_next(child)) {
            if (!child->attempt.active || child->attempt.spawned)
                continue;
            again = true;
            if (world->fail_next_spawns > 0) {
                world->fail_next_spawns--;
                core_spawn_failed(world->core, world_id(child), 2, "test: the spawn fails");
            } else {
                core_spawned(world->core, world_id(child), 1000);
            }
            break;
        }
    }
}

void world_set_strategy(struct world *world, enum strategy strategy)
{
    struct supervisor_declaration declaration;
    struct declaration_problem problem;

    supervisor_declaration_defaults(&declaration, "");
    declaration.strategy = strategy;
    g_assert_cmpint(core_redeclare_supervisor(world->core, &declaration, &problem), ==, 0);
}

struct child *world_declare(struct world *world, const struct child_declaration *declaration)
{
    struct declaration_problem problem;

    g_assert_cmpint(core_declare(world->core, declaration, 1, "tester", "test", &problem), ==, 0);
    settle(world);
    return core_find(world->core, declaration->id);
}

struct child *world_add_worker(struct world *world, const char *id)
{
    struct child_declaration declaration = world_worker(id);
    return world_declare(world, &declaration);
}

void world_advance(struct world *world, uint64_t usec)
{
    uint64_t end = world->now + usec;

    while (world->timer > 0 && world->timer <= end) {
        if (world->timer > world->now)
            world->now = world->timer;
        world->timer = 0; /* it fires once */
        core_timer(world->core);
        settle(world);
    }
    world->now = end;
}

struct attempt_id world_id(const struct child *child)
{
    return (struct attempt_id){.slot = child->slot,
                               .serial = child->serial,
                               .generation = child->attempt.generation,
                               .attempt = child->attempt.number};
}

void world_spawned(struct world *world, struct child *child)
{
    core_spawned(world->core, world_id(child), 1000);
}

static void complete(struct world *world, struct child *child, struct completion completion)
{
    g_assert_true(child->attempt.active);
    core_completed(world->core, world_id(child), &completion);
    settle(world);
}

void world_exits(struct world *world, struct child *child, int code)
{
    complete(world, child, (struct completion){.code = code});
}

void world_dies(struct world *world, struct child *child, int signal)
{
    complete(world, child, (struct completion){.by_signal = true, .signal = signal});
}

void world_says(struct world *world, struct child *child, unsigned flags)
{
    struct notify_message message = {.flags = flags, .status = ""};
    core_notify(world->core, world_id(child), &message);
    settle(world);
}

struct outcome world_command(struct world *world, enum command_verb verb, const char *child)
{
    struct command command = {
        .verb = verb, .child = child, .reason = "test", .requester = "tester"};
    struct outcome outcome;
    struct error error;

    g_assert_cmpint(core_command(world->core, &command, &outcome, &error), ==, 0);
    settle(world);
    return outcome;
}

unsigned world_starts(const struct world *world, const char *child)
{
    unsigned count = 0;
    for (guint i = 0; i < world->starts->len; i++)
        count += strcmp(g_array_index(world->starts, struct seen_start, i).child, child) == 0;
    return count;
}

unsigned world_cancels(const struct world *world)
{
    return world->cancels->len;
}

static bool matches(const struct seen_event *seen, enum event_kind kind, const char *child)
{
    return seen->event.kind == kind && (!child || strcmp(seen->child, child) == 0);
}

unsigned world_count(const struct world *world, enum event_kind kind, const char *child)
{
    unsigned count = 0;
    for (guint i = 0; i < world->events->len; i++)
        count += matches(&g_array_index(world->events, struct seen_event, i), kind, child);
    return count;
}

const char *world_last(const struct world *world, enum event_kind kind, const char *child)
{
    for (guint i = world->events->len; i-- > 0;) {
        const struct seen_event *seen = &g_array_index(world->events, struct seen_event, i);
        if (matches(seen, kind, child))
            return seen->fields;
    }
    return NULL;
}

unsigned world_index(const struct world *world, enum event_kind kind, const char *child, unsigned n)
{
    for (guint i = 0; i < world->events->len; i++)
        if (matches(&g_array_index(world->events, struct seen_event, i), kind, child) && --n == 0)
            return i;
    g_error("no such event: %s of %s", event_kind_to_string(kind), child ? child : "any");
}
