/*
 * Socket calls: of unix sockets; there are no others.
 */
#include "machine/call_lists.h"
#include "machine/file_kind.h"
#include "machine/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS_MAX   1024
#define BYTES_MAX   ((size_t)1 << 20)
#define CONTROL_MAX 4096

static struct unix_socket *socket_of(const struct runner *runner, uint64_t number, int *error)
{
    const struct description *description = runner_description(runner, number);
    struct unix_socket *socket = unix_socket_of(description);

    *error = socket ? 0 : description ? -ENOTSOCK : -EBADF;
    return socket;
}

static struct socket_credentials credentials_of(const struct runner *runner)
{
    const struct task *task = runner->task;
    return (struct socket_credentials){task->pid, task->identity.uid, task->identity.gid};
}

static int64_t give(struct runner *runner, struct unix_socket *socket, int type)
{
    if (!socket)
        return -ENOMEM;
    return descriptors_add(program_of(runner->task)->descriptors,
                           unix_socket_describe(socket, type & SOCK_NONBLOCK), 0,
                           type & SOCK_CLOEXEC);
}

#define KIND(type) ((int)((type)&0xf))

static int check_kind(const uint64_t *a)
{
    int type = KIND(a[1]);

    if (a[0] != AF_UNIX)
        return -EAFNOSUPPORT;
    return type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET ? 0
                                                                               : -ESOCKTNOSUPPORT;
}

int64_t call_socket(struct runner *runner, const uint64_t *a)
{
    const struct socket_credentials own = credentials_of(runner);
    int r = check_kind(a);

    return r < 0 ? r : give(runner, unix_socket_new(KIND(a[1]), &own), (int)a[1]);
}

/* Two sockets that know each other's credentials. */
int64_t call_socketpair(struct runner *runner, const uint64_t *a)
{
    const struct socket_credentials own = credentials_of(runner);
    int r = check_kind(a);

    if (r < 0)
        return r;
    struct unix_socket *one = unix_socket_new(KIND(a[1]), &own);
    struct unix_socket *other = unix_socket_new(KIND(a[1]), &own);
    unix_socket_pair(one, other);
    int numbers[2] = {(int)give(runner, one, (int)a[1]), -1};
    numbers[1] = (int)give(runner, other, (int)a[1]);
    if (numbers[0] < 0 || numbers[1] < 0) {
        if (numbers[0] >= 0)
            descriptors_close(program_of(runner->task)->descriptors, numbers[0]);
        return numbers[0] < 0 ? numbers[0] : numbers[1];
    }
    return calls_write(runner, a[3], numbers, sizeof(numbers));
}

/* ---- names ----------------------------------------------------------------------------------- */

struct address {
    struct sockaddr_un name;
    socklen_t size; /* of its path */
    bool abstract;
};

/* Paths end at the first null byte, abstract names do not. */
static int take_address(const struct runner *runner, uint64_t from, uint64_t size,
                        struct address *address)
{
    const size_t head = offsetof(struct sockaddr_un, sun_path);

    *address = (struct address){};
    if (size < head || size > sizeof(address->name))
        return -EINVAL;
    if (calls_read(runner, from, &address->name, size) < 0)
        return -EFAULT;
    if (address->name.sun_family != AF_UNIX)
        return -EAFNOSUPPORT;
    address->size = (socklen_t)(size - head);
    address->abstract = address->size > 0 && address->name.sun_path[0] == '\0';
    if (!address->abstract)
        address->size = (socklen_t)strnlen(address->name.sun_path, address->size);
    return address->size == 0 ? -EINVAL : 0;
}

static void path_in(const struct address *address, char path[sizeof(address->name.sun_path) + 1])
{
    memcpy(path, address->name.sun_path, address->size);
    path[address->size] = '\0';
}

/* By path, with the right to write, or by abstract name. */
static int find_address(struct runner *runner, const struct address *address,
                        struct unix_socket **found)
{
    char path[sizeof(address->name.sun_path) + 1];
    struct inode *inode;

    if (address->abstract) {
        *found = unix_socket_named(address->name.sun_path, address->size);
        return *found ? 0 : -ECONNREFUSED;
    }
    path_in(address, path);
    int r = path_look_up(runner->task, NULL, path, 0, &inode);
    if (r == 0)
        r = path_access(runner->task, inode, W_OK);
    if (r < 0)
        return r;
    *found = unix_socket_at(inode);
    inode_release(inode);
    return *found ? 0 : -ECONNREFUSED;
}

