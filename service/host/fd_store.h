/*
 * Fd store: descriptors that a child gives into proctord's keeping, to have them again at its next
 * start (FDSTORE=1 of sd_pid_notify_with_fds(3), FileDescriptorStoreMax= of systemd.service(5)):
 * its connections, its memory, its locks.
 *
 * They come behind the sockets of the manifest, in the order in which they came, under the names
 * that the child gave them. What is open already is not kept twice. Nothing is read from them,
 * written to them or waited for, and they are closed beside the loop: closing what another program
 * has made may take its time.
 */
#pragma once

#include "core/model/process_spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FD_STORE_NAME_MAX 64
#define FD_STORE_NAME     "stored" /* where it gives none */

struct fd_store {
    size_t count;
    uint64_t next_number;
    struct stored {
        uint64_t number; /* never used again */
        int fd;          /* above all that a child may get */
        char name[FD_STORE_NAME_MAX + 1];
    } list[FD_STORE_MAX];
};

/* Printable ASCII without a colon, FD_STORE_NAME_MAX of it at most. */
bool fd_store_name_is_valid(const char *name);

/* Takes fd over. Returns 0; -EEXIST where it is there already, and -EXFULL where there are `most`:
 * it is closed then. */
int fd_store_put(struct fd_store *store, size_t most, int fd, const char *name);
/* One that an earlier proctord has kept. */
void fd_store_restore(struct fd_store *store, uint64_t number, int fd, const char *name);
/* All of that name. Returns how many there were. */
size_t fd_store_remove(struct fd_store *store, const char *name);
/* All but the first `most`. */
void fd_store_trim(struct fd_store *store, size_t most);
