/*
 * What /proc/PID/fd shows of the descriptors of a process.
 */
#include "machine/descriptor_links.h"

#include "machine/file_kind.h"
#include "machine/pipe.h"
#include "machine/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void list(void *userdata, const struct task *task, void (*add)(void *userdata, int number),
                 void *add_userdata)
{
    const struct program *program = program_of(task);

    (void)userdata;
    for (size_t i = 0; program && i < program->descriptors->room; i++)
        if (program->descriptors->list[i].description)
            add(add_userdata, (int)i);
}

static struct description *find(const struct task *task, int number)
{
    const struct program *program = program_of(task);
    return program ? descriptors_get(program->descriptors, number) : NULL;
}

/* The path of a file, or the kind and number of anything else. */
static int tell_link(void *userdata, const struct task *task, int number, struct view_text *text)
{
    struct machine *machine = userdata;
    const struct description *description = find(task, number);
    const struct open_file *file = file_kind_of(description);
    char *path = NULL;

    if (!description)
        return -ENOENT;
    if (file && path_of(machine->init, file->inode, &path) == 0)
        view_add(text, "%s", path);
    else
        view_add(text, "%s:[%llu]", description->kind->name,
                 (unsigned long long)description->number);
    free(path);
    return 0;
}

/* For opening through the link; only files can be opened so. */
static int find_inode(void *userdata, const struct task *task, int number, struct inode **inode)
{
    const struct description *description = find(task, number);
    const struct open_file *file = file_kind_of(description);

    (void)userdata;
    if (!description)
        return -ENOENT;
    if (!file)
        return -ENXIO;
    *inode = inode_hold(file->inode);
    return 0;
}

static int tell_info(void *userdata, const struct task *task, int number, struct view_text *text)
{
    const struct description *description = find(task, number);

    (void)userdata;
    if (!description)
        return -ENOENT;
    view_add(text, "pos:\t0\nflags:\t0%o\nmnt_id:\t1\n", (unsigned)description->flags);
    return 0;
}

struct proc_ports descriptor_links_ports(struct machine *machine)
{
    return (struct proc_ports){machine, list, tell_link, find_inode, tell_info};
}

struct description *descriptor_links_pipe(const struct runner *runner, const char *path)
{
    const struct task *task = runner->task;
    int pid, number, length = 0;

    if (sscanf(path, "/proc/self/fd/%d%n", &number, &length) != 1) {
        if (sscanf(path, "/proc/%d/fd/%d%n", &pid, &number, &length) != 2)
            return NULL;
        task = task_find(runner->machine->tasks, pid);
    }
    struct description *description = task && path[length] == '\0' ? find(task, number) : NULL;
    return pipe_is_end(description) ? description : NULL;
}
