/*
 * Arguments of calls that are paths or descriptors of files.
 */
#include "machine/file_arguments.h"

#include "machine/call_memory.h"
#include "machine/file_kind.h"

#include <errno.h>
#include <fcntl.h>

/* NULL: the working folder. */
static int folder_at(const struct runner *runner, uint64_t number, struct inode **at)
{
    const struct open_file *file;

    *at = NULL;
    if ((int)number == AT_FDCWD)
        return 0;
    file = file_kind_of(runner_description(runner, number));
    if (!file)
        return runner_description(runner, number) ? -ENOTDIR : -EBADF;
    *at = file->inode;
    return 0;
}

int path_argument(const struct runner *runner, uint64_t number, uint64_t address, struct inode **at,
                  char path[4096])
{
    int r = calls_path(runner, address, path);

    if (r < 0)
        return r;
    *at = NULL;
    return path[0] == '/' ? 0 : folder_at(runner, number, at);
}

struct open_file *file_argument(const struct runner *runner, uint64_t number, int *error)
{
    const struct description *description = runner_description(runner, number);
    struct open_file *file = file_kind_of(description);

    *error = file ? 0 : description ? -EINVAL : -EBADF;
    return file;
}
