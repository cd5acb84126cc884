/*
 * Notify socket: what children say with sd_notify(3), and which child says it.
 *
 * One datagram socket for all. A datagram counts only by its kernel credentials: the sender must be
 * a process of an attempt (see owner.h), and where the kernel passes a
 * pidfd along, the process must still be the one that sent it. Everything else is refused and
 * counted.
 *
 * Each process, each attempt, and each user among the strangers has a share (share.h); what is
 * beyond it is dropped, counted and reported. A turn is bounded in time, and others have theirs
 * meanwhile. Descriptors are received only from children that have a store (fd_store.h), not from
 * others (discard.h).
 */
#pragma once

#include "core/core.h"
#include "host/notify_words.h"
#include "host/owner.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

struct notify_socket;

struct notify_sender {
    pid_t pid; /* 0: no credentials */
    uid_t uid;
    int pidfd; /* -1: the kernel gives none */
};

struct notify_handler {
    void *userdata;
    /* Whose process it is: 0 with the owner, or a negative errno. pidfd: of the sender, -1 where
     * the kernel gives none. */
    int (*owner_of)(void *userdata, const struct notify_sender *sender, struct owner *owner);
    /* A message of that attempt. main_pid, where given, has not been checked yet. Returns whether
     * it was within the attempt's share. */
    bool (*message)(void *userdata, const struct owner *owner, uint64_t now_usec,
                    const struct notify_message *message, const struct notify_asides *asides);
    /* Whether any child has descriptors kept here; and whether this is one. */
    bool (*stores)(void *userdata, const struct notify_sender *sender);
    /* What came with a message of that attempt. Those that are taken over are -1 then. */
    void (*descriptors)(void *userdata, const struct owner *owner,
                        const struct notify_asides *asides, int *fds, size_t n);
    /* A message from a process of no child. */
    void (*dropped)(void *userdata); /* one message, beyond its sender's share */
    void (*refused)(void *userdata, pid_t pid, uid_t uid, const struct notify_message *message);
};

/* Binds the socket at path. Returns 0 or a negative errno. */
/* kept: the same socket from an earlier proctord, which is taken over; -1: none. */
int notify_socket_open(sd_event *event, const char *path, int kept,
                       const struct notify_handler *handler, struct notify_socket **socket);
/* Senders of descriptors are not refused any more by the kernel: a child has a store now. */
void notify_socket_let_in(struct notify_socket *socket);
int notify_socket_descriptor(const struct notify_socket *socket);
void notify_socket_close(struct notify_socket *socket);

/* Handles what has arrived. Called before an exit is looked at: the last message of a process
 * comes before its end. */
void notify_socket_drain(struct notify_socket *socket);
