#include "broker_server.h"

#include "bus/broker.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 300

struct client {
    int fd;
    struct link *link;
};

static struct client clients[CLIENTS_MAX];
static size_t n_clients;

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
        clients[n_clients++] = (struct client){.fd = fd, .link = link};
    else
        close(fd);
}

static void drop_client(struct broker *broker, struct client *client)
{
    close(client->fd);
    broker_disconnect(broker, client->link);
    *client = clients[--n_clients];
}

/* False: the peer has gone. */
static gboolean receive(struct broker *broker, struct client *client)
{
    char data[65536], control[CMSG_SPACE(16 * sizeof(int))];
    struct iovec part = {.iov_base = data, .iov_len = sizeof(data)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t size = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    size_t count = 0;
    int descriptors[16];

    if (size <= 0)
        return FALSE;
    if (rights && rights->cmsg_type == SCM_RIGHTS) {
        count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(descriptors, CMSG_DATA(rights), count * sizeof(int));
    }
    broker_receive(broker, client->link, data, (size_t)size, descriptors, count);
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

static void send_output(const struct client *client)
{
    const uint8_t *data;
    const int *descriptors = NULL;
    size_t size;

    while ((size = link_output(client->link, &data)) > 0) {
        size_t count = link_output_descriptors(client->link, &descriptors);
        ssize_t sent = send_part(client->fd, data, size, descriptors, count);
        if (sent <= 0)
            return;
        for (size_t i = 0; i < count; i++)
            close(descriptors[i]);
        link_sent(client->link, (size_t)sent);
    }
}

static void serve_clients(struct broker *broker, const struct pollfd *polled)
{
    for (size_t i = n_clients; i-- > 0;) {
        struct client *client = &clients[i];
        if ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) && !receive(broker, client))
            drop_client(broker, client);
    }
    for (size_t i = n_clients; i-- > 0;) {
        send_output(&clients[i]);
        if (link_is_closed(clients[i].link))
            drop_client(broker, &clients[i]);
    }
}

static G_NORETURN void serve(int listener)
{
    struct broker *broker = broker_new("00112233445566778899aabbccddeeff");

    broker->release = close_descriptor;
    broker->limits.connections_per_uid = 2048;
    for (;;) {
        struct pollfd polled[CLIENTS_MAX + 1];
        size_t n = n_clients;
        for (size_t i = 0; i < n; i++) {
            short events = clients[i].link->out ? POLLIN | POLLOUT : POLLIN;
            polled[i] = (struct pollfd){.fd = clients[i].fd, .events = events};
        }
        polled[n] = (struct pollfd){.fd = listener, .events = POLLIN};
        g_assert_cmpint(poll(polled, n + 1, -1), >, 0);
        serve_clients(broker, polled);
        if (polled[n].revents)
            accept_client(broker, listener);
    }
}

GPid broker_server_start(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(listener, 128), ==, 0);
    GPid pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(listener);
    }
    close(listener);
    return pid;
}
