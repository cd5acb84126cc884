#include "puppets.h"

#include <errno.h>

struct model model;

void puppet_close(struct slot *slot)
{
    file_release(slot->file);
    if (slot->task)
        task_release(slot->task);
    *slot = (struct slot){0};
}

int puppet_take(struct puppet *puppet, struct open_file *file, struct task *task)
{
    for (int i = 3; i < DESCRIPTORS; i++) {
        if (puppet->slots[i].file || puppet->slots[i].task)
            continue;
        puppet->slots[i] = (struct slot){file, task};
        return i;
    }
    return -EMFILE;
}

struct open_file *puppet_file(const struct puppet *puppet, int fd)
{
    return fd >= 0 && fd < DESCRIPTORS ? puppet->slots[fd].file : NULL;
}

struct task *puppet_task(const struct puppet *puppet, int fd)
{
    return fd >= 0 && fd < DESCRIPTORS ? puppet->slots[fd].task : NULL;
}