/* A path is made in the file system, and stays there when the socket is
 * closed. */
int64_t call_bind(struct runner *runner, const uint64_t *a)
{
    struct address address;
    int r;
    struct unix_socket *socket = socket_of(runner, a[0], &r);
    char path[sizeof(address.name.sun_path) + 1];
    struct inode *inode = NULL;

    if (socket)
        r = take_address(runner, a[1], a[2], &address);
    if (r < 0)
        return r;
    if (!address.abstract) {
        path_in(&address, path);
        r = path_make_node(runner->task, NULL, path, S_IFSOCK | 0777, 0, &inode);
    }
    if (r == 0)
        r = unix_socket_bind(socket, address.name.sun_path, address.size, inode);
    inode_release(inode);
    return r == -EEXIST ? -EADDRINUSE : r;
}

int64_t call_listen(struct runner *runner, const uint64_t *a)
{
    int r;
    struct unix_socket *socket = socket_of(runner, a[0], &r);
    return socket ? unix_socket_listen(socket, (int)a[1]) : r;
}

/* The credentials that the other side sees are those of this moment. */
int64_t call_connect(struct runner *runner, const uint64_t *a)
{
    struct address address;
    struct unix_socket *to = NULL;
    int r;
    struct unix_socket *socket = socket_of(runner, a[0], &r);

    if (socket)
        r = take_address(runner, a[1], a[2], &address);
    if (r == 0)
        r = find_address(runner, &address, &to);
    if (r == 0) {
        socket->own = credentials_of(runner);
        r = unix_socket_connect(socket, to);
    }
    return r < 0 ? calls_would_wait(runner_description(runner, a[0]), r) : 0;
}

/* The size of the whole name is told even if it does not fit. */
static int give_name(const struct runner *runner, const struct unix_socket *socket, uint64_t to,
                     uint64_t to_size)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t room, size = (socklen_t)offsetof(struct sockaddr_un, sun_path);

    if (to == 0)
        return 0;
    if (calls_read(runner, to_size, &room, sizeof(room)) < 0)
        return -EFAULT;
    if (socket && socket->name_size > 0) {
        memcpy(name.sun_path, socket->name, socket->name_size);
        size += socket->name_size + (socket->bound != NULL);
    }
    if (calls_write(runner, to, &name, room < size ? room : size) < 0)
        return -EFAULT;
    return calls_write(runner, to_size, &size, sizeof(size));
}

/* Waits if there is no connection yet. */
static int64_t accept_one(struct runner *runner, const uint64_t *a, int flags)
{
    int r;
    struct unix_socket *socket = socket_of(runner, a[0], &r);

    if (!socket || !socket->listens)
        return socket ? -EINVAL : r;
    struct unix_socket *other = unix_socket_accept(socket);
    if (!other)
        return calls_would_wait(runner_description(runner, a[0]), -EAGAIN);
    r = give_name(runner, other->peer, a[1], a[2]);
    if (r < 0) {
        unix_socket_free(other);
        return r;
    }
    return give(runner, other, flags);
}

int64_t call_accept(struct runner *runner, const uint64_t *a)
{
    return accept_one(runner, a, 0);
}

int64_t call_accept4(struct runner *runner, const uint64_t *a)
{
    return accept_one(runner, a, (int)a[3]);
}

int64_t call_getsockname(struct runner *runner, const uint64_t *a)
{
    int r;
    const struct unix_socket *socket = socket_of(runner, a[0], &r);
    return socket ? give_name(runner, socket, a[1], a[2]) : r;
}

int64_t call_getpeername(struct runner *runner, const uint64_t *a)
{
    int r;
    const struct unix_socket *socket = socket_of(runner, a[0], &r);

    if (!socket)
        return r;
    return socket->peer ? give_name(runner, socket->peer, a[1], a[2]) : -ENOTCONN;
}

