/*
 * File calls: what is opened, and read from and written to files.
 */
#include "machine/descriptor_links.h"
#include "machine/call_lists.h"
#include "machine/file_arguments.h"
#include "machine/file_kind.h"
#include "machine/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define TRANSFER_MAX ((size_t)4 << 20)
#define PARTS_MAX    1024

/* ---- open ------------------------------------------------------------------------------------ */

/* What is opened decides the kind of the description. A terminal can never be
 * opened: the machine has none. */
static int open_description(struct runner *runner, struct inode *at, const char *path, int flags,
                            mode_t mode, struct description **description)
{
    struct open_file *file;
    int r = file_open(runner->task, at, path, flags, mode, &file);

    if (r < 0)
        return r;
    mode_t kind = file->inode->mode & S_IFMT;
    if (flags & O_PATH || kind == S_IFREG || kind == S_IFDIR) {
        *description = file_kind_new(file);
        return *description ? 0 : -ENOMEM;
    }
    if (kind == S_IFIFO)
        r = pipe_open_fifo(file->inode, flags, description);
    else if (kind == S_IFSOCK || file->inode->device == 0x500) /* a terminal that nobody has */
        r = -ENXIO;
    if (kind == S_IFIFO || r < 0) {
        file_release(file);
        return r;
    }
    *description = file_kind_new(file);
    return *description ? 0 : -ENOMEM;
}

/* Opening a FIFO may have to wait for its other end. */
static int64_t open_at(struct runner *runner, uint64_t folder, uint64_t address, int flags,
                       mode_t mode)
{
    char path[4096];
    struct inode *at;
    struct description *description;
    int r = path_argument(runner, folder, address, &at, path);

    const struct description *pipe = r == 0 ? descriptor_links_pipe(runner, path) : NULL;
    if (pipe && !(flags & O_PATH))
        r = pipe_open_again(pipe, flags, &description);
    else if (r == 0)
        r = open_description(runner, at, path, flags, mode, &description);
    if (r == -EAGAIN && !(flags & O_NONBLOCK))
        return MACHINE_CALL_WAITS; /* a FIFO */
    if (r < 0)
        return r;
    return descriptors_add(program_of(runner->task)->descriptors, description, 0,
                           flags & O_CLOEXEC);
}

int64_t call_openat(struct runner *runner, const uint64_t *a)
{
    return open_at(runner, a[0], a[1], (int)a[2], (mode_t)a[3]);
}

int64_t call_open(struct runner *runner, const uint64_t *a)
{
    return open_at(runner, (uint64_t)AT_FDCWD, a[0], (int)a[1], (mode_t)a[2]);
}

int64_t call_memfd_create(struct runner *runner, const uint64_t *a)
{
    struct open_file *file;
    int r = file_open_memory(runner->task, runner->machine->memory, O_RDWR, &file);

    return r < 0 ? r
                 : descriptors_add(program_of(runner->task)->descriptors, file_kind_new(file), 0,
                                   a[1] & 1);
}

/* ---- reading and writing --------------------------------------------------------------------- */

/* The parts of readv() and writev(), with their size together. */
static int take_parts(const struct runner *runner, uint64_t address, uint64_t count,
                      struct iovec parts[PARTS_MAX], size_t *size)
{
    if (count > PARTS_MAX)
        return -EINVAL;
    if (calls_read(runner, address, parts, count * sizeof(*parts)) < 0)
        return -EFAULT;
    *size = 0;
    for (uint64_t i = 0; i < count; i++)
        *size += parts[i].iov_len;
    *size = *size < TRANSFER_MAX ? *size : TRANSFER_MAX;
    return 0;
}

#define HERE UINT64_MAX /* no offset: where the file is */

static ssize_t read_some(struct runner *runner, struct description *description, char *bytes,
                         size_t size, uint64_t offset)
{
    struct open_file *file = file_kind_of(description);

    if (offset == HERE)
        return description->kind->read ? description->kind->read(description, runner, bytes, size)
                                       : -EINVAL;
    return file ? file_read_at(runner->task, file, bytes, size, offset) : -ESPIPE;
}

