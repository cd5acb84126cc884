/*
 * Notify socket under attack: what strangers and loud children may send, and what others notice.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRANGER  65534
#define CALLS     200
#define LINGER    8
#define WAIT_USEC (30 * G_USEC_PER_SEC)

static struct fixture f;

/* ---- senders --------------------------------------------------------------------------------- */

static int connect_to_notify(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/notify", f.folder);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

static int send_with(int socket, const char *text, int descriptor)
{
    struct iovec part = {.iov_base = (char *)text, .iov_len = strlen(text)};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &descriptor, sizeof(int));
    return sendmsg(socket, &header, MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* A connection with data in flight that is not read: closing it takes LINGER seconds. *peer has
 * to be closed by the caller. */
static int make_lingering(int *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger linger = {.l_onoff = 1, .l_linger = LINGER};
    socklen_t size = sizeof(address);
    char data[65536] = {};
    int small = 4096;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    g_assert_cmpint(bind(server, (struct sockaddr *)&address, size), ==, 0);
    g_assert_cmpint(listen(server, 1), ==, 0);
    g_assert_cmpint(getsockname(server, (struct sockaddr *)&address, &size), ==, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, size), ==, 0);
    *peer = accept(server, NULL, NULL);
    close(server);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (send(fd, data, sizeof(data), MSG_NOSIGNAL) > 0)
        ;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    return fd;
}

/* Sends as fast as it can until it is killed. */
static GPid flood(uid_t user)
{
    int fd = connect_to_notify();
    GPid pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (user > 0 && setresuid(user, user, user) < 0)
            _exit(1);
        for (;;)
            if (send(fd, "WATCHDOG=1", 10, 0) < 0 && errno != EAGAIN && errno != ENOBUFS)
                _exit(2);
    }
    close(fd);
    return pid;
}

static void end(GPid pid)
{
    int status;

    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    g_assert_true(WIFSIGNALED(status)); /* it was at it until now */
}

/* ---- what others notice ---------------------------------------------------------------------- */

static int compare(gconstpointer a, gconstpointer b)
{
    gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return (x > y) - (x < y);
}

struct figures {
    gint64 p50, p99, most;
};

static struct figures measure(const char *what)
{
    gint64 took[CALLS];

    for (gsize i = 0; i < CALLS; i++) {
        gint64 begin = g_get_monotonic_time();
        g_autoptr(GVariant) state = fixture_manager(&f, "CurrentState", NULL, NULL);
        took[i] = g_get_monotonic_time() - begin;
        g_usleep(1000);
    }
    qsort(took, CALLS, sizeof(took[0]), compare);
    struct figures figures = {took[CALLS / 2], took[CALLS * 99 / 100], took[CALLS - 1]};
    g_test_message("%s: a call takes %" G_GINT64_FORMAT " us (p50), %" G_GINT64_FORMAT
                   " us (p99), %" G_GINT64_FORMAT " us (max)",
                   what, figures.p50, figures.p99, figures.most);
    return figures;
}

static gint64 time_of_readiness(const char *name)
{
    gint64 begin = g_get_monotonic_time();

    fixture_add(&f, name, "readiness: explicit\n", "ready, pause");
    fixture_wait_text(&f, name, "Readiness", "ready");
    gint64 took = g_get_monotonic_time() - begin;
    g_test_message("%s is ready after %" G_GINT64_FORMAT " us", name, took);
    return took;
}

static guint64 metric(const char *name)
{
    g_autoptr(GVariant) reply = fixture_manager(&f, "GetMetrics", NULL, NULL);
    g_autoptr(GVariant) text = g_variant_get_child_value(reply, 0);
    g_autofree char *start = g_strdup_printf("\n%s ", name);
    const char *line = strstr(g_variant_get_string(text, NULL), start);

    return line ? g_ascii_strtoull(line + strlen(start), NULL, 10) : 0;
}

