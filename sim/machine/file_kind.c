/*
 * Files as a kind of description: they are always ready.
 */
#include "machine/file_kind.h"

#include "machine/runner.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>

#define DEVICE_NULL   makedev(1, 3)
#define DEVICE_ZERO   makedev(1, 5)
#define DEVICE_RANDOM makedev(1, 9)

static bool is_device(const struct open_file *file)
{
    return S_ISCHR(file->inode->mode) || S_ISBLK(file->inode->mode);
}

static ssize_t read_device(const struct open_file *file, void *bytes, size_t size)
{
    if (file->inode->device == DEVICE_NULL)
        return 0;
    if (file->inode->device != DEVICE_ZERO && file->inode->device != DEVICE_RANDOM)
        return -ENXIO;
    memset(bytes, file->inode->device == DEVICE_ZERO ? 0 : 4, size);
    return (ssize_t)size;
}

static ssize_t read_file(struct description *description, struct runner *reader, void *bytes,
                         size_t size)
{
    struct open_file *file = description->object;
    return is_device(file) ? read_device(file, bytes, size)
                           : file_read(reader->task, file, bytes, size);
}

static ssize_t write_file(struct description *description, struct runner *writer, const void *bytes,
                          size_t size)
{
    struct open_file *file = description->object;

    if (is_device(file))
        return file->inode->device == DEVICE_NULL ? (ssize_t)size : -ENXIO;
    return file_write(writer->task, file, bytes, size);
}

static unsigned poll_file(struct description *description, struct runner *asking)
{
    (void)asking;
    return file_poll(description->object);
}

static void release_file(struct description *description)
{
    file_release(description->object);
}

static const struct description_kind file_kind = {"file", read_file, write_file, poll_file,
                                                  release_file};

struct description *file_kind_new(struct open_file *file)
{
    struct description *fresh = description_new(&file_kind, file, file->flags);

    if (!fresh)
        file_release(file);
    return fresh;
}

struct open_file *file_kind_of(const struct description *description)
{
    return description && description->kind == &file_kind ? description->object : NULL;
}
