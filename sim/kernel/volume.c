/*
 * File systems: a disk, which survives a loss of power in part; memory, which
 * does not; and views, which have nothing of their own.
 */
#include "kernel/volume.h"

#include "kernel/content.h"
#include "kernel/folder.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdlib.h>

/* With an empty root. The magic number is the one that statfs() reports, by
 * which programs recognize a file system. */
struct volume *volume_new(enum volume_kind kind, struct chance *chance, dev_t device)
{
    struct volume *volume = calloc(1, sizeof(*volume));

    INVARIANT(volume);
    volume->kind = kind;
    volume->chance = chance;
    volume->device = device;
    volume->type = kind == VOLUME_DISK ? "ext4" : "tmpfs";
    volume->magic = kind == VOLUME_DISK ? 0xef53 : 0x01021994;
    volume->root = inode_new(volume, S_IFDIR | 0755, 0, 0);
    volume->root->links = 2;
    volume->root->parent = volume->root;
    return volume;
}

/* Nothing may be open in it any more. */
void volume_free(struct volume *volume)
{
    struct inode *covers = volume->root->covers;

    if (covers) {
        covers->mounted = NULL;
        inode_release(covers);
    }
    INVARIANT(volume->root->references == 1);
    inode_release(volume->root);
    INVARIANT(volume->n_inodes == 0);
    free(volume);
}

int volume_mount(struct volume *volume, struct inode *folder)
{
    if (!S_ISDIR(folder->mode))
        return -ENOTDIR;
    if (folder->mounted || volume->root->covers)
        return -EBUSY;
    folder->mounted = volume->root;
    volume->root->covers = inode_hold(folder);
    return 0;
}

/* All files in a folder and below it. */
static void sync_files(struct inode *folder)
{
    for (size_t i = 0; i < folder->n_entries; i++)
        if (folder->entries[i].inode)
            S_ISDIR(folder->entries[i].inode->mode) ? sync_files(folder->entries[i].inode)
                                                    : content_sync(folder->entries[i].inode);
    folder_tidy(folder);
}

void volume_sync(struct volume *volume)
{
    if (volume->kind != VOLUME_DISK)
        return;
    folder_keep_change(volume->root, 0);
    sync_files(volume->root);
}
