/*
 * Unix socket: streams, datagrams and packets between processes of the machine, with descriptors
 * and credentials beside the bytes.
 *
 * A service of the machine that is not simulated (the bus, the journal) listens and talks with the
 * same functions, by sockets that no process has: unix_socket_new() and the pair of functions below
 * know nothing of descriptors.
 */
#pragma once

#include "kernel/identity.h"
#include "machine/description.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SOCKET_BYTES   212992 /* what waits for one reader */
#define SOCKET_PACKETS 512    /* of datagrams and packets */
#define SOCKET_PASSED  253    /* descriptors with one message */

struct inode;

struct socket_credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

struct packet {
    struct packet *next;
    size_t size, at; /* of a stream: what has been read */
    struct socket_credentials sender;
    struct description *passed[SOCKET_PASSED]; /* references */
    size_t n_passed;
    char bytes[];
};

struct unix_socket {
    int type;                 /* SOCK_STREAM ... */
    struct unix_socket *peer; /* connected; NULL: it is not, or the peer has gone */
    bool connected, hung_up, reads_no_more, writes_no_more;
    struct packet *first, **end;
    size_t bytes, packets;
    bool listens, passes_credentials;
    int backlog, n_pending;
    struct unix_socket *pending, *next_pending; /* not accepted yet */
    struct socket_credentials own, peers;
    struct inode *bound; /* a reference; or NULL */
    char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
    socklen_t name_size;             /* 0: it has none; an abstract one begins with NUL */
    struct unix_socket *next;        /* of all */
    struct description *description; /* not held; NULL: a service's, or not accepted yet */
    int error;                       /* SO_ERROR */
};

/* type: SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET. NULL without memory. */
struct unix_socket *unix_socket_new(int type, const struct socket_credentials *own);
void unix_socket_free(struct unix_socket *socket);
/* A description of the socket, which it then belongs to. */
struct description *unix_socket_describe(struct unix_socket *socket, int flags);
struct unix_socket *unix_socket_of(const struct description *description); /* NULL: it is none */

/* Both are connected from now on. */
void unix_socket_pair(struct unix_socket *a, struct unix_socket *b);
/* inode: of the name in the file system, NULL: an abstract one. Holds it. */
int unix_socket_bind(struct unix_socket *socket, const char *name, socklen_t size,
                     struct inode *inode);
int unix_socket_listen(struct unix_socket *socket, int backlog);
/* The holder of the name; NULL: nobody. */
struct unix_socket *unix_socket_at(const struct inode *inode);
/* By its abstract name; NULL if there is none. */
struct unix_socket *unix_socket_named(const char *name, socklen_t size);
/* -EAGAIN: its queue is full. */
int unix_socket_connect(struct unix_socket *socket, struct unix_socket *to);
struct unix_socket *unix_socket_accept(struct unix_socket *listening); /* NULL: nobody waits */
void unix_socket_shut(struct unix_socket *socket, bool reading, bool writing);

/* to: of an unconnected datagram; else NULL. passed: references, taken if it returns 0 or more.
 * Bytes, or -EAGAIN, -EPIPE, -ENOTCONN, -ECONNREFUSED, -EMSGSIZE, -ETOOMANYREFS. */
ssize_t unix_socket_send(struct unix_socket *socket, struct unix_socket *to, const void *bytes,
                         size_t size, struct description **passed, size_t n_passed,
                         const struct socket_credentials *sender);

struct received {
    struct socket_credentials sender;
    struct description *passed[SOCKET_PASSED]; /* references, unless it is only looked at */
    size_t n_passed;
    size_t whole; /* of a datagram: its size, however much was asked for */
};

/* Bytes, 0 at the end, or -EAGAIN, -ENOTCONN. peek: it stays. */
ssize_t unix_socket_take(struct unix_socket *socket, void *bytes, size_t size, bool peek,
                         struct received *received);
/* How many bytes one read would get. */
size_t unix_socket_available(const struct unix_socket *socket);
/* The events of poll(): EPOLLIN, EPOLLOUT, EPOLLHUP and so on. */
unsigned unix_socket_poll(const struct unix_socket *socket);
