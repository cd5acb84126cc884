/*
 * Output files: moved, deleted, replaced, full, and on a disk that does not answer.
 */
#include "../named.h"
#include "beside.h"
#include "disk_queue.h"
#include "log_file.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a disk that does not answer, or is full: write(2) of files whose name is `dead` ----------
 */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static bool dead, full;

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);

static bool is_on_bad_disk(int fd)
{
    char link[64], path[4096] = "";

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/bad.log");
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (is_on_bad_disk(fd)) {
        pthread_mutex_lock(&lock);
        while (dead)
            pthread_cond_wait(&answered, &lock);
        pthread_mutex_unlock(&lock);
        if (full) {
            errno = ENOSPC;
            return -1;
        }
    }
    return __real_write(fd, data, size);
}

static void set_dead(bool value)
{
    pthread_mutex_lock(&lock);
    dead = value;
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&lock);
}

/* ---- a place -------------------------------------------------------------------------------- */

struct place {
    char *folder, *bad, *good;
    sd_event *event;
};

static void set_up(struct place *place, gconstpointer data)
{
    (void)data;
    place->folder = g_dir_make_tmp("output-XXXXXX", NULL);
    place->bad = g_build_filename(place->folder, "bad.log", NULL);
    place->good = g_build_filename(place->folder, "good.log", NULL);
    g_assert_cmpint(sd_event_new(&place->event), ==, 0);
    g_assert_cmpint(beside_start(place->event), ==, 0);
    full = false;
}

static void tear_down(struct place *place, gconstpointer data)
{
    const char *name, *what;
    GDir *folder;
    (void)data;

    set_dead(false);
    g_assert_cmpint(beside_wait(10000000, 10000000, &what), ==, 0);
    beside_end();
    sd_event_unref(place->event);
    folder = g_dir_open(place->folder, 0, NULL);
    while ((name = g_dir_read_name(folder))) {
        g_autofree char *path = g_build_filename(place->folder, name, NULL);
        g_remove(path);
    }
    g_dir_close(folder);
    g_rmdir(place->folder);
    g_free(place->folder);
    g_free(place->bad);
    g_free(place->good);
}

static char *content(const char *path)
{
    char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return g_strdup("");
    return text;
}

static struct output *make_output(struct place *place, const char *path, int *end)
{
    struct process_output settings = {
        .kind = OUTPUT_FILE, .path = path, .max_size_bytes = 1 << 20, .keep = 2};
    struct output *output;

    g_assert_cmpint(output_new(place->event, &settings, "child", &output), ==, 0);
    *end = output_open(output);
    g_assert_cmpint(*end, >=, 0);
    g_assert_cmpint(fcntl(*end, F_SETFL, O_NONBLOCK), ==, 0);
    return output;
}

/* Turns the loop until the file ends with the text, for 30 s. */
static void until_ends(struct place *place, const char *path, const char *end)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    for (;;) {
        g_autofree char *text = content(path);
        if (g_str_has_suffix(text, end))
            return;
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        sd_event_run(place->event, 10000);
    }
}

static void say(int end, const char *text)
{
    g_assert_cmpint(__real_write(end, text, strlen(text)), ==, (ssize_t)strlen(text));
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void what_is_said_is_written(struct place *place, gconstpointer data)
{
    int end;
    struct output *output = make_output(place, place->good, &end);
    (void)data;

    say(end, "one\n");
    until_ends(place, place->good, "one\n");
    say(end, "last words");
    output_free(output);
    until_ends(place, place->good, "one\nlast words");
    close(end);
}

static void moved_and_deleted_files_are_made_anew(struct place *place, gconstpointer data)
{
    g_autofree char *moved = g_strconcat(place->good, ".old", NULL);
    int end;
    struct output *output = make_output(place, place->good, &end);
    (void)data;

    say(end, "one\n");
    until_ends(place, place->good, "one\n");
    g_rename(place->good, moved);
    output_reopen(output);
    say(end, "two\n");
    until_ends(place, place->good, "two\n");
    g_autofree char *before = content(moved), *after = content(place->good);
    g_assert_cmpstr(before, ==, "one\n");
    g_assert_cmpstr(after, ==, "two\n");
    g_unlink(place->good);
    output_reopen(output);
    say(end, "three\n");
    until_ends(place, place->good, "three\n");
    output_free(output);
    close(end);
}

static void the_path_is_looked_at_each_second(struct place *place, gconstpointer data)
{
    int end;
    struct output *output = make_output(place, place->good, &end);
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    (void)data;

    say(end, "one\n");
    until_ends(place, place->good, "one\n");
    g_unlink(place->good);
    while (!g_file_test(place->good, G_FILE_TEST_EXISTS)) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        say(end, "x\n");
        sd_event_run(place->event, 100000);
    }
    output_free(output);
    close(end);
}

