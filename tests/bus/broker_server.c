#include "broker_server.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REMOTES_MAX   300
#define QUIET_MSEC    300
#define DEADLINE_NSEC UINT64_C(60000000000)

struct remote {
    int fd;
    struct link *link;
};

static struct remote remotes[REMOTES_MAX];
static size_t n_remotes;

static void close_descriptor(void *userdata, int descriptor)
{
    (void)userdata;
    close(descriptor);
}

static void accept_client(struct broker *broker, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct ucred peer;
    socklen_t size = sizeof(peer);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size), ==, 0);
    struct link_credentials credentials = {
        .pid = (uint32_t)peer.pid, .uid = peer.uid, .gid = peer.gid};
    struct link *link = broker_connect(broker, &credentials);
    if (link)
        remotes[n_remotes++] = (struct remote){.fd = fd, .link = link};
    else
        close(fd);
}

static void drop_client(struct broker *broker, struct remote *remote)
{
    close(remote->fd);
    broker_disconnect(broker, remote->link);
    *remote = remotes[--n_remotes];
}

/* False: the peer has gone. */
static gboolean receive(struct broker *broker, struct remote *remote)
{
    char data[65536], control[CMSG_SPACE(16 * sizeof(int))];
    struct iovec part = {.iov_base = data, .iov_len = sizeof(data)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t size = recvmsg(remote->fd, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    size_t count = 0;
    int descriptors[16];

    if (size <= 0)
        return FALSE;
    if (rights && rights->cmsg_type == SCM_RIGHTS) {
        count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(descriptors, CMSG_DATA(rights), count * sizeof(int));
    }
    broker_receive(broker, remote->link, data, (size_t)size, descriptors, count);
    return TRUE;
}

static ssize_t send_part(int fd, const uint8_t *data, size_t size, const int *descriptors,
                         size_t count)
{
    char control[CMSG_SPACE(16 * sizeof(int))] = {0};
    struct iovec part = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), descriptors, count * sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static void send_output(const struct remote *remote)
{
    const uint8_t *data;
    const int *descriptors = NULL;
    size_t size;

    while ((size = link_output(remote->link, &data)) > 0) {
        size_t count = link_output_descriptors(remote->link, &descriptors);
        ssize_t sent = send_part(remote->fd, data, size, descriptors, count);
        if (sent <= 0)
            return;
        for (size_t i = 0; i < count; i++)
            close(descriptors[i]);
        link_sent(remote->link, (size_t)sent);
    }
}

static void serve_clients(struct broker *broker, const struct pollfd *polled)
{
    for (size_t i = n_remotes; i-- > 0;) {
        struct remote *remote = &remotes[i];
        if ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) && !receive(broker, remote))
            drop_client(broker, remote);
    }
    for (size_t i = n_remotes; i-- > 0;) {
        send_output(&remotes[i]);
        if (link_is_closed(remotes[i].link))
            drop_client(broker, &remotes[i]);
    }
}

static struct pollfd *fill_polled(int listener)
{
    static struct pollfd polled[REMOTES_MAX + 1];

    for (size_t i = 0; i < n_remotes; i++) {
        short events = remotes[i].link->out ? POLLIN | POLLOUT : POLLIN;
        polled[i] = (struct pollfd){.fd = remotes[i].fd, .events = events};
    }
    polled[n_remotes] = (struct pollfd){.fd = listener, .events = POLLIN};
    return polled;
}

/* One turn of the loop. Returns whether anything came. */
static gboolean serve_once(struct broker *broker, int listener, int timeout_msec)
{
    const struct pollfd *polled = fill_polled(listener);
    size_t n = n_remotes;
    int count = poll((struct pollfd *)polled, n + 1, timeout_msec);

    g_assert_cmpint(count, >=, 0);
    serve_clients(broker, polled);
    if (polled[n].revents)
        accept_client(broker, listener);
    return count > 0;
}

static G_NORETURN void serve(int listener)
{
    struct broker *broker = broker_new("00112233445566778899aabbccddeeff");

    broker->release = close_descriptor;
    broker->limits.connections_per_uid = 2048;
    for (;;)
        serve_once(broker, listener, -1);
}

/* ---- with clients of its own ----------------------------------------------------------------- */

static uint64_t now_nsec(void)
{
    return (uint64_t)g_get_monotonic_time() * 1000;
}

static void run_side(struct bus_side *side)
{
    while (bus_side_run(side, now_nsec()))
        ;
    for (size_t i = n_remotes; i-- > 0;)
        send_output(&remotes[i]);
}

/* How long the loop may wait: until the next wish, or until it is taken for quiet. */
static int patience_msec(const struct bus_side *side)
{
    uint64_t next = bus_side_next_nsec(side), now = now_nsec();

    if (next == UINT64_MAX || next > now + QUIET_MSEC * UINT64_C(1000000))
        return QUIET_MSEC;
    return next > now ? (int)((next - now) / 1000000) + 1 : 0;
}

static void serve_until_quiet(struct bus_side *side, int listener, uint64_t deadline)
{
    bool came = true;

    while (came || !bus_side_is_at_rest(side)) {
        if (now_nsec() > deadline)
            return;
        came = serve_once(side->broker, listener, patience_msec(side));
        run_side(side);
    }
}

static const char *verdict_of(struct bus_side *side, int listener)
{
    uint64_t deadline = now_nsec() + DEADLINE_NSEC;

    while (!name_owner_of(&side->broker->names, PROCTOR) && now_nsec() < deadline)
        serve_once(side->broker, listener, 100);
    run_side(side);
    serve_until_quiet(side, listener, deadline);
    bus_side_begin_check(side);
    run_side(side);
    serve_until_quiet(side, listener, deadline);
    if (!bus_side_fault(side) && !bus_side_is_at_rest(side))
        return "a call has no answer";
    return bus_side_fault(side) ? bus_side_fault(side) : "";
}

static G_NORETURN void serve_side(struct bus_side *side, int listener, int verdict)
{
    bus_side_start(side);
    side->broker->limits.connections_per_uid = 2048;
    const char *text = verdict_of(side, listener);

    (void)!write(verdict, text, strlen(text));
    for (const struct client *client = side->clients; client; client = client->next)
        dprintf(verdict,
                "\n%s: %" PRIu64 " answers, %u refused, %u properties, %" PRIu64 " changes%s%s",
                client_habit_to_string(client->plan.habit), client->peer.n_answers,
                client->n_errors, client->listened.n_properties, client->listened.n_changes,
                client->n_errors ? ", last: " : "", client->last_error);
    _exit(0);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(listener, 128), ==, 0);
    return listener;
}

GPid broker_server_start(const char *path)
{
    int listener = listen_at(path);
    GPid pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(listener);
    }
    close(listener);
    return pid;
}

GPid broker_server_start_side(const char *path, struct bus_side *side, int verdict)
{
    int listener = listen_at(path);
    GPid pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_side(side, listener, verdict);
    }
    close(listener);
    return pid;
}