int64_t call_shutdown(struct runner *runner, const uint64_t *a)
{
    int r;
    struct unix_socket *socket = socket_of(runner, a[0], &r);

    if (!socket)
        return r;
    if (!socket->connected)
        return -ENOTCONN;
    unix_socket_shut(socket, a[1] != SHUT_WR, a[1] != SHUT_RD);
    return 0;
}

/* ---- options --------------------------------------------------------------------------------- */

int64_t call_setsockopt(struct runner *runner, const uint64_t *a)
{
    int r, value = 0;
    struct unix_socket *socket = socket_of(runner, a[0], &r);

    if (!socket)
        return r;
    if (a[4] >= sizeof(value) && calls_read(runner, a[3], &value, sizeof(value)) < 0)
        return -EFAULT;
    if (a[1] == SOL_SOCKET && a[2] == SO_PASSCRED)
        socket->passes_credentials = value;
    /* 76, 83: SO_PASSPIDFD and SO_PASSRIGHTS came later than the kernel of the model */
    return a[1] == SOL_SOCKET && (a[2] == 76 || a[2] == 83) ? -ENOPROTOOPT : 0;
}

static int64_t give_option(const struct runner *runner, const uint64_t *a, const void *value,
                           socklen_t size)
{
    socklen_t room;

    if (calls_read(runner, a[4], &room, sizeof(room)) < 0)
        return -EFAULT;
    size = room < size ? room : size;
    if (calls_write(runner, a[3], value, size) < 0)
        return -EFAULT;
    return calls_write(runner, a[4], &size, sizeof(size));
}

int64_t call_getsockopt(struct runner *runner, const uint64_t *a)
{
    int r, value;
    struct unix_socket *socket = socket_of(runner, a[0], &r);

    if (!socket || a[1] != SOL_SOCKET)
        return socket ? -ENOPROTOOPT : r;
    switch (a[2]) {
    case SO_PEERCRED:
        return give_option(runner, a, &socket->peers, sizeof(socket->peers));
    case SO_TYPE:
        return give_option(runner, a, &socket->type, sizeof(int));
    case SO_ERROR:
        value = socket->error;
        socket->error = 0;
        break;
    case SO_ACCEPTCONN:
        value = socket->listens;
        break;
    case SO_DOMAIN:
        value = AF_UNIX;
        break;
    case SO_PROTOCOL:
        value = 0;
        break;
    case SO_PASSCRED:
        value = socket->passes_credentials;
        break;
    case SO_SNDBUF:
    case SO_RCVBUF:
        value = SOCKET_BYTES;
        break;
    case SO_PEERSEC:
    default:
        return -ENOPROTOOPT;
    }
    return give_option(runner, a, &value, sizeof(value));
}

/* ---- messages -------------------------------------------------------------------------------- */

struct message {
    struct msghdr header;
    struct iovec parts[PARTS_MAX];
    size_t size;
};

static int take_message(const struct runner *runner, uint64_t address, struct message *message)
{
    if (calls_read(runner, address, &message->header, sizeof(message->header)) < 0)
        return -EFAULT;
    if (message->header.msg_iovlen > PARTS_MAX)
        return -EMSGSIZE;
    if (calls_read(runner, (uint64_t)(uintptr_t)message->header.msg_iov, message->parts,
                   message->header.msg_iovlen * sizeof(*message->parts)) < 0)
        return -EFAULT;
    message->size = 0;
    for (size_t i = 0; i < message->header.msg_iovlen; i++)
        message->size += message->parts[i].iov_len;
    message->size = message->size < BYTES_MAX ? message->size : BYTES_MAX;
    return 0;
}

struct beside {
    struct description *passed[SOCKET_PASSED];
    size_t n_passed;
    struct socket_credentials sender;
};

static int take_rights(const struct runner *runner, const struct cmsghdr *c, struct beside *beside)
{
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    if (n > SOCKET_PASSED - beside->n_passed)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        int number;
        memcpy(&number, CMSG_DATA(c) + i * sizeof(int), sizeof(number));
        struct description *description = runner_description(runner, (uint64_t)number);
        if (!description)
            return -EBADF;
        beside->passed[beside->n_passed++] = description_hold(description);
    }
    return 0;
}

static int take_beside(const struct runner *runner, const struct msghdr *header,
                       struct beside *beside)
{
    union {
        char bytes[CONTROL_MAX];
        struct cmsghdr align;
    } control;
    struct msghdr copy = {.msg_control = &control, .msg_controllen = header->msg_controllen};
    int r = 0;

