#include "proc_stat.h"

#include "again.h"
#include "number.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int proc_stat_read(pid_t pid, enum proc_stat_field field, uint64_t *value)
{
    char path[64], text[1024];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    ssize_t n = again_read(AT_FDCWD, path, text, sizeof(text));
    if (n < 0)
        return (int)n;
    const char *at = strrchr(text, ')');
    if (!at)
        return -ESRCH;
    at++;
    for (int i = 3;; i++) { /* the third is the state */
        at += strspn(at, " ");
        if (i == (int)field)
            return number_take(&at, value) < 0 ? -ESRCH : 0;
        if (!*at)
            return -ESRCH;
        at += strcspn(at, " ");
    }
}

pid_t proc_stat_pid(const char *entry)
{
    uint64_t pid;

    return number_read(entry, INT32_MAX, &pid) == 0 ? (pid_t)pid : 0;
}
