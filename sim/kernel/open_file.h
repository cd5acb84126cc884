/*
 * Open file: what open(2) gives: a position, flags, and a lock, shared by all descriptors that were
 * made of it by dup(2), fork(2) or SCM_RIGHTS.
 *
 * FIFOs, sockets and devices are opened here as far as names, flags and permissions go; what is
 * read and written there belongs to the caller (inode->attached).
 */
#pragma once

#include "kernel/volume.h"

#include <sys/uio.h>

struct open_file {
    struct inode *inode;
    int flags; /* O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH, O_DIRECTORY */
    uint64_t position;
    unsigned references;
    uint64_t seen;         /* the view's version when it was read last */
    struct view_text text; /* of a view: what is being read */
    bool has_text;
    struct folder_listing *listing; /* of a folder */
    void *attached;                 /* the caller's */
};

/* Returns 0 or a negative errno. mode: with O_CREAT. O_CLOEXEC is the descriptor's, not the file's.
 * A FIFO is given at once: whether it waits for the other end is the caller's to know. */
int file_open(struct task *task, struct inode *at, const char *path, int flags, mode_t mode,
              struct open_file **file);
/* One more open file of what is known: memfd_create(2), /proc/self/fd. */
int file_open_inode(struct task *task, struct inode *inode, int flags, struct open_file **file);
/* A file without a name in a memory file system. */
int file_open_memory(struct task *task, struct volume *volume, int flags, struct open_file **file);
/* Each duplicate of a descriptor holds the file; file_release() gives it back.
 */
struct open_file *file_hold(struct open_file *file);
void file_release(struct open_file *file); /* the last one closes it, and gives up its lock */

/* Bytes, or a negative errno. */
ssize_t file_read(struct task *task, struct open_file *file, void *bytes, size_t size);
/* How much was read, 0 at the end; -EBADF, -EISDIR or -EIO. */
ssize_t file_read_at(struct task *task, struct open_file *file, void *bytes, size_t size,
                     uint64_t offset);
/* At the position of the file, which moves by what was written. */
ssize_t file_write(struct task *task, struct open_file *file, const void *bytes, size_t size);
/* How much was written, which a fault may make less; -EBADF, -ENOSPC, -EIO or
 * -EFBIG. */
ssize_t file_write_at(struct task *task, struct open_file *file, const void *bytes, size_t size,
                      uint64_t offset);
/* The new position, or -EINVAL before the beginning. */
int64_t file_seek(struct open_file *file, int64_t offset, int whence);
/* 0 or a negative errno. */
int file_truncate(struct task *task, struct open_file *file, uint64_t size);
/* Makes the file at least so large: later writes find room. */
int file_allocate(struct task *task, struct open_file *file, uint64_t offset, uint64_t size);
/* 0 or -EIO; only_data makes no difference here. */
int file_sync(struct task *task, struct open_file *file, bool only_data);

/* LOCK_SH, LOCK_EX, LOCK_UN, with LOCK_NB. Without it -EAGAIN means: it would wait; ask again when
 * anything has changed. */
int file_lock(struct open_file *file, int operation);

/* EPOLLIN, EPOLLOUT, EPOLLPRI | EPOLLERR when a view's file has changed since it was read last. */
unsigned file_poll(const struct open_file *file);

struct file_name {
    const char *name; /* valid until the next call */
    uint64_t number;
    unsigned char type; /* DT_REG ... */
};

/* The next name in a folder: 1, 0 at its end, or a negative errno. file_seek() to 0 starts
 * again. */
int file_next_name(struct task *task, struct open_file *file, struct file_name *name);
