/*
 * Opening: the path is looked up, permissions are checked in the order of
 * Linux, and what comes out is a position with flags that several descriptors
 * may share.
 */
#include "kernel/open_file.h"

#include "kernel/content.h"
#include "kernel/file_lock.h"
#include "kernel/folder.h"
#include "kernel/listing.h"
#include "kernel/path.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int wish_of(int flags)
{
    int access = flags & O_ACCMODE;

    return (access != O_WRONLY ? R_OK : 0) | (access != O_RDONLY ? W_OK : 0) |
           (flags & O_TRUNC ? W_OK : 0);
}

/* What the flags ask of what is there. */
static int check_kind(const struct inode *inode, int flags)
{
    if ((flags & O_DIRECTORY) && !S_ISDIR(inode->mode))
        return S_ISLNK(inode->mode) && !(flags & O_PATH) ? -ELOOP : -ENOTDIR;
    if (flags & O_PATH)
        return 0;
    if (S_ISLNK(inode->mode))
        return -ELOOP;
    if (S_ISDIR(inode->mode) && ((wish_of(flags) & W_OK) || (flags & O_CREAT)))
        return -EISDIR;
    return S_ISSOCK(inode->mode) ? -ENXIO : 0;
}

static struct open_file *file_new(struct inode *inode, int flags)
{
    struct open_file *file = calloc(1, sizeof(*file));

    INVARIANT(file);
    file->inode = inode_hold(inode);
    file->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
    file->references = 1;
    return file;
}

/* A file that was just created may be opened for writing even if its mode
 * forbids it, as Linux allows. */
static int open_inode(struct task *task, struct inode *inode, int flags, bool is_new,
                      struct open_file **file)
{
    int r = check_kind(inode, flags);

    if (r < 0)
        return r;
    if (!(flags & O_PATH) && !is_new && !path_may(task, inode, wish_of(flags)))
        return -EACCES;
    if (inode->view && inode->view->open && !(flags & O_PATH)) {
        r = inode->view->open(inode, task);
        if (r < 0)
            return r;
    }
    if ((flags & O_TRUNC) && !(flags & O_PATH) && S_ISREG(inode->mode) && !inode->view) {
        r = content_set_size(inode, 0);
        if (r < 0)
            return r;
    }
    *file = file_new(inode, flags);
    return 0;
}

int file_open_inode(struct task *task, struct inode *inode, int flags, struct open_file **file)
{
    return open_inode(task, inode, flags, false, file);
}

int file_open_memory(struct task *task, struct volume *volume, int flags, struct open_file **file)
{
    struct inode *inode = inode_new(volume, S_IFREG | 0777, task->identity.uid, task->identity.gid);

    *file = file_new(inode, flags);
    inode_release(inode);
    return 0;
}

/* A name that is there, or is made. *is_new: it was. -ELOOP and *link: it is a link to be followed
 * from the folder. */
static int find_or_make(struct task *task, struct inode *folder, const char *name, int flags,
                        mode_t mode, struct inode **inode, bool *is_new)
{
    int r = path_entry(task, folder, name, inode);

    *is_new = false;
    if (r == 0 && (flags & O_EXCL)) {
        inode_release(*inode);
        return -EEXIST;
    }
    if (r != -ENOENT)
        return r;
    if (folder->view)
        return folder->view->make_folder ? -EACCES : -ENOENT;
    if (!path_may(task, folder, W_OK | X_OK))
        return -EACCES;
    *is_new = true;
    return path_create(task, folder, name, S_IFREG | (mode & 07777), 0, inode);
}

/* A link at the end of the path is followed to the place where the file is then
 * made; too many of them are -ELOOP. */
static int open_or_create(struct task *task, struct inode *at, const char *path, int flags,
                          mode_t mode, unsigned links, struct open_file **file)
{
    char name[INODE_NAME_MAX + 1];
    struct view_text text = {0};
    struct inode *folder, *inode;
    bool is_new;
    size_t length = strlen(path);

    if (length > 0 && path[length - 1] == '/')
        return -EISDIR;
    int r = path_parent(task, at, path, &folder, name);
    if (r < 0)
        return r;
    r = strcmp(name, ".") == 0 || strcmp(name, "..") == 0
            ? -EISDIR
            : find_or_make(task, folder, name, flags, mode, &inode, &is_new);
    if (r == 0 && S_ISLNK(inode->mode) && !(flags & O_NOFOLLOW) && !inode->view) {
        view_add_bytes(&text, inode->data, inode->size);
        r = links >= INODE_SYMLINKS
                ? -ELOOP
                : open_or_create(task, folder, text.bytes, flags, mode, links + 1, file);
        inode_release(inode);
        view_text_free(&text);
    } else if (r == 0) {
        r = open_inode(task, inode, flags, is_new, file);
        inode_release(inode);
    }
    inode_release(folder);
    return r;
}

/* O_PATH drops all flags that mean nothing with it. O_TMPFILE is refused, which
 * programs must be ready for. */
int file_open(struct task *task, struct inode *at, const char *path, int flags, mode_t mode,
              struct open_file **file)
{
    struct inode *inode;

    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return -EOPNOTSUPP;
    if (flags & O_CREAT)
        return open_or_create(task, at, path, flags, mode, 0, file);
    int r = path_look_up(task, at, path, flags & O_NOFOLLOW ? PATH_LAST_LINK : 0, &inode);
    if (r < 0)
        return r;
    r = open_inode(task, inode, flags, false, file);
    inode_release(inode);
    return r;
}

struct open_file *file_hold(struct open_file *file)
{
    INVARIANT(file->references > 0);
    file->references++;
    return file;
}

void file_release(struct open_file *file)
{
    if (!file || --file->references > 0)
        return;
    file_lock_drop(file);
    listing_free(file->listing);
    view_text_free(&file->text);
    inode_release(file->inode);
    free(file);
}
