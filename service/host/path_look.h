/*
 * Path look: whether a path answers, asked beside the loop.
 *
 * bind(2) and connect(2) of a Unix socket walk its path, and wait for a mount that does not answer
 * as long as that takes. So a process outside (outside.h) looks at the paths first, and the loop
 * only continues when it has come back: what hangs there is the start or the health check that
 * asked, and nothing else.
 *
 * Each owner has one place. A look that hangs stays there, also when it is wanted no more, and
 * until it comes back there is no other: a mount costs a child one process, and not one for each
 * try.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct outside_job;
struct path_look;

extern const struct outside_job path_look_job;

#define PATH_LOOKS_MAX 16 /* paths of one look */

/*
 * done() is called from the loop, later; if an earlier look has not come back, when that does. Its
 * error is -EIO if the processes that looked have died: then the paths must not be walked.
 * Returns 0 or -ENOMEM. The paths are copied.
 */
int path_look_begin(struct path_look **place, const char *const *paths, size_t n,
                    void (*done)(void *userdata, int error), void *userdata);

/* done() is not called any more. NULL is allowed. */
void path_look_forget(struct path_look *look);

/* The owner goes, and *place with it. */
void path_look_leave(struct path_look **place);
