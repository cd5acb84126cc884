#include "started.h"

#include "own_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE  (CORE_CHILDREN_MAX * sizeof(uint64_t))
#define CHUNK 4096 /* the disk's blocks are there before a child writes to them */

struct started {
    int fd;
    size_t room;
    uint64_t *values;
};

int started_open(const char *directory, struct started **started)
{
    struct started *fresh = calloc(1, sizeof(*fresh));
    struct stat status;
    char path[4200];

    if (!fresh)
        return -ENOMEM;
    snprintf(path, sizeof(path), "%s/started", directory);
    fresh->fd = own_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
    fresh->values = fresh->fd < 0
                        ? MAP_FAILED
                        : mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fresh->fd, 0);
    if (fresh->values == MAP_FAILED || fstat(fresh->fd, &status) < 0) {
        int error = fresh->fd < 0 ? -fresh->fd : errno;
        if (fresh->fd >= 0)
            close(fresh->fd);
        free(fresh);
        return -error;
    }
    fresh->room = (size_t)status.st_size < SIZE ? (size_t)status.st_size : SIZE;
    *started = fresh;
    return 0;
}

void started_close(struct started *started)
{
    if (!started)
        return;
    munmap(started->values, SIZE);
    close(started->fd);
    free(started);
}

void started_clear(struct started *started)
{
    if (started && ftruncate(started->fd, 0) == 0)
        started->room = 0;
}

uint64_t *started_place(struct started *started, uint32_t slot)
{
    size_t end = (slot + 1) * sizeof(uint64_t);

    if (!started || end > SIZE)
        return NULL;
    if (end > started->room) {
        size_t room = (end + CHUNK - 1) / CHUNK * CHUNK;
        if (posix_fallocate(started->fd, 0, (off_t)room) != 0)
            return NULL;
        started->room = room;
    }
    return &started->values[slot];
}

/* Of one slot the serial and the attempt only grow; 32 bits of each are enough to tell two apart.
 */
uint64_t started_value(const struct attempt_id *id)
{
    return (uint64_t)id->serial << 32 | (uint32_t)id->attempt;
}

bool started_has(struct started *started, const struct attempt_id *id)
{
    return started && (id->slot + 1) * sizeof(uint64_t) <= started->room &&
           started->values[id->slot] == started_value(id);
}
