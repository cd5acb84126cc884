/*
 * What a child gets, whatever proctord was started with: the table in docs/manifest.md, line by
 * line. proctord is started with everything that can be inherited set to something odd
 * (hostile_parent.c).
 */
#include "fixture.h"

#include <linux/keyctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct fixture f;

static const char common[] = "umask 022\n"
                             "SigPnd 0000000000000000\n"
                             "SigBlk 0000000000000000\n"
                             "SigIgn 0000000000000000\n";

static char *report(const char *name)
{
    const char *path = fixture_path(&f, name);
    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    char *text = NULL;

    while (!g_file_get_contents(path, &text, NULL, NULL))
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    unlink(path);
    return text;
}

/* Lines of the report that must be there, each one whole. */
static void assert_lines(const char *text, const char *lines)
{
    g_auto(GStrv) wanted = g_strsplit(lines, "\n", -1);

    for (char **line = wanted; *line; line++) {
        g_autofree char *whole = g_strdup_printf("\n%s\n", *line);
        g_autofree char *framed = g_strdup_printf("\n%s", text);
        if (**line && !strstr(framed, whole))
            g_error("\"%s\" is not in what it was given:\n%s", *line, text);
    }
}

static void assert_usual(const char *text, const char *descriptors)
{
    g_autofree char *open = g_strdup_printf("descriptors %s", descriptors);

    assert_lines(text, common);
    assert_lines(
        text,
        "files 777\noom_score_adj 0\ncoredump_filter 00000033\n"
        "personality 00000000\nTHP_enabled 1\nprocessors all\n"
        "slice usual use usual\npolicy 0 nice 0 ioprio 0 slack 50000\ncwd /\nroot /\nsession own\n"
        "terminal none\ndumpable 1 securebits 0");
    assert_lines(text, open);
    g_assert_null(strstr(text, "SECRET"));
}

/* As proctord's own, but for the soft limit of descriptors. */
static void assert_limits(const char *text)
{
    struct rlimit limit;

    for (int i = 0; i < RLIM_NLIMITS; i++) {
        if (prlimit(f.pid, (__rlimit_resource_t)i, NULL, &limit) < 0)
            continue;
        g_autofree char *line = g_strdup_printf("limit %d %lld %lld", i,
                                                i == RLIMIT_NOFILE ? 0 : (long long)limit.rlim_cur,
                                                (long long)limit.rlim_max);
        assert_lines(text, line);
    }
}

