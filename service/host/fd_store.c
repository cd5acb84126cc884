/*
 * Descriptors that a child keeps with proctord across its restarts. They are
 * held at high numbers, away from those where a child's sockets are put.
 */
#include "host/fd_store.h"

#include "system/discard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_FREE (3 + CHILD_DESCRIPTORS_MAX)

bool fd_store_name_is_valid(const char *name)
{
    size_t length = 0;

    for (; name[length]; length++)
        if (name[length] < ' ' || name[length] > '~' || name[length] == ':')
            return false;
    return length > 0 && length <= FD_STORE_NAME_MAX;
}

/* Of the same open file; where the kernel does not tell they are two. */
static bool is_same(int a, int b)
{
    pid_t self = getpid();
    return syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

static bool has(const struct fd_store *store, int fd)
{
    for (size_t i = 0; i < store->count; i++)
        if (is_same(store->list[i].fd, fd))
            return true;
    return false;
}

/* Numbers grow, so that the order of arrival is the order in the next start. */
static void append(struct fd_store *store, uint64_t number, int fd, const char *name)
{
    struct stored *stored = &store->list[store->count++];

    stored->number = number;
    stored->fd = fd;
    snprintf(stored->name, sizeof(stored->name), "%s", name);
    if (number >= store->next_number)
        store->next_number = number + 1;
}

/* Takes the descriptor in any case: one that is not stored is closed, outside
 * the loop, because closing may wait. */
int fd_store_put(struct fd_store *store, size_t most, int fd, const char *name)
{
    int high = -1, r = 0;

    if (has(store, fd))
        r = -EEXIST;
    else if (store->count >= most || store->count == FD_STORE_MAX)
        r = -EXFULL;
    else if ((high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE)) < 0)
        r = -errno;
    discard_close(fd);
    if (r == 0)
        append(store, store->next_number, high, name);
    return r;
}

void fd_store_restore(struct fd_store *store, uint64_t number, int fd, const char *name)
{
    int high = store->count < FD_STORE_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE) : -1;

    discard_close(fd);
    if (high >= 0)
        append(store, number, high, name);
}

static void take_out(struct fd_store *store, size_t i)
{
    discard_close(store->list[i].fd);
    store->count--;
    memmove(&store->list[i], &store->list[i + 1], (store->count - i) * sizeof(store->list[0]));
}

size_t fd_store_remove(struct fd_store *store, const char *name)
{
    size_t before = store->count;

    for (size_t i = store->count; i-- > 0;)
        if (strcmp(store->list[i].name, name) == 0)
            take_out(store, i);
    return before - store->count;
}

void fd_store_trim(struct fd_store *store, size_t most)
{
    while (store->count > most)
        take_out(store, store->count - 1);
}
