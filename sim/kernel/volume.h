/*
 * Volume: a file system of the model, and the tree of all that are mounted.
 *
 * All calls take the task that makes them (task.h): its identity, its working folder, its umask.
 * They return 0 or a negative errno. Where a call refers to a folder, `at` is an inode or NULL for
 * the task's working folder.
 *
 * Three kinds: a disk keeps over a loss of power what was made durable, and any part of the rest; a
 * memory file system (tmpfs) keeps nothing; a view (view.h) has nothing of its own.
 */
#pragma once

#include "kernel/chance.h"
#include "kernel/inode.h"
#include "kernel/task.h"
#include "kernel/view.h"

enum volume_kind { VOLUME_DISK, VOLUME_MEMORY, VOLUME_VIEW };

/* Faults, per mille of the calls that they can strike. */
struct volume_faults {
    uint16_t no_space;    /* ENOSPC though there is room */
    uint16_t read_error;  /* EIO */
    uint16_t write_error; /* EIO */
    uint16_t sync_error; /* EIO of fsync(2): as Linux does, what could not be written is lost to the
                            disk, and the next fsync(2) says nothing of it */
    uint16_t short_write; /* fewer bytes than asked for, at least one */
    uint16_t short_read;
    uint16_t write_back; /* at a write: the kernel has written the page to the disk by itself */
    uint16_t lying_sync; /* fsync(2) says 0 and does nothing */
    /* When the power goes: */
    uint16_t torn;    /* a page that is on its way: some of its sectors are old, some new */
    uint16_t flipped; /* one bit of a file that was being written to */
};

struct volume {
    enum volume_kind kind;
    struct chance *chance;
    struct volume_faults faults;
    struct inode *root;
    uint64_t next_number;
    uint64_t next_change;
    uint64_t capacity, used;       /* bytes in pages; capacity 0: without limit */
    uint64_t max_inodes, n_inodes; /* 0: without limit */
    dev_t device;
    uint64_t (*now)(void *userdata); /* wall clock, nanoseconds; NULL: 0 */
    void *now_userdata;
    const char *type; /* as in /proc/mounts: "ext4", "tmpfs", "proc", "cgroup2" */
    long magic;       /* of statfs(2) */
};

/* With an empty root folder. device: what stat() reports. */
struct volume *volume_new(enum volume_kind kind, struct chance *chance, dev_t device);
/* All open files and working folders must have gone. */
void volume_free(struct volume *volume);

static inline uint64_t volume_now(const struct volume *volume)
{
    return volume->now ? volume->now(volume->now_userdata) : 0;
}

/* From now on the folder is the volume's root. */
int volume_mount(struct volume *volume, struct inode *folder);

/*
 * The power goes: of a disk what is durable stays, and of the rest any part in any order: names,
 * pages, lengths. A rename is there whole or not at all. A memory file system is empty. Open files
 * must have been closed, tasks ended.
 */
void volume_lose_power(struct volume *volume);

/* Everything is durable, as after a clean shutdown. */
void volume_sync(struct volume *volume);

#define PATH_LAST_LINK 1u /* a symbolic link at the end is not followed */
#define PATH_IN_TREE   2u /* an empty path is `at` itself: AT_EMPTY_PATH */

/* A reference to what the path leads to. Checks the permission to search each folder. */
int path_look_up(struct task *task, struct inode *at, const char *path, unsigned flags,
                 struct inode **found);
/* A reference to the folder that the last name of a path is in, and that name (INODE_NAME_MAX + 1
 * bytes). */
int path_parent(struct task *task, struct inode *at, const char *path, struct inode **folder,
                char *name);
/* What realpath(3) and getcwd(2) say. The text is allocated. -ENOENT: it was removed. */
int path_of(struct task *task, const struct inode *inode, char **text);

/* 0; there is no time of the last access. */
int path_stat(struct task *task, const struct inode *inode, struct stat *status);
/* 0 or -EACCES. */
int path_access(struct task *task, const struct inode *inode, int wish);
/* Like the system calls of these names, all return 0 or a negative errno; at:
 * NULL for the folder of the process. */
int path_make_folder(struct task *task, struct inode *at, const char *path, mode_t mode);
/* made: held for the caller, or NULL. */
int path_make_node(struct task *task, struct inode *at, const char *path, mode_t mode, dev_t device,
                   struct inode **made); /* made: a reference; may be NULL. mkfifo, bind(2) */
int path_symlink(struct task *task, const char *text, struct inode *at, const char *path);
int path_link(struct task *task, struct inode *from_at, const char *from, struct inode *to_at,
              const char *to);
int path_unlink(struct task *task, struct inode *at, const char *path);
int path_remove_folder(struct task *task, struct inode *at, const char *path);
/* flags: RENAME_NOREPLACE and RENAME_EXCHANGE. */
int path_rename(struct task *task, struct inode *from_at, const char *from, struct inode *to_at,
                const char *to, unsigned flags); /* RENAME_NOREPLACE, RENAME_EXCHANGE */
int path_read_link(struct task *task, struct inode *at, const char *path, char *text, size_t size);
int inode_set_mode(struct task *task, struct inode *inode, mode_t mode);
/* (uid_t)-1 and (gid_t)-1 leave what was. */
int inode_set_owner(struct task *task, struct inode *inode, uid_t owner, gid_t group);
/* As chdir(); 0, -ENOTDIR or -EACCES. */
int task_enter_folder(struct task *task, struct inode *folder);
