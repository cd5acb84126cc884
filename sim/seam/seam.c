/*
 * The seam: a library that is preloaded into an unchanged program, and has each of its system calls
 * answered by the driver of the simulation instead of the kernel.
 *
 * A filter that all threads and copies of the process inherit turns each system call that is not
 * made by raw() into SIGSYS; the handler hands it over (wire.h). So whatever the C library,
 * libsystemd or inline assembler does is caught, and nothing has to be known of it here. Executed
 * for real are: a process's own memory, clone, and the end. Only the clock is read without a call:
 * the vDSO makes none that could be caught.
 */
#include "seam/seam.h"

#include "seam/raw.h"
#include "seam/turn.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#define RED_ZONE       256
#define KERNEL_SIGNALS 8 /* bytes of a set */
#define SA_RESTORER    0x04000000
#define REAL_FLAGS                                                                                 \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |            \
     CLONE_SETTLS)

/* ---- clones ---------------------------------------------------------------------------------- */

struct clone_request {
    uint64_t flags, stack, tls;
    int *parent_tid;
};

static struct clone_request read_request(const greg_t *registers)
{
    struct clone_args given = {};

    if (registers[REG_RAX] == SYS_clone)
        return (struct clone_request){(uint64_t)registers[REG_RDI], (uint64_t)registers[REG_RSI],
                                      (uint64_t)registers[REG_R8], (int *)registers[REG_RDX]};
    memcpy(&given, (const void *)registers[REG_RDI], (size_t)registers[REG_RSI]);
    return (struct clone_request){given.flags, given.stack + given.stack_size, given.tls,
                                  (int *)(uintptr_t)given.parent_tid};
}

/* All but threads are children of the first process, whatever made them: the driver decides which
 * of them lives on. */
static int64_t make_clone(const greg_t *registers)
{
    const struct wire_slot *own = turn_slot();
    struct wire_slot *slot = &turn_shared->slots[own->other];
    struct clone_request request = read_request(registers);
    uint64_t stack = request.stack ? request.stack : (uint64_t)registers[REG_RSP];
    uint64_t flags = request.flags & REAL_FLAGS;
    int pid = (int)own->result;

    memcpy(slot->registers, registers, 17 * sizeof(*slot->registers));
    slot->registers[REG_RSP] = stack;
    if (!(flags & CLONE_THREAD))
        flags |= CLONE_PARENT;
    long real = raw_clone((long)flags, (long)stack - RED_ZONE, (long)request.tls, slot, turn_begin);
    if (real > 0 && request.flags & CLONE_PARENT_SETTID)
        *request.parent_tid = pid;
    return turn_ask(WIRE_CALL_CLONED, (uint64_t[6]){(uint64_t)real, own->other})->result;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Calls about the process's own memory change nothing that others see. */
static bool is_local(const greg_t *registers)
{
    switch (registers[REG_RAX]) {
    case SYS_mmap:
        return registers[REG_R10] & MAP_ANONYMOUS;
    case SYS_munmap:
    case SYS_mremap:
    case SYS_mprotect:
    case SYS_madvise:
    case SYS_rseq:
    case SYS_set_robust_list:
        return true;
    default:
        return false;
    }
}

/* The heap begins at the same address in each program, wherever the loader has put it: libsystemd
 * walks along tables in an order that depends on addresses. */
static int64_t move_break(uint64_t to)
{
    static uint64_t now = SEAM_HEAP, room = SEAM_HEAP;

    if (room == SEAM_HEAP) {
        if (raw(SYS_mmap, SEAM_HEAP, SEAM_HEAP_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                0) != SEAM_HEAP)
            return 0;
        room += SEAM_HEAP_BYTES;
    }
    if (to >= SEAM_HEAP && to <= room)
        now = to;
    return (int64_t)now;
}

static int64_t map_arena(const greg_t *registers, int64_t offset)
{
    return raw(SYS_mmap, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX], MAP_SHARED,
               WIRE_ARENA, offset);
}

