/*
 * The machine is started again: its monotonic clock starts again at 0, nothing runs any more, and
 * proctord comes up at any second after that, with what it knew. And whatever has become of a file
 * that it keeps, it comes up.
 */
#include "../named.h"
#include "fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_IN_ALL 110 /* a proctord that never comes up ends the test */
#define SEC            G_USEC_PER_SEC
#define OLD_UPTIME     "1000000"
#define SLACK          (30 * SEC)

static struct fixture f;
static gboolean permitted;

/* ---- boots ----------------------------------------------------------------------------------- */

static void choose_boot(guint number, const char *uptime)
{
    g_autofree char *id = g_strdup_printf("00000000-0000-0000-0000-%012u", number);

    g_setenv("BOOT_ID", id, TRUE);
    g_setenv("UPTIME", uptime, TRUE);
}

/* Everything that runs goes at once; proctord is the first, so that it sees no end. */
static void lose_power(const char *const *children)
{
    GPid pids[16];
    gsize n = 0;

    for (; *children; children++)
        pids[n++] = (GPid)fixture_number(&f, *children, "MainPID");
    fixture_kill(&f);
    for (gsize i = 0; i < n; i++)
        if (pids[i] > 0) {
            kill(pids[i], SIGKILL);
            fixture_wait_gone(&f, pids[i]);
        }
}

static void boot(guint uptime)
{
    static guint boots = 1;
    g_autofree char *seconds = g_strdup_printf("%u", uptime);

    choose_boot(++boots, seconds);
    fixture_again(&f, NULL);
}

/* CLOCK_MONOTONIC of the last event, as it is reported. */
static guint64 last_moment(void)
{
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "QueryEvents", g_variant_new("(tua{sv})", (guint64)0, 4096u, NULL), NULL);
    g_autoptr(GVariant) events = g_variant_get_child_value(reply, 0);
    guint64 moment = 0;

    g_assert_cmpuint(g_variant_n_children(events), >, 0);
    for (gsize i = 0; i < g_variant_n_children(events); i++) {
        g_autoptr(GVariant) event = g_variant_get_child_value(events, i);
        g_variant_get_child(event, 2, "t", &moment);
    }
    return moment;
}

static void needs_permission(void (*test)(void))
{
    if (!permitted) {
        g_test_skip("time and mount namespaces are not permitted here");
        return;
    }
    choose_boot(1, OLD_UPTIME);
    fixture_start(&f, NULL);
    test();
    fixture_stop(&f, 0);
}

/* ---- at any second --------------------------------------------------------------------------- */

static void declare_all(void)
{
    fixture_add(&f, "web",
                "restart: permanent\nheartbeat: {interval: 1h}\nrestart_limit: {burst: 1}\n",
                "wait-term");
    fixture_add(&f, "held", "", "wait-term");
    /* Given up: it cools down for five minutes. */
    fixture_add(&f, "bad",
                "kind: service\nbackoff: {initial: 10ms, jitter: none}\n"
                "restart_limit: {burst: 1, interval: 1h, on_limit: cool-down}\n",
                "exit=1");
    fixture_add(&f, "slow", "backoff: {initial: 10min, max: 10min, jitter: none}\n", "exit=1");
    fixture_add(&f, "never", "backoff: {initial: 87600h, max: 87600h, jitter: none}\n", "exit=1");
    fixture_add(&f, "ticking",
                "backoff: {initial: 300ms, max: 300ms, jitter: none}\n"
                "restart_limit: {burst: 1000, interval: 1h}\n",
                "exit=1");
    fixture_wait_number(&f, "bad", "RestartsUsed", 2);
    fixture_wait_number(&f, "slow", "RestartsUsed", 1);
    fixture_wait_number(&f, "never", "RestartsUsed", 1);
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "held");
}

/* So long a life is in the journal when the power goes. */
static void live_for(guint ticks)
{
    guint64 used = fixture_number(&f, "ticking", "RestartsUsed");
    fixture_wait_number(&f, "ticking", "RestartsUsed", used + ticks);
}

