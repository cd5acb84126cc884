/*
 * A child that beats far more often than anybody needs fills no disk, and its silence is seen all
 * the same.
 */
#include "fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define BEATS 240

static struct fixture f;

static guint64 journal_bytes(void)
{
    g_autofree char *folder = g_strdup(fixture_path(&f, "state/journal"));
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    guint64 bytes = 0;

    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        GStatBuf status;
        if (g_stat(path, &status) == 0)
            bytes += (guint64)status.st_size;
    }
    return bytes;
}

static char *many_beats(const char *before, const char *after)
{
    GString *steps = g_string_new(before);

    for (int i = 0; i < BEATS; i++)
        g_string_append(steps, "beat, ");
    return g_string_free(g_string_append(steps, after), FALSE);
}

static guint64 last_heartbeat(void)
{
    return fixture_number(&f, "web", "LastHeartbeatUSec");
}

static void a_thousand_beats_are_few_frames(void)
{
    g_autofree char *before = g_strdup_printf("beat, ready, wait=%s, ", fixture_path(&f, "go"));
    g_autofree char *after = g_strdup_printf("log=%s, wait-term", fixture_path(&f, "done"));
    g_autofree char *steps = many_beats(before, after);
    gint64 deadline = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;

    fixture_fifo(&f, "go");
    fixture_add(&f, "web", "readiness: explicit\nheartbeat: {interval: 10s, stale_after: 30s}\n",
                steps);
    fixture_wait_text(&f, "web", "Readiness", "ready");
    guint64 first = last_heartbeat();
    guint64 bytes = journal_bytes();
    fixture_release(&f, "go");
    while (fixture_count_lines(&f, "done") == 0)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    while (last_heartbeat() == first) /* at the moment's end at the latest */
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);

    guint64 more = journal_bytes() - bytes;
    g_test_message("%d beats: %d bytes", BEATS, (int)more);
    g_assert_cmpuint(more, <, BEATS * 20);
    g_assert_false(fixture_flag(&f, "web", "HeartbeatStale"));
}

static void silence_after_a_burst_is_seen(void)
{
    g_autofree char *steps = many_beats("ready, ", "wait-term");

    fixture_add(&f, "web",
                "readiness: explicit\nheartbeat: {interval: 100ms, stale_after: 400ms}\n", steps);
    fixture_wait_event(&f, "child-heartbeat-stale", "web", 1);
    g_assert_true(fixture_flag(&f, "web", "HeartbeatStale"));
    g_assert_cmpuint(fixture_events(&f, "child-heartbeat-recovered", "web"), ==, 0);
}

/* The beats at the moment in which proctord dies may be lost, and make no child silent. */
static void a_death_in_a_burst_makes_nobody_silent(void)
{
    g_autofree char *steps = many_beats("ready, ", "live=600000");

    fixture_add(&f, "web", "readiness: explicit\nheartbeat: {interval: 2s, stale_after: 20s}\n",
                steps);
    fixture_wait_text(&f, "web", "Readiness", "ready");
    fixture_kill(&f);
    fixture_again(&f, NULL);
    g_assert_false(fixture_flag(&f, "web", "HeartbeatStale"));
    g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/beats", a_thousand_beats_are_few_frames);
    FIXTURE_TEST(&f, NULL, "/daemon/beats", silence_after_a_burst_is_seen);
    FIXTURE_TEST(&f, NULL, "/daemon/beats", a_death_in_a_burst_makes_nobody_silent);
    return g_test_run();
}
