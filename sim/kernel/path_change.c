/*
 * Changing names: create, link, rename, remove. Every function checks in the
 * order in which Linux does, because callers act on the error that they see
 * first.
 */
#include "kernel/path.h"

#include "kernel/folder.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The name that a call is to make, remove or move, in its folder. */
struct place {
    struct inode *folder; /* a reference */
    char name[INODE_NAME_MAX + 1];
    bool wants_folder; /* there is a slash behind it */
};

static int place_find(struct task *task, struct inode *at, const char *path, struct place *place)
{
    size_t length = strlen(path);

    place->wants_folder = length > 0 && path[length - 1] == '/';
    return path_parent(task, at, path, &place->folder, place->name);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || *name == '\0';
}

/* Names may be made and removed in it. */
static int may_change(const struct task *task, const struct inode *folder)
{
    return path_may(task, folder, W_OK | X_OK) ? 0 : -EACCES;
}

/* In a folder as /tmp, only the owner takes a name away. */
static int may_remove(const struct task *task, const struct inode *folder,
                      const struct inode *inode)
{
    int r = may_change(task, folder);

    if (r < 0)
        return r;
    if ((folder->mode & S_ISVTX) && !identity_is_super(&task->identity) &&
        task->identity.uid != inode->owner && task->identity.uid != folder->owner)
        return -EPERM;
    return 0;
}

/* A new name is possible here. */
static int check_new(struct task *task, struct place *place)
{
    struct inode *there;

    if (is_dots(place->name))
        return -EEXIST;
    int r = path_entry(task, place->folder, place->name, &there);
    if (r == 0) {
        inode_release(there);
        return -EEXIST;
    }
    if (r != -ENOENT)
        return r;
    if (place->folder->links == 0 && !place->folder->view)
        return -ENOENT; /* it was removed */
    return may_change(task, place->folder);
}

static int check_room(const struct volume *volume)
{
    if (volume->max_inodes > 0 && volume->n_inodes >= volume->max_inodes)
        return -ENOSPC;
    return chance_strikes(volume->chance, volume->faults.no_space) ? -ENOSPC : 0;
}

/* A file in a folder that was removed meanwhile is -ENOENT. Folders with the
 * group bit hand their group down. */
int path_create(struct task *task, struct inode *folder, const char *name, mode_t mode,
                dev_t device, struct inode **made)
{
    struct volume *volume = folder->volume;
    bool inherits = folder->mode & S_ISGID;
    int r = check_room(volume);

    if (r < 0)
        return r;
    if (folder->links == 0)
        return -ENOENT;
    mode &= ~(task->umask & 0777);
    struct inode *inode =
        inode_new(volume, mode, task->identity.uid, inherits ? folder->group : task->identity.gid);
    inode->device = device;
    if (inherits && S_ISDIR(mode))
        inode->mode |= S_ISGID;
    folder_set(folder, name, inode, ++volume->next_change);
    if (made)
        *made = inode;
    else
        inode_release(inode);
    return 0;
}

/* In a view the view decides: that is how control groups are made. */
int path_make_folder(struct task *task, struct inode *at, const char *path, mode_t mode)
{
    struct place place;
    int r = place_find(task, at, path, &place);

    if (r < 0)
        return r;
    r = check_new(task, &place);
    if (r == 0 && place.folder->view)
        r = place.folder->view->make_folder
                ? place.folder->view->make_folder(place.folder, task, place.name,
                                                  mode & ~task->umask)
                : -ENOENT;
    else if (r == 0)
        r = path_create(task, place.folder, place.name, S_IFDIR | (mode & 01777), 0, NULL);
    inode_release(place.folder);
    return r;
}

/* Devices are for root only. */
int path_make_node(struct task *task, struct inode *at, const char *path, mode_t mode, dev_t device,
                   struct inode **made)
{
    struct place place;
    int r = place_find(task, at, path, &place);

    if (r < 0)
        return r;
    r = place.wants_folder ? -ENOENT : check_new(task, &place);
    if (r == 0 && place.folder->view)
        r = -EPERM;
    if (r == 0 && (S_ISCHR(mode) || S_ISBLK(mode)) && !identity_is_super(&task->identity))
        r = -EPERM;
    if (r == 0)
        r = path_create(task, place.folder, place.name, mode, device, made);
    inode_release(place.folder);
    return r;
}

