/*
 * Files, folders, links and devices: what exists apart from its names. An inode
 * lives as long as a name, an open file or anything else refers to it.
 */
#include "kernel/inode.h"

#include "kernel/view.h"
#include "kernel/volume.h"

#include "core/vocabulary/invariant.h"

#include <stdlib.h>

/* With one reference, for the caller, and no name yet. */
struct inode *inode_new(struct volume *volume, mode_t mode, uid_t owner, gid_t group)
{
    struct inode *inode = calloc(1, sizeof(*inode));

    INVARIANT(inode);
    inode->volume = volume;
    inode->number = ++volume->next_number;
    inode->references = 1;
    inode->mode = mode;
    inode->owner = owner;
    inode->group = group;
    inode->cut = SIZE_MAX;
    inode->modified_nsec = inode->changed_nsec = volume_now(volume);
    volume->n_inodes++;
    return inode;
}

struct inode *inode_hold(struct inode *inode)
{
    INVARIANT(inode->references > 0);
    inode->references++;
    return inode;
}

/* Releases all that the folder contains, for a volume that ends or forgets. */
void inode_clear_names(struct inode *folder)
{
    for (size_t i = 0; i < folder->n_entries; i++) {
        struct folder_entry *entry = &folder->entries[i];

        if (entry->inode && S_ISDIR(entry->inode->mode) && entry->inode->parent == folder)
            entry->inode->parent = NULL;
        inode_release(entry->inode);
        inode_release(entry->stable);
        free(entry->name);
    }
    free(folder->entries);
    folder->entries = NULL;
    folder->n_entries = folder->entries_capacity = 0;
}

static void free_content(struct inode *file)
{
    file->volume->used -= (uint64_t)file->n_pages * INODE_PAGE;
    if (!file->shared)
        free(file->data);
    free(file->stable_data);
    free(file->pages);
}

/* NULL is allowed. The last reference frees the inode with its content. */
void inode_release(struct inode *inode)
{
    if (!inode || --inode->references > 0)
        return;
    if (inode->detach)
        inode->detach(inode);
    if (inode->view && inode->view->release)
        inode->view->release(inode);
    inode_clear_names(inode);
    free_content(inode);
    INVARIANT(!inode->locks && inode->volume->n_inodes > 0);
    inode->volume->n_inodes--;
    free(inode);
}
