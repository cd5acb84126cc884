/*
 * View: files that are made when they are read: /proc and /sys/fs/cgroup. A view answers
 * for each inode that it has given; no permission is asked of it but what the inode's mode says.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct inode;
struct task;

/* Text that grows: what a view's file says. A NUL, which does not count, is behind it. */
struct view_text {
    char *bytes;
    size_t size, capacity;
};

void view_add(struct view_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void view_add_bytes(struct view_text *text, const void *bytes, size_t size);
/* The text is empty afterwards, and can be used again. */
void view_text_free(struct view_text *text);

/* All return 0 or a negative errno; a port that is NULL: -EPERM. caller: who makes the call. */
struct view {
    /* A reference to what has the name in a folder. */
    int (*look_up)(struct inode *folder, struct task *caller, const char *name,
                   struct inode **found);
    /* The names in a folder without "." and "..", one call of add for each. */
    int (*list)(struct inode *folder, struct task *caller,
                void (*add)(void *userdata, const char *name, uint64_t number, mode_t mode),
                void *userdata);
    int (*open)(struct inode *file, struct task *caller); /* may be NULL: 0 */
    int (*read)(struct inode *file, struct task *caller, struct view_text *text);
    int (*write)(struct inode *file, struct task *caller, const char *bytes, size_t size);
    int (*make_folder)(struct inode *folder, struct task *caller, const char *name, mode_t mode);
    int (*remove_folder)(struct inode *folder, struct task *caller, const char *name);
    /* The text of a symbolic link, as readlink(2) has it. */
    int (*read_link)(struct inode *link, struct task *caller, struct view_text *text);
    /* Where a link leads, if not by its text (/proc/PID/fd/1): a reference. May be NULL. */
    int (*follow)(struct inode *link, struct task *caller, struct inode **target);
    /* A number that changes when the file's content does (for EPOLLPRI); may be NULL: never. */
    uint64_t (*version)(const struct inode *file);
    const char *(*name)(const struct inode *inode); /* in its parent; may be NULL */
    void (*release)(struct inode *inode);           /* before it is freed; may be NULL */
};