/* All kinds of reading come here. */
static int64_t read_parts(struct runner *runner, uint64_t number, const struct iovec *parts,
                          size_t count, size_t size, uint64_t offset)
{
    struct description *description = runner_description(runner, number);
    char *bytes = description ? malloc(size + 1) : NULL;

    if (!bytes)
        return description ? -ENOMEM : -EBADF;
    int64_t n = read_some(runner, description, bytes, size, offset);
    if (n > 0 && calls_scatter(runner, parts, count, bytes, (size_t)n) < 0)
        n = -EFAULT;
    free(bytes);
    return calls_would_wait(description, n);
}

static ssize_t write_some(struct runner *runner, struct description *description, const char *bytes,
                          size_t size, uint64_t offset)
{
    struct open_file *file = file_kind_of(description);

    if (offset == HERE)
        return description->kind->write ? description->kind->write(description, runner, bytes, size)
                                        : -EINVAL;
    return file ? file_write_at(runner->task, file, bytes, size, offset) : -ESPIPE;
}

/* All kinds of writing come here. A broken pipe raises SIGPIPE before the call
 * returns. */
static int64_t write_parts(struct runner *runner, uint64_t number, const struct iovec *parts,
                           size_t count, size_t size, uint64_t offset)
{
    struct description *description = runner_description(runner, number);
    char *bytes = description ? malloc(size + 1) : NULL;

    if (!bytes)
        return description ? -ENOMEM : -EBADF;
    int64_t n = calls_gather(runner, parts, count, bytes, size);
    if (n == 0)
        n = write_some(runner, description, bytes, size, offset);
    free(bytes);
    if (n == -EPIPE)
        calls_raise_broken_pipe(runner);
    return calls_would_wait(description, n);
}

int64_t call_read(struct runner *runner, const uint64_t *a)
{
    size_t size = a[2] < TRANSFER_MAX ? a[2] : TRANSFER_MAX;
    return read_parts(runner, a[0], &(struct iovec){(void *)(uintptr_t)a[1], size}, 1, size, HERE);
}

int64_t call_pread64(struct runner *runner, const uint64_t *a)
{
    size_t size = a[2] < TRANSFER_MAX ? a[2] : TRANSFER_MAX;
    return read_parts(runner, a[0], &(struct iovec){(void *)(uintptr_t)a[1], size}, 1, size, a[3]);
}

int64_t call_readv(struct runner *runner, const uint64_t *a)
{
    struct iovec parts[PARTS_MAX];
    size_t size;
    int r = take_parts(runner, a[1], a[2], parts, &size);

    return r < 0 ? r : read_parts(runner, a[0], parts, a[2], size, HERE);
}

int64_t call_write(struct runner *runner, const uint64_t *a)
{
    size_t size = a[2] < TRANSFER_MAX ? a[2] : TRANSFER_MAX;
    return write_parts(runner, a[0], &(struct iovec){(void *)(uintptr_t)a[1], size}, 1, size, HERE);
}

int64_t call_pwrite64(struct runner *runner, const uint64_t *a)
{
    size_t size = a[2] < TRANSFER_MAX ? a[2] : TRANSFER_MAX;
    return write_parts(runner, a[0], &(struct iovec){(void *)(uintptr_t)a[1], size}, 1, size, a[3]);
}

int64_t call_writev(struct runner *runner, const uint64_t *a)
{
    struct iovec parts[PARTS_MAX];
    size_t size;
    int r = take_parts(runner, a[1], a[2], parts, &size);

    return r < 0 ? r : write_parts(runner, a[0], parts, a[2], size, HERE);
}

int64_t call_pwritev(struct runner *runner, const uint64_t *a)
{
    struct iovec parts[PARTS_MAX];
    size_t size;
    int r = take_parts(runner, a[1], a[2], parts, &size);

    return r < 0 ? r : write_parts(runner, a[0], parts, a[2], size, a[3]);
}

int64_t call_lseek(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_argument(runner, a[0], &error);

    return file ? file_seek(file, (int64_t)a[1], (int)a[2]) : error == -EINVAL ? -ESPIPE : error;
}