static void make_fifo(const char *path, const char *secret)
{
    (void)secret;
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
}

static void make_folder(const char *path, const char *secret)
{
    (void)secret;
    g_assert_cmpint(mkdir(path, 0700), ==, 0);
}

static void make_link(const char *path, const char *secret)
{
    g_assert_cmpint(symlink(secret, path), ==, 0);
}

static void what_is_put_in_its_place_is_not_used(struct place *place, gconstpointer data)
{
    void (*make)(const char *path, const char *secret) =
        *(void (*const *)(const char *, const char *))data;
    g_autofree char *moved = g_strconcat(place->good, ".old", NULL);
    g_autofree char *secret = g_build_filename(place->folder, "secret", NULL);
    int end;
    struct output *output = make_output(place, place->good, &end);

    g_assert_true(g_file_set_contents(secret, "not to be touched", -1, NULL));
    say(end, "one\n");
    until_ends(place, place->good, "one\n");
    g_rename(place->good, moved);
    make(place->good, secret);
    output_reopen(output);
    say(end, "two\n");
    until_ends(place, moved, "one\ntwo\n");
    g_autofree char *after = content(secret);
    g_assert_cmpstr(after, ==, "not to be touched");
    output_free(output);
    close(end);
}

static void rotation_keeps_lines_whole(struct place *place, gconstpointer data)
{
    g_autofree char *older = g_strconcat(place->good, ".1", NULL);
    struct log_file *file = log_file_new(place->good, 10, 1);
    (void)data;

    log_file_write(file, "12345\n6789\n", 11, 0, NULL);
    log_file_write(file, "abcdefghijklmno\nx\n", 18, 0, NULL);
    g_autofree char *present = content(place->good), *before = content(older);
    g_assert_cmpstr(present, ==, "x\n");
    g_assert_cmpstr(before, ==, "abcdefghijklmno\n");
    log_file_free(file);
}

/* Each part by a writer of its own, as where the disk of the file is not known yet. */
static void write_part(const struct place *place, const char *part)
{
    struct log_file *file = log_file_new(place->good, 10, 1);

    log_file_write(file, part, strlen(part), 0, NULL);
    log_file_free(file);
}

static void rotation_keeps_lines_of_parts_whole(struct place *place, gconstpointer data)
{
    g_autofree char *older = g_strconcat(place->good, ".1", NULL);
    (void)data;

    write_part(place, "12345");
    write_part(place, "67890");
    write_part(place, "abc\nx\n");
    g_autofree char *present = content(place->good), *before = content(older);
    g_assert_cmpstr(present, ==, "x\n");
    g_assert_cmpstr(before, ==, "1234567890abc\n");
}

/* The rest of a line goes 64 KiB beyond the size, and not a byte more. */
static void line_of_parts_is_bounded(struct place *place, gconstpointer data)
{
    g_autofree char *older = g_strconcat(place->good, ".1", NULL);
    (void)data;

    for (int more = -1; more <= 1; more++) {
        g_autofree char *rest = g_strnfill((gsize)(9 + 64 * 1024 + more), 'b');
        g_remove(place->good);
        g_remove(older);
        write_part(place, "a");
        write_part(place, rest);
        g_assert_cmpint(g_file_test(older, G_FILE_TEST_EXISTS), ==, more > 0);
    }
}

static void what_a_full_disk_does_not_take_is_told(struct place *place, gconstpointer data)
{
    struct log_file *file = log_file_new(place->bad, 1 << 20, 1);
    const char *why;
    (void)data;

    log_file_write(file, "before ", 7, 0, NULL);
    full = true;
    log_file_write(file, "12345678\n", 9, 0, NULL);
    g_assert_cmpuint(log_file_lost(file, &why), ==, 9);
    g_assert_cmpstr(why, ==, "No space left on device");
    g_assert_cmpuint(log_file_lost(file, &why), ==, 0);
    full = false;
    log_file_write(file, "after\n", 6, 0, NULL);
    g_autofree char *text = content(place->bad);
    g_assert_cmpstr(
        text, ==, "before \nproctord: 9 bytes are missing here: No space left on device\nafter\n");
    log_file_free(file);
}

