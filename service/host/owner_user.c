/*
 * The user that a process runs as, from /proc.
 */
#include "host/owner_user.h"

#include "system/again.h"
#include "system/handle.h"
#include "system/number.h"
#include "host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The real user, which the process cannot change back and forth. */
int owner_user_of(pid_t pid, uid_t *uid)
{
    char path[64], text[2048];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    ssize_t n = again_read(AT_FDCWD, path, text, sizeof(text));
    if (n < 0)
        return (int)n;
    const char *line = strstr(text, "\nUid:\t");
    uint64_t number;
    const char *user = line ? line + strlen("\nUid:\t") : "";
    if (number_take(&user, &number) < 0)
        return -ESRCH;
    *uid = (uid_t)number;
    return 0;
}

/* Of an attempt's main process; after its end, what it was. */
int owner_user(const struct process *process, uid_t *uid)
{
    if (process->state != PROCESS_RUNNING) {
        *uid = process->user;
        return process->has_user ? 0 : -ESRCH;
    }
    int r = owner_user_of(process->main_pid, uid);
    if (r == 0 && process->pidfd >= 0 && handle_is_reaped(process->pidfd))
        return -ESRCH;
    return r;
}
