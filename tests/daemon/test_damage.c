/*
 * A journal that is not as it should be: torn, damaged, foreign, full, gone.
 */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct fixture f;
static const char *const *options;

static void die_and_come_back(void)
{
    fixture_kill(&f);
    fixture_again(&f, options);
}

static gboolean recovered(void)
{
    g_autoptr(GVariant) value = fixture_manager_property(&f, "Recovered");
    return g_variant_get_boolean(value);
}

static char *newest_segment(void)
{
    g_autofree char *folder = g_strdup(fixture_path(&f, "state/journal"));
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autofree char *newest = NULL;

    for (const char *name; (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".journal") && (!newest || strcmp(name, newest) > 0)) {
            g_free(newest);
            newest = g_strdup(name);
        }
    return g_build_filename(folder, newest, NULL);
}

static void damage(void (*how)(int fd, off_t size))
{
    g_autofree char *path = newest_segment();
    int fd = open(path, O_RDWR);

    g_assert_cmpint(fd, >=, 0);
    how(fd, lseek(fd, 0, SEEK_END));
    close(fd);
}

static void tear(int fd, off_t size)
{
    g_assert_cmpint(ftruncate(fd, size - 3), ==, 0);
}

static void flip_last(int fd, off_t size)
{
    char byte;

    g_assert_cmpint(pread(fd, &byte, 1, size - 4), ==, 1);
    byte ^= 0x10;
    g_assert_cmpint(pwrite(fd, &byte, 1, size - 4), ==, 1);
}

static void flip_checkpoint(int fd, off_t size)
{
    (void)size;
    g_assert_cmpint(pwrite(fd, "\xFF\xFF", 2, 80), ==, 2);
}

/* proctord died when it had just written the last input, and nothing of what came of it. */
static void cut_behind_the_last_input(int fd, off_t size)
{
    guint8 head[9];
    off_t end = 0;

    for (off_t at = 16; pread(fd, head, sizeof(head), at) == sizeof(head);) {
        off_t length = head[0] | head[1] << 8 | head[2] << 16;
        at += (off_t)sizeof(head) + length;
        if (head[8] == 2) /* FRAME_INPUT, see service/journal/frame.h */
            end = at;
    }
    g_assert_cmpint(end, >, 0);
    g_assert_cmpint(end, <, size);
    g_assert_cmpint(ftruncate(fd, end), ==, 0);
}

static void make_foreign(int fd, off_t size)
{
    (void)size;
    g_assert_cmpint(pwrite(fd, "GARBAGE!", 8, 0), ==, 8);
}

static void come_back_from(void (*how)(int fd, off_t size))
{
    fixture_add(&f, "web", "", "wait-term");
    GPid pid = (GPid)fixture_number(&f, "web", "MainPID");

    fixture_kill(&f);
    damage(how);
    fixture_again(&f, options);
    if (!recovered()) { /* then nothing of it may be left */
        fixture_wait_gone(&f, pid);
        return;
    }
    /* Its last word may be what was lost; the process was not. */
    if (fixture_exists(&f, "web"))
        g_assert_cmpuint(fixture_number(&f, "web", "MainPID"), ==, (guint64)pid);
}

static void a_torn_journal_is_used_as_far_as_it_goes(void)
{
    come_back_from(tear);
    g_assert_true(recovered());
    g_autofree char *field = fixture_event_field(&f, "supervisor-recovered", NULL, "damaged_bytes");
    g_assert_cmpstr(field, !=, "0");
}

/* How many lines of the audit have these words. */
static guint audit_lines(const char *words)
{
    GVariantBuilder all;

    g_variant_builder_init(&all, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "QueryAudit", g_variant_new("(tua{sv})", (guint64)0, (guint32)10000, &all), NULL);
    g_autofree char *text = g_variant_print(reply, FALSE);
    g_auto(GStrv) parts = g_strsplit(text, words, -1);
    return g_strv_length(parts) - 1;
}

static void lines_that_the_audit_lacks_are_written(void)
{
    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    fixture_kill(&f);
    damage(cut_behind_the_last_input);
    fixture_again(&f, options);
    die_and_come_back(); /* again: they are in the journal now */
    g_assert_cmpuint(audit_lines("'child-exited', 'web'"), ==, 1);
}

static void a_flipped_bit_is_found(void)
{
    come_back_from(flip_last);
    g_assert_true(recovered());
}

static void a_damaged_checkpoint_is_no_reason_not_to_start(void)
{
    come_back_from(flip_checkpoint);
}

static void a_foreign_journal_is_no_reason_not_to_start(void)
{
    come_back_from(make_foreign);
}

static gboolean is_durability(const char *expected)
{
    g_autoptr(GVariant) value = fixture_manager_property(&f, "Durability");
    return strcmp(g_variant_get_string(value, NULL), expected) == 0;
}

