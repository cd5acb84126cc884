/*
 * The system calls that the journal makes, taken by the linker's --wrap and
 * answered by the model of a disk. The journal's code is the real one,
 * unchanged.
 */
#include "storage/port.h"

#include "system/beside.h"
#include "kernel/open_file.h"

#include "core/vocabulary/invariant.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS 64
#define FIRST       1000 /* numbers that are never those of the real process */
#define TICK_NSEC   1000
#define WAIT_NSEC   UINT64_C(10000000)
#define START_NSEC  UINT64_C(1700000000000000000)

struct port port;

static struct open_file *files[DESCRIPTORS];

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Each call begins here. False: the process is dead, and errno says something. */
static bool lives(const char *call)
{
    port.calls++;
    if (port.dies_at != 0 && port.calls >= port.dies_at)
        port.dead = true;
    if (port.trace)
        fprintf(stderr, "%llu %s%s\n", (unsigned long long)port.calls, call,
                port.dead ? " (dead)" : "");
    errno = EIO;
    return !port.dead;
}

static int result(int r)
{
    if (r >= 0)
        return r;
    errno = -r;
    return -1;
}

static ssize_t result_long(ssize_t r)
{
    if (r >= 0)
        return r;
    errno = (int)-r;
    return -1;
}

static struct open_file *file_at(int fd)
{
    return fd >= FIRST && fd < FIRST + DESCRIPTORS ? files[fd - FIRST] : NULL;
}

static int take_number(struct open_file *file)
{
    for (int i = 0; i < DESCRIPTORS; i++) {
        if (files[i])
            continue;
        files[i] = file;
        return FIRST + i;
    }
    INVARIANT(false);
    return -1;
}

static struct inode *folder_at(int fd)
{
    return fd == AT_FDCWD ? NULL : file_at(fd) ? file_at(fd)->inode : NULL;
}

/* ---- calls ----------------------------------------------------------------------------------- */

int __wrap_openat64(int folder, const char *path, int flags, ...);
/* Numbers of descriptors are those of this port. */
int __wrap_openat64(int folder, const char *path, int flags, ...)
{
    struct open_file *file;
    mode_t mode = 0;
    va_list list;

    va_start(list, flags);
    if (flags & O_CREAT)
        mode = va_arg(list, mode_t);
    va_end(list);
    if (!lives("open"))
        return -1;
    if (folder != AT_FDCWD && !file_at(folder))
        return result(-EBADF);
    int r = file_open(port.task, folder_at(folder), path, flags, mode, &file);
    return r < 0 ? result(r) : take_number(file);
}

int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    return __wrap_openat64(AT_FDCWD, path, flags & ~O_CREAT);
}

int __wrap_close(int fd);
int __wrap_close(int fd)
{
    struct open_file *file = file_at(fd);

    if (!file)
        return result(-EBADF);
    files[fd - FIRST] = NULL;
    file_release(file);
    return lives("close") ? 0 : -1;
}

#define WITH_FILE(name, call)                                                                      \
    struct open_file *file = file_at(fd);                                                          \
                                                                                                   \
    if (!lives(name))                                                                              \
        return -1;                                                                                 \
    return file ? result_long(call) : result(-EBADF)

ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    WITH_FILE("read", file_read(port.task, file, bytes, size));
}

ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t offset)
{
    WITH_FILE("pread", file_read_at(port.task, file, bytes, size, (uint64_t)offset));
}

/* A write by a process that is killed in it may have been made in part. */
static size_t survivor(size_t size)
{
    if (port.dies_at == 0 || port.calls + 1 != port.dies_at || size == 0)
        return size;
    return chance_choose(&port.chance, (uint32_t)size + 1);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    size_t some = survivor(size);

    if (some < size && file_at(fd))
        file_write(port.task, file_at(fd), bytes, some);
    WITH_FILE("write", file_write(port.task, file, bytes, size));
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
    WITH_FILE("pwrite", file_write_at(port.task, file, bytes, size, (uint64_t)offset));
}

ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int n, off_t offset);
/* A death within the write leaves a part of it. */
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int n, off_t offset)
{
    uint8_t *whole = NULL;
    size_t size = 0;

    for (int i = 0; i < n; i++) {
        whole = realloc(whole, size + parts[i].iov_len + 1);
        INVARIANT(whole);
        memcpy(whole + size, parts[i].iov_base, parts[i].iov_len);
        size += parts[i].iov_len;
    }
    struct open_file *file = file_at(fd);
    size_t some = survivor(size);
    ssize_t r = -1;
    if (some < size && file)
        file_write_at(port.task, file, whole, some, (uint64_t)offset);
    if (lives("pwritev"))
        r = file ? result_long(file_write_at(port.task, file, whole, size, (uint64_t)offset))
                 : result(-EBADF);
    free(whole);
    return r;
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    WITH_FILE("fsync", file_sync(port.task, file, false));
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    WITH_FILE("fdatasync", file_sync(port.task, file, true));
}

