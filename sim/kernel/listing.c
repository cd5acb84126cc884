/*
 * Reading the names of a folder. They are collected at the beginning, so that
 * changes in between neither repeat nor skip a name; a rewind collects them
 * again.
 */
#include "kernel/listing.h"

#include "kernel/folder.h"
#include "kernel/open_file.h"

#include "core/vocabulary/invariant.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct listed {
    char *name;
    uint64_t number;
    unsigned char type;
};

struct folder_listing {
    struct listed *names;
    size_t n, capacity;
};

void listing_free(struct folder_listing *listing)
{
    if (!listing)
        return;
    for (size_t i = 0; i < listing->n; i++)
        free(listing->names[i].name);
    free(listing->names);
    free(listing);
}

/* One name more, in the order of the folder. */
static void add(void *userdata, const char *name, uint64_t number, mode_t mode)
{
    struct folder_listing *listing = userdata;

    if (listing->n == listing->capacity) {
        listing->capacity = listing->capacity ? listing->capacity * 2 : 16;
        listing->names = realloc(listing->names, listing->capacity * sizeof(*listing->names));
        INVARIANT(listing->names);
    }
    struct listed *listed = &listing->names[listing->n++];
    *listed = (struct listed){strdup(name), number, IFTODT(mode)};
    INVARIANT(listed->name);
}

/* "." and ".." come first, then what the folder or the view has. */
static int list(struct task *task, struct inode *folder, struct folder_listing *listing)
{
    const struct inode *parent = folder->parent ? folder->parent : folder;

    add(listing, ".", folder->number, S_IFDIR);
    add(listing, "..", parent->number, S_IFDIR);
    if (folder->view)
        return folder->view->list ? folder->view->list(folder, task, add, listing) : -EPERM;
    const struct folder_entry *entry;
    for (size_t i = 0; (entry = folder_at(folder, i)); i++)
        add(listing, entry->name, entry->inode->number, entry->inode->mode);
    return 0;
}

/* 1 with a name, 0 at the end. The name belongs to the open file. */
int file_next_name(struct task *task, struct open_file *file, struct file_name *name)
{
    if (!S_ISDIR(file->inode->mode) || (file->flags & O_PATH))
        return file->flags & O_PATH ? -EBADF : -ENOTDIR;
    if (file->position == 0 || !file->listing) {
        listing_free(file->listing);
        file->listing = calloc(1, sizeof(*file->listing));
        INVARIANT(file->listing);
        int r = list(task, file->inode, file->listing);
        if (r < 0)
            return r;
    }
    if (file->position >= file->listing->n)
        return 0;
    const struct listed *listed = &file->listing->names[file->position++];
    *name = (struct file_name){listed->name, listed->number, listed->type};
    return 1;
}