/* Where the file was removed, and something else stands in its place. */
static void what_a_removed_file_would_take_along_is_told(struct place *place, gconstpointer data)
{
    struct log_file *file = log_file_new(place->good, 1 << 20, 1);
    const char *why;
    (void)data;

    log_file_write(file, "before\n", 7, 0, NULL);
    g_assert_cmpint(g_remove(place->good), ==, 0);
    g_assert_cmpint(mkfifo(place->good, 0600), ==, 0);
    log_file_reopen(file);
    log_file_write(file, "12345678\n", 9, 0, NULL);
    g_assert_cmpuint(log_file_lost(file, &why), ==, 9);
    g_assert_cmpstr(why, ==, "is a FIFO, not a file");
    g_assert_cmpint(g_remove(place->good), ==, 0);
    log_file_reopen(file);
    log_file_write(file, "after\n", 6, 0, NULL);
    g_autofree char *text = content(place->good);
    g_assert_cmpstr(text, ==, "proctord: 9 bytes are missing here: is a FIFO, not a file\nafter\n");
    log_file_free(file);
}

/* One that was moved still has its lines. */
static void a_moved_file_is_written_on_while_there_is_no_other(struct place *place,
                                                               gconstpointer data)
{
    g_autofree char *moved = g_strconcat(place->good, ".moved", NULL);
    struct log_file *file = log_file_new(place->good, 1 << 20, 1);
    const char *why;
    (void)data;

    log_file_write(file, "one\n", 4, 0, NULL);
    g_assert_cmpint(g_rename(place->good, moved), ==, 0);
    g_assert_cmpint(mkfifo(place->good, 0600), ==, 0);
    log_file_reopen(file);
    log_file_write(file, "two\n", 4, 0, NULL);
    g_assert_cmpuint(log_file_lost(file, &why), ==, 0);
    g_autofree char *text = content(moved);
    g_assert_cmpstr(text, ==, "one\ntwo\n");
    log_file_free(file);
}

