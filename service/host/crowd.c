#include "crowd.h"

#include "again.h"
#include "handle.h"
#include "number.h"
#include "open_regular.h"
#include "proc_stat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX   32
#define THREADS_MAX 512 /* of one process: each has children of its own */
#define LIST_MAX    (1024 * 1024)

void crowd_add(struct crowd *crowd, pid_t pid)
{
    uint64_t ticks;

    if (crowd->n == CROWD_MAX || proc_stat_read(pid, PROC_STAT_STARTED_TICKS, &ticks) < 0)
        return;
    if (crowd->n == crowd->room) {
        size_t room = crowd->room > 0 ? crowd->room * 2 : 16;
        struct crowd_member *larger = realloc(crowd->members, room * sizeof(*larger));
        if (!larger) {
            crowd->unseen++;
            return;
        }
        crowd->members = larger;
        crowd->room = room;
    }
    crowd->members[crowd->n++] = (struct crowd_member){.pid = pid, .started_ticks = ticks};
}

static void add_below(struct crowd *crowd, pid_t pid, int depth);

static void add_list(struct crowd *crowd, const char *path, int depth)
{
    uint64_t below;
    size_t length;
    char *list;

    if (read_regular(AT_FDCWD, path, LIST_MAX, &list, &length) < 0)
        return;
    for (const char *at = list; number_take(&at, &below) == 0; at += *at != '\0') {
        size_t before = crowd->n;
        crowd_add(crowd, (pid_t)below);
        crowd->waited += crowd->n - before;
        add_below(crowd, (pid_t)below, depth - 1);
    }
    free(list);
}

static void add_below(struct crowd *crowd, pid_t pid, int depth)
{
    char path[128];
    int error = 0;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *folder = depth > 0 && crowd->n < CROWD_MAX ? again_folder(AT_FDCWD, path, &error) : NULL;
    for (int i = 0; folder && i < THREADS_MAX; i++) {
        const struct dirent *entry = again_next(folder, &error);
        if (!entry)
            break;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", (int)pid, entry->d_name);
        add_list(crowd, path, depth);
    }
    if (folder)
        closedir(folder);
}

void crowd_add_below(struct crowd *crowd, pid_t pid)
{
    add_below(crowd, pid, DEPTH_MAX);
}

static void signal_member(const struct crowd_member *member, int signal, pid_t except_group)
{
    uint64_t ticks;
    int pidfd = again_pidfd(member->pid);

    if (pidfd < 0)
        return;
    if (proc_stat_read(member->pid, PROC_STAT_STARTED_TICKS, &ticks) == 0 &&
        ticks == member->started_ticks &&
        (except_group == 0 || getpgid(member->pid) != except_group))
        handle_signal(pidfd, signal);
    close(pidfd);
}

void crowd_signal(const struct crowd *crowd, int signal, pid_t except_group)
{
    for (size_t i = 0; i < crowd->n; i++)
        signal_member(&crowd->members[i], signal, except_group);
}

void crowd_free(struct crowd *crowd)
{
    free(crowd->members);
    *crowd = (struct crowd){};
}
