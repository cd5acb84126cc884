/*
 * Directories that a child has made for it: where they are, whose, and with which mode; what lies
 * in their way fails the start, and is left alone.
 */
#include "fixture.h"

#include <glib/gstdio.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static struct fixture f;
static const char *const *options;
static char *name; /* of the directories of this run: as root they are in the real places */

#define AS_ROOT (geteuid() == 0)

static char *place(const char *kind)
{
    if (!AS_ROOT)
        return g_strdup_printf("%s/xdg/%s%s", g_getenv("HOME"),
                               g_str_equal(kind, "logs") ? "state" : kind,
                               g_str_equal(kind, "logs") ? "/log" : "");
    return g_strdup(g_str_equal(kind, "runtime") ? "/run"
                    : g_str_equal(kind, "state") ? "/var/lib"
                    : g_str_equal(kind, "logs")  ? "/var/log"
                                                 : "/var/cache");
}

static char *path_of(const char *kind, const char *below)
{
    g_autofree char *at = place(kind);
    return g_strdup_printf("%s/%s%s", at, name, below);
}

static void remove_all(void)
{
    for (const char *const *kind = (const char *[]){"runtime", "state", "logs", "cache", NULL};
         *kind; kind++)
        for (const char *const *below = (const char *[]){"/deep/er", "/deep", "", NULL}; *below;
             below++) {
            g_autofree char *path = path_of(*kind, *below);
            g_remove(path);
        }
}

/* @ is the test's folder, % the name. */
static void add(const char *manifest)
{
    g_auto(GStrv) parts = g_strsplit(manifest, "@", -1);
    g_autofree char *text = g_strjoinv(f.folder, parts);
    g_auto(GStrv) more = g_strsplit(text, "%", -1);
    g_autofree char *whole = g_strjoinv(name, more);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", whole, "test", NULL), NULL);
    g_assert_nonnull(reply);
}

static void assert_directory(const char *kind, const char *below, uid_t owner, mode_t mode)
{
    g_autofree char *path = path_of(kind, below);
    struct stat status;

    g_assert_cmpint(lstat(path, &status), ==, 0);
    g_assert_true(S_ISDIR(status.st_mode));
    g_assert_cmpuint(status.st_uid, ==, owner);
    g_assert_cmpuint(status.st_mode & 07777, ==, mode);
}

static void assert_reason(const char *expected)
{
    fixture_wait_event(&f, "child-spawn-failed", "web", 1);
    g_autofree char *reason = fixture_event_field(&f, "child-spawn-failed", "web", "reason");
    g_autofree char *whole = g_strdup_printf(expected, name);
    g_assert_cmpstr(reason, ==, whole);
}

/* A child whose first command says what it has. */
#define SAYS                                                                                       \
    "name: web\nexec: [/bin/sleep, '1000']\n"                                                      \
    "before: [[/bin/sh, -c, 'env > @/env.new; mv @/env.new @/env']]\n"

static void assert_variable(const char *variable, const char *kind, const char *more)
{
    g_autofree char *path = path_of(kind, ""), *text = NULL;
    g_autofree char *second = *more ? path_of(kind, more) : NULL;
    g_autofree char *line =
        g_strdup_printf("\n%s=%s%s%s\n", variable, path, second ? ":" : "", second ? second : "");

    g_assert_true(g_file_get_contents(fixture_path(&f, "env"), &text, NULL, NULL));
    g_autofree char *padded = g_strdup_printf("\n%s", text);
    g_assert_nonnull(strstr(padded, line));
}

static void they_are_made_before_the_first_command(void)
{
    add(SAYS "runtime_directory: '%'\nstate_directory: ['%', '%/deep/er']\n"
             "state_directory_mode: '0700'\nlogs_directory: '%'\nlogs_directory_mode: '0777'\n"
             "cache_directory: '%'\n");
    fixture_wait_text(&f, "web", "Status", "ready");

    assert_directory("runtime", "", geteuid(), 0755);
    assert_directory("state", "", geteuid(), 0700);
    assert_directory("state", "/deep", geteuid(), 0755);
    assert_directory("state", "/deep/er", geteuid(), 0700);
    assert_directory("logs", "", geteuid(), 0777);
    assert_variable("RUNTIME_DIRECTORY", "runtime", "");
    assert_variable("STATE_DIRECTORY", "state", "/deep/er");
    assert_variable("LOGS_DIRECTORY", "logs", "");
    assert_variable("CACHE_DIRECTORY", "cache", "");
    remove_all();
}

