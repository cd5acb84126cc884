/*
 * Directories below a place such as /var/lib, made as root for the child's
 * user, where that user may already own a part of the path. Therefore no link
 * is followed, each part is opened relative to the one before, and below a
 * directory of the child's user everything is made with that user's rights:
 * nothing can be redirected.
 */
#include "host/birth_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define PARENTS_MODE   0755

struct walk {
    int64_t uid, gid;
    int at;             /* the directory that has been reached */
    bool below_childs;  /* it belongs to the child's user, who is not root */
    struct stat status; /* of it */
    const char *why;
};

/* A place of a user may be missing, with those above it. */
static int open_place(const char *path)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    int fd = open(path, OPEN_DIRECTORY);

    if (fd >= 0 || errno != ENOENT)
        return fd < 0 ? -errno : fd;
    if (length >= sizeof(part))
        return -ENAMETOOLONG;
    for (size_t i = 1; i <= length; i++)
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            mkdir(part, PARENTS_MODE); /* most of them are there */
        }
    fd = open(path, OPEN_DIRECTORY);
    return fd < 0 ? -errno : fd;
}

/* setfsuid(2) changes only what file access is checked by, and only in this
 * thread. */
static int make_part(const struct walk *walk, const char *part, mode_t mode)
{
    if (walk->below_childs) {
        setfsgid(walk->gid >= 0 ? (gid_t)walk->gid : getegid());
        setfsuid((uid_t)walk->uid);
    }
    int r = mkdirat(walk->at, part, mode) < 0 ? -errno : 0;
    if (walk->below_childs) {
        setfsuid(geteuid());
        setfsgid(getegid());
    }
    return r == -EEXIST ? 0 : r;
}

/* Root's and proctord's directories may contain the child's; below the child's
 * own, nothing else may follow. */
static int check_owner(struct walk *walk)
{
    uid_t owner = walk->status.st_uid;
    bool childs = walk->uid >= 0 && owner == walk->uid;
    bool ours = owner == 0 || owner == geteuid();

    if (!childs && (!ours || walk->below_childs)) {
        walk->why = "belongs to another user";
        return -EPERM;
    }
    walk->below_childs = childs && !ours;
    return 0;
}

/* Made if it is missing, then opened without following a link, then checked by
 * what was opened. */
static int enter_part(struct walk *walk, const char *part, mode_t mode)
{
    int r = make_part(walk, part, mode);
    int next = r < 0 ? -1 : openat(walk->at, part, OPEN_DIRECTORY | O_NOFOLLOW);

    if (r < 0)
        return r;
    if (next < 0) {
        r = -errno;
        if (r == -ENOTDIR || r == -ELOOP)
            walk->why = "is not a directory (symbolic links are not followed)";
        return r;
    }
    close(walk->at);
    walk->at = next;
    return fstat(next, &walk->status) < 0 ? -errno : check_owner(walk);
}

/* Only the last part is the child's; its parents are ordinary directories. */
static int walk_to_the_end(struct walk *walk, const char *name)
{
    char part[NAME_MAX + 1];
    int r = 0;

    while (r == 0 && *name) {
        size_t length = strcspn(name, "/");
        bool last = name[length] == '\0';
        if (length > NAME_MAX)
            return -ENAMETOOLONG;
        memcpy(part, name, length);
        part[length] = '\0';
        r = enter_part(walk, part, last ? S_IRWXU : PARENTS_MODE);
        name += length + !last;
    }
    return r;
}

/* The owner first: until then nobody else may enter one that has just been made. */
static int give(const struct walk *walk, mode_t mode)
{
    bool uid_differs = walk->uid >= 0 && walk->status.st_uid != walk->uid;
    bool gid_differs = walk->gid >= 0 && walk->status.st_gid != walk->gid;

    if ((uid_differs || gid_differs) && fchown(walk->at, (uid_t)walk->uid, (gid_t)walk->gid) < 0)
        return -errno;
    if ((walk->status.st_mode & 07777) != mode && fchmod(walk->at, mode) < 0)
        return -errno;
    return 0;
}

/* Returns with a reason for people, in the memory of this program, since the
 * caller cannot allocate. */
int birth_directory_make(const struct plan_directory *directory, int64_t uid, int64_t gid,
                         const char **why)
{
    struct walk walk = {.uid = uid, .gid = gid, .at = open_place(directory->base.text)};

    if (walk.at < 0)
        return walk.at;
    int r = walk_to_the_end(&walk, directory->name.text);
    if (r == 0)
        r = give(&walk, directory->mode);
    close(walk.at);
    *why = walk.why;
    return r;
}
