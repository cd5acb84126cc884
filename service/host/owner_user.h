/*
 * The user that a process runs as: what it says of itself is believed where that is the attempt's.
 */
#pragma once

#include <sys/types.h>

struct process;

/* The one of the attempt's main process, also once it has ended: 0, or a negative errno. */
int owner_user(const struct process *process, uid_t *uid);

/* The real user of any process. */
int owner_user_of(pid_t pid, uid_t *uid);