static void a_restart_makes_what_is_missing(void)
{
    add(SAYS "runtime_directory: '%'\nstate_directory: '%'\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    g_autofree char *runtime = path_of("runtime", ""), *state = path_of("state", "");
    g_assert_cmpint(g_rmdir(runtime), ==, 0);
    g_assert_cmpint(g_chmod(state, 0700), ==, 0);
    g_autoptr(GVariant) restart = fixture_verb_waiting(&f, "Restart", "web");

    assert_directory("runtime", "", geteuid(), 0755);
    assert_directory("state", "", geteuid(), 0755);
    remove_all();
}

static void they_belong_to_the_user_of_the_child(void)
{
    if (!AS_ROOT) {
        g_test_skip("only root gives directories to others");
        return;
    }
    add("name: web\nexec: [/bin/sh, -c, 'touch $STATE_DIRECTORY/deep && rm $STATE_DIRECTORY/deep "
        "&& exec sleep 1000']\nuser: '65534'\nunix_group: '65534'\nstate_directory: '%'\n"
        "state_directory_mode: '0700'\nruntime_directory: '%/deep/er'\n");
    fixture_wait_text(&f, "web", "Status", "ready");

    assert_directory("state", "", 65534, 0700);
    assert_directory("runtime", "", 0, 0755);
    assert_directory("runtime", "/deep", 0, 0755);
    assert_directory("runtime", "/deep/er", 65534, 0755);
    g_autoptr(GVariant) restart = fixture_verb_waiting(&f, "Restart", "web");
    assert_directory("state", "", 65534, 0700);
    remove_all();
}

static void a_symbolic_link_is_not_followed(void)
{
    g_autofree char *path = path_of("state", ""), *above = place("state");
    struct stat status;

    g_mkdir_with_parents(above, 0755);
    g_mkdir(fixture_path(&f, "elsewhere"), 0750);
    g_assert_cmpint(symlink(fixture_path(&f, "elsewhere"), path), ==, 0);
    add("name: web\nexec: [/bin/sleep, '1000']\nrestart_limit: {burst: 0, on_limit: stop}\n"
        "state_directory: ['%/deep', '%']\n");
    assert_reason("state_directory %s/deep: is not a directory (symbolic links are not followed)");
    g_assert_cmpint(stat(fixture_path(&f, "elsewhere"), &status), ==, 0);
    g_assert_cmpuint(status.st_mode & 07777, ==, 0750);
    g_assert_false(g_file_test(fixture_path(&f, "elsewhere/deep"), G_FILE_TEST_EXISTS));
    remove_all();
}

static void one_of_another_user_is_refused(void)
{
    if (!AS_ROOT) {
        g_test_skip("only root makes directories of others");
        return;
    }
    g_autofree char *path = path_of("cache", "");
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    g_assert_cmpint(chown(path, 65533, 65533), ==, 0);
    add("name: web\nexec: [/bin/sleep, '1000']\nrestart_limit: {burst: 0, on_limit: stop}\n"
        "user: '65534'\ncache_directory: '%'\n");
    assert_reason("cache_directory %s: belongs to another user");
    assert_directory("cache", "", 65533, 0700);
    remove_all();
}

/* In a directory of its own a child could put another one there. */
static void below_its_own_nothing_of_root_s_is_given_away(void)
{
    if (!AS_ROOT) {
        g_test_skip("only root gives directories to others");
        return;
    }
    g_autofree char *path = path_of("state", ""), *deep = path_of("state", "/deep");
    g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
    g_assert_cmpint(chown(path, 65534, 65534), ==, 0);
    g_assert_cmpint(g_mkdir(deep, 0700), ==, 0);
    add("name: web\nexec: [/bin/sleep, '1000']\nrestart_limit: {burst: 0, on_limit: stop}\n"
        "user: '65534'\nstate_directory: ['%', '%/deep']\n");
    assert_reason("state_directory %s/deep: belongs to another user");
    assert_directory("state", "/deep", 0, 0700);

    g_assert_cmpint(g_rmdir(deep), ==, 0);
    g_autoptr(GVariant) start = fixture_verb_waiting(&f, "Restart", "web");
    fixture_wait_text(&f, "web", "Status", "ready");
    assert_directory("state", "/deep", 65534, 0755);
    remove_all();
}

static void a_health_check_has_the_variables(void)
{
    add("name: web\nexec: [/bin/sleep, '1000']\nstate_directory: '%'\n"
        "health_check: {exec: [/bin/sh, -c, 'test -d $STATE_DIRECTORY && env > @/env.new && "
        "mv @/env.new @/env'], interval: 10ms}\nreadiness: check\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    assert_variable("STATE_DIRECTORY", "state", "");
    remove_all();
}

/* So that nothing is left on the machine, whatever fails. */
static void cover_the_real_places(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return;
    for (const char *const *kind = (const char *[]){"runtime", "state", "logs", "cache", NULL};
         *kind; kind++) {
        g_autofree char *at = place(*kind);
        if (mount("tmpfs", at, "tmpfs", 0, "mode=0755") < 0)
            g_test_message("%s is not covered", at);
    }
}

int main(int argc, char **argv)
{
    g_autofree char *home = g_dir_make_tmp("proctor-home-XXXXXX", NULL);
    options = fixture_cgroups();
    g_test_init(&argc, &argv, NULL);
    name = g_strdup_printf("proctor-test-%d", getpid());
    if (AS_ROOT)
        cover_the_real_places();
    else {
        g_setenv("HOME", home, TRUE);
        for (const char *const *xdg =
                 (const char *[]){"XDG_RUNTIME_DIR", "runtime", "XDG_STATE_HOME", "state",
                                  "XDG_CACHE_HOME", "cache", NULL};
             *xdg; xdg += 2) {
            g_autofree char *at = place(xdg[1]);
            g_setenv(xdg[0], at, TRUE);
        }
    }

    FIXTURE_TEST(&f, options, "/daemon/directories", they_are_made_before_the_first_command);
    FIXTURE_TEST(&f, options, "/daemon/directories", a_restart_makes_what_is_missing);
    FIXTURE_TEST(&f, options, "/daemon/directories", they_belong_to_the_user_of_the_child);
    FIXTURE_TEST(&f, options, "/daemon/directories", a_symbolic_link_is_not_followed);
    FIXTURE_TEST(&f, options, "/daemon/directories", one_of_another_user_is_refused);
    FIXTURE_TEST(&f, options, "/daemon/directories", below_its_own_nothing_of_root_s_is_given_away);
    FIXTURE_TEST(&f, options, "/daemon/directories", a_health_check_has_the_variables);
    int r = g_test_run();
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", home);
    g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL);
    return r;
}
