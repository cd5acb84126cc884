/*
 * Opening what others can change: files only, without waiting, and by no other user's links.
 */
#include "../named.h"
#include "open_regular.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct place {
    char *folder, *path;
};

static void set_up(struct place *place, gconstpointer data)
{
    (void)data;
    place->folder = g_dir_make_tmp("open-regular-XXXXXX", NULL);
    place->path = g_build_filename(place->folder, "it", NULL);
}

static void tear_down(struct place *place, gconstpointer data)
{
    const char *name;
    (void)data;

    GDir *folder = g_dir_open(place->folder, 0, NULL);
    while ((name = g_dir_read_name(folder))) {
        g_autofree char *path = g_build_filename(place->folder, name, NULL);
        g_remove(path);
    }
    g_dir_close(folder);
    g_rmdir(place->folder);
    g_free(place->folder);
    g_free(place->path);
}

static void refuse(const char *path, const char *why)
{
    static const int ways[] = {O_RDONLY, O_WRONLY, O_WRONLY | O_APPEND | O_CREAT};

    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        int r = open_regular(AT_FDCWD, path, ways[i], 0600), folder;
        g_assert_cmpint(r, ==, -EMEDIUMTYPE);
        g_assert_cmpstr(open_regular_explain(AT_FDCWD, path, r), ==, why);
        g_assert_cmpint(open_regular_guarded(path, ways[i], 0600, &folder), ==, -EMEDIUMTYPE);
        g_assert_cmpint(folder, ==, -1);
    }
}

static void fifo(struct place *place, gconstpointer data)
{
    (void)data;
    g_assert_cmpint(mkfifo(place->path, 0600), ==, 0);
    refuse(place->path, "is a FIFO, not a file");
    int reader = open(place->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    refuse(place->path, "is a FIFO, not a file"); /* with a reader, too */
    close(reader);
}

static void folder(struct place *place, gconstpointer data)
{
    (void)data;
    g_assert_cmpint(mkdir(place->path, 0700), ==, 0);
    refuse(place->path, "is a folder, not a file");
}

static void device(struct place *place, gconstpointer data)
{
    (void)place;
    (void)data;
    refuse("/dev/null", "is a device, not a file");
}

static void local_socket(struct place *place, gconstpointer data)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)data;
    g_strlcpy(address.sun_path, place->path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    refuse(place->path, "is a socket, not a file");
    close(fd);
}

static void file_is_read_whole(struct place *place, gconstpointer data)
{
    char *text;
    size_t length;
    (void)data;

    g_assert_true(g_file_set_contents(place->path, "12345", 5, NULL));
    g_assert_cmpint(read_regular(AT_FDCWD, place->path, 5, &text, &length), ==, 0);
    g_assert_cmpstr(text, ==, "12345");
    free(text);
    g_assert_cmpint(read_regular(AT_FDCWD, place->path, 6, &text, &length), ==, 0);
    free(text);
    g_assert_cmpint(read_regular(AT_FDCWD, place->path, 4, &text, &length), ==, -EFBIG);
    g_assert_true(g_file_set_contents(place->path, "", 0, NULL));
    g_assert_cmpint(read_regular(AT_FDCWD, place->path, 5, &text, &length), ==, 0);
    g_assert_cmpuint(length, ==, 0);
    free(text);
}

static void nothing_is_cut_that_is_no_file(struct place *place, gconstpointer data)
{
    int folder;
    (void)data;

    g_assert_true(g_file_set_contents(place->path, "12345", 5, NULL));
    g_autofree char *link = g_build_filename(place->folder, "link", NULL);
    g_assert_cmpint(symlink(place->path, link), ==, 0);
    int r = open_regular(AT_FDCWD, link, O_WRONLY | O_TRUNC | O_NOFOLLOW, 0600);
    g_assert_cmpint(r, ==, -ELOOP);
    g_assert_cmpstr(open_regular_explain(AT_FDCWD, link, r), ==,
                    "is a symbolic link that is not followed");
    g_assert_cmpint(open_regular_guarded(link, O_WRONLY | O_TRUNC, 0600, &folder), ==, -ELOOP);
    struct stat status;
    g_assert_cmpint(stat(place->path, &status), ==, 0);
    g_assert_cmpint(status.st_size, ==, 5);
}

static void own_links_on_the_way_are_followed(struct place *place, gconstpointer data)
{
    int folder;
    (void)data;

    g_autofree char *link = g_build_filename(place->folder, "way", NULL);
    g_autofree char *path = g_build_filename(link, "deep.log", NULL);
    g_assert_cmpint(mkdir(place->path, 0700), ==, 0);
    g_assert_cmpint(symlink("it", link), ==, 0);
    int fd = open_regular_guarded(path, O_WRONLY | O_APPEND | O_CREAT, 0600, &folder);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(unlinkat(folder, "deep.log", 0), ==, 0);
    close(fd);
    close(folder);
    g_unlink(link);
    g_rmdir(place->path);
}

