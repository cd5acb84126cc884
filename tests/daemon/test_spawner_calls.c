/*
 * The spawner, and its children on their way, killed, stopped, refused memory and starved, at each
 * stop at a system call (strike.h): no start is lost or doubled, nothing waits without end, and
 * what is done to the spawner is not the child's failure.
 */
#include "fixture.h"
#include "strike.h"

#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define BURNERS 4
#define IN_VAIN                                                                                    \
    4 /* after so many that it did not come to there are no more stops: some come late */

static struct fixture f;
static guint stride =
    3; /* 1: each stop is met, not one of three or nine where each takes its time */
static const char *const *options;

static gboolean has_name(GPid pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
    g_autofree char *text = NULL;
    gsize size = 0;

    return g_file_get_contents(path, &text, &size, NULL) && size > 10 &&
           memmem(text, size, name, strlen(name)) != NULL;
}

/* 0: there is none. */
static GPid look_for_spawner(void)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", (int)f.pid, (int)f.pid);
    g_autofree char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    g_auto(GStrv) children = g_strsplit(text ? text : "", " ", -1);
    for (char **child = children; *child; child++)
        if (**child && has_name((GPid)atoi(*child), "--spawner"))
            return (GPid)atoi(*child);
    return 0;
}

/* Writes a line into the file of its name, and stays. */
static void add(const char *name)
{
    g_autofree char *manifest = g_strdup_printf(
        "name: %s\nexec: [/bin/sh, -c, \"echo x >> %s; exec sleep 1000\"]\nstdout: raw\n"
        "restart: permanent\nbackoff: {initial: 10ms, jitter: none}\nstart_timeout: 20s\n",
        name, fixture_path(&f, name));
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
}