    *beside = (struct beside){.sender = credentials_of(runner)};
    if (header->msg_controllen == 0)
        return 0;
    if (header->msg_controllen > sizeof(control))
        return -ENOBUFS;
    if (calls_read(runner, (uint64_t)(uintptr_t)header->msg_control, &control,
                   header->msg_controllen) < 0)
        return -EFAULT;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c && r == 0; c = CMSG_NXTHDR(&copy, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            return -EINVAL;
        if (c->cmsg_type == SCM_RIGHTS)
            r = take_rights(runner, c, beside);
        else if (c->cmsg_type == SCM_CREDENTIALS)
            memcpy(&beside->sender, CMSG_DATA(c), sizeof(beside->sender));
    }
    return r;
}

static void give_back(struct beside *beside)
{
    for (size_t i = 0; i < beside->n_passed; i++)
        description_release(beside->passed[i]);
    beside->n_passed = 0;
}

static int64_t send_bytes(struct runner *runner, uint64_t number, struct unix_socket *to,
                          const char *bytes, size_t size, struct beside *beside, int flags)
{
    int r;
    struct unix_socket *socket = socket_of(runner, number, &r);
    ssize_t n = unix_socket_send(socket, to, bytes, size, beside->passed, beside->n_passed,
                                 &beside->sender);

    if (n < 0)
        give_back(beside);
    if (n == -EPIPE && !(flags & MSG_NOSIGNAL))
        calls_raise_broken_pipe(runner);
    return flags & MSG_DONTWAIT ? n : calls_would_wait(runner_description(runner, number), n);
}

int64_t call_sendmsg(struct runner *runner, const uint64_t *a)
{
    struct message message;
    struct address address;
    struct beside beside = {};
    struct unix_socket *to = NULL;
    char *bytes = NULL;
    int r;

    if (!socket_of(runner, a[0], &r))
        return r;
    r = take_message(runner, a[1], &message);
    if (r == 0 && message.header.msg_name) {
        r = take_address(runner, (uint64_t)(uintptr_t)message.header.msg_name,
                         message.header.msg_namelen, &address);
        if (r == 0)
            r = find_address(runner, &address, &to);
    }
    if (r == 0)
        r = (bytes = malloc(message.size + 1)) ? 0 : -ENOMEM;
    if (r == 0)
        r = calls_gather(runner, message.parts, message.header.msg_iovlen, bytes, message.size);
    if (r == 0)
        r = take_beside(runner, &message.header, &beside);
    int64_t result = r;
    if (r == 0)
        result = send_bytes(runner, a[0], to, bytes, message.size, &beside, (int)a[2]);
    else
        give_back(&beside);
    free(bytes);
    return result;
}

int64_t call_sendto(struct runner *runner, const uint64_t *a)
{
    struct beside beside = {.sender = credentials_of(runner)};
    struct address address;
    struct unix_socket *to = NULL;
    size_t size = a[2] < BYTES_MAX ? a[2] : BYTES_MAX;
    int r;

    if (!socket_of(runner, a[0], &r))
        return r;
    if (a[4] != 0) {
        r = take_address(runner, a[4], a[5], &address);
        if (r == 0)
            r = find_address(runner, &address, &to);
        if (r < 0)
            return r;
    }
    char *bytes = malloc(size + 1);
    if (!bytes)
        return -ENOMEM;
    int64_t result = calls_read(runner, a[1], bytes, size);
    if (result == 0)
        result = send_bytes(runner, a[0], to, bytes, size, &beside, (int)a[3]);
    free(bytes);
    return result;
}

/* ---- what comes ------------------------------------------------------------------------------ */

