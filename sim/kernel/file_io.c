/*
 * Reading and writing open files, with the faults of the volume: short reads
 * and writes, errors, a full disk, a sync that fails or lies. Views (proc,
 * cgroup) make their text when they are read.
 */
#include "kernel/open_file.h"

#include "kernel/content.h"
#include "kernel/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static bool is_readable(const struct open_file *file)
{
    return !(file->flags & O_PATH) && (file->flags & O_ACCMODE) != O_WRONLY;
}

static bool is_writable(const struct open_file *file)
{
    return !(file->flags & O_PATH) && (file->flags & O_ACCMODE) != O_RDONLY;
}

static bool strikes(const struct inode *inode, unsigned rate)
{
    return chance_strikes(inode->volume->chance, rate);
}

/* A count that a fault makes smaller, but not 0. */
static size_t shorten(const struct inode *inode, size_t size, unsigned rate)
{
    if (size < 2 || !strikes(inode, rate))
        return size;
    return size - 1 - chance_choose(inode->volume->chance, (uint32_t)size - 1);
}

/* What a view says is made when it is read from its beginning. */
static int make_text(struct task *task, struct open_file *file, uint64_t offset)
{
    const struct view *view = file->inode->view;

    if (file->has_text && offset > 0)
        return 0;
    view_text_free(&file->text);
    if (!view->read)
        return -EINVAL;
    int r = view->read(file->inode, task, &file->text);
    if (r < 0)
        return r;
    file->has_text = true;
    if (view->version)
        file->seen = view->version(file->inode);
    return 0;
}

/* The text is made at offset 0 and kept, so that one reader sees one consistent
 * text even if it reads in pieces. */
static ssize_t read_text(struct task *task, struct open_file *file, void *bytes, size_t size,
                         uint64_t offset)
{
    int r = make_text(task, file, offset);

    if (r < 0)
        return r;
    if (offset >= file->text.size)
        return 0;
    if (size > file->text.size - offset)
        size = (size_t)(file->text.size - offset);
    memcpy(bytes, file->text.bytes + offset, size);
    return (ssize_t)size;
}

/* Faults strike before anything is read. */
ssize_t file_read_at(struct task *task, struct open_file *file, void *bytes, size_t size,
                     uint64_t offset)
{
    const struct inode *inode = file->inode;

    if (!is_readable(file))
        return -EBADF;
    if (S_ISDIR(inode->mode))
        return -EISDIR;
    if (inode->view)
        return read_text(task, file, bytes, size, offset);
    if (strikes(inode, inode->volume->faults.read_error))
        return -EIO;
    size = shorten(inode, size, inode->volume->faults.short_read);
    return (ssize_t)content_read(inode, offset, bytes, size);
}

ssize_t file_read(struct task *task, struct open_file *file, void *bytes, size_t size)
{
    ssize_t n = file_read_at(task, file, bytes, size, file->position);

    if (n > 0)
        file->position += (uint64_t)n;
    return n;
}

/* A write to a view is one value, and is never shortened. */
static ssize_t write_at(struct task *task, struct open_file *file, const void *bytes, size_t size,
                        uint64_t offset)
{
    struct inode *inode = file->inode;
    const struct volume_faults *faults = &inode->volume->faults;

    if (!is_writable(file))
        return -EBADF;
    if (inode->view) {
        int r = inode->view->write ? inode->view->write(inode, task, bytes, size) : -EINVAL;
        return r < 0 ? r : (ssize_t)size;
    }
    if (size == 0)
        return 0;
    if (strikes(inode, faults->no_space))
        return -ENOSPC;
    if (strikes(inode, faults->write_error))
        return -EIO;
    return content_write(inode, offset, bytes, shorten(inode, size, faults->short_write));
}

ssize_t file_write_at(struct task *task, struct open_file *file, const void *bytes, size_t size,
                      uint64_t offset)
{
    /* As Linux does it: what is opened to append appends. */
    return write_at(task, file, bytes, size, file->flags & O_APPEND ? file->inode->size : offset);
}

ssize_t file_write(struct task *task, struct open_file *file, const void *bytes, size_t size)
{
    uint64_t offset = file->flags & O_APPEND ? file->inode->size : file->position;
    ssize_t n = write_at(task, file, bytes, size, offset);

    if (n > 0)
        file->position = offset + (uint64_t)n;
    return n;
}

/* Beyond the end is allowed, before the beginning is not. */
int64_t file_seek(struct open_file *file, int64_t offset, int whence)
{
    int64_t base = whence == SEEK_CUR   ? (int64_t)file->position
                   : whence == SEEK_END ? (int64_t)file->inode->size
                                        : 0;

    if (file->flags & O_PATH)
        return -EBADF;
    if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
        return -EINVAL;
    if (base + offset < 0)
        return -EINVAL;
    file->position = (uint64_t)(base + offset);
    return (int64_t)file->position;
}

/* On a view it does nothing, as on cgroup files, which are opened with O_TRUNC
 * by shells. */
int file_truncate(struct task *task, struct open_file *file, uint64_t size)
{
    (void)task;
    if (!is_writable(file))
        return file->flags & O_PATH ? -EBADF : -EINVAL;
    if (!S_ISREG(file->inode->mode))
        return -EINVAL;
    if (file->inode->view)
        return 0;
    if (strikes(file->inode, file->inode->volume->faults.write_error))
        return -EIO;
    return content_set_size(file->inode, size);
}

/* Reserves room, so that later writes cannot find the disk full. It never
 * shortens. */
int file_allocate(struct task *task, struct open_file *file, uint64_t offset, uint64_t size)
{
    if (!is_writable(file))
        return -EBADF;
    if (size == 0)
        return -EINVAL;
    if (!S_ISREG(file->inode->mode) || file->inode->view)
        return -ENODEV;
    if (strikes(file->inode, file->inode->volume->faults.no_space))
        return -ENOSPC;
    if (offset + size <= file->inode->size)
        return 0;
    return file_truncate(task, file, offset + size);
}

/* A lying sync reports success and keeps nothing, which cheap disks do. After a
 * sync that failed, the pages count as clean: repeating it succeeds although
 * the data is lost, as on Linux. */
int file_sync(struct task *task, struct open_file *file, bool only_data)
{
    struct inode *inode = file->inode;
    const struct volume_faults *faults = &inode->volume->faults;

    (void)task;
    (void)only_data;
    if (file->flags & O_PATH)
        return -EBADF;
    if (inode->view || (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode)))
        return -EINVAL;
    if (inode->volume->kind != VOLUME_DISK || strikes(inode, faults->lying_sync))
        return 0;
    if (strikes(inode, faults->sync_error)) {
        content_fail_sync(inode);
        return -EIO;
    }
    if (S_ISDIR(inode->mode))
        folder_sync(inode);
    else
        content_sync(inode);
    return 0;
}

unsigned file_poll(const struct open_file *file)
{
    const struct view *view = file->inode->view;
    unsigned events = EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;

    /* The version counts from 1: what was never read has changed. */
    if (view && view->version && view->version(file->inode) != file->seen)
        events |= EPOLLPRI | EPOLLERR;
    return events;
}