int __wrap_ftruncate64(int fd, off_t size);
int __wrap_ftruncate64(int fd, off_t size)
{
    WITH_FILE("ftruncate", file_truncate(port.task, file, (uint64_t)size));
}

int __wrap_fstat64(int fd, struct stat *status);
int __wrap_fstat64(int fd, struct stat *status)
{
    WITH_FILE("fstat", path_stat(port.task, file->inode, status));
}

int __wrap_fstatat64(int folder, const char *path, struct stat *status, int flags);
/* Only names, no descriptors. */
int __wrap_fstatat64(int folder, const char *path, struct stat *status, int flags)
{
    struct inode *inode;

    if (!lives("fstatat"))
        return -1;
    int r = path_look_up(port.task, folder_at(folder), path,
                         flags & AT_SYMLINK_NOFOLLOW ? PATH_LAST_LINK : 0, &inode);
    if (r == 0) {
        r = path_stat(port.task, inode, status);
        inode_release(inode);
    }
    return result(r);
}

int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    if (!lives("rename"))
        return -1;
    return result(
        path_rename(port.task, folder_at(from_folder), from, folder_at(to_folder), to, 0));
}

int __wrap_unlinkat(int folder, const char *path, int flags);
int __wrap_unlinkat(int folder, const char *path, int flags)
{
    INVARIANT(flags == 0);
    return lives("unlink") ? result(path_unlink(port.task, folder_at(folder), path)) : -1;
}

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    return lives("mkdir") ? result(path_make_folder(port.task, NULL, path, mode)) : -1;
}

void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
/* A copy is enough: the journal only reads what it maps. */
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    INVARIANT(!at && protection == PROT_READ && offset == 0 && size > 0 && (flags & MAP_PRIVATE));
    if (!lives("mmap") || !file_at(fd))
        return MAP_FAILED;
    void *copy = calloc(1, size);
    INVARIANT(copy);
    if (file_read_at(port.task, file_at(fd), copy, size, 0) >= 0)
        return copy;
    free(copy);
    return MAP_FAILED;
}

int __wrap_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size)
{
    (void)size;
    free(at);
    return 0;
}

/* ---- folders --------------------------------------------------------------------------------- */

struct reading {
    int fd;
    struct dirent entry;
};

DIR *__wrap_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd)
{
    struct reading *reading = calloc(1, sizeof(*reading));

    INVARIANT(reading);
    reading->fd = fd;
    return (DIR *)(void *)reading;
}

struct dirent *__wrap_readdir64(DIR *folder);
/* One name at a time, as the real one does it. */
struct dirent *__wrap_readdir64(DIR *folder)
{
    struct reading *reading = (struct reading *)(void *)folder;
    struct file_name name;

    if (!lives("readdir"))
        return NULL;
    int r = file_next_name(port.task, file_at(reading->fd), &name);
    if (r <= 0) {
        errno = r < 0 ? -r : 0;
        return NULL;
    }
    snprintf(reading->entry.d_name, sizeof(reading->entry.d_name), "%s", name.name);
    reading->entry.d_type = name.type;
    return &reading->entry;
}

int __wrap_closedir(DIR *folder);
int __wrap_closedir(DIR *folder)
{
    struct reading *reading = (struct reading *)(void *)folder;
    int fd = reading->fd;

    free(reading);
    return __wrap_close(fd);
}

/* ---- clocks and chance ----------------------------------------------------------------------- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    uint64_t now = port.now_nsec + (clock == CLOCK_REALTIME ? START_NSEC : 0);

    port.now_nsec += TICK_NSEC;
    time->tv_sec = (time_t)(now / 1000000000);
    time->tv_nsec = (long)(now % 1000000000);
    return 0;
}

ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags);
/* The same numbers in each run. */
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags)
{
    static uint64_t state = 88172645463325252ULL;

    (void)flags;
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((uint8_t *)bytes)[i] = (uint8_t)state;
    }
    return (ssize_t)size;
}

uid_t __wrap_geteuid(void);
uid_t __wrap_geteuid(void)
{
    return 0;
}

/* ---- beside the loop ------------------------------------------------------------------------- */

