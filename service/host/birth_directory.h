/*
 * A directory that a child's start makes, before its identity changes, so that the child finds it
 * and owns it.
 *
 * The place that it is below is trusted; what is below the place is not. No symbolic link is
 * followed there, each part of the name is opened below the one before, and a part that belongs to
 * a user other than root, proctord's and the child's is refused: nothing is given away that is not
 * the child's already. Below a directory of the child's own the child could exchange parts between
 * two calls; there all is done as the child, and nothing changes its owner.
 */
#pragma once

#include "host/plan.h"

/* In the child, which has a copy of the spawner's memory. uid, gid: the child's, or -1: as
 * proctord. Returns 0 or a negative errno; *why is set where the errno does not say it. */
int birth_directory_make(const struct plan_directory *directory, int64_t uid, int64_t gid,
                         const char **why);
