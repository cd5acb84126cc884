/*
 * A list of processes, each with its start time, so that a PID that was given
 * to another process is noticed before anything is sent to it. What could not
 * be looked at is counted as unseen.
 */
#include "host/crowd.h"

#include "system/again.h"
#include "system/handle.h"
#include "system/number.h"
#include "system/open_regular.h"
#include "system/proc_stat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX   32
#define THREADS_MAX 512 /* of one process: each has children of its own */
#define LIST_MAX    (1024 * 1024)

/* Bounded; beyond that the caller only needs to know that there are many. */
void crowd_append(struct crowd *crowd, const struct crowd_member *member)
{
    if (crowd->n == CROWD_MAX)
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
    crowd->members[crowd->n++] = *member;
}

/* Two fields of /proc/PID/stat, read at once. */
static int look_at(pid_t pid, struct crowd_member *member)
{
    static const enum proc_stat_field fields[] = {PROC_STAT_PARENT, PROC_STAT_STARTED_TICKS};
    uint64_t values[2];
    int r = proc_stat_read_fields(pid, fields, 2, values);

    member->pid = pid;
    member->parent = (pid_t)values[0];
    member->started_ticks = values[1];
    return r;
}

/* The descriptor shows that it was this process that was looked at. */
void crowd_add(struct crowd *crowd, pid_t pid, int pidfd, bool waited)
{
    struct crowd_member member = {.waited = waited};
    int r = look_at(pid, &member);

    if (handle_has_ended(pidfd))
        return;
    if (r == 0)
        crowd_append(crowd, &member);
    else
        crowd->unseen += again_may_help(r);
}

/* ---- descendants ----------------------------------------------------------------------------- */

static void add_below(struct crowd *crowd, pid_t pid, int depth);

/* The list may be old: whose number belongs to another by now has no children. */
static void add_child(struct crowd *crowd, pid_t pid, pid_t parent)
{
    int pidfd = again_pidfd(pid);

    if (pidfd < 0) {
        crowd->unseen += again_may_help(pidfd);
        crowd->ended += !again_may_help(pidfd);
        return;
    }
    size_t before = crowd->n;
    crowd_add(crowd, pid, pidfd, true);
    if (crowd->n > before && crowd->members[before].parent != parent)
        crowd->n = before;
    crowd->ended += crowd->n == before && handle_has_ended(pidfd);
    close(pidfd);
}

/* The file `children` of one thread: the kernel lists children by the thread
 * that made them. */
static void add_list(struct crowd *crowd, const char *path, pid_t pid, int depth)
{
    uint64_t below;
    size_t length;
    char *list;

    int r = read_regular(AT_FDCWD, path, LIST_MAX, &list, &length);
    if (r < 0) {
        crowd->unseen += again_may_help(r);
        return;
    }
    for (const char *at = list; number_take(&at, &below) == 0; at += *at != '\0') {
        add_child(crowd, (pid_t)below, pid);
        add_below(crowd, (pid_t)below, depth - 1);
    }
    free(list);
}

/* Of all threads of a process. */
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
        add_list(crowd, path, pid, depth);
    }
    crowd->unseen += again_may_help(error);
    if (folder)
        closedir(folder);
}

void crowd_add_below(struct crowd *crowd, pid_t pid)
{
    add_below(crowd, pid, DEPTH_MAX);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int by_pid(const void *a, const void *b)
{
    const struct crowd_member *left = a, *right = b;

    return (left->pid > right->pid) - (left->pid < right->pid);
}

/* Found twice, it is the same: a number that changed hands in between is signalled by neither. */
void crowd_settle(struct crowd *crowd, pid_t except)
{
    size_t n = 0;

    if (crowd->n > 1)
        qsort(crowd->members, crowd->n, sizeof(*crowd->members), by_pid);
    for (size_t i = 0; i < crowd->n; i++) {
        const struct crowd_member *member = &crowd->members[i];
        if (member->pid == except)
            continue;
        if (n > 0 && crowd->members[n - 1].pid == member->pid)
            crowd->members[n - 1].waited |= member->waited;
        else
            crowd->members[n++] = *member;
    }
    crowd->n = n;
}

const struct crowd_member *crowd_find(const struct crowd *crowd, pid_t pid)
{
    const struct crowd_member wanted = {.pid = pid};

    if (crowd->n == 0)
        return NULL;
    return bsearch(&wanted, crowd->members, crowd->n, sizeof(wanted), by_pid);
}

size_t crowd_count_waited(const struct crowd *crowd)
{
    size_t count = 0;

    for (size_t i = 0; i < crowd->n; i++)
        count += crowd->members[i].waited;
    return count;
}

/* Opened first, then compared, then sent: in this order the signal can only
 * reach the process that was meant. */
void crowd_signal_member(const struct crowd_member *member, int signal)
{
    uint64_t ticks;
    int pidfd = again_pidfd(member->pid);

    if (pidfd < 0)
        return;
    if (proc_stat_read(member->pid, PROC_STAT_STARTED_TICKS, &ticks) == 0 &&
        ticks == member->started_ticks)
        handle_signal(pidfd, signal);
    close(pidfd);
}

void crowd_signal(const struct crowd *crowd, int signal)
{
    for (size_t i = 0; i < crowd->n; i++)
        crowd_signal_member(&crowd->members[i], signal);
}

void crowd_free(struct crowd *crowd)
{
    free(crowd->members);
    *crowd = (struct crowd){};
}
