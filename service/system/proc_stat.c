/*
 * Reading /proc/PID/stat. The name of the process in it may contain anything,
 * parentheses and blanks included, so the fields are counted from the last
 * closing parenthesis.
 */
#include "system/proc_stat.h"

#include "system/again.h"
#include "system/number.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* at: behind the name; the third field is the first one there. */
static int take_field(const char *at, enum proc_stat_field field, uint64_t *value)
{
    for (int i = 3;; i++) {
        at += strspn(at, " ");
        if (i == (int)field)
            return number_take(&at, value) < 0 ? -ESRCH : 0;
        if (!*at)
            return -ESRCH;
        at += strcspn(at, " ");
    }
}

int proc_stat_read_fields(pid_t pid, const enum proc_stat_field *fields, size_t n, uint64_t *values)
{
    char path[64], text[1024];

    memset(values, 0, n * sizeof(*values));
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    ssize_t length = again_read(AT_FDCWD, path, text, sizeof(text));
    if (length < 0)
        return (int)length;
    const char *at = strrchr(text, ')');
    int r = at ? 0 : -ESRCH;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = take_field(at + 1, fields[i], &values[i]);
    return r;
}

int proc_stat_read(pid_t pid, enum proc_stat_field field, uint64_t *value)
{
    uint64_t found;
    int r = proc_stat_read_fields(pid, &field, 1, &found);

    if (r == 0)
        *value = found;
    return r;
}

uint64_t proc_stat_ticks_now(void)
{
    struct timespec now;
    uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * per_second + (uint64_t)now.tv_nsec * per_second / 1000000000;
}

pid_t proc_stat_pid(const char *entry)
{
    uint64_t pid;

    return number_read(entry, INT32_MAX, &pid) == 0 ? (pid_t)pid : 0;
}
