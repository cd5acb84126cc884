/*
 * What a loss of power does to the names on a disk. Content is drawn in
 * content.c.
 */
#include "kernel/volume.h"

#include "kernel/content.h"
#include "kernel/folder.h"

#include "core/vocabulary/invariant.h"

#include <stdlib.h>

/* What was drawn for each change of names. */
struct fates {
    struct fate {
        uint64_t change;
        bool kept;
    } * list;
    size_t n, capacity;
};

/* One draw for each change, however many entries it concerns. */
static bool change_is_kept(struct fates *fates, struct chance *chance, uint64_t change)
{
    for (size_t i = 0; i < fates->n; i++)
        if (fates->list[i].change == change)
            return fates->list[i].kept;
    if (fates->n == fates->capacity) {
        fates->capacity = fates->capacity ? fates->capacity * 2 : 16;
        fates->list = realloc(fates->list, fates->capacity * sizeof(*fates->list));
        INVARIANT(fates->list);
    }
    bool kept = chance_choose(chance, 2) == 0;
    fates->list[fates->n++] = (struct fate){change, kept};
    return kept;
}

/* Which changes reach the disk is drawn for the folders as they were seen. */
static void draw_names(struct fates *fates, struct inode *folder)
{
    for (size_t i = 0; i < folder->n_entries; i++) {
        struct folder_entry *entry = &folder->entries[i];

        if (entry->inode && S_ISDIR(entry->inode->mode))
            draw_names(fates, entry->inode);
        if (entry->change == 0)
            continue;
        if (change_is_kept(fates, folder->volume->chance, entry->change))
            folder_entry_keep(folder, entry);
    }
}

/* Names that the disk does not have go, and those that it has still come back. */
static void restore(struct inode *folder)
{
    for (size_t i = 0; i < folder->n_entries; i++)
        folder_entry_lose(folder, &folder->entries[i]);
    folder_tidy(folder);
    for (size_t i = 0; i < folder->n_entries; i++) {
        struct inode *inode = folder->entries[i].inode;

        if (S_ISDIR(inode->mode))
            restore(inode);
        else
            content_lose_power(inode);
    }
}

/* After this the volume is as it is found at the next boot. */
void volume_lose_power(struct volume *volume)
{
    struct fates fates = {0};

    if (volume->kind == VOLUME_MEMORY)
        inode_clear_names(volume->root);
    if (volume->kind != VOLUME_DISK)
        return;
    draw_names(&fates, volume->root);
    restore(volume->root);
    free(fates.list);
}
