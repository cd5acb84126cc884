/*
 * The entries of a folder, as they are now and as they are on the disk. A
 * change of names reaches the disk on its own or with a sync of the folder; a
 * rename is one change of two entries, which a loss of power keeps or drops as
 * a whole.
 */
#include "kernel/folder.h"

#include "kernel/volume.h"

#include "core/vocabulary/invariant.h"

#include <stdlib.h>
#include <string.h>

static struct folder_entry *entry_of(const struct inode *folder, const char *name)
{
    for (size_t i = 0; i < folder->n_entries; i++)
        if (strcmp(folder->entries[i].name, name) == 0)
            return &folder->entries[i];
    return NULL;
}

struct folder_entry *inode_entry(const struct inode *folder, const char *name)
{
    struct folder_entry *entry = entry_of(folder, name);

    return entry && entry->inode ? entry : NULL;
}

/* Entries stay in the order in which they were made. */
static struct folder_entry *entry_new(struct inode *folder, const char *name)
{
    if (folder->n_entries == folder->entries_capacity) {
        folder->entries_capacity = folder->entries_capacity ? folder->entries_capacity * 2 : 8;
        folder->entries =
            realloc(folder->entries, folder->entries_capacity * sizeof(*folder->entries));
        INVARIANT(folder->entries);
    }
    struct folder_entry *entry = &folder->entries[folder->n_entries++];
    *entry = (struct folder_entry){.name = strdup(name)};
    INVARIANT(entry->name);
    return entry;
}

/* Counts a name that the inode has got or lost. A folder below another is a link to that one. */
static void count_link(struct inode *folder, struct inode *inode, bool more)
{
    bool is_folder = S_ISDIR(inode->mode);
    unsigned n = is_folder ? 2 : 1;

    inode->links = more ? inode->links + n : inode->links - n;
    if (is_folder) {
        folder->links = more ? folder->links + 1 : folder->links - 1;
        if (more)
            inode->parent = folder;
        else if (inode->parent == folder)
            inode->parent = NULL;
    }
}

void folder_keep_change(struct inode *folder, uint64_t change)
{
    for (size_t i = 0; i < folder->n_entries; i++) {
        struct folder_entry *entry = &folder->entries[i];

        if (change == 0 || entry->change == change)
            folder_entry_keep(folder, entry);
        if (entry->inode && S_ISDIR(entry->inode->mode))
            folder_keep_change(entry->inode, change);
    }
}

/* How many entries change together. */
static size_t count_change(const struct inode *folder, uint64_t change)
{
    size_t n = 0;

    for (size_t i = 0; i < folder->n_entries; i++) {
        const struct folder_entry *entry = &folder->entries[i];

        n += entry->change == change;
        if (entry->inode && S_ISDIR(entry->inode->mode))
            n += count_change(entry->inode, change);
    }
    return n;
}

static void renumber(struct inode *folder, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < folder->n_entries; i++) {
        struct folder_entry *entry = &folder->entries[i];

        if (entry->change == from)
            entry->change = to;
        if (entry->inode && S_ISDIR(entry->inode->mode))
            renumber(entry->inode, from, to);
    }
}

/* A name changes again before the disk has the rename(2) that gave or took it: the disk has both
 * together, or the older one already. */
static void settle_older(struct inode *root, uint64_t older, uint64_t change)
{
    if (older == 0 || older == change || count_change(root, older) < 2)
        return;
    if (chance_choose(root->volume->chance, 2) == 0)
        renumber(root, older, change);
    else
        folder_keep_change(root, older);
}

/* Gives a name to a file, or takes it away with NULL. Changes with the same
 * number belong together. On a disk, an older change of the same entry is
 * settled first, because entries remember only one. */
void folder_set(struct inode *folder, const char *name, struct inode *inode, uint64_t change)
{
    struct folder_entry *entry = entry_of(folder, name);

    if (!entry)
        entry = entry_new(folder, name);
    if (folder->volume->kind == VOLUME_DISK)
        settle_older(folder->volume->root, entry->change, change);
    struct inode *before = entry->inode;
    entry->inode = inode ? inode_hold(inode) : NULL;
    entry->change = change;
    if (before)
        count_link(folder, before, false);
    if (inode)
        count_link(folder, inode, true);
    inode_release(before);
    folder->modified_nsec = folder->changed_nsec = volume_now(folder->volume);
    if (folder->volume->kind != VOLUME_DISK)
        folder_tidy(folder);
    else if (chance_strikes(folder->volume->chance, folder->volume->faults.write_back))
        folder_keep_change(folder->volume->root, change);
}

const struct folder_entry *folder_at(const struct inode *folder, size_t place)
{
    for (size_t i = 0; i < folder->n_entries; i++)
        if (folder->entries[i].inode && place-- == 0)
            return &folder->entries[i];
    return NULL;
}

bool folder_is_empty(const struct inode *folder)
{
    return folder_at(folder, 0) == NULL;
}

void folder_entry_keep(struct inode *folder, struct folder_entry *entry)
{
    INVARIANT(folder->volume->kind == VOLUME_DISK);
    struct inode *before = entry->stable;
    entry->stable = entry->inode ? inode_hold(entry->inode) : NULL;
    entry->change = 0;
    inode_release(before);
}

/* After a loss of power the entry is what it is on the disk. */
void folder_entry_lose(struct inode *folder, struct folder_entry *entry)
{
    struct inode *before = entry->inode;

    entry->inode = entry->stable ? inode_hold(entry->stable) : NULL;
    entry->change = 0;
    if (before)
        count_link(folder, before, false);
    if (entry->inode)
        count_link(folder, entry->inode, true);
    inode_release(before);
}

/* Entries that are neither seen nor on the disk go. */
void folder_tidy(struct inode *folder)
{
    size_t kept = 0;

    for (size_t i = 0; i < folder->n_entries; i++) {
        if (folder->entries[i].inode || folder->entries[i].stable)
            folder->entries[kept++] = folder->entries[i];
        else
            free(folder->entries[i].name);
    }
    folder->n_entries = kept;
}

void folder_sync(struct inode *folder)
{
    for (size_t i = 0; i < folder->n_entries; i++)
        if (folder->entries[i].change != 0)
            folder_keep_change(folder->volume->root, folder->entries[i].change);
    folder_tidy(folder);
}
