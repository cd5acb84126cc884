/*
 * The path of an inode, found by walking upwards: for getcwd() and the links in
 * /proc.
 */
#include "kernel/path.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "/name" before a text that is freed. */
static char *before(const char *name, char *rest)
{
    char *text;

    INVARIANT(asprintf(&text, "/%s%s", name, rest) >= 0);
    free(rest);
    return text;
}

static const char *name_in(const struct inode *folder, const struct inode *inode)
{
    for (size_t i = 0; i < folder->n_entries; i++)
        if (folder->entries[i].inode == inode)
            return folder->entries[i].name;
    return NULL;
}

/* The folder in which a file of a volume has a name. */
static const struct inode *folder_with(const struct inode *folder, const struct inode *inode)
{
    if (name_in(folder, inode))
        return folder;
    for (size_t i = 0; i < folder->n_entries; i++) {
        const struct inode *below = folder->entries[i].inode;
        const struct inode *found =
            below && S_ISDIR(below->mode) ? folder_with(below, inode) : NULL;

        if (found)
            return found;
    }
    return NULL;
}

/* The caller frees `text`. -ENOENT if a folder on the way has no name any
 * more. */
int path_of(struct task *task, const struct inode *inode, char **text)
{
    char *path = strdup("");

    INVARIANT(path);
    while (inode != task->root) {
        if (inode->covers && inode->parent == inode) {
            inode = inode->covers;
            continue;
        }
        const struct inode *folder =
            inode->parent ? inode->parent : folder_with(inode->volume->root, inode);
        const char *name = folder ? name_in(folder, inode) : NULL;
        if (!name && inode->view && inode->view->name && folder)
            name = inode->view->name(inode);
        if (!name) {
            free(path);
            return -ENOENT;
        }
        path = before(name, path);
        inode = folder;
    }
    *text = *path ? path : before("", path);
    return 0;
}
