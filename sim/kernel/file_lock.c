/*
 * Locks of whole files (flock), which belong to the open file: they are shared
 * by its duplicates and end when the last one is closed. proctord uses one so
 * that no two of it work in one folder.
 */
#include "kernel/file_lock.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>

struct file_lock {
    struct file_lock *next;
    const struct open_file *file;
    bool exclusive;
};

/* An open file has at most one lock. */
void file_lock_drop(struct open_file *file)
{
    for (struct file_lock **at = &file->inode->locks; *at; at = &(*at)->next) {
        struct file_lock *lock = *at;

        if (lock->file != file)
            continue;
        *at = lock->next;
        free(lock);
        return;
    }
}

static bool is_free(const struct inode *inode, bool exclusive)
{
    for (const struct file_lock *lock = inode->locks; lock; lock = lock->next)
        if (exclusive || lock->exclusive)
            return false;
    return true;
}

static const struct file_lock *lock_of(const struct open_file *file)
{
    const struct file_lock *lock = file->inode->locks;

    while (lock && lock->file != file)
        lock = lock->next;
    return lock;
}

/* -EAGAIN if another open file holds it; waiting is the caller's business. */
int file_lock(struct open_file *file, int operation)
{
    bool exclusive = (operation & ~LOCK_NB) == LOCK_EX;
    const struct file_lock *held = lock_of(file);

    if (file->flags & O_PATH)
        return -EBADF;
    if (!exclusive && (operation & ~LOCK_NB) != LOCK_SH && (operation & ~LOCK_NB) != LOCK_UN)
        return -EINVAL;
    if (held && held->exclusive == exclusive && !(operation & LOCK_UN))
        return 0;
    file_lock_drop(file); /* a lock that is changed is given up first, as Linux does it */
    if (operation & LOCK_UN)
        return 0;
    if (!is_free(file->inode, exclusive))
        return -EAGAIN;
    struct file_lock *lock = malloc(sizeof(*lock));
    INVARIANT(lock);
    *lock = (struct file_lock){file->inode->locks, file, exclusive};
    file->inode->locks = lock;
    return 0;
}
