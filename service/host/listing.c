/*
 * Which processes exist: our children from the kernel's own list, if it has
 * been built with it, or all of /proc.
 */
#include "host/listing.h"

#include "system/again.h"
#include "system/number.h"
#include "system/open_regular.h"
#include "system/proc_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIST_MAX (1024 * 1024) /* bytes of the numbers of our children */

/* Doubled, and kept between listings. */
static int append(struct listing *listing, pid_t pid, uint64_t inode)
{
    if (listing->n == listing->room) {
        size_t room = listing->room > 0 ? listing->room * 2 : 256;
        struct listed *larger = realloc(listing->listed, room * sizeof(*larger));
        if (!larger)
            return -ENOMEM;
        listing->listed = larger;
        listing->room = room;
    }
    listing->listed[listing->n++] = (struct listed){.pid = pid, .inode = inode};
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct listed *left = a, *right = b;

    return (left->pid > right->pid) - (left->pid < right->pid);
}

static void sort(struct listing *listing)
{
    for (size_t i = 1; i < listing->n; i++)
        if (listing->listed[i - 1].pid > listing->listed[i].pid) {
            qsort(listing->listed, listing->n, sizeof(*listing->listed), by_number);
            return;
        }
}

/* The list of the main thread: only it makes children. */
int listing_of_ours(struct listing *listing)
{
    char path[64], *list;
    uint64_t pid;
    size_t length;

    listing->n = 0;
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)gettid());
    int r = read_regular(AT_FDCWD, path, LIST_MAX, &list, &length);
    if (r < 0)
        return r;
    for (const char *at = list; r == 0 && number_take(&at, &pid) == 0; at += *at != '\0')
        r = append(listing, (pid_t)pid, 0);
    free(list);
    sort(listing);
    return r;
}

/* PIDs 1 and our own are nobody's attempt. */
int listing_of_all(struct listing *listing)
{
    int error = 0;
    pid_t self = getpid();
    DIR *folder = again_folder(AT_FDCWD, "/proc", &error);

    listing->n = 0;
    for (struct dirent *entry; folder && error == 0 && (entry = again_next(folder, &error));) {
        pid_t pid = proc_stat_pid(entry->d_name);
        if (pid > 1 && pid != self)
            error = append(listing, pid, entry->d_ino);
    }
    if (folder)
        closedir(folder);
    sort(listing);
    return error;
}

void listing_free(struct listing *listing)
{
    free(listing->listed);
    *listing = (struct listing){};
}