/* The umask does not apply to links. */
int path_symlink(struct task *task, const char *text, struct inode *at, const char *path)
{
    struct inode *link;
    mode_t umask_before = task->umask;

    if (*text == '\0')
        return -ENOENT;
    task->umask = 0;
    int r = path_make_node(task, at, path, S_IFLNK | 0777, 0, &link);
    task->umask = umask_before;
    if (r < 0)
        return r;
    link->size = strlen(text);
    link->data = (uint8_t *)strdup(text);
    INVARIANT(link->data);
    inode_release(link);
    return 0;
}

/* Never across volumes, never of folders. */
int path_link(struct task *task, struct inode *from_at, const char *from, struct inode *to_at,
              const char *to)
{
    struct place place;
    struct inode *inode;
    int r = path_look_up(task, from_at, from, PATH_LAST_LINK, &inode);

    if (r < 0)
        return r;
    r = place_find(task, to_at, to, &place);
    if (r == 0) {
        r = check_new(task, &place);
        if (r == 0 && inode->volume != place.folder->volume)
            r = -EXDEV;
        if (r == 0 && (S_ISDIR(inode->mode) || place.folder->view))
            r = -EPERM;
        if (r == 0)
            folder_set(place.folder, place.name, inode, ++inode->volume->next_change);
        inode_release(place.folder);
    }
    inode_release(inode);
    return r;
}

/* What is to lose its name, and whether it may. */
static int find_victim(struct task *task, struct inode *at, const char *path, struct place *place,
                       struct inode **victim)
{
    int r = place_find(task, at, path, place);

    if (r < 0)
        return r;
    r = is_dots(place->name) ? 0 : path_entry(task, place->folder, place->name, victim);
    if (r < 0)
        inode_release(place->folder);
    return r;
}

/* For everything but folders. */
int path_unlink(struct task *task, struct inode *at, const char *path)
{
    struct place place;
    struct inode *inode = NULL;
    int r = find_victim(task, at, path, &place, &inode);

    if (r < 0)
        return r;
    if (!inode || S_ISDIR(inode->mode))
        r = -EISDIR;
    else if (place.wants_folder)
        r = -ENOTDIR;
    else
        r = may_remove(task, place.folder, inode);
    if (r == 0 && place.folder->view)
        r = -EPERM;
    if (r == 0)
        folder_set(place.folder, place.name, NULL, ++place.folder->volume->next_change);
    inode_release(inode);
    inode_release(place.folder);
    return r;
}

/* It must be empty, and nothing may be mounted on it. */
static int remove_folder(struct task *task, struct place *place, struct inode *inode)
{
    int r = may_remove(task, place->folder, inode);

    if (r < 0)
        return r;
    if (!S_ISDIR(inode->mode))
        return -ENOTDIR;
    if (inode->mounted)
        return -EBUSY;
    if (place->folder->view)
        return place->folder->view->remove_folder
                   ? place->folder->view->remove_folder(place->folder, task, place->name)
                   : -EPERM;
    if (!folder_is_empty(inode))
        return -ENOTEMPTY;
    folder_set(place->folder, place->name, NULL, ++place->folder->volume->next_change);
    return 0;
}

/* The three special names have three different errors. */
int path_remove_folder(struct task *task, struct inode *at, const char *path)
{
    struct place place;
    struct inode *inode = NULL;
    int r = find_victim(task, at, path, &place, &inode);

    if (r < 0)
        return r;
    if (!inode)
        r = strcmp(place.name, "..") == 0 ? -ENOTEMPTY : *place.name ? -EINVAL : -EBUSY;
    else
        r = remove_folder(task, &place, inode);
    inode_release(inode);
    inode_release(place.folder);
    return r;
}

static bool is_below(const struct inode *folder, const struct inode *above)
{
    for (; folder; folder = folder->parent) {
        if (folder == above)
            return true;
        if (folder->parent == folder)
            break;
    }
    return false;
}