/* As many as there is room for; the rest is closed, as the kernel does. */
static size_t give_rights(struct runner *runner, struct received *received, struct cmsghdr *c,
                          size_t room, bool close_on_exec, int *flags)
{
    struct descriptors *table = program_of(runner->task)->descriptors;
    size_t n = 0, most = room < CMSG_LEN(0) ? 0 : (room - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < received->n_passed; i++) {
        int number = -1;
        if (n < most)
            number = descriptors_add(table, received->passed[i], 0, close_on_exec);
        else
            description_release(received->passed[i]);
        if (number < 0) {
            *flags |= MSG_CTRUNC;
            most = n;
            continue;
        }
        memcpy(CMSG_DATA(c) + n++ * sizeof(int), &number, sizeof(number));
    }
    if (n == 0)
        return 0;
    *c = (struct cmsghdr){CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    return CMSG_SPACE(n * sizeof(int));
}

static size_t give_beside(struct runner *runner, const struct unix_socket *socket,
                          struct received *received, char control[CONTROL_MAX], size_t room,
                          int call_flags, int *flags)
{
    size_t used = 0;
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;

    room = room < CONTROL_MAX ? room : CONTROL_MAX;
    if (socket->passes_credentials) {
        if (room >= CMSG_SPACE(sizeof(received->sender))) {
            *c = (struct cmsghdr){CMSG_LEN(sizeof(received->sender)), SOL_SOCKET, SCM_CREDENTIALS};
            memcpy(CMSG_DATA(c), &received->sender, sizeof(received->sender));
            used = CMSG_SPACE(sizeof(received->sender));
        } else {
            *flags |= MSG_CTRUNC;
        }
    }
    c = (struct cmsghdr *)(void *)(control + used);
    return used +
           give_rights(runner, received, c, room - used, call_flags & MSG_CMSG_CLOEXEC, flags);
}

static int64_t give_message(struct runner *runner, const struct unix_socket *socket,
                            uint64_t address, struct message *message, struct received *received,
                            int call_flags)
{
    char control[CONTROL_MAX] __attribute__((aligned(16))) = {};
    int flags = received->whole > message->size ? MSG_TRUNC : 0;
    size_t used = give_beside(runner, socket, received, control, message->header.msg_controllen,
                              call_flags, &flags);

    if (used > 0 &&
        calls_write(runner, (uint64_t)(uintptr_t)message->header.msg_control, control, used) < 0)
        return -EFAULT;
    message->header.msg_controllen = used;
    message->header.msg_namelen = 0;
    message->header.msg_flags = flags | (call_flags & MSG_CMSG_CLOEXEC);
    return calls_write(runner, address, &message->header, sizeof(message->header));
}

int64_t call_recvmsg(struct runner *runner, const uint64_t *a)
{
    struct message message;
    struct received received = {};
    int r;
    struct unix_socket *socket = socket_of(runner, a[0], &r);

    if (socket)
        r = take_message(runner, a[1], &message);
    char *bytes = r == 0 ? malloc(message.size + 1) : NULL;
    if (!bytes)
        return r < 0 ? r : -ENOMEM;
    int64_t n = unix_socket_take(socket, bytes, message.size, a[2] & MSG_PEEK, &received);
    if (n > 0)
        r = calls_scatter(runner, message.parts, message.header.msg_iovlen, bytes, (size_t)n);
    free(bytes);
    if (n >= 0 && r == 0)
        r = (int)give_message(runner, socket, a[1], &message, &received, (int)a[2]);
    if (r < 0)
        return r;
    if (n >= 0 && a[2] & MSG_TRUNC && received.whole > 0)
        n = (int64_t)received.whole;
    return a[2] & MSG_DONTWAIT ? n : calls_would_wait(runner_description(runner, a[0]), n);
}

int64_t call_recvfrom(struct runner *runner, const uint64_t *a)
{
    struct received received = {};
    size_t size = a[2] < BYTES_MAX ? a[2] : BYTES_MAX;
    int r;
    struct unix_socket *socket = socket_of(runner, a[0], &r);
    char *bytes = socket ? malloc(size + 1) : NULL;

    if (!bytes)
        return r < 0 ? r : -ENOMEM;
    int64_t n = unix_socket_take(socket, bytes, size, a[3] & MSG_PEEK, &received);
    for (size_t i = 0; i < received.n_passed; i++)
        description_release(received.passed[i]);
    if (n > 0 && calls_write(runner, a[1], bytes, (size_t)n) < 0)
        n = -EFAULT;
    free(bytes);
    if (n >= 0 && a[3] & MSG_TRUNC && received.whole > 0)
        n = (int64_t)received.whole;
    return a[3] & MSG_DONTWAIT ? n : calls_would_wait(runner_description(runner, a[0]), n);
}