static void wait_durability(const char *expected)
{
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;

    while (!is_durability(expected))
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

/* As a full disk would have it, but for proctord alone. */
static void a_full_disk_stops_changes_and_nothing_else(void)
{
    struct rlimit full = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
    struct rlimit room = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    GVariantBuilder none;
    g_autoptr(GError) error = NULL;

    fixture_add(&f, "web", "restart: permanent\nbackoff: {initial: 10ms}\n", "wait-term");
    g_assert_true(is_durability("crash"));
    g_assert_cmpint(prlimit(f.pid, RLIMIT_FSIZE, &full, NULL), ==, 0);
    kill((GPid)fixture_number(&f, "web", "MainPID"), SIGKILL);
    fixture_wait_number(&f, "web", "Generation", 1); /* supervision continues */
    wait_durability("lost");
    g_autofree char *durable = fixture_event_field(&f, "durability-changed", NULL, "durable");
    g_assert_cmpstr(durable, ==, "false");

    g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "PauseChild", g_variant_new("(ssa{sv})", "web", "test", &none), &error);
    g_assert_null(reply);
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.NotDurable");

    g_assert_cmpint(prlimit(f.pid, RLIMIT_FSIZE, &room, NULL), ==, 0);
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    while (!is_durability("crash")) /* each call is a turn of the loop, and it tries again */
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_assert_cmpuint(fixture_events(&f, "durability-changed", NULL), ==, 2);
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    die_and_come_back();
    fixture_wait_text(&f, "web", "Operation", "paused");
}

static void run_command(const char *verb, const char *from, const char *to)
{
    g_autofree char *command = g_strdup_printf("%s '%s' %s", verb, from, to);
    g_assert_cmpint(system(command), ==, 0);
}

/* As after a time in which nothing could be written. */
static void what_the_journal_does_not_know_is_ended(void)
{
    g_autofree char *journal = g_strdup(fixture_path(&f, "state/journal"));
    g_autofree char *copy = g_strdup(fixture_path(&f, "copy"));

    fixture_add(&f, "web", "restart: permanent\nbackoff: {initial: 10ms}\n", "wait-term");
    run_command("cp -r", journal, copy);
    g_autoptr(GVariant) outcome = fixture_verb_waiting(&f, "Restart", "web");
    GPid unknown = (GPid)fixture_number(&f, "web", "MainPID");
    fixture_kill(&f);
    run_command("rm -rf", journal, "");
    run_command("mv", copy, journal);
    fixture_again(&f, options);
    fixture_wait_gone(&f, unknown);
    fixture_wait_text(&f, "web", "Status", "ready");
    /* Its attempt on record may end only now, after which the next one starts. */
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    GPid main_pid = 0;
    while ((main_pid = (GPid)fixture_number(&f, "web", "MainPID")) <= 0 || kill(main_pid, 0) < 0)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

/* The folder is there a moment earlier. */
static gboolean has_segment(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name = NULL;

    while (dir && (name = g_dir_read_name(dir)) && !g_str_has_suffix(name, ".journal"))
        ;
    return name != NULL;
}

static void a_deleted_journal_is_written_anew(void)
{
    g_autofree char *folder = g_strdup(fixture_path(&f, "state/journal"));
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", folder);

    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    g_assert_cmpint(system(command), ==, 0);
    for (gint64 end = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND; !has_segment(folder);) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_assert_true(fixture_exists(&f, "web")); /* a turn of its loop */
    }
    die_and_come_back();
    fixture_wait_text(&f, "web", "Operation", "paused");
}

/* A person who mends what it stumbles over finds every child as it was. */
static void a_start_that_fails_leaves_the_children(void)
{
    const char *const stumbles[] = {"--metrics-socket=/no/such/folder/metrics",
                                    options ? options[0] : NULL, NULL};

    fixture_add(&f, "web", "", "wait-term");
    guint64 pid = fixture_number(&f, "web", "MainPID");
    fixture_kill(&f);
    for (int i = 0; i < 2; i++) {
        g_autofree char *words = fixture_fails(&f, stumbles);
        g_assert_nonnull(strstr(words, "/no/such/folder/metrics"));
        g_assert_cmpint(kill((GPid)pid, 0), ==, 0);
    }
    fixture_again(&f, options);
    g_assert_cmpuint(fixture_number(&f, "web", "MainPID"), ==, pid);
    g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 0);
}

static void power_is_as_good(void)
{
    static const char *const power[] = {"--durability=power", NULL};

    fixture_kill(&f);
    fixture_again(&f, power);
    g_assert_true(is_durability("power"));
    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    fixture_kill(&f);
    fixture_again(&f, power);
    fixture_wait_text(&f, "web", "Operation", "paused");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    options = fixture_cgroups();
    FIXTURE_TEST(&f, options, "/daemon/damage", a_start_that_fails_leaves_the_children);
    FIXTURE_TEST(&f, options, "/daemon/damage", a_torn_journal_is_used_as_far_as_it_goes);
    FIXTURE_TEST(&f, options, "/daemon/damage", lines_that_the_audit_lacks_are_written);
    FIXTURE_TEST(&f, options, "/daemon/damage", a_flipped_bit_is_found);
    FIXTURE_TEST(&f, options, "/daemon/damage", a_damaged_checkpoint_is_no_reason_not_to_start);
    FIXTURE_TEST(&f, options, "/daemon/damage", a_foreign_journal_is_no_reason_not_to_start);
    FIXTURE_TEST(&f, options, "/daemon/damage", a_full_disk_stops_changes_and_nothing_else);
    FIXTURE_TEST(&f, options, "/daemon/damage", what_the_journal_does_not_know_is_ended);
    FIXTURE_TEST(&f, options, "/daemon/damage", a_deleted_journal_is_written_anew);
    FIXTURE_TEST(&f, options, "/daemon/damage", power_is_as_good);
    return g_test_run();
}
