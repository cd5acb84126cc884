/*
 * Inode: a file of the model, of whatever kind, with what is in it.
 *
 * A file of a volume that is a disk exists twice: as every process sees it (volatile), and as it
 * would be after a loss of power (durable). What a process writes or names is volatile at first;
 * fsync(2) of the file makes its content durable, fsync(2) of the folder the names in it. What
 * happens to the rest is drawn when the power goes (volume.h).
 *
 * An inode of a view (view.h) has no content: it is made when it is read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define INODE_NAME_MAX 255
#define INODE_PAGE     4096 /* what a disk writes at a time */
#define INODE_SECTOR   512  /* what a disk writes whole, or not at all */
#define INODE_SYMLINKS 40   /* in one path */

struct volume;
struct view;
struct file_lock;

struct inode;

struct folder_entry {
    char *name;
    struct inode *inode;  /* NULL: only the durable folder still has the name */
    struct inode *stable; /* what the durable folder has under the name; NULL: nothing */
    uint64_t change;      /* entries with the same number change together: a rename(2); 0: synced */
};

struct inode {
    struct volume *volume;
    uint64_t number;
    unsigned references; /* by names, durable names, open files and other holders */
    unsigned links;
    mode_t mode; /* with its kind, as S_IFREG */
    uid_t owner;
    gid_t group;
    uint64_t modified_nsec, changed_nsec; /* of the wall clock */
    dev_t device;                         /* of a device */

    uint8_t *data, *stable_data; /* of a file; of a symbolic link: its text */
    size_t size, capacity, stable_size;
    /* data is memory of another owner, of `capacity` bytes, mapped by processes: it cannot grow,
     * and every page of it may have been written to. */
    bool shared;
    uint8_t *pages; /* content.c: what the disk has of each page of data */
    size_t n_pages;
    size_t cut; /* the least length since the last sync, where that is less than stable_size */

    struct inode *parent; /* of a folder; of a root: itself */
    struct folder_entry *entries;
    size_t n_entries, entries_capacity;
    struct inode *mounted; /* on this folder: the root of another volume */
    struct inode *covers;  /* of a root: the folder that it is mounted on */

    struct file_lock *locks; /* flock(2) */

    const struct view *view;
    void *object;         /* of the view; it holds what it needs by itself */
    uint64_t object_kind; /* the view's own number */

    void *attached; /* the opener of FIFOs and sockets: a pipe, a listening socket */
    void (*detach)(struct inode *inode); /* called before it is freed; may be NULL */
};

/* Returns it with one reference and no name. */
struct inode *inode_new(struct volume *volume, mode_t mode, uid_t owner, gid_t group);
struct inode *inode_hold(struct inode *inode);
void inode_release(struct inode *inode); /* the last one frees it; NULL is allowed */

/* A folder loses all names, also durable ones. */
void inode_clear_names(struct inode *folder);

/* The entry of a folder that is visible, or NULL. */
struct folder_entry *inode_entry(const struct inode *folder, const char *name);
