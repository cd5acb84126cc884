/*
 * Path: what the calls that walk along paths (volume.h) share.
 */
#pragma once

#include "kernel/volume.h"

/* A reference to what has a name in a folder, which may be searched. */
int path_entry(struct task *task, struct inode *folder, const char *name, struct inode **found);
/* The target of a symbolic link, which a view may make up for the caller. */
int path_link_text(struct task *task, struct inode *link, struct view_text *text);
/* wish: R_OK, W_OK and X_OK, as for access(). */
bool path_may(const struct task *task, const struct inode *inode, int wish);
/* A new inode under a new name; made: a reference, or NULL. */
int path_create(struct task *task, struct inode *folder, const char *name, mode_t mode,
                dev_t device, struct inode **made);
