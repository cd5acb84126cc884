/*
 * The processes in a leaf, one by one, where the kernel cannot kill or signal
 * all of them with one write.
 */
#include "host/members.h"

#include "system/again.h"
#include "system/handle.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Asked again before a signal, as a process may have moved. */
static bool is_below(const struct cgroup_base *base, const char *leaf, pid_t pid)
{
    char proc[64], path[2048];
    size_t prefix = strlen(base->kernel_path), length = strlen(leaf);

    snprintf(proc, sizeof(proc), "/proc/%d/cgroup", (int)pid);
    return cgroup_kernel_path(proc, path, sizeof(path)) == 0 &&
           strncmp(path, base->kernel_path, prefix) == 0 &&
           strncmp(path + prefix, leaf, length) == 0 && strchr("/", path[prefix + length]) != NULL;
}

struct leaf_walk {
    const struct cgroup_base *base;
    const char *leaf;
    void (*found)(void *userdata, pid_t pid, int pidfd);
    void *userdata;
    size_t unseen;
};

/* The number may have become a stranger's since it was read: held first, and looked at then. */
static void meet(struct leaf_walk *walk, pid_t pid)
{
    int pidfd = again_pidfd(pid);

    if (pidfd < 0) {
        walk->unseen += again_may_help(pidfd);
        return;
    }
    if (is_below(walk->base, walk->leaf, pid))
        walk->found(walk->userdata, pid, pidfd);
    close(pidfd);
}

/* A process in a PID namespace outside ours has the number 0 here. */
static void meet_listed(struct leaf_walk *walk, FILE *file)
{
    for (int pid; fscanf(file, "%d", &pid) == 1;)
        if (pid > 0)
            meet(walk, pid);
        else
            walk->unseen++;
    walk->unseen += ferror(file) != 0;
}

/* Of a leaf and everything below it. What cannot be listed counts as unseen. */
static void walk_below(struct leaf_walk *walk, int directory, const char *name, int depth)
{
    char path[NAME_MAX + 20];

    snprintf(path, sizeof(path), "%s/cgroup.procs", name);
    int fd = again_open(directory, path, O_RDONLY);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!file) {
        walk->unseen += fd >= 0 || again_may_help(fd);
        if (fd >= 0)
            close(fd);
        return;
    }
    meet_listed(walk, file);
    fclose(file);

    int error = 0;
    DIR *folder = depth > 0 ? again_folder(directory, name, &error) : NULL;
    for (struct dirent *entry; folder && (entry = again_next(folder, &error));)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            walk_below(walk, dirfd(folder), entry->d_name, depth - 1);
    walk->unseen += again_may_help(error);
    if (folder)
        closedir(folder);
}

static void add_to_crowd(void *userdata, pid_t pid, int pidfd)
{
    crowd_add(userdata, pid, pidfd, true);
}

void members_gather(const struct cgroup_base *base, const char *name, struct crowd *crowd)
{
    struct leaf_walk walk = {.base = base, .leaf = name, .found = add_to_crowd, .userdata = crowd};

    walk_below(&walk, base->fd, name, CGROUP_DEPTH_MAX);
    crowd->unseen += walk.unseen;
}

static void kill_one(void *userdata, pid_t pid, int pidfd)
{
    size_t *count = userdata;

    (void)pid;
    *count += handle_signal(pidfd, SIGKILL) == 0;
}

size_t members_kill(const struct cgroup_base *base, const char *name)
{
    size_t count = 0;
    struct leaf_walk walk = {.base = base, .leaf = name, .found = kill_one, .userdata = &count};

    walk_below(&walk, base->fd, name, CGROUP_DEPTH_MAX);
    return count;
}