static void wait_for_line(const char *name)
{
    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    while (fixture_count_lines(&f, name) == 0)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

static void remove_child(const char *name)
{
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Remove", name);

    fixture_wait_removed(&f, name);
    g_unlink(fixture_path(&f, name));
}

/* It has been started once, and that was its first attempt. */
static void assert_started_once(const char *name)
{
    fixture_wait_text(&f, name, "Status", "ready");
    wait_for_line(name);
    g_assert_cmpuint(fixture_count_lines(&f, name), ==, 1);
    g_assert_cmpuint(fixture_number(&f, name, "Attempt"), ==, 1);
    g_assert_cmpuint(fixture_number(&f, name, "RestartsUsed"), ==, 0);
}

/* There is one as soon as a start has needed it. */
static GPid spawner(void)
{
    GPid pid = look_for_spawner();

    if (pid == 0) {
        add("first");
        fixture_wait_text(&f, "first", "Status", "ready");
        remove_child("first");
        pid = look_for_spawner();
    }
    g_assert_cmpint(pid, >, 0);
    return pid;
}

/* The one that was there may just be on its way out. */
static void strike_at_spawner(enum strike_whom whom, enum strike_how how, guint n)
{
    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    while (!strike_begin(spawner(), whom, how, n))
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

/* ---- the spawner ----------------------------------------------------------------------------- */

static void strike_spawner(enum strike_how how, guint step)
{
    guint n, in_vain = 0;

    for (n = 1; in_vain < IN_VAIN; n += step) {
        g_autofree char *name = g_strdup_printf("c%u", n);
        strike_at_spawner(STRIKE_SPAWNER, how, n);
        add(name);
        assert_started_once(name);
        in_vain = strike_end() ? 0 : in_vain + 1;
        remove_child(name);
    }
    g_test_message("%u stops", n);
    g_assert_cmpuint(n, >, IN_VAIN + 4);
}

static void it_is_killed(void)
{
    strike_spawner(STRIKE_KILL, 1);
}

static void it_is_stopped(void)
{
    strike_spawner(STRIKE_STOP, stride);
}

static void it_is_held(void)
{
    strike_spawner(STRIKE_HOLD, 1);
}

static void it_is_refused_memory(void)
{
    strike_spawner(STRIKE_REFUSE, 1);
}

static void strike_new_spawner(enum strike_how how, guint step)
{
    guint n, in_vain = 0;

    for (n = 1; in_vain < IN_VAIN; n += step) {
        g_autofree char *name = g_strdup_printf("n%u", n);
        GPid old = spawner();
        g_assert_true(strike_begin(f.pid, STRIKE_NEW_SPAWNER, how, n));
        kill(old, SIGKILL);
        fixture_wait_gone(&f, old);
        add(name);
        assert_started_once(name);
        in_vain = strike_end() ? 0 : in_vain + 1;
        remove_child(name);
    }
    g_test_message("%u stops", n);
    g_assert_cmpuint(n, >, 20);
}

static void it_is_killed_as_it_begins(void)
{
    strike_new_spawner(STRIKE_KILL, stride * stride);
}

static void it_is_stopped_as_it_begins(void)
{
    strike_new_spawner(STRIKE_STOP, stride > 1 ? 120 : 1);
}

static void it_is_held_as_it_begins(void)
{
    strike_new_spawner(STRIKE_HOLD, stride * stride);
}

static void it_is_refused_memory_as_it_begins(void)
{
    strike_new_spawner(STRIKE_REFUSE, stride * stride);
}

/* ---- its children ---------------------------------------------------------------------------- */

/* Killed on its way it counts, as any death does, but where it had not said yet that it exists:
 * then the plan is carried out again. Never are there two. */
static void a_child_is_killed_on_its_way(void)
{
    gboolean struck = TRUE;
    guint counted = 0;

    for (guint n = 1; struck; n++) {
        g_autofree char *name = g_strdup_printf("k%u", n);
        strike_at_spawner(STRIKE_CHILD, STRIKE_KILL, n);
        add(name);
        fixture_wait_text(&f, name, "Status", "ready");
        wait_for_line(name);
        struck = strike_end();
        g_assert_cmpuint(fixture_count_lines(&f, name), ==, 1);
        guint64 attempt = fixture_number(&f, name, "Attempt");
        g_assert_cmpuint(attempt, <=, struck ? 2 : 1);
        counted += attempt == 2;
        remove_child(name);
    }
    g_assert_cmpuint(counted, >, 10);
}

static void a_child_is_refused_memory_on_its_way(void)
{
    gboolean struck = TRUE;

    for (guint n = 1; struck; n++) {
        g_autofree char *name = g_strdup_printf("r%u", n);
        strike_at_spawner(STRIKE_CHILD, STRIKE_REFUSE, n);
        add(name);
        fixture_wait_text(&f, name, "Status", "ready");
        wait_for_line(name);
        struck = strike_end();
        g_assert_cmpuint(fixture_count_lines(&f, name), ==, 1);
        remove_child(name);
    }
}

/* It continues, and nothing has happened. */
static void a_child_is_held_on_its_way(void)
{
    gboolean struck = TRUE;

    for (guint n = 1; struck; n++) {
        g_autofree char *name = g_strdup_printf("h%u", n);
        strike_at_spawner(STRIKE_CHILD, STRIKE_HOLD, n);
        add(name);
        assert_started_once(name);
        struck = strike_end();
        remove_child(name);
    }
}

/* ---- starved --------------------------------------------------------------------------------- */

/* No process can be made: all wait, are reported, and count nothing. */
static void it_cannot_fork(void)
{
    strike_at_spawner(STRIKE_SPAWNER, STRIKE_STARVE, 1);
    add("waits");
    fixture_wait_event(&f, "child-start-delayed", "waits", 1);
    g_autofree char *status = fixture_text(&f, "waits", "Status");
    g_assert_cmpstr(status, ==, "starting");

    g_assert_true(strike_end());
    assert_started_once("waits");
}

static void burn(GPid burners[BURNERS])
{
    for (int i = 0; i < BURNERS; i++) {
        burners[i] = fork();
        g_assert_cmpint(burners[i], >=, 0);
        if (burners[i] == 0) {
            alarm(20);
            for (;;)
                __asm__ volatile("");
        }
    }
}

static void it_has_no_processor(void)
{
    const struct sched_param none = {};
    GPid burners[BURNERS];

    g_assert_cmpint(sched_setscheduler(spawner(), SCHED_IDLE, &none), ==, 0);
    burn(burners);
    add("waits");
    assert_started_once("waits");

    for (int i = 0; i < BURNERS; i++) {
        kill(burners[i], SIGKILL);
        waitpid(burners[i], NULL, 0);
    }
}

int main(int argc, char **argv)
{
    options = fixture_cgroups();
    stride = g_getenv("EACH_CALL") ? 1 : stride;
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", it_is_killed);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", it_is_stopped);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", it_is_killed_as_it_begins);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", it_is_held);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", it_is_stopped_as_it_begins);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", it_is_held_as_it_begins);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", a_child_is_held_on_its_way);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", a_child_is_killed_on_its_way);
#ifdef __x86_64__
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", it_is_refused_memory);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", it_is_refused_memory_as_it_begins);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", a_child_is_refused_memory_on_its_way);
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", it_cannot_fork);
#endif
    FIXTURE_TEST(&f, options, "/daemon/spawner-calls", it_has_no_processor);
    return g_test_run();
}
