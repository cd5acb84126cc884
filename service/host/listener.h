/*
 * Listeners: the sockets of a child, opened once and held over all its attempts, so that a
 * connection that comes while none of them runs waits instead of being refused (the idea of inetd,
 * and of systemd's socket units). Each attempt finds them from descriptor 3 on.
 */
#pragma once

#include "core/vocabulary/error.h"
#include "system/outside.h"
#include "core/model/process_spec.h"

#include <sys/types.h>

struct listeners {
    size_t count;
    struct listener {
        char *name, *listen; /* as in the manifest: what is the same stays open */
        char *path;          /* to be removed with it, or NULL; */
        dev_t device;        /* where it is the same file still */
        ino_t inode;         /* 0: not known */
        bool datagram;
        int fd; /* above all that a child may get */
    } list[SOCKETS_MAX];
};

/*
 * Opens what the spec names. *listeners is what was open before, or NULL: what is the same in both
 * is kept, what is no longer named is closed. Returns 0, or a negative errno with the name of the
 * culprit in the error, and *listeners as it was.
 */
int listeners_open(const struct process_spec *spec, struct listeners **listeners,
                   struct error *error);
/* Whether it is open already. listeners: NULL for none. */
bool listeners_have(struct listeners *listeners, const struct socket_spec *spec);
/* Those of a child that another proctord has started, as copies of its own descriptors; what is not
 * a socket that listens there is closed. fds are taken over; negative: there is none. */
void listeners_adopt(const struct process_spec *spec, const int *fds, struct listeners **listeners);

/* Paths are removed beside the loop. */
void listeners_free(struct listeners *listeners);

extern const struct outside_job listener_unlink_job;
