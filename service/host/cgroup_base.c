/*
 * Where the directory of this proctord is: as the kernel names it, and as it is
 * mounted here.
 */
#include "host/cgroup_base.h"

#include "system/again.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The line that begins with "0::". */
int cgroup_kernel_path(const char *proc, char *path, size_t size)
{
    char text[4096];
    ssize_t n = again_read(AT_FDCWD, proc, text, sizeof(text));
    if (n < 0)
        return (int)n;

    const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (!line)
        return -ENOENT;
    line = strstr(line, "0::") + 3;
    size_t length = strcspn(line, "\n");
    if (length >= size)
        return -ENAMETOOLONG;
    memcpy(path, line, length);
    path[length] = '\0';
    return 0;
}
