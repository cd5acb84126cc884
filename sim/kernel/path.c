/*
 * Walking along paths: links, mounts, "..", permissions to search, and all the
 * ways in which a path can be wrong. The errors come in the order of Linux.
 */
#include "kernel/path.h"

#include "kernel/folder.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A walk from name to name. */
struct walk {
    struct task *task;
    struct inode *here; /* a reference */
    unsigned links;     /* symbolic links that were followed */
};

static int walk_path(struct walk *walk, const char *path, unsigned flags);

static void go_to(struct walk *walk, struct inode *inode)
{
    while (inode->mounted) {
        struct inode *root = inode_hold(inode->mounted);

        inode_release(inode);
        inode = root;
    }
    inode_release(walk->here);
    walk->here = inode;
}

/* Up, but not above the task's root. */
static int go_up(struct walk *walk)
{
    struct inode *here = walk->here;

    if (here == walk->task->root)
        return 0;
    while (here->covers && here->parent == here)
        here = here->covers;
    if (!here->parent)
        return -ENOENT;
    go_to(walk, inode_hold(here->parent));
    return 0;
}

/* One name in one folder, without following links. The caller needs the right
 * to search the folder. */
int path_entry(struct task *task, struct inode *folder, const char *name, struct inode **found)
{
    if (!S_ISDIR(folder->mode))
        return -ENOTDIR;
    if (!identity_may(&task->identity, folder->mode, folder->owner, folder->group, X_OK))
        return -EACCES;
    if (strlen(name) > INODE_NAME_MAX)
        return -ENAMETOOLONG;
    if (folder->view)
        return folder->view->look_up ? folder->view->look_up(folder, task, name, found) : -ENOENT;
    struct folder_entry *entry = inode_entry(folder, name);
    if (!entry)
        return -ENOENT;
    *found = inode_hold(entry->inode);
    return 0;
}

int path_link_text(struct task *task, struct inode *link, struct view_text *text)
{
    if (!S_ISLNK(link->mode))
        return -EINVAL;
    if (link->view)
        return link->view->read_link ? link->view->read_link(link, task, text) : -EINVAL;
    view_add_bytes(text, link->data, link->size);
    return 0;
}

/* Goes to where a link leads; `here` is the folder that it is in. Takes the reference. */
static int follow(struct walk *walk, struct inode *link)
{
    struct view_text text = {0};
    struct inode *target;
    int r;

    if (++walk->links > INODE_SYMLINKS) {
        inode_release(link);
        return -ELOOP;
    }
    if (link->view && link->view->follow) {
        r = link->view->follow(link, walk->task, &target);
        if (r == 0)
            go_to(walk, target);
    } else {
        r = path_link_text(walk->task, link, &text);
        if (r == 0)
            r = walk_path(walk, text.bytes, 0);
        view_text_free(&text);
    }
    inode_release(link);
    return r;
}

/* One name. is_last: a link is not followed where the flags say so. */
static int step(struct walk *walk, const char *name, bool keep_link)
{
    struct inode *found;

    if (!S_ISDIR(walk->here->mode))
        return -ENOTDIR;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        if (!path_may(walk->task, walk->here, X_OK))
            return -EACCES;
        return name[1] ? go_up(walk) : 0;
    }
    int r = path_entry(walk->task, walk->here, name, &found);
    if (r < 0)
        return r;
    if (S_ISLNK(found->mode) && !keep_link)
        return follow(walk, found);
    go_to(walk, found);
    return 0;
}

/* Component by component; an absolute path begins at the root of the process. A
 * trailing slash demands a folder. */
static int walk_path(struct walk *walk, const char *path, unsigned flags)
{
    char name[INODE_NAME_MAX + 1];

    if (*path == '\0')
        return -ENOENT;
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    if (*path == '/')
        go_to(walk, inode_hold(walk->task->root));
    while (*path) {
        size_t length = strcspn(path, "/");
        const char *next = path + length;

        if (length > INODE_NAME_MAX)
            return -ENAMETOOLONG;
        memcpy(name, path, length);
        name[length] = '\0';
        bool is_last = *next == '\0';
        path = next + strspn(next, "/");
        int r = length == 0 ? 0 : step(walk, name, is_last && (flags & PATH_LAST_LINK));
        if (r < 0)
            return r;
        if (!is_last && *path == '\0' && !S_ISDIR(walk->here->mode))
            return -ENOTDIR;
    }
    return 0;
}