/* A private map of a file: what is in it is written by the driver. */
static int64_t map_copy(const greg_t *registers)
{
    long where = raw(SYS_mmap, 0, registers[REG_RSI], PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (where < 0 && where > -4096)
        return where;
    return turn_ask(WIRE_CALL_MAPPED,
                    (uint64_t[6]){(uint64_t)where, (uint64_t)registers[REG_RSI],
                                  (uint64_t)registers[REG_R8], (uint64_t)registers[REG_R9]})
        ->result;
}

/* ---- the handler ----------------------------------------------------------------------------- */

/* What the driver wants to be done: return, or make a thread, a mapping, an
 * end. */
static int64_t follow(const struct wire_slot *slot, const greg_t *registers)
{
    switch ((enum wire_action)slot->action) {
    case WIRE_RETURN:
        break;
    case WIRE_CLONE:
        return make_clone(registers);
    case WIRE_MAP:
        return map_arena(registers, slot->result);
    case WIRE_COPY:
        return map_copy(registers);
    case WIRE_END:
        raw_end((_Atomic uint32_t *)&slot->ended);
    }
    return slot->result;
}

/* One call that was caught. */
static int64_t answer(const greg_t *registers)
{
    const uint64_t arguments[6] = {(uint64_t)registers[REG_RDI], (uint64_t)registers[REG_RSI],
                                   (uint64_t)registers[REG_RDX], (uint64_t)registers[REG_R10],
                                   (uint64_t)registers[REG_R8],  (uint64_t)registers[REG_R9]};

    if (registers[REG_RAX] == SYS_brk)
        return move_break((uint64_t)registers[REG_RDI]);
    if (is_local(registers))
        return raw(registers[REG_RAX], registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                   registers[REG_R10], registers[REG_R8], registers[REG_R9]);
    return follow(turn_ask(registers[REG_RAX], arguments), registers);
}

static void call_came(int signal, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)signal;
    (void)info;
    registers[REG_RAX] = answer(registers);
}

static void handle_calls(void)
{
    struct {
        void (*handler)(int, siginfo_t *, void *);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } action = {call_came, SA_SIGINFO | SA_NODEFER | SA_RESTORER, raw_return, 0};

    raw(SYS_rt_sigaction, SIGSYS, (long)&action, 0, KERNEL_SIGNALS, 0, 0);
}

/* ---- the filter ------------------------------------------------------------------------------ */

#define LOAD(field, half)                                                                          \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + (half))

/* From here on only raw() reaches the kernel. */
void seam_catch_calls(void)
{
    uint64_t first = (uint64_t)(uintptr_t)raw_first, last = (uint64_t)(uintptr_t)raw_last;
    struct sock_filter filter[] = {
        LOAD(instruction_pointer, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(first >> 32), 0, 3),
        LOAD(instruction_pointer, 0),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)first, 0, 1),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)last, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(*filter), .filter = filter};

    handle_calls();
    raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
    if (raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, (long)&program, 0,
            0, 0) < 0)
        abort();
}

/* ---- clocks ---------------------------------------------------------------------------------- */

/* Replaces the function of the C library, because the vDSO makes no call that
 * could be caught. Before the driver is there, the real clock is read. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int64_t nsec;

    if (!turn_shared) {
        long r = raw(SYS_clock_gettime, clock, (long)now, 0, 0, 0, 0);
        errno = r < 0 ? (int)-r : errno;
        return r < 0 ? -1 : 0;
    }
    nsec = turn_shared->clock[clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? 2
                              : clock == CLOCK_BOOTTIME                                 ? 1
                                                                                        : 0];
    *now = (struct timespec){nsec / 1000000000, nsec % 1000000000};
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    *now = (struct timeval){exact.tv_sec, exact.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *now)
{
    struct timespec exact;

    clock_gettime(CLOCK_REALTIME, &exact);
    if (now)
        *now = exact.tv_sec;
    return exact.tv_sec;
}