static void dead_disk_stops_nobody(struct place *place, gconstpointer data)
{
    uint64_t lost = output_lost_bytes(), said = 0;
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    char line[1024];
    int bad_end, good_end;
    struct output *bad = make_output(place, place->bad, &bad_end);
    struct output *good = make_output(place, place->good, &good_end);
    (void)data;

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    set_dead(true);
    while (said < 1 << 20) { /* more than the pipe and what is on its way */
        ssize_t n = __real_write(bad_end, line, sizeof(line));
        said += n > 0 ? (uint64_t)n : 0;
        if (n < 0)
            sd_event_run(place->event, 100000);
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
    say(good_end, "goes on\n");
    until_ends(place, place->good, "goes on\n");
    set_dead(false);
    while (output_lost_bytes() == lost) {
        sd_event_run(place->event, 100000);
        __real_write(bad_end, "again\n", 6);
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
    until_ends(place, place->bad, "again\n");
    g_autofree char *text = content(place->bad);
    g_assert_nonnull(strstr(text, "bytes are missing here: the disk did not respond\n"));
    g_assert_cmpuint(output_lost_bytes() - lost, <, said);
    output_free(bad);
    output_free(good);
    close(bad_end);
    close(good_end);
}

static void dead_disk_takes_few_threads(struct place *place, gconstpointer data)
{
    struct output *outputs[20], *good;
    int ends[G_N_ELEMENTS(outputs)], good_end;
    g_autofree char *elsewhere = g_strdup_printf("/dev/shm/output-%d.log", (int)getpid());
    struct stat here, there;
    (void)data;

    if (stat(place->folder, &here) < 0 || stat("/dev/shm", &there) < 0 ||
        here.st_dev == there.st_dev) {
        g_test_skip("there is only one disk");
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(outputs); i++) {
        outputs[i] = make_output(place, place->bad, &ends[i]);
        g_autofree char *line = g_strdup_printf("%zu\n", i);
        say(ends[i], line);
        until_ends(place, place->bad, line);
    }
    good = make_output(place, elsewhere, &good_end);
    sd_event_run(place->event, 0);
    set_dead(true);
    for (size_t i = 0; i < G_N_ELEMENTS(outputs); i++)
        say(ends[i], "hangs\n");
    say(good_end, "goes on\n");
    until_ends(place, elsewhere, "goes on\n");
    while (beside_counters().oldest_usec < 500000) /* time for a thread for each that hangs */
        sd_event_run(place->event, 10000);
    g_assert_cmpuint(beside_counters().running, ==, DISK_THREADS);
    set_dead(false);
    for (size_t i = 0; i < G_N_ELEMENTS(outputs); i++) {
        output_free(outputs[i]);
        close(ends[i]);
    }
    output_free(good);
    close(good_end);
    until_ends(place, place->bad, "hangs\n");
    g_unlink(elsewhere);
}

/* Its path leads to another disk meanwhile, and the old one does not answer any more. */
static void moved_log_leaves_its_old_disk(struct place *place, gconstpointer data)
{
    struct output *outputs[2 * DISK_THREADS], *moving;
    int ends[G_N_ELEMENTS(outputs)], moving_end;
    g_autofree char *path = g_build_filename(place->folder, "way", "moving.log", NULL);
    g_autofree char *way = g_path_get_dirname(path);
    g_autofree char *elsewhere = g_strdup_printf("/dev/shm/moving-%d", (int)getpid());
    g_autofree char *there = g_build_filename(elsewhere, "moving.log", NULL);
    g_autofree char *here = g_build_filename(place->folder, "moving.log", NULL);
    struct stat old, fresh;
    (void)data;

    g_assert_cmpint(mkdir(elsewhere, 0700), ==, 0);
    if (stat(place->folder, &old) < 0 || stat(elsewhere, &fresh) < 0 ||
        old.st_dev == fresh.st_dev) {
        g_rmdir(elsewhere);
        g_test_skip("there is only one disk");
        return;
    }
    g_assert_cmpint(symlink(place->folder, way), ==, 0);
    moving = make_output(place, path, &moving_end);
    say(moving_end, "one\n");
    until_ends(place, here, "one\n");
    for (size_t i = 0; i < G_N_ELEMENTS(outputs); i++) {
        outputs[i] = make_output(place, place->bad, &ends[i]);
        g_autofree char *line = g_strdup_printf("%zu\n", i);
        say(ends[i], line);
        until_ends(place, place->bad, line);
    }
    g_unlink(way);
    g_assert_cmpint(symlink(elsewhere, way), ==, 0);
    output_reopen(moving);
    say(moving_end, "two\n");
    until_ends(place, there, "two\n");
    while (output_disk(moving) != fresh.st_dev)
        sd_event_run(place->event, 10000);
    set_dead(true);
    for (size_t i = 0; i < G_N_ELEMENTS(outputs); i++)
        say(ends[i], "hangs\n");
    while (beside_counters().running < DISK_THREADS)
        sd_event_run(place->event, 10000);
    say(moving_end, "three\n");
    until_ends(place, there, "two\nthree\n");
    set_dead(false);
    for (size_t i = 0; i < G_N_ELEMENTS(outputs); i++) {
        output_free(outputs[i]);
        close(ends[i]);
    }
    output_free(moving);
    close(moving_end);
    until_ends(place, place->bad, "hangs\n");
    g_unlink(there);
    g_rmdir(elsewhere);
}

static void output_may_go_while_its_disk_hangs(struct place *place, gconstpointer data)
{
    int end;
    struct output *output = make_output(place, place->bad, &end);
    (void)data;

    set_dead(true);
    say(end, "one\n");
    sd_event_run(place->event, 1000000);
    say(end, "two\n");
    output_free(output);
    close(end);
    set_dead(false);
    until_ends(place, place->bad, "one\ntwo\n");
}

#define PLACE_TEST(group, test)                                                                    \
    g_test_add(test_path(group, #test), struct place, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
    static void (*const fifo)(const char *, const char *) = make_fifo;
    static void (*const folder)(const char *, const char *) = make_folder;
    static void (*const link)(const char *, const char *) = make_link;

    g_test_init(&argc, &argv, NULL);
    PLACE_TEST("/output", what_is_said_is_written);
    PLACE_TEST("/output", moved_and_deleted_files_are_made_anew);
    PLACE_TEST("/output", the_path_is_looked_at_each_second);
    g_test_add("/output/a-fifo-in-its-place-is-not-used", struct place, &fifo, set_up,
               what_is_put_in_its_place_is_not_used, tear_down);
    g_test_add("/output/a-folder-in-its-place-is-not-used", struct place, &folder, set_up,
               what_is_put_in_its_place_is_not_used, tear_down);
    g_test_add("/output/a-link-in-its-place-is-not-followed", struct place, &link, set_up,
               what_is_put_in_its_place_is_not_used, tear_down);
    PLACE_TEST("/output", rotation_keeps_lines_whole);
    PLACE_TEST("/output", rotation_keeps_lines_of_parts_whole);
    PLACE_TEST("/output", line_of_parts_is_bounded);
    PLACE_TEST("/output", what_a_full_disk_does_not_take_is_told);
    PLACE_TEST("/output", what_a_removed_file_would_take_along_is_told);
    PLACE_TEST("/output", a_moved_file_is_written_on_while_there_is_no_other);
    PLACE_TEST("/output", dead_disk_stops_nobody);
    PLACE_TEST("/output", dead_disk_takes_few_threads);
    PLACE_TEST("/output", moved_log_leaves_its_old_disk);
    PLACE_TEST("/output", output_may_go_while_its_disk_hangs);
    return g_test_run();
}
