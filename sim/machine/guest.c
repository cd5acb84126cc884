/*
 * The real processes that run the real proctord, with a library that sends each
 * of their system calls here instead of to the kernel. A zygote waits right
 * before main() and is forked for each start, which takes a fraction of the
 * time of an exec.
 */
#include "machine/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARENA_BYTES  ((size_t)256 << 20)
#define PAGE         4096
#define PATIENCE_SEC 10 /* of real time, for one call */
#define LOOK_NSEC    200000000

struct guest {
    pid_t zygote;
    int descriptors[2];
    struct wire_shared *shared;
    char *arena;
    size_t arena_used;
    bool taken[WIRE_SLOTS];
};

/* ---- turns ----------------------------------------------------------------------------------- */

/* All: one that was killed may still wait for the word of a slot that is another's by now. */
static void wake(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Until the word is no longer 0. */
static int wait_for_word(_Atomic uint32_t *word, pid_t process)
{
    const struct timespec look = {.tv_nsec = LOOK_NSEC};

    for (long looks = 0; atomic_load(word) == 0; looks++) {
        if (looks > 0 && kill(process, 0) < 0)
            return -ESRCH;
        if (looks > PATIENCE_SEC * (1000000000L / LOOK_NSEC))
            return -ETIME;
        syscall(SYS_futex, word, FUTEX_WAIT, 0, &look, NULL, 0);
        if (errno == EINTR && looks > 0)
            looks--;
    }
    return 0;
}

int guest_run(struct guest *guest, uint32_t slot)
{
    struct wire_slot *its = guest_slot(guest, slot);

    atomic_store(&guest->shared->turn, 0);
    wake(&its->go, 1);
    return wait_for_word(&guest->shared->turn, its->process);
}

int guest_end_thread(struct guest *guest, uint32_t slot)
{
    struct wire_slot *its = guest_slot(guest, slot);

    its->action = WIRE_END;
    wake(&its->go, 1);
    return wait_for_word(&its->ended, its->process);
}

/* ---- the first process ----------------------------------------------------------------------- */

static void *map_memory(int fd, size_t size)
{
    void *memory = MAP_FAILED;

    if (ftruncate(fd, (off_t)size) == 0)
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Addresses are not randomized, so that what depends on them is the same in
 * every run. */
__attribute__((noreturn)) static void become_zygote(const struct guest *guest, const char *program,
                                                    const char *library, bool random_addresses)
{
    /* Where the library is not preloaded after all, this does no harm. */
    char *arguments[] = {(char *)(uintptr_t) "proctord", (char *)(uintptr_t) "--version", NULL};

    if (dup2(guest->descriptors[0], WIRE_DESCRIPTOR) < 0 ||
        dup2(guest->descriptors[1], WIRE_ARENA) < 0)
        _exit(127);
    if (!random_addresses)
        personality(ADDR_NO_RANDOMIZE);
    clearenv();
    setenv("LD_PRELOAD", library, 1);
    /* So that what is free counts as free, and is seen where it is used. */
    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.perturb=165", 1);
    setenv(WIRE_VARIABLE, "1", 1);
    execv(program, arguments);
    _exit(127);
}

static int make_memory(struct guest *guest)
{
    for (int i = 0; i < 2; i++) {
        guest->descriptors[i] = memfd_create("proctor-sim", MFD_CLOEXEC);
        if (guest->descriptors[i] < 0)
            return -errno;
    }
    guest->shared = map_memory(guest->descriptors[0], sizeof(*guest->shared));
    guest->arena = map_memory(guest->descriptors[1], ARENA_BYTES);
    return guest->shared && guest->arena ? 0 : -errno;
}

/* Waits until the zygote has come up; -ENOEXEC if it ended, -ETIME if it did
 * not come. */
int guest_new(const char *program, const char *library, bool random_addresses, struct guest **guest)
{
    struct guest *fresh = calloc(1, sizeof(*fresh));
    int r = fresh ? make_memory(fresh) : -ENOMEM;

    if (r == 0 && (access(library, R_OK) < 0 || access(program, X_OK) < 0))
        r = -errno;
    if (r == 0 && (fresh->zygote = fork()) == 0)
        become_zygote(fresh, program, library, random_addresses);
    if (r == 0 && fresh->zygote < 0)
        r = -errno;
    for (int tries = 0; r == 0 && atomic_load(&fresh->shared->turn) == 0; tries++) {
        const struct timespec look = {.tv_nsec = LOOK_NSEC};
        if (waitpid(fresh->zygote, NULL, WNOHANG) != 0)
            r = -ENOEXEC;
        else if (tries > PATIENCE_SEC * (1000000000L / LOOK_NSEC))
            r = -ETIME;
        else
            syscall(SYS_futex, &fresh->shared->turn, FUTEX_WAIT, 0, &look, NULL, 0);
    }
    if (r < 0) {
        guest_free(fresh);
        return r;
    }
    *guest = fresh;
    return 0;
}

/* All guests die with it. */
void guest_free(struct guest *guest)
{
    if (!guest)
        return;
    if (guest->zygote > 0) {
        kill(guest->zygote, SIGKILL); /* its children have it as their parent, and die with it */
        waitpid(guest->zygote, NULL, 0);
    }
    if (guest->shared)
        munmap(guest->shared, sizeof(*guest->shared));
    if (guest->arena)
        munmap(guest->arena, ARENA_BYTES);
    for (int i = 0; i < 2; i++)
        if (guest->descriptors[i] > 0)
            close(guest->descriptors[i]);
    free(guest);
}

/* ---- slots and processes --------------------------------------------------------------------- */

struct wire_slot *guest_slot(struct guest *guest, uint32_t slot)
{
    return &guest->shared->slots[slot];
}

int guest_take_slot(struct guest *guest, uint32_t *slot)
{
    for (uint32_t i = 0; i < WIRE_SLOTS; i++)
        if (!guest->taken[i]) {
            guest->taken[i] = true;
            memset(guest_slot(guest, i), 0, sizeof(struct wire_slot));
            *slot = i;
            return 0;
        }
    return -EAGAIN;
}

void guest_give_slot(struct guest *guest, uint32_t slot)
{
    guest->taken[slot] = false;
}

static uint32_t count_strings(const char *text, size_t size)
{
    uint32_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += text[i] == '\0';
    return n;
}

/* Forks one guest with these arguments and this environment; returns its
 * process. */
pid_t guest_begin(struct guest *guest, uint32_t slot, const char *arguments, size_t arguments_size,
                  const char *environment, size_t environment_size)
{
    struct wire_shared *shared = guest->shared;

    if (arguments_size + environment_size > sizeof(shared->program))
        return -E2BIG;
    memcpy(shared->program, arguments, arguments_size);
    if (environment_size > 0)
        memcpy(shared->program + arguments_size, environment, environment_size);
    shared->n_arguments = count_strings(arguments, arguments_size);
    shared->n_variables = count_strings(environment, environment_size);
    shared->birth_slot = slot;
    atomic_store(&shared->turn, 0);
    wake(&shared->birth, atomic_load(&shared->birth) + 1);
    int r = wait_for_word(&shared->turn, guest->zygote);
    return r < 0 ? r : guest_slot(guest, slot)->process;
}

void guest_kill(struct guest *guest, pid_t process)
{
    if (process > 1 && process != guest->zygote)
        kill(process, SIGKILL);
}

void guest_set_clock(struct guest *guest, int64_t monotonic, int64_t boot, int64_t real)
{
    guest->shared->clock[0] = monotonic;
    guest->shared->clock[1] = boot;
    guest->shared->clock[2] = real;
}

void *guest_arena(struct guest *guest, size_t size, uint64_t *offset)
{
    size = (size + PAGE - 1) / PAGE * PAGE;
    if (size > ARENA_BYTES - guest->arena_used)
        return NULL;
    *offset = guest->arena_used;
    guest->arena_used += size;
    return guest->arena + *offset;
}

char *guest_arena_begin(struct guest *guest)
{
    return guest->arena;
}

void guest_clear_arena(struct guest *guest)
{
    if (guest->arena_used > 0)
        madvise(guest->arena, guest->arena_used, MADV_REMOVE);
    guest->arena_used = 0;
}

/* ---- memory ---------------------------------------------------------------------------------- */

int guest_read(pid_t process, uint64_t address, void *bytes, size_t size)
{
    struct iovec here = {bytes, size}, there = {(void *)(uintptr_t)address, size};

    if (size == 0)
        return 0;
    return process_vm_readv(process, &here, 1, &there, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}

int guest_write(pid_t process, uint64_t address, const void *bytes, size_t size)
{
    struct iovec here = {(void *)(uintptr_t)bytes, size},
                 there = {(void *)(uintptr_t)address, size};

    if (size == 0)
        return 0;
    return process_vm_writev(process, &here, 1, &there, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}

/* Reads up to the end of each page, because the next one may not be there. */
int guest_read_string(pid_t process, uint64_t address, char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t room = PAGE - (address + at) % PAGE; /* the next page may be nobody's */
        room = room < size - at ? room : size - at;
        room = room < 256 ? room : 256;
        if (guest_read(process, address + at, text + at, room) < 0)
            return -EFAULT;
        const char *end = memchr(text + at, '\0', room);
        if (end)
            return (int)(end - text);
        at += room;
    }
    return -ENAMETOOLONG;
}
