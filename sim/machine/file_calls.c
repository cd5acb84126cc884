/*
 * File calls: those that take a path, and what is read from and written to files.
 */
#include "machine/call_lists.h"
#include "machine/file_kind.h"
#include "machine/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>

#define TRANSFER_MAX ((size_t)4 << 20)
#define PARTS_MAX    1024

/* ---- folders that a call begins at ----------------------------------------------------------- */

/* NULL: the working folder. */
static int folder_at(const struct runner *runner, uint64_t number, struct inode **at)
{
    const struct open_file *file;

    *at = NULL;
    if ((int)number == AT_FDCWD)
        return 0;
    file = file_kind_of(runner_description(runner, number));
    if (!file)
        return runner_description(runner, number) ? -ENOTDIR : -EBADF;
    *at = file->inode;
    return 0;
}

static int take_path(const struct runner *runner, uint64_t number, uint64_t address,
                     struct inode **at, char path[4096])
{
    int r = calls_path(runner, address, path);

    if (r < 0)
        return r;
    *at = NULL;
    return path[0] == '/' ? 0 : folder_at(runner, number, at);
}

/* ---- open ------------------------------------------------------------------------------------ */

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

static int64_t open_at(struct runner *runner, uint64_t folder, uint64_t address, int flags,
                       mode_t mode)
{
    char path[4096];
    struct inode *at;
    struct description *description;
    int r = take_path(runner, folder, address, &at, path);

    if (r == 0)
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

static struct open_file *file_of(const struct runner *runner, uint64_t number, int *error)
{
    const struct description *description = runner_description(runner, number);
    struct open_file *file = file_kind_of(description);

    *error = file ? 0 : description ? -EINVAL : -EBADF;
    return file;
}

int64_t call_lseek(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_of(runner, a[0], &error);

    return file ? file_seek(file, (int64_t)a[1], (int)a[2]) : error == -EINVAL ? -ESPIPE : error;
}

int64_t call_ftruncate(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_of(runner, a[0], &error);
    return file ? file_truncate(runner->task, file, a[1]) : error;
}

int64_t call_fallocate(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_of(runner, a[0], &error);
    return !file ? error : a[1] != 0 ? -EOPNOTSUPP : file_allocate(runner->task, file, a[2], a[3]);
}

int64_t call_fsync(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_of(runner, a[0], &error);
    return file ? file_sync(runner->task, file, false) : error;
}

int64_t call_fdatasync(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_of(runner, a[0], &error);
    return file ? file_sync(runner->task, file, true) : error;
}

int64_t call_flock(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_of(runner, a[0], &error);
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

int64_t call_getdents64(struct runner *runner, const uint64_t *a)
{
    int error, r = 1;
    struct open_file *file = file_of(runner, a[0], &error);
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

/* ---- what a path leads to -------------------------------------------------------------------- */

static void stat_other(const struct description *description, struct stat *status)
{
    *status =
        (struct stat){.st_dev = 13,
                      .st_ino = description->number,
                      .st_nlink = 1,
                      .st_blksize = 4096,
                      .st_mode = pipe_is_end(description)                         ? S_IFIFO | 0600
                                 : strcmp(description->kind->name, "socket") == 0 ? S_IFSOCK | 0777
                                                                                  : 0600};
}

static int stat_number(struct runner *runner, uint64_t number, struct stat *status)
{
    const struct description *description = runner_description(runner, number);
    const struct open_file *file = file_kind_of(description);

    if (!description)
        return -EBADF;
    if (file)
        return path_stat(runner->task, file->inode, status);
    stat_other(description, status);
    return 0;
}

static int stat_at(struct runner *runner, uint64_t folder, uint64_t address, int flags,
                   struct stat *status)
{
    char path[4096];
    struct inode *at, *inode;
    int r = take_path(runner, folder, address, &at, path);

    if (r == 0 && path[0] == '\0' && flags & AT_EMPTY_PATH && (int)folder != AT_FDCWD)
        return stat_number(runner, folder, status);
    if (r == -EBADF && flags & AT_EMPTY_PATH)
        return r;
    if (r == -ENOTDIR && flags & AT_EMPTY_PATH)
        return stat_number(runner, folder, status);
    if (r == 0)
        r = path_look_up(runner->task, at, path,
                         (flags & AT_SYMLINK_NOFOLLOW ? PATH_LAST_LINK : 0) |
                             (flags & AT_EMPTY_PATH ? PATH_IN_TREE : 0),
                         &inode);
    if (r < 0)
        return r;
    r = path_stat(runner->task, inode, status);
    inode_release(inode);
    return r;
}

static int64_t give_status(const struct runner *runner, int r, uint64_t address,
                           const struct stat *status)
{
    return r < 0 ? r : calls_write(runner, address, status, sizeof(*status));
}

int64_t call_newfstatat(struct runner *runner, const uint64_t *a)
{
    struct stat status = {};
    int r = stat_at(runner, a[0], a[1], (int)a[3], &status);
    return give_status(runner, r, a[2], &status);
}

int64_t call_stat(struct runner *runner, const uint64_t *a)
{
    struct stat status = {};
    int r = stat_at(runner, (uint64_t)AT_FDCWD, a[0], 0, &status);
    return give_status(runner, r, a[1], &status);
}

int64_t call_lstat(struct runner *runner, const uint64_t *a)
{
    struct stat status = {};
    int r = stat_at(runner, (uint64_t)AT_FDCWD, a[0], AT_SYMLINK_NOFOLLOW, &status);
    return give_status(runner, r, a[1], &status);
}

int64_t call_fstat(struct runner *runner, const uint64_t *a)
{
    struct stat status = {};
    int r = stat_number(runner, a[0], &status);
    return give_status(runner, r, a[1], &status);
}

int64_t call_statx(struct runner *runner, const uint64_t *a)
{
    struct stat status = {};
    int r = stat_at(runner, a[0], a[1], (int)a[2], &status);
    struct statx told = {.stx_mask = STATX_BASIC_STATS,
                         .stx_blksize = 4096,
                         .stx_nlink = (uint32_t)status.st_nlink,
                         .stx_uid = status.st_uid,
                         .stx_gid = status.st_gid,
                         .stx_mode = (uint16_t)status.st_mode,
                         .stx_ino = status.st_ino,
                         .stx_size = (uint64_t)status.st_size,
                         .stx_dev_major = (uint32_t)(status.st_dev >> 8),
                         .stx_dev_minor = (uint32_t)(status.st_dev & 0xff)};

    return r < 0 ? r : calls_write(runner, a[4], &told, sizeof(told));
}

static int64_t tell_system(const struct runner *runner, const struct inode *inode, uint64_t address)
{
    struct statfs told = {.f_type = inode->volume->magic,
                          .f_bsize = 4096,
                          .f_blocks = 1 << 20,
                          .f_bfree = 1 << 19,
                          .f_bavail = 1 << 19,
                          .f_namelen = 255};

    return calls_write(runner, address, &told, sizeof(told));
}

int64_t call_statfs(struct runner *runner, const uint64_t *a)
{
    char path[4096];
    struct inode *inode;
    int r = calls_path(runner, a[0], path);

    if (r == 0)
        r = path_look_up(runner->task, NULL, path, 0, &inode);
    if (r < 0)
        return r;
    int64_t result = tell_system(runner, inode, a[1]);
    inode_release(inode);
    return result;
}

int64_t call_fstatfs(struct runner *runner, const uint64_t *a)
{
    int error;
    const struct open_file *file = file_of(runner, a[0], &error);
    return file ? tell_system(runner, file->inode, a[1]) : error;
}

static int64_t access_at(struct runner *runner, uint64_t folder, uint64_t address, int wish)
{
    char path[4096];
    struct inode *at, *inode;
    int r = take_path(runner, folder, address, &at, path);

    if (r == 0)
        r = path_look_up(runner->task, at, path, 0, &inode);
    if (r < 0)
        return r;
    r = path_access(runner->task, inode, wish);
    inode_release(inode);
    return r;
}

int64_t call_access(struct runner *runner, const uint64_t *a)
{
    return access_at(runner, (uint64_t)AT_FDCWD, a[0], (int)a[1]);
}

int64_t call_faccessat(struct runner *runner, const uint64_t *a)
{
    return access_at(runner, a[0], a[1], (int)a[2]);
}

static int64_t read_link(struct runner *runner, uint64_t folder, uint64_t from, uint64_t address,
                         size_t size)
{
    char path[4096], text[4096];
    struct inode *at;
    int r = take_path(runner, folder, from, &at, path);

    if (r == 0)
        r = path_read_link(runner->task, at, path, text, size < sizeof(text) ? size : sizeof(text));
    return r <= 0 ? r : calls_write(runner, address, text, (size_t)r) < 0 ? -EFAULT : r;
}

int64_t call_readlink(struct runner *runner, const uint64_t *a)
{
    return read_link(runner, (uint64_t)AT_FDCWD, a[0], a[1], a[2]);
}

int64_t call_readlinkat(struct runner *runner, const uint64_t *a)
{
    return read_link(runner, a[0], a[1], a[2], a[3]);
}

int64_t call_getcwd(struct runner *runner, const uint64_t *a)
{
    char *path = NULL;
    int r = path_of(runner->task, runner->task->folder, &path);
    size_t size = r == 0 ? strlen(path) + 1 : 0;

    if (r == 0 && size > a[1])
        r = -ERANGE;
    if (r == 0)
        r = calls_write(runner, a[0], path, size);
    free(path);
    return r < 0 ? r : (int64_t)size;
}

int64_t call_chdir(struct runner *runner, const uint64_t *a)
{
    char path[4096];
    struct inode *folder;
    int r = calls_path(runner, a[0], path);

    if (r == 0)
        r = path_look_up(runner->task, NULL, path, 0, &folder);
    if (r < 0)
        return r;
    r = task_enter_folder(runner->task, folder);
    inode_release(folder);
    return r;
}

int64_t call_fchdir(struct runner *runner, const uint64_t *a)
{
    int error;
    const struct open_file *file = file_of(runner, a[0], &error);
    return file ? task_enter_folder(runner->task, file->inode) : error;
}

/* ---- changes of names ------------------------------------------------------------------------ */

static int64_t make_folder(struct runner *runner, uint64_t folder, uint64_t address, mode_t mode)
{
    char path[4096];
    struct inode *at;
    int r = take_path(runner, folder, address, &at, path);
    return r < 0 ? r : path_make_folder(runner->task, at, path, mode);
}

int64_t call_mkdir(struct runner *runner, const uint64_t *a)
{
    return make_folder(runner, (uint64_t)AT_FDCWD, a[0], (mode_t)a[1]);
}

int64_t call_mkdirat(struct runner *runner, const uint64_t *a)
{
    return make_folder(runner, a[0], a[1], (mode_t)a[2]);
}

static int64_t remove_name(struct runner *runner, uint64_t folder, uint64_t address, bool of_folder)
{
    char path[4096];
    struct inode *at;
    int r = take_path(runner, folder, address, &at, path);

    if (r == 0)
        r = of_folder ? path_remove_folder(runner->task, at, path)
                      : path_unlink(runner->task, at, path);
    return r;
}

int64_t call_unlink(struct runner *runner, const uint64_t *a)
{
    return remove_name(runner, (uint64_t)AT_FDCWD, a[0], false);
}

int64_t call_rmdir(struct runner *runner, const uint64_t *a)
{
    return remove_name(runner, (uint64_t)AT_FDCWD, a[0], true);
}

int64_t call_unlinkat(struct runner *runner, const uint64_t *a)
{
    return remove_name(runner, a[0], a[1], a[2] & AT_REMOVEDIR);
}

static int64_t rename_at(struct runner *runner, uint64_t from_folder, uint64_t from,
                         uint64_t to_folder, uint64_t to, unsigned flags)
{
    char old[4096], new[4096];
    struct inode *old_at, *new_at;
    int r = take_path(runner, from_folder, from, &old_at, old);

    if (r == 0)
        r = take_path(runner, to_folder, to, &new_at, new);
    return r < 0 ? r : path_rename(runner->task, old_at, old, new_at, new, flags);
}

int64_t call_rename(struct runner *runner, const uint64_t *a)
{
    return rename_at(runner, (uint64_t)AT_FDCWD, a[0], (uint64_t)AT_FDCWD, a[1], 0);
}

int64_t call_renameat(struct runner *runner, const uint64_t *a)
{
    return rename_at(runner, a[0], a[1], a[2], a[3], 0);
}

int64_t call_renameat2(struct runner *runner, const uint64_t *a)
{
    return rename_at(runner, a[0], a[1], a[2], a[3], (unsigned)a[4]);
}

int64_t call_symlinkat(struct runner *runner, const uint64_t *a)
{
    char text[4096], path[4096];
    struct inode *at;
    int r = calls_path(runner, a[0], text);

    if (r == 0)
        r = take_path(runner, a[1], a[2], &at, path);
    return r < 0 ? r : path_symlink(runner->task, text, at, path);
}

static int64_t set_mode(struct runner *runner, uint64_t folder, uint64_t address, mode_t mode)
{
    char path[4096];
    struct inode *at, *inode;
    int r = take_path(runner, folder, address, &at, path);

    if (r == 0)
        r = path_look_up(runner->task, at, path, 0, &inode);
    if (r < 0)
        return r;
    r = inode_set_mode(runner->task, inode, mode);
    inode_release(inode);
    return r;
}

int64_t call_chmod(struct runner *runner, const uint64_t *a)
{
    return set_mode(runner, (uint64_t)AT_FDCWD, a[0], (mode_t)a[1]);
}

int64_t call_fchmodat(struct runner *runner, const uint64_t *a)
{
    return set_mode(runner, a[0], a[1], (mode_t)a[2]);
}

int64_t call_fchmod(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_of(runner, a[0], &error);
    return file ? inode_set_mode(runner->task, file->inode, (mode_t)a[1]) : error;
}

int64_t call_fchown(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_of(runner, a[0], &error);
    return file ? inode_set_owner(runner->task, file->inode, (uid_t)a[1], (gid_t)a[2]) : error;
}

int64_t call_fchownat(struct runner *runner, const uint64_t *a)
{
    char path[4096];
    struct inode *at, *inode;
    int r = take_path(runner, a[0], a[1], &at, path);

    if (r == 0)
        r = path_look_up(runner->task, at, path,
                         a[4] & AT_SYMLINK_NOFOLLOW ? PATH_LAST_LINK : PATH_IN_TREE, &inode);
    if (r < 0)
        return r;
    r = inode_set_owner(runner->task, inode, (uid_t)a[2], (gid_t)a[3]);
    inode_release(inode);
    return r;
}

int64_t call_umask(struct runner *runner, const uint64_t *a)
{
    mode_t before = runner->task->umask;

    runner->task->umask = (mode_t)a[0] & 0777;
    return before;
}

/* ---- memory ---------------------------------------------------------------------------------- */

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
    const struct open_file *file = file_of(runner, a[4], &error);

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

int64_t call_mapped(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_of(runner, a[2], &error);
    char *bytes = file ? malloc(a[1]) : NULL;

    if (!bytes)
        return file ? -ENOMEM : error;
    ssize_t n = file_read_at(runner->task, file, bytes, a[1], a[3]);
    if (n > 0 && calls_write(runner, a[0], bytes, (size_t)n) < 0)
        n = -EFAULT;
    free(bytes);
    return n < 0 ? n : (int64_t)a[0];
}
