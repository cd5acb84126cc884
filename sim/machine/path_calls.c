/*
 * Path calls: what a path leads to, and how names and permissions change.
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
#include <sys/stat.h>
#include <sys/statfs.h>

/* ---- what a path leads to -------------------------------------------------------------------- */

static void stat_other(const struct description *description, struct stat *status)
{
    *status = (struct stat){
        .st_dev = 13,
        .st_ino = pipe_is_end(description) ? pipe_number(description) : description->number,
        .st_nlink = 1,
        .st_blksize = 4096,
        .st_mode = pipe_is_end(description)                         ? S_IFIFO | 0600
                   : strcmp(description->kind->name, "socket") == 0 ? S_IFSOCK | 0777
                                                                    : 0600};
}

/* Descriptors that are no files have a status, too. */
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

/* With AT_EMPTY_PATH the descriptor itself is meant. */
static int stat_at(struct runner *runner, uint64_t folder, uint64_t address, int flags,
                   struct stat *status)
{
    char path[4096];
    struct inode *at, *inode;
    int r = path_argument(runner, folder, address, &at, path);

    if (r == 0 && path[0] == '\0' && flags & AT_EMPTY_PATH && (int)folder != AT_FDCWD)
        return stat_number(runner, folder, status);
    if (r == -EBADF && flags & AT_EMPTY_PATH)
        return r;
    if (r == -ENOTDIR && flags & AT_EMPTY_PATH)
        return stat_number(runner, folder, status);
    const struct description *pipe = r == 0 ? descriptor_links_pipe(runner, path) : NULL;
    if (pipe && !(flags & AT_SYMLINK_NOFOLLOW)) {
        stat_other(pipe, status);
        return 0;
    }
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

/* Only the basic fields, and the mask says so. */
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

/* proctord looks at the type of /sys/fs/cgroup here. */
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
    const struct open_file *file = file_argument(runner, a[0], &error);
    return file ? tell_system(runner, file->inode, a[1]) : error;
}

/* The file that a path of the caller leads to, which it releases. */
static int look_up_argument(struct runner *runner, uint64_t folder, uint64_t address,
                            struct inode **inode)
{
    char path[4096];
    struct inode *at;
    int r = path_argument(runner, folder, address, &at, path);

    return r < 0 ? r : path_look_up(runner->task, at, path, 0, inode);
}

static int64_t access_at(struct runner *runner, uint64_t folder, uint64_t address, int wish)
{
    struct inode *inode;
    int r = look_up_argument(runner, folder, address, &inode);

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
    int r = path_argument(runner, folder, from, &at, path);

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

/* Returns the size with its null byte, like the system call and unlike the
 * function of the library. */
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

/* Needs the right to search the folder. */
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
    const struct open_file *file = file_argument(runner, a[0], &error);
    return file ? task_enter_folder(runner->task, file->inode) : error;
}

/* ---- changes of names ------------------------------------------------------------------------ */

static int64_t make_folder(struct runner *runner, uint64_t folder, uint64_t address, mode_t mode)
{
    char path[4096];
    struct inode *at;
    int r = path_argument(runner, folder, address, &at, path);
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
    int r = path_argument(runner, folder, address, &at, path);

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
    int r = path_argument(runner, from_folder, from, &old_at, old);

    if (r == 0)
        r = path_argument(runner, to_folder, to, &new_at, new);
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
        r = path_argument(runner, a[1], a[2], &at, path);
    return r < 0 ? r : path_symlink(runner->task, text, at, path);
}

static int64_t set_mode(struct runner *runner, uint64_t folder, uint64_t address, mode_t mode)
{
    struct inode *inode;
    int r = look_up_argument(runner, folder, address, &inode);

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
    struct open_file *file = file_argument(runner, a[0], &error);
    return file ? inode_set_mode(runner->task, file->inode, (mode_t)a[1]) : error;
}

int64_t call_fchown(struct runner *runner, const uint64_t *a)
{
    int error;
    struct open_file *file = file_argument(runner, a[0], &error);
    return file ? inode_set_owner(runner->task, file->inode, (uid_t)a[1], (gid_t)a[2]) : error;
}

/* Links themselves only with AT_SYMLINK_NOFOLLOW. */
int64_t call_fchownat(struct runner *runner, const uint64_t *a)
{
    char path[4096];
    struct inode *at, *inode;
    int r = path_argument(runner, a[0], a[1], &at, path);

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
