/*
 * Sinks: a reader that does not read what proctord says holds up nothing, and what was lost is
 * counted.
 */
#include "../named.h"
#include "beside.h"
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DEADLINE_USEC 20000000
#define LINES         20000 /* more than a sink and a pipe hold */

static sd_event *event;

static void begin(void)
{
    g_assert_cmpint(sd_event_new(&event), >=, 0);
    g_assert_cmpint(beside_start(event), ==, 0);
}

static void end(void)
{
    beside_end();
    event = sd_event_unref(event);
}

static void tell_loss(struct sink *sink, uint64_t lost)
{
    g_autofree char *text = g_strdup_printf("lost %" G_GUINT64_FORMAT "\n", lost);
    sink_put(sink, text, strlen(text));
}

static void put(struct sink *sink, unsigned number)
{
    char text[128];

    snprintf(text, sizeof(text), "line %06u %090d\n", number, 0);
    sink_put(sink, text, strlen(text));
}

static void fill(struct sink *sink)
{
    for (unsigned i = 0; i < LINES; i++)
        put(sink, i);
}

/* What a reader gets that comes along at last, until it has the report of the loss. */
static char *read_until_loss(int fd)
{
    g_autoptr(GString) text = g_string_new("");
    gint64 deadline = g_get_monotonic_time() + DEADLINE_USEC;
    char part[65536];

    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (!strstr(text->str + (text->len > 64 ? text->len - 64 : 0), "lost ") ||
           text->str[text->len - 1] != '\n') {
        ssize_t n = read(fd, part, sizeof(part));
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        if (n > 0)
            g_string_append_len(text, part, n);
        else
            sd_event_run(event, 1000);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static unsigned lines_in(const char *text)
{
    unsigned count = 0;

    for (; (text = strstr(text, "line ")); text += 5)
        count++;
    return count;
}

static void expect_all_accounted_for(int fd, const struct sink *sink)
{
    g_autofree char *text = read_until_loss(fd);
    unsigned lost = (unsigned)atoi(strstr(text, "lost ") + 5);

    g_assert_cmpuint(lost, >, 0);
    g_assert_cmpuint(lines_in(text) + lost, ==, LINES);
    g_assert_cmpuint(sink_lost(sink), ==, lost);
    g_assert_true(g_str_has_prefix(text, "line 000000 "));
}

static void try_unread(int write_end, int read_end)
{
    begin();
    struct sink *sink = sink_open(write_end);
    sink_on_loss(sink, tell_loss);
    sink_attach(sink, event);

    gint64 before = g_get_monotonic_time();
    fill(sink);
    g_assert_cmpint(g_get_monotonic_time() - before, <, DEADLINE_USEC / 2);
    g_assert_cmpint(fcntl(write_end, F_GETFL) & O_NONBLOCK, ==, 0);
    expect_all_accounted_for(read_end, sink);

    sink_close(sink);
    end();
    close(write_end);
    close(read_end);
}

static void a_pipe_that_nobody_reads(void)
{
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    try_unread(ends[1], ends[0]);
}

static void a_socket_that_nobody_reads(void)
{
    int ends[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
    try_unread(ends[1], ends[0]);
}

/* Without an end of its own: as where the pipe is another user's. */
static void a_pipe_without_another_end(void)
{
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_cmpint(fchmod(ends[1], 0), ==, 0);
    g_assert_cmpint(fchown(ends[1], 65534, 65534), ==, geteuid() == 0 ? 0 : -1);
    if (geteuid() == 0)
        g_assert_cmpint(seteuid(65534 - 1), ==, 0);
    try_unread(ends[1], ends[0]);
    if (getuid() == 0)
        g_assert_cmpint(seteuid(0), ==, 0);
}

static void a_loud_neighbour(void)
{
    char noise[65536] = "";
    int ends[2];

    begin();
    g_assert_cmpint(pipe(ends), ==, 0);
    struct sink *sink = sink_open(ends[1]);
    sink_attach(sink, event);
    g_assert_cmpint(write(ends[1], noise, sizeof(noise)), ==, sizeof(noise));
    put(sink, 0);
    g_assert_cmpint(read(ends[0], noise, sizeof(noise)), ==, sizeof(noise));
    for (gint64 deadline = g_get_monotonic_time() + DEADLINE_USEC;
         fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 && read(ends[0], noise, sizeof(noise)) <= 0;) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        sd_event_run(event, 1000);
    }

    g_assert_true(g_str_has_prefix(noise, "line 000000"));
    g_assert_cmpuint(sink_lost(sink), ==, 0);
    sink_close(sink);
    end();
    close(ends[0]);
    close(ends[1]);
}

static void a_file_is_written_on(void)
{
    g_autofree char *name = NULL, *text = NULL;
    int fd = g_file_open_tmp(NULL, &name, NULL);

    begin();
    struct sink *sink = sink_open(fd);
    sink_attach(sink, event);
    g_assert_cmpint(write(fd, "before\n", 7), ==, 7);
    put(sink, 1);
    put(sink, 2);
    sink_settle(sink, DEADLINE_USEC / 1000);
    g_assert_true(g_file_get_contents(name, &text, NULL, NULL));

    g_assert_true(g_str_has_prefix(text, "before\nline 000001"));
    g_assert_cmpuint(lines_in(text), ==, 2);
    sink_close(sink);
    end();
    g_unlink(name);
    close(fd);
}

static int listen_as_journald(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    g_unlink(path);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

static void a_journald_that_is_stuck_and_comes_again(void)
{
    g_autofree char *folder = g_dir_make_tmp(NULL, NULL);
    g_autofree char *path = g_build_filename(folder, "socket", NULL);
    char text[1024];
    unsigned got = 0;

    begin();
    int stuck = listen_as_journald(path);
    struct sink *sink = sink_open_journal(path);
    sink_on_loss(sink, tell_loss);
    sink_attach(sink, event);
    fill(sink);
    g_assert_cmpuint(sink_lost(sink), >, 0);
    while (recv(stuck, text, sizeof(text), 0) > 0)
        got++;
    close(stuck);
    int fresh = listen_as_journald(path);
    bool told = false;
    for (gint64 deadline = g_get_monotonic_time() + DEADLINE_USEC; !told;) {
        ssize_t n = recv(fresh, text, sizeof(text) - 1, 0);
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        if (n < 0)
            sd_event_run(event, 1000);
        got += n > 0 && g_str_has_prefix(text, "line ");
        told = n > 0 && g_str_has_prefix(text, "lost ");
    }

    g_assert_cmpuint(got + sink_lost(sink), ==, LINES);
    sink_close(sink);
    end();
    close(fresh);
    g_unlink(path);
    g_rmdir(folder);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    TEST("/sink", a_pipe_that_nobody_reads);
    TEST("/sink", a_socket_that_nobody_reads);
    TEST("/sink", a_pipe_without_another_end);
    TEST("/sink", a_loud_neighbour);
    TEST("/sink", a_file_is_written_on);
    TEST("/sink", a_journald_that_is_stuck_and_comes_again);
    return g_test_run();
}
