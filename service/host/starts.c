/*
 * Gates: one per slot, in a file that is shared with births. A birth may
 * execute its program only if it finds its gate open, and passes it in the same
 * step; a proctord that shuts the gate knows whether it came before or after.
 * So after a death it is certain for each start whether its program was
 * executed, and none is started twice.
 */
#include "host/starts.h"

#include "core/vocabulary/invariant.h"
#include "system/own_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE    (STARTS_HEADER + CORE_CHILDREN_MAX * sizeof(struct starts_record))
#define CHUNK   4096 /* the disk's blocks are there before a child writes to them */
#define HIGH_FD 64

_Static_assert(sizeof(struct starts_record) == 32 && STARTS_HEADER == 4096, "it is on disk");

#define PASSED UINT64_C(1)
#define MAGIC  UINT64_C(0x7374726174532050) /* "P Starts" */

/* What the file begins with. */
struct header {
    uint64_t epoch; /* counted up by each program that opens the file */
    uint64_t magic; /* 0: of a file that has just been made */
};

struct starts {
    int fd;
    size_t room;
    void *map;
    uint64_t epoch;
    uint32_t gates;
};

struct starts_record *starts_record_in(void *map, uint32_t slot)
{
    return (struct starts_record *)(void *)((char *)map + STARTS_HEADER) + slot;
}

void *starts_map(int descriptor)
{
    void *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    return map == MAP_FAILED ? NULL : map;
}

/* In the state directory, as it has to survive us; in memory if there is
 * none. */
static int open_file(const char *directory)
{
    char path[4200];

    if (!directory) {
        int fd = memfd_create("proctor-starts", MFD_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    snprintf(path, sizeof(path), "%s/starts", directory);
    return own_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
}

/* Children find theirs below. */
static int open_high(const char *directory)
{
    int low = open_file(directory);
    int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, HIGH_FD);
    int error = errno;

    if (low < 0 || (fd < 0 && (error == EINVAL || error == EMFILE))) /* so few are allowed */
        return low;
    close(low);
    return fd < 0 ? -error : fd;
}

/* The file grows in large pieces, allocated in advance: a full disk must not
 * hit a birth. */
static int open_and_map(const char *directory, struct starts *starts)
{
    struct stat status;

    starts->fd = open_high(directory);
    if (starts->fd < 0)
        return starts->fd;
    int r = -posix_fallocate(starts->fd, 0, STARTS_HEADER);
    if (r < 0)
        return r;
    starts->map = starts_map(starts->fd);
    if (!starts->map || fstat(starts->fd, &status) < 0)
        return -errno;
    starts->room = (size_t)status.st_size < SIZE ? (size_t)status.st_size : SIZE;
    return 0;
}

static bool is_ours(const struct starts *starts)
{
    const struct header *header = starts->map;
    return header->magic == MAGIC || header->magic == 0;
}

static int put_aside(const char *directory)
{
    char path[4200], aside[4216];

    snprintf(path, sizeof(path), "%s/starts", directory);
    snprintf(aside, sizeof(aside), "%s.damaged", path);
    return rename(path, aside) < 0 ? -errno : 0;
}

/* As memory, so that a birth can use it without a system call. */
static struct starts *starts_new(const char *directory, int *error)
{
    struct starts *fresh = calloc(1, sizeof(*fresh));

    *error = fresh ? open_and_map(directory, fresh) : -ENOMEM;
    if (*error == 0)
        return fresh;
    starts_close(fresh);
    return NULL;
}

/* A damaged file is put aside: its starts count as not executed. The epoch
 * makes gates of different proctords differ. */
int starts_open(const char *directory, struct starts **starts)
{
    int r = 0, damaged = 0;
    struct starts *fresh = starts_new(directory, &r);

    if (fresh && !is_ours(fresh)) {
        damaged = 1;
        starts_close(fresh);
        r = put_aside(directory);
        fresh = r == 0 ? starts_new(directory, &r) : NULL;
    }
    if (!fresh)
        return r;
    struct header *header = fresh->map;
    header->magic = MAGIC;
    fresh->epoch = __atomic_add_fetch(&header->epoch, 1, __ATOMIC_SEQ_CST);
    *starts = fresh;
    return damaged;
}

/* Births in progress keep their own mapping. */
void starts_close(struct starts *starts)
{
    if (!starts)
        return;
    if (starts->map)
        munmap(starts->map, SIZE);
    if (starts->fd >= 0)
        close(starts->fd);
    free(starts);
}

void starts_clear(struct starts *starts)
{
    if (starts && starts->room > STARTS_HEADER && ftruncate(starts->fd, STARTS_HEADER) == 0)
        starts->room = STARTS_HEADER;
}

static size_t end_of(uint32_t slot)
{
    return STARTS_HEADER + (slot + (size_t)1) * sizeof(struct starts_record);
}

/* In chunks. */
static bool make_room(struct starts *starts, uint32_t slot)
{
    size_t end = end_of(slot);

    if (end <= starts->room)
        return true;
    size_t room = (end + CHUNK - 1) / CHUNK * CHUNK;
    room = room < SIZE ? room : SIZE;
    if (end > SIZE || posix_fallocate(starts->fd, 0, (off_t)room) != 0)
        return false;
    starts->room = room;
    return true;
}

/* Of one slot the serial and the attempt only grow; 32 bits of each are enough to tell two apart.
 */
static uint64_t value_of(const struct attempt_id *id)
{
    return (uint64_t)id->serial << 32 | (uint32_t)id->attempt;
}

/* A number that was never used before; the record is complete before the gate
 * is. */
uint64_t starts_open_gate(struct starts *starts, const struct attempt_id *id)
{
    INVARIANT(id->slot < CORE_CHILDREN_MAX && id->attempt > 0);
    if (!make_room(starts, id->slot))
        return 0;
    struct starts_record *record = starts_record_in(starts->map, id->slot);
    uint64_t gate = (starts->epoch << 32 | ++starts->gates) << 1;
    record->pid = 0;
    record->attempt = value_of(id);
    __atomic_store_n(&record->gate, gate, __ATOMIC_SEQ_CST);
    return gate;
}

/* Atomically: either the birth has passed, or it never will. */
bool starts_shut_gate(struct starts *starts, const struct attempt_id *id,
                      struct starts_record *record)
{
    struct starts_record *there = starts_record_in(starts->map, id->slot);

    INVARIANT(id && record);
    *record = (struct starts_record){};
    if (end_of(id->slot) > starts->room || there->attempt != value_of(id))
        return false;
    uint64_t gate = __atomic_load_n(&there->gate, __ATOMIC_SEQ_CST);
    while (!(gate & PASSED) && !__atomic_compare_exchange_n(&there->gate, &gate, 0, false,
                                                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    *record = *(volatile struct starts_record *)there;
    return gate & PASSED;
}

bool starts_pass_gate(struct starts_record *record, uint64_t gate)
{
    return __atomic_compare_exchange_n(&record->gate, &gate, gate | PASSED, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

void starts_go_back(struct starts_record *record, uint64_t gate)
{
    uint64_t passed = gate | PASSED;

    __atomic_compare_exchange_n(&record->gate, &passed, gate, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
}

uint32_t starts_step(const struct starts *starts, const struct attempt_id *id)
{
    INVARIANT(id);
    return end_of(id->slot) > starts->room ? 0 : starts_record_in(starts->map, id->slot)->step;
}

int starts_descriptor(const struct starts *starts)
{
    return starts->fd;
}