/* A descriptor that is no folder can only be used with an absolute or an empty
 * path. */
static int start_walk(struct walk *walk, struct task *task, struct inode *at, const char *path)
{
    struct inode *start = at ? at : task->folder;

    INVARIANT(start && task->root);
    *walk = (struct walk){.task = task, .here = inode_hold(start)};
    if (*path != '/' && *path != '\0' && !S_ISDIR(start->mode)) {
        inode_release(walk->here);
        return -ENOTDIR;
    }
    return 0;
}

/* `found` is held for the caller. With PATH_IN_TREE an empty path is the
 * starting point itself. */
int path_look_up(struct task *task, struct inode *at, const char *path, unsigned flags,
                 struct inode **found)
{
    struct walk walk;
    int r = start_walk(&walk, task, at, path);

    if (r < 0)
        return r;
    if (*path != '\0' || !(flags & PATH_IN_TREE))
        r = walk_path(&walk, path, flags);
    if (r < 0)
        inode_release(walk.here);
    else
        *found = walk.here;
    return r;
}

/* For what changes a name: the folder, and the last component, which need not
 * exist. Slashes at the end are ignored here; callers that care look at the
 * path themselves. */
int path_parent(struct task *task, struct inode *at, const char *path, struct inode **folder,
                char *name)
{
    size_t end = strlen(path);
    struct walk walk;

    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (end == 0)
        return -ENOENT;
    if (end - start > INODE_NAME_MAX || end >= PATH_MAX)
        return -ENAMETOOLONG;
    int r = start_walk(&walk, task, at, path);
    if (r < 0)
        return r;
    char *before = strndup(path, start);
    INVARIANT(before);
    if (start > 0)
        r = walk_path(&walk, before, 0);
    free(before);
    if (r == 0 && !S_ISDIR(walk.here->mode))
        r = -ENOTDIR;
    if (r < 0) {
        inode_release(walk.here);
        return r;
    }
    memcpy(name, path + start, end - start);
    name[end - start] = '\0';
    *folder = walk.here;
    return 0;
}

bool path_may(const struct task *task, const struct inode *inode, int wish)
{
    return identity_may(&task->identity, inode->mode, inode->owner, inode->group, wish);
}

int path_access(struct task *task, const struct inode *inode, int wish)
{
    return path_may(task, inode, wish) ? 0 : -EACCES;
}

/* Cuts the text off at `size` and adds no null byte, like the system call. */
int path_read_link(struct task *task, struct inode *at, const char *path, char *text, size_t size)
{
    struct view_text whole = {0};
    struct inode *link;
    int r = path_look_up(task, at, path, PATH_LAST_LINK | PATH_IN_TREE, &link);

    if (r < 0)
        return r;
    r = path_link_text(task, link, &whole);
    inode_release(link);
    if (r == 0) {
        size_t n = whole.size < size ? whole.size : size;

        memcpy(text, whole.bytes, n);
        r = (int)n;
    }
    view_text_free(&whole);
    return r;
}

/* There is no time of the last access; the time of modification stands for
 * it. */
int path_stat(struct task *task, const struct inode *inode, struct stat *status)
{
    (void)task;
    struct timespec modified = {(time_t)(inode->modified_nsec / 1000000000),
                                (long)(inode->modified_nsec % 1000000000)};
    struct timespec changed = {(time_t)(inode->changed_nsec / 1000000000),
                               (long)(inode->changed_nsec % 1000000000)};

    *status = (struct stat){
        .st_dev = inode->volume->device,
        .st_ino = inode->number,
        .st_mode = inode->mode,
        .st_nlink = inode->view && S_ISDIR(inode->mode) ? 2
                    : inode->view                       ? 1
                                                        : inode->links,
        .st_uid = inode->owner,
        .st_gid = inode->group,
        .st_rdev = inode->device,
        .st_size = S_ISDIR(inode->mode) && !inode->view ? INODE_PAGE : (off_t)inode->size,
        .st_blksize = INODE_PAGE,
        .st_blocks = (blkcnt_t)(inode->n_pages * (INODE_PAGE / INODE_SECTOR)),
        .st_atim = modified,
        .st_mtim = modified,
        .st_ctim = changed,
    };
    return 0;
}