static void strangers_links_on_the_way_are_not(struct place *place, gconstpointer data)
{
    int folder;
    (void)data;

    if (geteuid() != 0) {
        g_test_skip("needs root");
        return;
    }
    g_autofree char *link = g_build_filename(place->folder, "way", NULL);
    g_autofree char *path = g_build_filename(link, "deep.log", NULL);
    g_assert_cmpint(mkdir(place->path, 0700), ==, 0);
    g_assert_cmpint(symlink("it", link), ==, 0);
    g_assert_cmpint(lchown(link, 65534, 65534), ==, 0);
    g_assert_cmpint(open_regular_guarded(path, O_WRONLY | O_CREAT, 0600, &folder), ==, -ELOOP);
    g_unlink(link);
    g_rmdir(place->path);
}

static void strangers_links_lead_to_what_is_theirs(struct place *place, gconstpointer data)
{
    (void)data;

    if (geteuid() != 0) {
        g_test_skip("needs root");
        return;
    }
    g_autofree char *link = g_build_filename(place->folder, "link", NULL);
    g_autofree char *folder = g_build_filename(place->folder, "folder", NULL);
    g_autofree char *behind = g_build_filename(folder, "it", NULL);
    const char *const ways[] = {link, behind};
    g_assert_true(g_file_set_contents(place->path, "SECRET=1", -1, NULL));
    g_assert_cmpint(symlink("it", link), ==, 0);
    g_assert_cmpint(symlink(".", folder), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++) {
        const char *mine = i == 0 ? link : folder;
        int fd = open_regular_reading(ways[i]);
        g_assert_cmpint(fd, >=, 0);
        close(fd);
        g_assert_cmpint(lchown(mine, 65534, 65534), ==, 0);
        g_assert_cmpint(open_regular_reading(ways[i]), ==, -ELOOP);
        g_assert_cmpint(chown(place->path, 65534, 65534), ==, 0);
        fd = open_regular_reading(ways[i]);
        g_assert_cmpint(fd, >=, 0);
        close(fd);
        g_assert_cmpint(chown(place->path, 0, 0), ==, 0);
    }
    g_assert_cmpint(lchown(folder, 1, 1), ==, 0); /* two users that do not trust each other */
    g_autofree char *both = g_build_filename(folder, "link", NULL);
    g_assert_cmpint(open_regular_reading(both), ==, -ELOOP);
    g_unlink(link);
    g_unlink(folder);
    g_unlink(place->path);
}

static void ways_without_an_end(struct place *place, gconstpointer data)
{
    int folder;
    (void)data;

    g_autofree char *link = g_build_filename(place->folder, "way", NULL);
    g_autofree char *path = g_build_filename(link, "x", NULL);
    g_assert_cmpint(symlink("way", link), ==, 0);
    g_assert_cmpint(open_regular_guarded(path, O_RDONLY, 0, &folder), ==, -ELOOP);
    g_assert_cmpint(open_regular_reading(path), ==, -ELOOP);
    g_assert_cmpint(open_regular_reading(link), ==, -ELOOP);
    g_assert_cmpint(open_regular_reading("/"), ==, -EMEDIUMTYPE);
    g_assert_cmpint(open_regular_guarded("/", O_RDONLY, 0, &folder), ==, -EMEDIUMTYPE);
    g_assert_cmpint(open_regular_guarded("x", O_RDONLY, 0, &folder), ==, -EINVAL);
    g_assert_cmpint(open_regular_guarded(place->path, O_RDONLY, 0, &folder), ==, -ENOENT);
}

#define PLACE_TEST(group, test)                                                                    \
    g_test_add(test_path(group, #test), struct place, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    PLACE_TEST("/open-regular", fifo);
    PLACE_TEST("/open-regular", folder);
    PLACE_TEST("/open-regular", device);
    PLACE_TEST("/open-regular", local_socket);
    PLACE_TEST("/open-regular", file_is_read_whole);
    PLACE_TEST("/open-regular", nothing_is_cut_that_is_no_file);
    PLACE_TEST("/open-regular", own_links_on_the_way_are_followed);
    PLACE_TEST("/open-regular", strangers_links_on_the_way_are_not);
    PLACE_TEST("/open-regular", strangers_links_lead_to_what_is_theirs);
    PLACE_TEST("/open-regular", ways_without_an_end);
    return g_test_run();
}
