/*
 * Own folder: what another user can make of it is refused, with the folder and the reason.
 */
#include "../named.h"
#include "own_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRANGER 65534

static char *base;
static char why[OWN_FOLDER_WHY];

static char *in(const char *name)
{
    static char *paths[8];
    static guint next;
    char **slot = &paths[next++ % G_N_ELEMENTS(paths)];

    g_free(*slot);
    *slot = g_build_filename(base, name, NULL);
    return *slot;
}

static void set_up(void)
{
    base = g_dir_make_tmp("proctor-own-XXXXXX", NULL);
    g_assert_nonnull(base);
}

static void tear_down(void)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", base);

    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_free(base);
}

static void refused(const char *path, int error, const char *folder, const char *part)
{
    int r = own_folder_make(path, 0755, why);

    if (r != error || !strstr(why, part) || !g_str_has_prefix(why, folder))
        g_error("%s: %d, \"%s\" instead of %d, \"%s ... %s\"", path, r, why, error, folder, part);
}

static void make(const char *name, mode_t mode, int user)
{
    g_assert_cmpint(g_mkdir(in(name), 0755), ==, 0);
    g_assert_cmpint(chmod(in(name), mode), ==, 0);
    if (user >= 0)
        g_assert_cmpint(chown(in(name), (uid_t)user, (gid_t)user), ==, 0);
}

static void it_is_made_with_those_above_it(void)
{
    struct stat status;

    g_assert_cmpint(own_folder_make(in("a/b/c"), 0755, why), ==, 0);
    g_assert_cmpint(stat(in("a/b/c"), &status), ==, 0);
    g_assert_cmpint(own_folder_make(in("a/b/c/"), 0755, why), ==, 0); /* it is there */
}

static void one_that_others_can_write_to_is_refused(void)
{
    make("all", 0777, -1);
    make("sticky", 01777, -1);
    make("group", 0775, -1);
    g_assert_cmpint(chown(in("group"), (uid_t)-1, getegid() + 1), ==, geteuid() == 0 ? 0 : -1);

    refused(in("all"), -EPERM, in("all"), "its mode is 0777");
    refused(in("sticky"), -EPERM, in("sticky"), "its mode is 1777");
    if (geteuid() == 0)
        refused(in("group"), -EPERM, in("group"), "its mode is 0775");
    refused(in("all/below"), -EPERM, in("all"), "can be written to by others");
    g_assert_false(g_file_test(in("all/below"), G_FILE_TEST_EXISTS));
    g_assert_cmpint(own_folder_make(in("sticky/below"), 0755, why), ==, 0); /* as /tmp */
}

static void a_link_is_refused(void)
{
    make("place", 0755, -1);
    g_assert_cmpint(symlink("place", in("link")), ==, 0);

    refused(in("link"), -EPERM, in("link"), "is a link");
    g_assert_cmpint(own_folder_make(in("link/below"), 0755, why), ==, 0); /* ours, on the way */
    g_assert_cmpint(symlink("loop", in("loop")), ==, 0);
    g_assert_cmpint(own_folder_make(in("loop/below"), 0755, why), ==, -ELOOP);
}

static void what_is_no_folder_is_refused(void)
{
    g_assert_true(g_file_set_contents(in("file"), "", 0, NULL));

    refused(in("file"), -ENOTDIR, in("file"), "is not a folder");
    refused(in("file/below"), -ENOTDIR, in("file"), "is not a folder");
}

static void a_strangers_is_refused(void)
{
    if (geteuid() != 0) {
        g_test_skip("needs root");
        return;
    }
    make("theirs", 0755, STRANGER);
    make("sticky", 01777, -1);
    make("ours", 0755, -1);
    g_assert_cmpint(symlink(in("ours"), in("sticky/link")), ==, 0);
    g_assert_cmpint(lchown(in("sticky/link"), STRANGER, STRANGER), ==, 0);

    refused(in("theirs"), -EPERM, in("theirs"), "belongs to user 65534, not to user 0");
    refused(in("theirs/below"), -EPERM, in("theirs"), "belongs to user 65534, who can replace");
    refused(in("sticky/link/below"), -EPERM, in("sticky"), "has a link of user 65534");
    g_assert_cmpint(own_folder_of(in("theirs/socket"), why), ==, -EPERM);
    g_assert_cmpint(own_folder_of(in("sticky/socket"), why), ==, 0);
    g_assert_cmpint(own_folder_of(in("nowhere/socket"), why), ==, -ENOENT);
    g_assert_nonnull(strstr(why, "nowhere cannot be used: No such file"));
}

static void inside_no_link_is_followed(void)
{
    int folder = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    g_assert_true(g_file_set_contents(in("file"), "text", 4, NULL));
    g_assert_cmpint(symlink("file", in("link")), ==, 0);
    g_assert_cmpint(link(in("file"), in("second-name")), ==, 0);
    g_assert_cmpint(mkfifo(in("fifo"), 0600), ==, 0);

    g_assert_cmpint(own_open(folder, "link", O_WRONLY | O_CREAT | O_TRUNC, 0600), ==, -ELOOP);
    g_assert_cmpint(own_open(folder, "second-name", O_WRONLY | O_TRUNC, 0600), ==, -EPERM);
    g_assert_cmpint(own_open(folder, "fifo", O_WRONLY, 0600), ==, -EMEDIUMTYPE);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(in("file"), &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "text");
    int fd = own_open(folder, "new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    close(folder);
}

#define NAMED(function)                                                                            \
    {                                                                                              \
        .test = function, .name = #function                                                        \
    }

static const struct {
    const char *name;
    void (*test)(void);
} tests[] = {
    NAMED(it_is_made_with_those_above_it),
    NAMED(one_that_others_can_write_to_is_refused),
    NAMED(a_link_is_refused),
    NAMED(what_is_no_folder_is_refused),
    NAMED(a_strangers_is_refused),
    NAMED(inside_no_link_is_followed),
};

static void run(gconstpointer number)
{
    set_up();
    tests[GPOINTER_TO_UINT(number)].test();
    tear_down();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    umask(0022);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add_data_func(test_path("/own-folder", tests[i].name), GUINT_TO_POINTER(i), run);
    return g_test_run();
}
