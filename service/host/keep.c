#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define PREFIX  "proctor."
#define HIGH_FD 64 /* none of those that a child may get */

struct kept {
    char *name;
    int fd; /* handed over and not taken yet; -1 */
    bool stored;
    ino_t inode; /* of what is stored */
};

struct keep {
    bool store;
    void *root;
    struct kept **left; /* keep_settle(): those that nobody has taken */
    size_t n_left;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct kept *)a)->name, ((const struct kept *)b)->name);
}

static struct kept *find(const struct keep *keep, const char *name)
{
    struct kept wanted = {.name = (char *)(uintptr_t)name};
    struct kept **found = keep ? tfind(&wanted, &keep->root, compare) : NULL;

    return found ? *found : NULL;
}

static void free_kept(void *node)
{
    struct kept *kept = node;

    if (kept->fd >= 0)
        close(kept->fd);
    free(kept->name);
    free(kept);
}

static struct kept *add(struct keep *keep, const char *name)
{
    struct kept *kept = calloc(1, sizeof(*kept));

    if (!kept)
        return NULL;
    kept->fd = -1;
    kept->name = strdup(name);
    if (!kept->name || !tsearch(kept, &keep->root, compare)) {
        free_kept(kept);
        return NULL;
    }
    return kept;
}

static ino_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

/* They lie where children find theirs: away from there. */
static void take_over(struct keep *keep, const char *name, int low)
{
    int fd = fcntl(low, F_DUPFD_CLOEXEC, HIGH_FD);
    bool ours = strncmp(name, PREFIX, strlen(PREFIX)) == 0 && !find(keep, name);
    struct kept *kept = fd >= 0 && ours ? add(keep, name) : NULL;

    close(low);
    if (!kept) {
        if (fd >= 0)
            close(fd);
        return;
    }
    kept->fd = fd;
    kept->stored = true;
    kept->inode = inode_of(fd);
}

int keep_open(bool store, struct keep **keep)
{
    struct keep *fresh = calloc(1, sizeof(*fresh));
    char **names = NULL;

    if (!fresh)
        return -ENOMEM;
    fresh->store = store;
    int n = sd_listen_fds_with_names(true, &names);
    for (int i = 0; i < n; i++) {
        take_over(fresh, names ? names[i] : "", SD_LISTEN_FDS_START + i);
        if (names)
            free(names[i]);
    }
    free(names);
    *keep = fresh;
    return 0;
}

void keep_close(struct keep *keep)
{
    if (!keep)
        return;
    tdestroy(keep->root, free_kept);
    free(keep);
}

void keep_name(char name[KEEP_NAME_MAX], const char *kind, const struct attempt_id *id,
               uint64_t number)
{
    snprintf(name, KEEP_NAME_MAX, PREFIX "%s.%" PRIu32 ".%" PRIu32 ".%" PRIu64, kind, id->slot,
             id->serial, number);
}

int keep_take(struct keep *keep, const char *name)
{
    struct kept *kept = find(keep, name);
    int fd = kept ? kept->fd : -1;

    if (fd < 0)
        return -ENOENT;
    kept->fd = -1;
    return fd;
}

static void tell(const char *what, const char *name, int fd)
{
    char text[KEEP_NAME_MAX + 64];

    snprintf(text, sizeof(text), "%s\nFDNAME=%s", what, name);
    sd_pid_notify_with_fds(0, 0, text, &fd, fd >= 0 ? 1 : 0);
}

void keep_drop(struct keep *keep, const char *name)
{
    struct kept *kept = find(keep, name);

    if (!kept)
        return;
    if (kept->stored)
        tell("FDSTOREREMOVE=1", name, -1);
    tdelete(kept, &keep->root, compare);
    free_kept(kept);
}

void keep_put(struct keep *keep, const char *name, int fd)
{
    struct kept *kept = find(keep, name);

    if (!keep || !keep->store || fd < 0)
        return;
    if (kept && kept->stored && kept->inode == inode_of(fd))
        return; /* it is there */
    keep_drop(keep, name);
    kept = add(keep, name);
    if (!kept)
        return;
    /* Not polled: also when the other end is closed, what is in a pipe is to be read. */
    tell("FDSTORE=1\nFDPOLL=0", name, fd);
    kept->stored = true;
    kept->inode = inode_of(fd);
}

static void collect(const void *node, VISIT visit, void *closure)
{
    struct kept *kept = *(struct kept *const *)node;
    struct keep *keep = closure;

    if ((visit != preorder && visit != leaf) || kept->fd < 0)
        return;
    struct kept **larger = realloc(keep->left, (keep->n_left + 1) * sizeof(struct kept *));
    if (!larger)
        return;
    keep->left = larger;
    keep->left[keep->n_left++] = kept;
}

void keep_settle(struct keep *keep)
{
    if (!keep)
        return;
    twalk_r(keep->root, collect, keep);
    for (size_t i = 0; i < keep->n_left; i++)
        keep_drop(keep, keep->left[i]->name);
    free(keep->left);
    keep->left = NULL;
    keep->n_left = 0;
}