static void wait_metric(const char *name, guint64 least)
{
    gint64 deadline = g_get_monotonic_time() + WAIT_USEC;

    while (metric(name) < least && g_get_monotonic_time() < deadline)
        ;
    g_assert_cmpuint(metric(name), >=, least);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void lingering_descriptors_hold_up_nobody(void)
{
    int notify = connect_to_notify(), peers[5];

    kill(f.pid, SIGSTOP); /* the last to close them is not to be us */
    for (gsize i = 0; i < G_N_ELEMENTS(peers); i++) {
        int fd = make_lingering(&peers[i]);
        g_assert_cmpint(send_with(notify, "READY=1", fd), ==, 0);
        close(fd);
    }
    kill(f.pid, SIGCONT);

    struct figures figures = measure("beside lingering descriptors");
    gint64 ready = time_of_readiness("other");

    g_assert_cmpint(figures.most, <, LINGER * G_USEC_PER_SEC / 4);
    g_assert_cmpint(ready, <, LINGER * G_USEC_PER_SEC / 4);
    wait_metric("proctor_notify_refused_total", G_N_ELEMENTS(peers));
    for (gsize i = 0; i < G_N_ELEMENTS(peers); i++)
        close(peers[i]);
    close(notify);
}

/* Then the kernel is not asked to refuse those of strangers. */
static void nor_do_they_beside_a_store(void)
{
    fixture_add(&f, "keeper", "fd_store_max: 4\nreadiness: explicit\n",
                "store=a, ready, live=600000");
    fixture_wait_text(&f, "keeper", "Readiness", "ready");
    lingering_descriptors_hold_up_nobody();
}

/* The child does not accept, and then there is no child any more. */
static void nor_do_those_that_nobody_has_accepted(void)
{
    g_autofree char *yaml = g_strdup_printf(
        "readiness: immediate\nsockets: [{name: door, listen: \"%s/door\"}]\n", f.folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;
    fixture_add(&f, "worker", yaml, "wait-term");
    g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/door", f.folder);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    int lingering = make_lingering(&peer);
    g_assert_cmpint(send_with(fd, "x", lingering), ==, 0);
    close(lingering);

    gint64 begin = g_get_monotonic_time();
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Remove", "worker");
    fixture_wait_removed(&f, "worker");
    gint64 took = g_get_monotonic_time() - begin;

    g_assert_cmpint(took, <, LINGER * G_USEC_PER_SEC / 4);
    g_assert_cmpint(measure("after the end of a socket").most, <, LINGER * G_USEC_PER_SEC / 4);
    close(peer);
    close(fd);
}

static void nor_do_those_for_the_metrics(void)
{
    const char *extra[] = {NULL, g_getenv("NO_CGROUPS") ? "--no-cgroups" : NULL, NULL};
    g_autofree char *option = g_strdup_printf("--metrics-socket=%s/metrics", f.folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int peers[5], fds[5];

    extra[0] = option;
    fixture_kill(&f);
    fixture_again(&f, extra);
    g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/metrics", f.folder);
    kill(f.pid, SIGSTOP);
    for (gsize i = 0; i < G_N_ELEMENTS(peers); i++) {
        int fd = make_lingering(&peers[i]);
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), ==, 0);
        int r = send_with(fds[i], "x", fd);
        g_assert_true(r == 0 || r == -EPERM);
        if (r < 0) /* it is still ours */
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){}, sizeof(struct linger));
        close(fd);
    }
    kill(f.pid, SIGCONT);

    struct figures figures = measure("beside descriptors for the metrics");

    g_assert_cmpint(figures.most, <, LINGER * G_USEC_PER_SEC / 4);
    for (gsize i = 0; i < G_N_ELEMENTS(peers); i++) {
        close(peers[i]);
        close(fds[i]);
    }
}

