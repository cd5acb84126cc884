/*
 * The core's time: it continues over reboots (era.h), never back, and never wraps around
 * (moment.h), whatever a clock, a declaration or a journal says.
 */
#include "../named.h"
#include "core/model/input_archive.h"
#include "core/vocabulary/moment.h"
#include "world.h"

#include <string.h>

#define HOUR    (3600 * SEC)
#define FOREVER UINT64_MAX
#define WALL    (ERA_REALTIME_MIN + 1000 * HOUR)

static struct world *w;

/* ---- moments --------------------------------------------------------------------------------- */

static void a_moment_plus_a_delay_never_wraps(void)
{
    g_assert_cmpuint(moment_after(5, 7), ==, 12);
    g_assert_cmpuint(moment_after(MOMENT_MAX - 7, 6), ==, MOMENT_MAX - 1);
    g_assert_cmpuint(moment_after(MOMENT_MAX - 7, 7), ==, MOMENT_MAX);
    g_assert_cmpuint(moment_after(MOMENT_MAX - 7, 8), ==, MOMENT_MAX);
    g_assert_cmpuint(moment_after(1, FOREVER), ==, MOMENT_MAX);
    g_assert_cmpuint(moment_after(FOREVER, FOREVER), ==, MOMENT_MAX);
}

/* ---- eras ------------------------------------------------------------------------------------ */

/* What the core's time is when a journal has ended at `past` and the clocks say `present`. */
static uint64_t time_after(struct era *era, bool same_boot, struct two_clocks past,
                           struct two_clocks present)
{
    era_resume(era, same_boot, &past, &present);
    return era_time(era, present.monotonic_usec);
}

static void the_first_boot_has_the_machines_clock(void)
{
    struct era era = {};

    g_assert_cmpuint(era_time(&era, 17), ==, 17);
    g_assert_cmpuint(era_clock(&era, 17), ==, 17);
}

static void over_a_reboot_time_goes_on_by_the_wall_clock(void)
{
    struct era era = {};
    uint64_t now = time_after(&era, false, (struct two_clocks){50 * HOUR, WALL},
                              (struct two_clocks){2 * SEC, WALL + 10 * SEC});

    g_assert_cmpuint(now, ==, 50 * HOUR + 10 * SEC);
    g_assert_cmpuint(era_clock(&era, now + SEC), ==, 3 * SEC);
    g_assert_cmpuint(era_clock(&era, 50 * HOUR), ==, 0); /* the machine was not up */

    now = time_after(&era, false, (struct two_clocks){now + SEC, WALL + 11 * SEC},
                     (struct two_clocks){1, WALL + HOUR});
    g_assert_cmpuint(now, ==, 51 * HOUR);
}

static void a_wall_clock_that_is_wrong_lets_no_time_pass(void)
{
    struct era era = {};
    struct two_clocks past = {HOUR, WALL};

    g_assert_cmpuint(time_after(&era, false, past, (struct two_clocks){SEC, WALL - HOUR}), ==,
                     HOUR);
    g_assert_cmpuint(time_after(&era, false, past, (struct two_clocks){SEC, 5 * SEC}), ==, HOUR);
    /* It was not set when the journal ended, and is now. */
    past.realtime_usec = 90 * SEC;
    g_assert_cmpuint(time_after(&era, false, past, (struct two_clocks){SEC, WALL}), ==, HOUR);
    /* What would be a hundred years is not believed to the end. */
    past.realtime_usec = WALL;
    g_assert_cmpuint(time_after(&era, false, past, (struct two_clocks){SEC, FOREVER}), ==,
                     HOUR + ERA_ELAPSED_MAX);
}

static void within_a_boot_the_clock_counts(void)
{
    struct era era = {.origin_usec = HOUR};

    g_assert_cmpuint(time_after(&era, true, (struct two_clocks){HOUR + SEC, WALL},
                                (struct two_clocks){60 * SEC, WALL + 50 * HOUR}),
                     ==, HOUR + 60 * SEC);
    /* Another time namespace: the same boot, and the clock has gone back. */
    g_assert_cmpuint(time_after(&era, true, (struct two_clocks){HOUR + 60 * SEC, WALL},
                                (struct two_clocks){2 * SEC, WALL + 3 * SEC}),
                     ==, HOUR + 63 * SEC);
}

static void no_journal_leads_out_of_time(void)
{
    struct era era = {};
    uint64_t now = time_after(&era, false, (struct two_clocks){MOMENT_MAX / 2, 0},
                              (struct two_clocks){2 * SEC, FOREVER});

    g_assert_cmpuint(now, ==, MOMENT_MAX / 2);
    g_assert_cmpuint(era_time(&era, 3 * SEC), ==, now + SEC); /* and it continues */
    era.origin_usec = FOREVER;
    g_assert_cmpuint(era_time(&era, 3 * SEC), ==, MOMENT_MAX);
}

/* ---- the core -------------------------------------------------------------------------------- */