static void is_near(guint64 usec, guint64 expected)
{
    g_assert_cmpuint(usec, >=, expected - (guint64)SLACK);
    g_assert_cmpuint(usec, <=, expected + (guint64)SLACK);
}

/* The journal tells of times that are longer ago than the machine has been up. */
static void it_comes_up_each_time(void)
{
    static const char *const running[] = {"web", NULL};
    static const struct {
        guint ticks, uptime;
    } lives[] = {{11, 2}, {4, 0}, {5, 1}, {1, 3}, {1, 5}, {1, 60}};

    declare_all();
    guint64 bad = fixture_number(&f, "bad", "NextRestartUSec"),
            slow = fixture_number(&f, "slow", "NextRestartUSec"),
            never = fixture_number(&f, "never", "NextRestartUSec");
    for (gsize i = 0; i < G_N_ELEMENTS(lives); i++) {
        live_for(lives[i].ticks);
        lose_power(running);
        boot(lives[i].uptime);
        fixture_wait_text(&f, "web", "Readiness", "ready");
        g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, i + 1);
        g_assert_cmpuint(fixture_number(&f, "web", "RestartsUsed"), ==, 0); /* not a failure */
        fixture_wait_text(&f, "held", "Operation", "paused");
        g_assert_cmpuint(fixture_number(&f, "bad", "RestartsUsed"), ==, 2);
        is_near(fixture_number(&f, "bad", "NextRestartUSec"), bad);
        is_near(fixture_number(&f, "slow", "NextRestartUSec"), slow);
        is_near(fixture_number(&f, "never", "NextRestartUSec"), never);
        g_assert_cmpuint(last_moment(), <=, lives[i].uptime * (guint64)SEC + (guint64)SLACK);
    }
    lose_power(running); /* twice before anything new is written */
    boot(3);
    lose_power(running);
    boot(2);
    is_near(fixture_number(&f, "slow", "NextRestartUSec"), slow);
    fixture_upgrade(&f); /* and so it is when the program is replaced, */
    is_near(fixture_number(&f, "slow", "NextRestartUSec"), slow);
    fixture_kill(&f); /* or dies, in the same boot */
    fixture_again(&f, NULL);
    is_near(fixture_number(&f, "slow", "NextRestartUSec"), slow);
    g_assert_cmpuint(last_moment(), <=, 2 * (guint64)SEC + (guint64)SLACK);
}

static void it_comes_up_at_any_second(void)
{
    needs_permission(it_comes_up_each_time);
}

/* The same boot by its name, and a clock that has gone back: a time namespace. */
static void the_clock_goes_back(void)
{
    static const char *const running[] = {"web", NULL};

    declare_all();
    guint64 slow = fixture_number(&f, "slow", "NextRestartUSec");
    lose_power(running);
    choose_boot(1, "2");
    fixture_again(&f, NULL);
    fixture_wait_text(&f, "web", "Readiness", "ready");
    is_near(fixture_number(&f, "slow", "NextRestartUSec"), slow);
    g_assert_cmpuint(last_moment(), <=, 2 * (guint64)SEC + (guint64)SLACK);
}

static void a_clock_that_goes_back_within_a_boot(void)
{
    needs_permission(the_clock_goes_back);
}

/* ---- what has become of a file --------------------------------------------------------------- */

