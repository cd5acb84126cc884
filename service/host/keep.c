/*
 * Descriptors that outlive this program, by name: handed over to the next one
 * in an upgrade, or stored with the service manager (FDSTORE=1), from which
 * they come back after a death.
 */
#include "host/keep.h"

#include "core/vocabulary/invariant.h"
#include "handover/handover.h"
#include "system/upward.h"

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

#define PREFIX     "proctor."
#define HIGH_FD    64 /* none of those that a child may get */
#define HANDED_MAX 1000000

struct kept {
    char *name;
    int fd; /* handed over and not taken yet; -1 */
    bool stored;
    ino_t inode; /* of what is stored */
};

/* To be handed over. */
struct handed {
    char name[KEEP_NAME_MAX];
    int fd;
    bool stored;
};

struct keep {
    bool store, handing;
    struct handed *handed;
    size_t n_handed, handed_room;
    void *root;
    struct kept **left; /* keep_settle(): those that have not been taken */
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

/* Names are unique; the tree is the C library's tsearch(3). */
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

/* They have the numbers where children find theirs: away from there. */
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

static void archive_handed(struct handover *handover, struct handed *handed)
{
    struct archive *archive = handover_archive(handover);

    archive_text(archive, handed->name, sizeof(handed->name));
    handover_descriptor(handover, &handed->fd);
    ARCHIVE(archive, handed->stored);
}

/* From the program before. A name that comes twice is closed, not guessed
 * about. */
static void inherit(struct keep *keep, struct handover *handover)
{
    struct archive *archive = handover_archive(handover);
    size_t count = 0;

    archive_count(archive, &count, HANDED_MAX);
    for (size_t i = 0; i < count && !archive->failed; i++) {
        struct handed handed = {.fd = -1};
        archive_handed(handover, &handed);
        struct kept *kept =
            handed.fd >= 0 && !find(keep, handed.name) ? add(keep, handed.name) : NULL;
        if (!kept) {
            if (handed.fd >= 0)
                close(handed.fd);
            continue;
        }
        kept->fd = handed.fd;
        kept->stored = handed.stored;
        kept->inode = inode_of(handed.fd);
    }
}

/* What the handover has, then what the service manager has kept. */
int keep_open(bool store, struct handover *handover, struct keep **keep)
{
    struct keep *fresh = calloc(1, sizeof(*fresh));
    char **names = NULL;

    INVARIANT(keep);
    if (!fresh)
        return -ENOMEM;
    fresh->store = store;
    if (handover)
        inherit(fresh, handover);
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
    free(keep->handed);
    free(keep);
}

void keep_name(char name[KEEP_NAME_MAX], const char *kind, const struct attempt_id *id,
               uint64_t number)
{
    INVARIANT(id->slot < CORE_CHILDREN_MAX);
    snprintf(name, KEEP_NAME_MAX, PREFIX "%s.%" PRIu32 ".%" PRIu32 ".%" PRIu64, kind, id->slot,
             id->serial, number);
}

/* The descriptor is the caller's from now on. */
int keep_take(struct keep *keep, const char *name)
{
    struct kept *kept = find(keep, name);
    int fd = kept ? kept->fd : -1;

    if (fd < 0)
        return -ENOENT;
    kept->fd = -1;
    return fd;
}

struct search {
    const char *prefix;
    struct kept *found;
};

/* For lists whose length only the names know, such as stored descriptors. */
static void look_for_prefix(const void *node, VISIT visit, void *closure)
{
    struct kept *kept = *(struct kept *const *)node;
    struct search *search = closure;

    if ((visit != postorder && visit != leaf) || search->found || kept->fd < 0)
        return;
    if (strncmp(kept->name, search->prefix, strlen(search->prefix)) == 0)
        search->found = kept;
}

/* One after the other, until there is none. */
int keep_take_next(struct keep *keep, const char *prefix, char name[KEEP_NAME_MAX])
{
    struct search search = {.prefix = prefix};

    if (keep)
        twalk_r(keep->root, look_for_prefix, &search);
    if (!search.found)
        return -ENOENT;
    snprintf(name, KEEP_NAME_MAX, "%s", search.found->name);
    return keep_take(keep, name);
}

static void tell(const char *what, const char *name, int fd)
{
    char text[KEEP_NAME_MAX + 64];

    snprintf(text, sizeof(text), "%s\nFDNAME=%s", what, name);
    upward_say(text, fd);
}

/* The service manager is told, too. */
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

void keep_begin_handover(struct keep *keep)
{
    keep->handing = true;
    keep->n_handed = 0;
}

/* If there is no memory, the next program finds it as after a death. */
static void hand(struct keep *keep, const char *name, int fd)
{
    const struct kept *kept = find(keep, name);

    if (keep->n_handed == keep->handed_room) {
        size_t room = keep->handed_room > 0 ? keep->handed_room * 2 : 64;
        struct handed *larger = realloc(keep->handed, room * sizeof(*larger));
        if (!larger)
            return; /* the new program finds it as after a death */
        keep->handed = larger;
        keep->handed_room = room;
    }
    struct handed *handed = &keep->handed[keep->n_handed++];
    *handed = (struct handed){.fd = fd, .stored = kept && kept->stored};
    snprintf(handed->name, sizeof(handed->name), "%s", name);
}

void keep_end_handover(struct keep *keep, struct handover *handover)
{
    INVARIANT(handover);
    archive_count(handover_archive(handover), &keep->n_handed, HANDED_MAX);
    for (size_t i = 0; i < keep->n_handed; i++)
        archive_handed(handover, &keep->handed[i]);
    keep->handing = false;
}

void keep_hand(struct keep *keep, const char *name, int fd)
{
    if (keep && keep->handing && fd >= 0)
        hand(keep, name, fd);
}

/* In a handover it is added to what is handed over; otherwise, with --fd-store,
 * it is given to the service manager, unless it has the same file already. */
void keep_put(struct keep *keep, const char *name, int fd)
{
    struct kept *kept = find(keep, name);

    if (keep && keep->handing && fd >= 0)
        hand(keep, name, fd);
    if (!keep || keep->handing || !keep->store || fd < 0)
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

/* What nothing has asked for. */
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

/* After adoption: descriptors that belong to no child any more are dropped. */
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