static void time_never_goes_back(void)
{
    struct child *child = world_add_worker(w, "worker");
    world_advance(w, 10 * SEC);
    world_exits(w, child, 1);
    uint64_t deadline = child->timers[TIMER_START].deadline_usec, before = core_now(w->core);

    w->now -= 9 * SEC;
    core_timer(w->core);

    g_assert_cmpuint(core_now(w->core), ==, before);
    g_assert_cmpuint(child->timers[TIMER_START].deadline_usec, ==, deadline);
    g_assert_cmpuint(child->restart_limit.used, ==, 1);
}

/* What kept a proctord from ever coming up: `now` close to where numbers end, and a delay. */
static void a_time_at_the_end_of_numbers_ends_no_input(void)
{
    struct child_declaration d = world_worker("worker");
    d.heartbeat_usec = d.stale_after_usec = 10 * SEC;
    d.heartbeat_required = true;
    d.health_usec = d.health_timeout_usec = SEC;
    d.health_retries = 1;
    struct child *child = world_declare(w, &d);
    struct core_input late = {
        .kind = CORE_INPUT_TIMER, .monotonic_usec = UINT64_MAX - SEC / 2, .realtime_usec = 1};

    core_replay(w->core, &late);
    core_replay(w->core, &late);

    g_assert_cmpuint(core_now(w->core), <=, MOMENT_MAX);
    g_assert_true(child->attempt.active);
}

static void a_delay_as_long_as_numbers_go_never_comes(void)
{
    struct child_declaration d = world_worker("worker");
    d.readiness = READINESS_EXPLICIT;
    d.start_timeout_usec = d.stop_timeout_usec = d.abort_timeout_usec = FOREVER;
    d.interval_usec = FOREVER;
    d.backoff.initial_usec = d.backoff.max_usec = FOREVER;
    struct child *child = world_declare(w, &d);

    world_advance(w, 50 * HOUR);
    g_assert_cmpuint(world_cancels(w), ==, 0);
    world_exits(w, child, 1);
    world_advance(w, 50 * HOUR);

    g_assert_cmpuint(world_starts(w, "worker"), ==, 1);
    g_assert_cmpuint(child_next_restart_usec(w->core, child), >, core_realtime(w->core));
    g_assert_cmpuint(child->restart_limit.used, ==, 1);
}

/* ---- state ----------------------------------------------------------------------------------- */

static uint8_t bytes[1 << 16];

static _Alignas(16) uint8_t heap[1 << 16];
static size_t taken;

static void *allocate(struct archive *archive, size_t size)
{
    void *memory = heap + taken;

    (void)archive;
    size = (size + 15) & ~(size_t)15;
    g_assert_cmpuint(size, <=, sizeof(heap) - taken);
    taken += size;
    return memset(memory, 0, size);
}

/* A core of the same state, with the clock at `now`. */
static struct world *restored(uint64_t now)
{
    struct archive to = {.data = bytes, .size = sizeof(bytes)};
    struct world *other = world_new();

    taken = 0;
    g_assert_cmpint(core_archive(w->core, &to), ==, 0);
    struct archive from = {.reading = true, .data = bytes, .size = to.used, .allocate = allocate};
    other->now = now;
    g_assert_cmpint(core_archive(other->core, &from), ==, 0);
    return other;
}

static void what_was_read_never_lies_ahead(void)
{
    struct child *child = world_add_worker(w, "worker");
    world_advance(w, 1000 * SEC);
    world_exits(w, child, 1);

    struct world *other = restored(2 * SEC);

    g_assert_cmpuint(core_now(other->core), ==, core_now(w->core));
    core_timer(other->core);
    g_assert_cmpuint(core_now(other->core), ==, core_now(w->core));
    world_free(other);
}

static void what_was_shifted_below_zero_is_long_ago(void)
{
    struct child *child = world_add_worker(w, "worker");
    world_exits(w, child, 1);
    child->restart_limit.ring[0] = UINT64_MAX - 5 * SEC;
    child->timers[TIMER_START].deadline_usec = UINT64_MAX - 4 * SEC;

    struct world *other = restored(HOUR);
    struct child *same = core_find(other->core, "worker");
    core_timer(other->core);

    g_assert_cmpuint(same->restart_limit.used, ==, 0);
    g_assert_true(same->attempt.active);
    world_free(other);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/moment", a_moment_plus_a_delay_never_wraps);
    TEST("/era", the_first_boot_has_the_machines_clock);
    TEST("/era", over_a_reboot_time_goes_on_by_the_wall_clock);
    TEST("/era", a_wall_clock_that_is_wrong_lets_no_time_pass);
    TEST("/era", within_a_boot_the_clock_counts);
    TEST("/era", no_journal_leads_out_of_time);
    WORLD_TEST(&w, "/core", time_never_goes_back);
    WORLD_TEST(&w, "/core", a_time_at_the_end_of_numbers_ends_no_input);
    WORLD_TEST(&w, "/core", a_delay_as_long_as_numbers_go_never_comes);
    WORLD_TEST(&w, "/state", what_was_read_never_lies_ahead);
    WORLD_TEST(&w, "/state", what_was_shifted_below_zero_is_long_ago);
    return g_test_run();
}