static void run(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void run(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *command = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_assert_cmpint(system(command), ==, 0);
}

/* Paths below the state folder, sorted; the folders too. */
static GPtrArray *list_state(void)
{
    g_autofree char *command =
        g_strdup_printf("cd '%s' && find . -mindepth 1 | sort", fixture_path(&f, "state"));
    g_autofree char *output = NULL;
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);

    g_assert_true(g_spawn_sync(NULL, (char **)(gpointer)argv, NULL, 0, NULL, NULL, &output, NULL,
                               NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    for (char **line = lines; *line; line++)
        if (**line)
            g_ptr_array_add(paths, g_strdup(*line));
    return paths;
}

/* What a kernel that died may leave of a file, and what nothing would. */
static const char *const fates[] = {
    "rm -rf '%s'",
    "rm -rf '%s' && : > '%s'",
    "rm -rf '%s' && head -c 5000 /dev/zero > '%s'",
    "rm -rf '%s' && head -c 5000 /dev/urandom > '%s'",
    "rm -rf '%s' && mkdir '%s' && : > '%s/inside'",
    "rm -rf '%s' && mkfifo '%s'",
    "rm -rf '%s' && ln -s nowhere '%s'",
};

static void suffer(const char *path, const char *fate)
{
    g_auto(GStrv) parts = g_strsplit(fate, "%s", -1);
    g_autofree char *command = g_strjoinv(path, parts);

    run("%s", command);
}

static void live_again(const char *what)
{
    g_test_message("%s", what);
    fixture_again(&f, NULL);
    if (!fixture_exists(&f, "again"))
        fixture_add(&f, "again", "restart: permanent\n", "wait-term");
    fixture_wait_text(&f, "again", "Readiness", "ready");
    g_autoptr(GVariant) durability = fixture_manager_property(&f, "Durability");
    g_assert_cmpstr(g_variant_get_string(durability, NULL), ==, "crash");
}

static void no_file_keeps_it_from_starting(void)
{
    fixture_add(&f, "again", "restart: permanent\n", "wait-term");
    g_autoptr(GPtrArray) paths = list_state();
    g_ptr_array_add(paths, g_strdup("./journal/new"));
    for (guint i = 0; i < paths->len; i++)
        for (gsize k = 0; k < G_N_ELEMENTS(fates); k++) {
            g_autofree char *name = g_build_filename("state", paths->pdata[i], NULL);
            g_autofree char *what = g_strdup_printf("%s: %s", name, fates[k]);
            fixture_kill(&f);
            suffer(fixture_path(&f, name), fates[k]);
            live_again(what);
        }
}

static guint64 damaged_bytes(void)
{
    g_autofree char *field = fixture_event_field(&f, "supervisor-recovered", NULL, "damaged_bytes");
    return g_ascii_strtoull(field ? field : "0", NULL, 10);
}

/* A record of starts is set aside, and the tail of the journal is counted. */
static void what_is_damaged_is_told(void)
{
    static const char garbage[] = "neither a header nor a record, but longer than both of them are";
    static const char *const files[] = {"state/starts", "run/journal.tail", "run/journal.tail2"};

    fixture_add(&f, "web", "", "wait-term");
    guint64 pid = fixture_number(&f, "web", "MainPID");
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        fixture_kill(&f);
        g_assert_true(
            g_file_set_contents(fixture_path(&f, files[i]), garbage, sizeof(garbage), NULL));
        fixture_again(&f, NULL);
        g_assert_cmpuint(fixture_number(&f, "web", "MainPID"), ==, pid);
        g_assert_cmpuint(damaged_bytes(), ==, i == 0 ? 0 : sizeof(garbage));
    }
    g_autofree char *aside = NULL;
    gsize size;
    g_assert_true(
        g_file_get_contents(fixture_path(&f, "state/starts.damaged"), &aside, &size, NULL));
    g_assert_cmpmem(aside, sizeof(garbage), garbage, sizeof(garbage));
    fixture_kill(&f);
    fixture_again(&f, NULL);
    g_assert_cmpuint(damaged_bytes(), ==, 0);
}

int main(int argc, char **argv)
{
    alarm(SECONDS_IN_ALL);
    choose_boot(1, OLD_UPTIME);
    g_autofree char *probe = g_strdup_printf("%s /bin/true", g_getenv("OTHER_BOOT"));
    permitted = system(probe) == 0;
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/reboot", no_file_keeps_it_from_starting);
    FIXTURE_TEST(&f, NULL, "/daemon/reboot", what_is_damaged_is_told);
    if (permitted)
        g_setenv("WRAPPER", g_getenv("OTHER_BOOT"), TRUE);
    TEST("/daemon/reboot", it_comes_up_at_any_second);
    TEST("/daemon/reboot", a_clock_that_goes_back_within_a_boot);
    return g_test_run();
}