static void assert_capabilities_of_proctord(const char *text)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)f.pid);
    g_autofree char *status = NULL;

    g_assert_true(g_file_get_contents(path, &status, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(status, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (!g_str_has_prefix(*line, "CapPrm") && !g_str_has_prefix(*line, "CapEff") &&
            !g_str_has_prefix(*line, "CapBnd") && !g_str_has_prefix(*line, "CapAmb"))
            continue;
        g_autofree char *wanted = g_strdup_printf("%.6s %s", *line, *line + 8);
        assert_lines(text, wanted);
    }
}

/* Not the one that proctord was started with, which is the test's. */
static void assert_own_keyring(const char *text)
{
    long ours = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
    const char *line = strstr(text, "\nkeyring ");

    g_assert_nonnull(line);
    long its = atol(line + strlen("\nkeyring "));
    if (ours < 0) /* the kernel has none, or does not let us ask */
        return;
    g_assert_cmpint(its, >, 0);
    g_assert_cmpint(its, !=, ours);
}

static void add_writing(const char *name, const char *file, const char *yaml)
{
    g_autofree char *manifest =
        g_strdup_printf("name: %s\nexec: [%s, %s, stay]\nstdout: raw\n%s", name, g_getenv("WORLD"),
                        fixture_path(&f, file), yaml);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
}

static void add(const char *name, const char *yaml)
{
    add_writing(name, name, yaml);
}

static const char *names(void)
{
    return "environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG "
           "PROCTOR_CHILD PROCTOR_GENERATION PROCTOR_ATTEMPT PROCTOR_FENCE NOTIFY_SOCKET";
}

static gboolean is_root(void)
{
    if (geteuid() != 0)
        g_test_skip("needs root");
    return geteuid() == 0;
}

static void a_child_gets_what_the_table_says(void)
{
    if (!is_root())
        return;
    add("plain", "");

    g_autofree char *text = report("plain");

    assert_usual(text, "0 1 2");
    assert_lines(text, names());
    assert_limits(text);
    assert_capabilities_of_proctord(text);
    assert_own_keyring(text);
}

static void a_child_of_another_user_gets_it(void)
{
    if (!is_root())
        return;
    g_assert_cmpint(chmod(f.folder, 0711), ==, 0);
    g_assert_cmpint(mkdir(fixture_path(&f, "open"), 0777), ==, 0);
    g_assert_cmpint(chmod(fixture_path(&f, "open"), 0777), ==, 0); /* it writes there */
    add_writing("other", "open/other", "user: daemon\n");

    g_autofree char *text = report("open/other");

    assert_usual(text, "0 1 2");
    assert_lines(text, "Uid 1\t1\t1\t1\nGid 1\t1\t1\t1");
    assert_lines(text, "CapPrm 0000000000000000\nCapEff 0000000000000000\nCapAmb 0000000000000000");
    assert_limits(text);
    assert_own_keyring(text);
    g_assert_nonnull(strstr(text, " HOME=/usr/sbin "));
    g_assert_nonnull(strstr(text, " SHELL=/usr/sbin/nologin USER=daemon LOGNAME=daemon "));
}

static void keys_change_it(void)
{
    if (!is_root())
        return;
    add("odd", "umask: 0027\nnice: 3\noom_score_adj: 123\nignore_sigpipe: true\n"
               "working_directory: /tmp\nlimits: {nofile: 99}\n"
               "environment: {PATH: /bin, A: b}\n");

    g_autofree char *text = report("odd");

    assert_lines(text, "umask 027\nSigBlk 0000000000000000\nSigIgn 0000000000001000\nfiles 99\n"
                       "oom_score_adj 123\npolicy 0 nice 3 ioprio 0 slack 50000\ncwd /tmp\n"
                       "environment LANG PATH=/bin A=b PROCTOR_CHILD PROCTOR_GENERATION "
                       "PROCTOR_ATTEMPT PROCTOR_FENCE NOTIFY_SOCKET");
}

static void it_runs_on_its_processors_only(void)
{
    add("first", "cpu_affinity: 0,1023\n");
    g_autofree char *text = report("first");
    assert_lines(text, sysconf(_SC_NPROCESSORS_ONLN) > 1 ? "processors few" : "processors all");

    add("nowhere", "cpu_affinity: 1000-1023\nrestart_limit: {burst: 0, interval: 1m}\n");
    fixture_wait_text(&f, "nowhere", "Operation", "quarantined");
    g_autofree char *reason = fixture_event_field(&f, "child-spawn-failed", "nowhere", "reason");
    g_assert_cmpstr(reason, ==, "cpu_affinity: none of these processors is available");
}

/* One with a score of its own beside others that are started at the same time: the kernel keeps the
 * score with the memory, which they share on their way. */
static void one_childs_score_is_not_anothers(void)
{
    if (!is_root())
        return;
    for (int i = 0; i < 16; i++) {
        g_autofree char *name = g_strdup_printf("c%d", i);
        add(name, i % 2 ? "oom_score_adj: 500\n" : "");
    }
    for (int i = 0; i < 16; i++) {
        g_autofree char *name = g_strdup_printf("c%d", i);
        g_autofree char *text = report(name);
        assert_lines(text, i % 2 ? "oom_score_adj 500" : "oom_score_adj 0");
    }
}

static void a_health_check_gets_it(void)
{
    if (!is_root())
        return;
    g_autofree char *yaml = g_strdup_printf("health_check: {exec: [%s, %s], interval: 20ms}\n",
                                            g_getenv("WORLD"), fixture_path(&f, "check"));
    add("checked", yaml);

    g_autofree char *text = report("check");

    assert_usual(text, "0 1 2");
    assert_lines(text,
                 "environment PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "
                 "LANG PROCTOR_CHILD PROCTOR_GENERATION PROCTOR_ATTEMPT PROCTOR_FENCE "
                 "PROCTOR_CHECK NOTIFY_SOCKET");
}

static void a_job_gets_it(void)
{
    if (!is_root())
        return;
    g_autofree char *manifest =
        g_strdup_printf("name: job\nexec: [%s, %s]\n", g_getenv("WORLD"), fixture_path(&f, "job"));
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);

    g_autofree char *text = report("job");

    assert_usual(text, "0 1 2 3");
}

static void after_an_upgrade_it_is_the_same(void)
{
    if (!is_root())
        return;
    fixture_upgrade(&f);
    add("later", "");

    g_autofree char *text = report("later");

    assert_usual(text, "0 1 2");
    assert_lines(text, names());
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/world", a_child_gets_what_the_table_says);
    FIXTURE_TEST(&f, NULL, "/daemon/world", a_child_of_another_user_gets_it);
    FIXTURE_TEST(&f, NULL, "/daemon/world", keys_change_it);
    FIXTURE_TEST(&f, NULL, "/daemon/world", it_runs_on_its_processors_only);
    FIXTURE_TEST(&f, NULL, "/daemon/world", one_childs_score_is_not_anothers);
    FIXTURE_TEST(&f, NULL, "/daemon/world", a_health_check_gets_it);
    FIXTURE_TEST(&f, NULL, "/daemon/world", a_job_gets_it);
    FIXTURE_TEST(&f, NULL, "/daemon/world", after_an_upgrade_it_is_the_same);
    return g_test_run();
}
