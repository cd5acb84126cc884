/*
 * World: a core with a clock that stands still, an executor that only takes notes, and a sink that
 * keeps everything. Tests say what happens next; nothing ever sleeps.
 */
#pragma once

#include "../named.h"
#include "core/model/child.h"
#include "core/core.h"

#include <glib.h>

#define MSEC (UINT64_C(1000))
#define SEC  (1000 * MSEC)

struct seen_event {
    struct event event; /* child and fields are not to be used */
    char *child;
    char *fields; /* " key=value key=value" */
};

struct seen_start {
    struct attempt_id id;
    char *child;
    uint64_t usec;
};

struct world {
    struct core *core;
    uint64_t now;
    uint64_t wall; /* realtime = now + wall */
    uint64_t timer;
    GArray *events;     /* struct seen_event */
    GArray *starts;     /* struct seen_start */
    GArray *cancels;    /* struct attempt_id */
    GArray *aborts;     /* struct attempt_id */
    bool answer_starts; /* report each start as spawned at once */
    int fail_next_spawns;
    uint64_t allocations;
    uint64_t allocated;
};

struct world *world_new(void);
void world_free(struct world *world);

/* Registers a test that gets a world of its own in *world. */
void world_test(struct world **world, const char *path, void (*test)(void));
#define WORLD_TEST(world, group, test) world_test(world, test_path(group, #test), test)

/* Declares one child: a transient worker without jitter, started on its own, unless changed. */
struct child_declaration world_worker(const char *id);
struct child *world_declare(struct world *world, const struct child_declaration *declaration);

/* How the root restarts its children with one another. */
void world_set_strategy(struct world *world, enum strategy strategy);
struct child *world_add_worker(struct world *world, const char *id);

/* Lets time pass; timers fire on the way, each at its own moment. */
void world_advance(struct world *world, uint64_t usec);

/* What happens to the active attempt of a child. */
void world_spawned(struct world *world, struct child *child);
void world_exits(struct world *world, struct child *child, int code);
void world_dies(struct world *world, struct child *child, int signal);
void world_says(struct world *world, struct child *child, unsigned flags);
struct attempt_id world_id(const struct child *child);

/* Commands; the reason is "test". Each asserts that the core answers. */
struct outcome world_command(struct world *world, enum command_verb verb, const char *child);

unsigned world_starts(const struct world *world, const char *child);
unsigned world_cancels(const struct world *world);
unsigned world_count(const struct world *world, enum event_kind kind, const char *child);
/* The fields of the last event of that kind, or NULL. */
const char *world_last(const struct world *world, enum event_kind kind, const char *child);
/* Index of the n-th (from 1) event of that kind; fails the test when there is none. */
unsigned world_index(const struct world *world, enum event_kind kind, const char *child,
                     unsigned n);
