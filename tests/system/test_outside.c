/*
 * Processes outside that die over a call: once, and each time. This program is the process, too.
 */
#include "../named.h"
#include "outside.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean outside;

static void answer_it(const struct outside_parcel *request, struct outside_parcel *answer)
{
    memcpy(answer->data, request->data, request->size);
    answer->size = request->size;
}

/* The request is the path of a file: who makes it dies. */
static void die_once(const struct outside_parcel *request, struct outside_parcel *answer)
{
    g_assert_true(outside);
    if (open(request->data, O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0)
        kill(getpid(), SIGKILL);
    answer_it(request, answer);
}

static void die(const struct outside_parcel *request, struct outside_parcel *answer)
{
    (void)request;
    (void)answer;
    g_assert_true(outside); /* the caller would be in the same place */
    kill(getpid(), SIGKILL);
}

/* The numbers are only what the process knows them by. */
static const struct outside_job jobs[] = {
    {OUTSIDE_LOOK, answer_it}, {OUTSIDE_UNLINK, die_once}, {OUTSIDE_LIST, die}};

static int make(int which, const char *text, char answer_text[64])
{
    struct outside_parcel request = {.data = (void *)(guintptr)text, .size = strlen(text) + 1},
                          answer = {.data = answer_text, .room = 64};

    answer_text[0] = '\0';
    return outside_make(&jobs[which], &request, &answer);
}

static void what_dies_once_is_made_again(void)
{
    g_autofree char *folder = g_dir_make_tmp("outside-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "made", NULL);
    char answer[64];

    g_assert_cmpint(make(0, "hello", answer), ==, 0);
    g_assert_cmpstr(answer, ==, "hello");
    g_assert_cmpint(make(1, path, answer), ==, 0);
    g_assert_cmpstr(answer, ==, path);
    g_unlink(path);
    g_rmdir(folder);
}

static void what_always_dies_is_an_error(void)
{
    char answer[64];

    g_assert_cmpint(make(2, "over this", answer), ==, -EIO);
    g_assert_cmpstr(answer, ==, "");
    g_assert_cmpint(make(0, "goes on", answer), ==, 0);
    g_assert_cmpstr(answer, ==, "goes on");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], OUTSIDE_OPTION) == 0) {
        outside = TRUE;
        return outside_run(jobs, G_N_ELEMENTS(jobs));
    }
    g_test_init(&argc, &argv, NULL);
    outside_begin();
    TEST("/outside", what_dies_once_is_made_again);
    TEST("/outside", what_always_dies_is_an_error);
    return g_test_run();
}
