/*
 * State from one program to the next in an upgrade in place: an archive in a
 * file in memory, with descriptors by number, whose number is in the
 * environment.
 */
#include "handover/handover.h"

#include "system/again.h"
#include "journal/borrow.h"
#include "system/number.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE "PROCTOR_HANDOVER"
#define TRIES    3
#define MAGIC    UINT64_C(0x70726f63746f72)

struct handover {
    struct archive archive;
    int *list; /* writing: those that go over */
    size_t count, room;
    size_t mapped; /* reading */
    int file;      /* the same; else -1 */
    long tries;    /* how often it has been handed over before */
    void **strings;
    size_t n_strings;
};

/* ---- memory ---------------------------------------------------------------------------------- */

/* Everything is freed with the handover. */
static void *allocate(struct archive *archive, size_t size)
{
    struct handover *handover = archive->userdata;
    void **larger = realloc(handover->strings, (handover->n_strings + 1) * sizeof(void *));
    void *memory = larger ? calloc(1, size) : NULL;

    if (larger)
        handover->strings = larger;
    if (memory)
        larger[handover->n_strings++] = memory;
    return memory;
}

static void archive_head(struct archive *archive)
{
    uint64_t magic = MAGIC, version = HANDOVER_VERSION;

    ARCHIVE(archive, magic);
    ARCHIVE(archive, version);
    if (magic != MAGIC || version != HANDOVER_VERSION)
        archive->failed = true;
}

/* For writing. */
int handover_new(struct handover **handover)
{
    struct handover *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->archive = (struct archive){.grow = archive_grow, .userdata = fresh};
    fresh->file = -1;
    archive_head(&fresh->archive);
    *handover = fresh;
    return 0;
}

/* Either kind. */
void handover_free(struct handover *handover)
{
    if (!handover)
        return;
    if (handover->archive.reading)
        munmap(handover->archive.data, handover->mapped);
    else
        free(handover->archive.data);
    if (handover->file >= 0)
        close(handover->file);
    for (size_t i = 0; i < handover->n_strings; i++)
        free(handover->strings[i]);
    free(handover->strings);
    free(handover->list);
    free(handover);
}

struct archive *handover_archive(struct handover *handover)
{
    return handover ? &handover->archive : NULL;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* These descriptors stay open in exec(2). */
static void hand_over(struct handover *handover, int fd)
{
    if (handover->count == handover->room) {
        size_t room = handover->room > 0 ? handover->room * 2 : 64;
        int *larger = realloc(handover->list, room * sizeof(*larger));
        if (!larger) {
            handover->archive.failed = true;
            return;
        }
        handover->list = larger;
        handover->room = room;
    }
    handover->list[handover->count++] = fd;
}

/* Read back only if it is open, and not 0, 1 or 2. */
void handover_descriptor(struct handover *handover, int *fd)
{
    uint64_t number = *fd < 0 ? 0 : (uint64_t)*fd + 1;

    archive_number(&handover->archive, &number);
    if (!handover->archive.reading) {
        if (*fd >= 0)
            hand_over(handover, *fd);
        return;
    }
    *fd = (int)number - 1;
    if (*fd >= 0 && (*fd <= STDERR_FILENO || fcntl(*fd, F_SETFD, FD_CLOEXEC) < 0)) {
        handover->archive.failed = true;
        *fd = -1;
    }
    if (*fd >= 0)
        hand_over(handover, *fd); /* perhaps again */
}

static void set_flags(const struct handover *handover, int flags)
{
    for (size_t i = 0; i < handover->count; i++)
        fcntl(handover->list[i], F_SETFD, flags);
}

/* ---- from one program to the next ------------------------------------------------------------ */

/* In one piece. */
static int write_file(const struct handover *handover)
{
    int fd = memfd_create("proctor-handover", MFD_CLOEXEC);
    size_t size = handover->archive.used;

    for (size_t at = 0; fd >= 0 && at < size;) {
        ssize_t n = write(fd, handover->archive.data + at, size - at);
        if (n <= 0) {
            close(fd);
            fd = -1;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return fd;
}

/* If exec(2) fails, all flags are set back. */
static int execute(struct handover *handover, int file, long tries, const char *program,
                   char *const arguments[])
{
    char text[64];

    snprintf(text, sizeof(text), "%d %ld", file, tries);
    if (setenv(VARIABLE, text, true) < 0)
        return -ENOMEM;
    hand_over(handover, file);
    set_flags(handover, 0);
    execv(program, arguments);
    int r = -errno;
    set_flags(handover, FD_CLOEXEC);
    unsetenv(VARIABLE);
    return r;
}

int handover_execute(struct handover *handover, const char *program, char *const arguments[])
{
    int fd = handover->archive.failed ? -1 : write_file(handover);

    if (fd < 0)
        return handover->archive.failed ? -ENOMEM : -errno;
    int r = execute(handover, fd, 0, program, arguments);
    close(fd);
    return r;
}

int handover_repeat(struct handover *handover, const char *program, char *const arguments[])
{
    if (handover->tries == TRIES)
        return -ELOOP;
    return execute(handover, handover->file, handover->tries + 1, program, arguments);
}

/* Checked before anything in it is believed. */
static int map(int fd, struct handover *handover)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return -EBADMSG;
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return -errno;
    handover->mapped = (size_t)status.st_size;
    handover->archive = (struct archive){.reading = true,
                                         .data = data,
                                         .size = (size_t)status.st_size,
                                         .allocate = allocate,
                                         .userdata = handover};
    archive_head(&handover->archive);
    return handover->archive.failed ? -EBADMSG : 0;
}

/* The variable is removed in any case: children must not inherit it. */
int handover_inherit(struct handover **handover)
{
    const char *text = getenv(VARIABLE);
    uint64_t number = 0, tries = 0;
    bool known = text && number_take(&text, &number) == 0;
    int r, fd = number <= INT_MAX ? (int)number : -1;

    if (known && *text++ == ' ' && number_read(text, LONG_MAX, &tries) < 0)
        tries = 0;
    *handover = NULL;
    unsetenv(VARIABLE);
    if (!known || fd <= STDERR_FILENO)
        return 0;
    struct handover *fresh = calloc(1, sizeof(*fresh));
    r = fresh ? -EAGAIN : -ENOMEM;
    for (int i = 0; fresh && i < 4 && again_may_help(r); i++)
        r = map(fd, fresh);
    if (fresh) {
        fresh->file = fd;
        fresh->tries = (long)tries;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    } else {
        close(fd);
    }
    if (r < 0) {
        handover_free(fresh);
        return r;
    }
    *handover = fresh;
    return 1;
}