/* What is moved may take the place of what is there. */
static int may_replace(struct task *task, const struct place *to, const struct inode *moved,
                       const struct inode *there, unsigned flags)
{
    if (flags & RENAME_NOREPLACE)
        return -EEXIST;
    if (flags & RENAME_EXCHANGE)
        return may_remove(task, to->folder, there);
    if (S_ISDIR(moved->mode) && !S_ISDIR(there->mode))
        return -ENOTDIR;
    if (!S_ISDIR(moved->mode) && S_ISDIR(there->mode))
        return -EISDIR;
    if (S_ISDIR(there->mode) && !folder_is_empty(there))
        return -ENOTEMPTY;
    return there->mounted ? -EBUSY : may_remove(task, to->folder, there);
}

/* Whether a rename is possible at all, before anything changes. */
static int check_move(struct task *task, const struct place *from, const struct place *to,
                      const struct inode *moved, const struct inode *there, unsigned flags)
{
    if (from->folder->volume != to->folder->volume)
        return -EXDEV;
    if (from->folder->view || to->folder->links == 0)
        return from->folder->view ? -EPERM : -ENOENT;
    if (!S_ISDIR(moved->mode) && (from->wants_folder || to->wants_folder))
        return -ENOTDIR;
    if (S_ISDIR(moved->mode) && is_below(to->folder, moved))
        return -EINVAL;
    int r = may_remove(task, from->folder, moved);
    if (r < 0)
        return r;
    if (there)
        return may_replace(task, to, moved, there, flags);
    return flags & RENAME_EXCHANGE ? -ENOENT : may_change(task, to->folder);
}

/* Both entries change with one number, so that a loss of power sees the whole
 * rename or nothing of it. */
static void move(struct place *from, struct place *to, struct inode *moved, struct inode *there,
                 unsigned flags)
{
    uint64_t change = ++moved->volume->next_change;

    /* Two names of one file: nothing happens. */
    if (moved == there)
        return;
    inode_hold(moved);
    folder_set(from->folder, from->name, flags & RENAME_EXCHANGE ? there : NULL, change);
    folder_set(to->folder, to->name, moved, change);
    inode_release(moved);
}

/* Replaces what has the new name, atomically for all that look. */
int path_rename(struct task *task, struct inode *from_at, const char *from, struct inode *to_at,
                const char *to, unsigned flags)
{
    struct place source, target;
    struct inode *moved, *there = NULL;
    int r = place_find(task, from_at, from, &source);

    if (r < 0)
        return r;
    r = place_find(task, to_at, to, &target);
    if (r < 0) {
        inode_release(source.folder);
        return r;
    }
    r = is_dots(source.name) || is_dots(target.name)
            ? -EBUSY
            : path_entry(task, source.folder, source.name, &moved);
    if (r == 0) {
        r = path_entry(task, target.folder, target.name, &there);
        if (r == 0 || r == -ENOENT)
            r = check_move(task, &source, &target, moved, there, flags);
        if (r == 0)
            move(&source, &target, moved, there, flags);
        inode_release(moved);
        inode_release(there);
    }
    inode_release(source.folder);
    inode_release(target.folder);
    return r;
}

int inode_set_mode(struct task *task, struct inode *inode, mode_t mode)
{
    if (!identity_is_super(&task->identity) && task->identity.uid != inode->owner)
        return -EPERM;
    if (inode->view)
        return -EPERM;
    inode->mode = (inode->mode & S_IFMT) | (mode & 07777);
    inode->changed_nsec = volume_now(inode->volume);
    return 0;
}

/* Only root gives files away; an owner may choose among the own groups. */
int inode_set_owner(struct task *task, struct inode *inode, uid_t owner, gid_t group)
{
    if (!identity_is_super(&task->identity) &&
        (task->identity.uid != inode->owner || (owner != (uid_t)-1 && owner != inode->owner) ||
         (group != (gid_t)-1 && !identity_has_group(&task->identity, group))))
        return -EPERM;
    if (inode->view)
        return -EPERM;
    if (owner != (uid_t)-1)
        inode->owner = owner;
    if (group != (gid_t)-1)
        inode->group = group;
    if (S_ISREG(inode->mode))
        inode->mode &= ~(mode_t)S_ISUID;
    inode->changed_nsec = volume_now(inode->volume);
    return 0;
}

int task_enter_folder(struct task *task, struct inode *folder)
{
    if (!S_ISDIR(folder->mode))
        return -ENOTDIR;
    if (!path_may(task, folder, X_OK))
        return -EACCES;
    inode_hold(folder);
    inode_release(task->folder);
    task->folder = folder;
    return 0;
}
