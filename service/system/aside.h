/*
 * Aside: something else stands where a file or a folder of ours should be (a kernel that died, a
 * restored backup, a slip of the hand). It is moved out of the way and kept, as NAME.damaged, so
 * that proctord can start with a new one and a person can still look at it.
 */
#pragma once

#include <sys/types.h>

/*
 * What stands at `path` below the folder `at` must be of this type: S_IFREG, itself, or S_IFDIR,
 * also by a symbolic link. Returns 0 where it is, or where there is nothing; 1 where it has been
 * moved; a negative errno, -EEXIST where a hundred others have been kept.
 */
int aside_put(int at, const char *path, mode_t type);