/* One queue is all that a journal has. */
static struct {
    struct beside_work *first, **end;
    bool made; /* the first one's work is done, its `done` is not */
} beside = {NULL, &beside.first, false};

struct beside_queue *__wrap_beside_queue_new(void);
struct beside_queue *__wrap_beside_queue_new(void)
{
    return (struct beside_queue *)(void *)&beside;
}

void __wrap_beside_reserve(struct beside_queue *queue);
void __wrap_beside_reserve(struct beside_queue *queue)
{
    (void)queue;
}

void __wrap_beside_do(struct beside_queue *queue, struct beside_work *work);
void __wrap_beside_do(struct beside_queue *queue, struct beside_work *work)
{
    (void)queue;
    work->next = NULL;
    *beside.end = work;
    beside.end = &work->next;
}

static struct beside_work *take_first(void)
{
    struct beside_work *work = beside.first;

    beside.first = work->next;
    if (!beside.first)
        beside.end = &beside.first;
    beside.made = false;
    return work;
}

/* One half step of the work that would be done by another thread: doing it, or
 * reporting that it is done. */
bool port_step_beside(void)
{
    if (!beside.first)
        return false;
    if (!beside.made) {
        beside.first->work(beside.first->data);
        beside.made = true;
        return true;
    }
    struct beside_work *work = take_first();
    if (work->done)
        work->done(work->data);
    if (work->release)
        work->release(work->data);
    return true;
}

int __wrap_beside_wait(uint64_t limit_usec, uint64_t left_usec, const char **what);
int __wrap_beside_wait(uint64_t limit_usec, uint64_t left_usec, const char **what)
{
    (void)limit_usec;
    (void)left_usec;
    port.now_nsec += WAIT_NSEC;
    while (port_step_beside())
        ;
    *what = "";
    return 0;
}

void __wrap_beside_cancel(struct beside_queue *queue);
void __wrap_beside_cancel(struct beside_queue *queue)
{
    while (queue && beside.first) {
        struct beside_work *work = take_first();

        if (work->release)
            work->release(work->data);
    }
}

/* ---- the machine ----------------------------------------------------------------------------- */

/* Another boot has another number, by which recovery sees that the machine was
 * down. */
static void make_boot_id(void)
{
    static const char *const folders[] = {"/run/proc", "/run/proc/sys", "/run/proc/sys/kernel",
                                          "/run/proc/sys/kernel/random"};
    struct open_file *file;
    char text[64];

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        path_make_folder(port.task, NULL, folders[i], 0755);
    snprintf(text, sizeof(text), "%08u-1111-4222-8333-444455556666\n", ++port.boot);
    INVARIANT(file_open(port.task, NULL, "/run/proc/sys/kernel/random/boot_id",
                        O_WRONLY | O_CREAT | O_TRUNC, 0644, &file) == 0);
    file_write(port.task, file, text, strlen(text));
    file_release(file);
}

static void mount_memory(void)
{
    struct inode *folder;

    INVARIANT(path_look_up(port.task, NULL, "/run", 0, &folder) == 0);
    volume_mount(port.memory, folder);
    inode_release(folder);
    make_boot_id();
}

/* A machine with a disk, a memory file system and one process. */
void port_begin(const struct chance *chance)
{
    struct task_profile profile = {0};

    port = (struct port){.chance = *chance, .now_nsec = 1000000000};
    port.tasks = task_table_new(&profile, NULL, &port.chance);
    port.disk = volume_new(VOLUME_DISK, &port.chance, 1);
    port.memory = volume_new(VOLUME_MEMORY, &port.chance, 2);
    port.task = task_boot(port.tasks, NULL, "proctord");
    port.task->root = inode_hold(port.disk->root);
    port.task->folder = inode_hold(port.disk->root);
    path_make_folder(port.task, NULL, "/state", 0700);
    path_make_folder(port.task, NULL, "/run", 0700);
    INVARIANT(path_symlink(port.task, "/run/proc", NULL, "/proc") == 0);
    mount_memory();
    volume_sync(port.disk);
}

/* All descriptors are closed; with `power` all that was not synced is drawn. */
void port_end_process(bool power)
{
    port.dead = false;
    port.dies_at = 0;
    for (int i = 0; i < DESCRIPTORS; i++) {
        file_release(files[i]);
        files[i] = NULL;
    }
    if (!power)
        return;
    volume_lose_power(port.disk);
    volume_lose_power(port.memory);
    make_boot_id();
}

void port_end(void)
{
    port_end_process(false);
    task_table_free(port.tasks);
    volume_free(port.memory);
    volume_free(port.disk);
}