static void no_descriptor_stays_open(void)
{
    int notify = connect_to_notify(), ends[2];
    char byte;

    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    int r = send_with(notify, "BARRIER=1", ends[1]);
    close(ends[1]);

    g_assert_cmpint(r, ==, 0);
    g_assert_cmpint(read(ends[0], &byte, 1), ==, 0); /* closed at the other end, too */
    close(ends[0]);
    close(notify);
}

/* What systemd-notify(1) does. */
static void a_child_can_wait_until_it_has_been_heard(void)
{
    fixture_add(&f, "worker", "readiness: explicit\n", "ready, barrier, status=heard, pause");

    fixture_wait_text(&f, "worker", "StatusText", "heard");
    g_assert_cmpuint(metric("proctor_notify_refused_total"), ==, 0);
}

static void a_stranger_closes_the_door_for_descriptors(void)
{
    int notify = connect_to_notify(), sent = 0, r = 0;
    gint64 deadline = g_get_monotonic_time() + WAIT_USEC;

    if (g_getenv("WRAPPER") || setsockopt(notify, SOL_SOCKET, 83, &(int){1}, sizeof(int)) < 0) {
        g_test_skip("needs SO_PASSRIGHTS");
        close(notify);
        return;
    }
    while ((r = send_with(notify, "X=1", notify)) != -EPERM && g_get_monotonic_time() < deadline)
        sent += r == 0;
    g_assert_cmpint(r, ==, -EPERM);
    g_assert_cmpint(sent, >=, 1);
    g_assert_cmpint(time_of_readiness("other"), <, 10 * G_USEC_PER_SEC);
    close(notify);
}

/* ---- floods ---------------------------------------------------------------------------------- */

static void a_strangers_flood_is_cheap(void)
{
    struct figures quiet = measure("in silence");
    GPid pids[4];

    for (gsize i = 0; i < G_N_ELEMENTS(pids); i++)
        pids[i] = flood(geteuid() == 0 ? STRANGER : 0);
    wait_metric("proctor_notify_dropped_total", 1000);
    struct figures loud = measure("beside four strangers that flood");
    gint64 ready = time_of_readiness("other");
    for (gsize i = 0; i < G_N_ELEMENTS(pids); i++)
        end(pids[i]);

    g_assert_cmpint(loud.p50, <, quiet.p50 + 20000);
    g_assert_cmpint(ready, <, 5 * G_USEC_PER_SEC);
}

static void a_loud_child_has_its_share(void)
{
    fixture_add(&f, "loud", "readiness: immediate\n", "flood");
    wait_metric("proctor_notify_dropped_total", 1000);

    struct figures loud = measure("beside a child that floods");
    gint64 ready = time_of_readiness("other");

    g_assert_cmpint(loud.p50, <, 20000);
    g_assert_cmpint(ready, <, 5 * G_USEC_PER_SEC);
    g_autofree char *status = fixture_text(&f, "loud", "Status");
    g_assert_cmpstr(status, ==, "ready");
}

int main(int argc, char **argv)
{
    const char *const *options = fixture_cgroups();

    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, options, "/daemon/notify", lingering_descriptors_hold_up_nobody);
    FIXTURE_TEST(&f, options, "/daemon/notify", nor_do_they_beside_a_store);
    FIXTURE_TEST(&f, options, "/daemon/notify", nor_do_those_that_nobody_has_accepted);
    FIXTURE_TEST(&f, options, "/daemon/notify", nor_do_those_for_the_metrics);
    FIXTURE_TEST(&f, options, "/daemon/notify", no_descriptor_stays_open);
    FIXTURE_TEST(&f, options, "/daemon/notify", a_child_can_wait_until_it_has_been_heard);
    FIXTURE_TEST(&f, options, "/daemon/notify", a_stranger_closes_the_door_for_descriptors);
    FIXTURE_TEST(&f, options, "/daemon/notify", a_strangers_flood_is_cheap);
    FIXTURE_TEST(&f, options, "/daemon/notify", a_loud_child_has_its_share);
    return g_test_run();
}
