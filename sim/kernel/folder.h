/*
 * Folder: the names in a folder of a disk or a memory file system, as they are and as they would be
 * after a loss of power. An entry whose name is gone stays as long as the disk still has it.
 */
#pragma once

#include "kernel/inode.h"

/* Gives a name to an inode, or another inode to a name, or none (NULL). A reference is taken, and
 * links are counted. change: those with one number reach the disk together. */
void folder_set(struct inode *folder, const char *name, struct inode *inode, uint64_t change);

/* What changed together under this number in the folder and below is durable; 0: everything. */
void folder_keep_change(struct inode *folder, uint64_t change);

/* The entry at a place, of those that are visible. NULL: there are fewer. */
const struct folder_entry *folder_at(const struct inode *folder, size_t place);
/* As rmdir() sees it: what is only on the disk does not count. */
bool folder_is_empty(const struct inode *folder);

/* Its names are durable, and with them what changed together with them elsewhere. */
void folder_sync(struct inode *folder);

/* One entry becomes what the disk has, or the disk gets what it is. */
void folder_entry_keep(struct inode *folder, struct folder_entry *entry);
void folder_entry_lose(struct inode *folder, struct folder_entry *entry);
void folder_tidy(struct inode *folder); /* entries that are in neither go */