int64_t call_ftruncate(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_argument(runner, a[0], &error);
    return file ? file_truncate(runner->task, file, a[1]) : error;
}

int64_t call_fallocate(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_argument(runner, a[0], &error);
    return !file ? error : a[1] != 0 ? -EOPNOTSUPP : file_allocate(runner->task, file, a[2], a[3]);
}

int64_t call_fsync(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_argument(runner, a[0], &error);
    return file ? file_sync(runner->task, file, false) : error;
}

int64_t call_fdatasync(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_argument(runner, a[0], &error);
    return file ? file_sync(runner->task, file, true) : error;
}

int64_t call_flock(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_argument(runner, a[0], &error);
    int r = file ? file_lock(file, (int)a[1]) : error;

    return r == -EAGAIN && !(a[1] & 4) ? MACHINE_CALL_WAITS : r;
}

struct name_of_kernel {
    uint64_t number;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[256];
} __attribute__((packed));

static size_t tell_name(const struct file_name *name, struct name_of_kernel *entry)
{
    size_t length = strlen(name->name);

    memset(entry, 0, sizeof(*entry));
    entry->number = name->number;
    entry->type = name->type;
    entry->size = (uint16_t)((offsetof(struct name_of_kernel, name) + length + 1 + 7) / 8 * 8);
    memcpy(entry->name, name->name, length + 1);
    return entry->size;
}

/* As many names as fit; -EINVAL if not even one does. */
int64_t call_getdents64(struct runner *runner, const uint64_t *a)
{
    int error, r = 1;
    struct open_file *file = file_argument(runner, a[0], &error);
    struct file_name name;
    struct name_of_kernel entry;
    size_t used = 0;

    if (!file)
        return error == -EINVAL ? -ENOTDIR : error;
    while (a[2] - used >= sizeof(entry) && (r = file_next_name(runner->task, file, &name)) > 0) {
        size_t size = tell_name(&name, &entry);
        if (calls_write(runner, a[1] + used, &entry, size) < 0)
            return -EFAULT;
        used += size;
    }
    return r < 0 ? r : used > 0 || r == 0 ? (int64_t)used : -EINVAL;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Memory that is mapped must be shared by model and guest, so the content of
 * the file moves to where both can reach it. */
static int share(struct machine *machine, struct inode *inode, size_t size, uint64_t *offset)
{
    if (inode->shared) {
        *offset = (uint64_t)((char *)inode->data - guest_arena_begin(machine->guest));
        return size <= inode->capacity ? 0 : -ENOMEM;
    }
    void *memory = guest_arena(machine->guest, size, offset);
    if (!memory)
        return machine_fail(machine, "there is no memory for files that are mapped");
    if (inode->size > 0)
        memcpy(memory, inode->data, inode->size < size ? inode->size : size);
    free(inode->data);
    inode->data = memory;
    inode->capacity = size;
    inode->shared = true;
    return 0;
}

/* Memory without a file never comes here (seam/seam.c). */
int64_t call_mmap(struct runner *runner, const uint64_t *a)
{
    int error;
    uint64_t offset;
    const struct open_file *file = file_argument(runner, a[4], &error);

    if (!file)
        return error == -EINVAL ? -ENODEV : error;
    if (!(a[3] & 1)) { /* MAP_SHARED */
        runner->action = WIRE_COPY;
        return 0;
    }
    int r = share(runner->machine, file->inode, a[1], &offset);
    if (r < 0)
        return r;
    runner->action = WIRE_MAP;
    return (int64_t)offset;
}

/* Private mappings are copies, made when the mapping is made. */
int64_t call_mapped(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_argument(runner, a[2], &error);
    char *bytes = file ? malloc(a[1]) : NULL;

    if (!bytes)
        return file ? -ENOMEM : error;
    ssize_t n = file_read_at(runner->task, file, bytes, a[1], a[3]);
    if (n > 0 && calls_write(runner, a[0], bytes, (size_t)n) < 0)
        n = -EFAULT;
    free(bytes);
    return n < 0 ? n : (int64_t)a[0];
}
