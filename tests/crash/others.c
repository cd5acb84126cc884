#include "others.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACED_MAX 4096
#define OPTIONS                                                                                    \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |      \
     PTRACE_O_TRACEEXEC)

#ifdef __x86_64__

/* The first ones are those of others.h. */
enum { LOOP = OTHERS_BIRTH + 1, STARTING, UNKNOWN };

struct traced {
    pid_t pid;
    int kind;
    int loads;  /* it is the loader's still: its first own call is one of signals or its name */
    int is_new; /* it has not stopped for the first time */
    int waits;  /* it has, before the one that made it has said so */
};

static struct traced traced[TRACED_MAX];
static size_t n_traced;
static int wanted_kind;

enum others others_by_name(const char *name)
{
    static const char *const names[] = {"", "threads", "spawner", "outside", "births"};

    for (int i = OTHERS_THREAD; i <= OTHERS_BIRTH; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum others)i;
    return OTHERS_NOBODY;
}

static struct traced *find(pid_t pid)
{
    for (size_t i = 0; i < n_traced; i++)
        if (traced[i].pid == pid)
            return &traced[i];
    if (n_traced == TRACED_MAX)
        _exit(127);
    traced[n_traced] = (struct traced){.pid = pid, .kind = UNKNOWN, .is_new = 1};
    return &traced[n_traced++];
}

static void forget(struct traced *one)
{
    *one = traced[--n_traced];
}

static int is_thread_of(pid_t command, pid_t tid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)command, (int)tid);
    return access(path, F_OK) == 0;
}

/* By its arguments, right behind its exec. */
static int kind_of_program(pid_t pid)
{
    char path[64], text[256] = "";

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    if (fd >= 0)
        close(fd);
    const char *option = n > 0 ? text + strlen(text) + 1 : text;
    return strcmp(option, "--spawner") == 0   ? OTHERS_SPAWNER
           : strcmp(option, "--outside") == 0 ? OTHERS_OUTSIDE
                                              : OTHERS_NOBODY;
}

static void go_on(const struct traced *one, int signal)
{
    ptrace(one->kind == wanted_kind ? PTRACE_SYSCALL : PTRACE_CONT, one->pid, NULL,
           (void *)(long)signal);
}

static void let_go(struct traced *one)
{
    ptrace(PTRACE_DETACH, one->pid, NULL, NULL);
    forget(one);
}

static int kind_of_child(pid_t command, int maker, pid_t pid)
{
    if (maker == LOOP || maker == OTHERS_THREAD)
        return is_thread_of(command, pid) ? OTHERS_THREAD : STARTING;
    return maker == OTHERS_SPAWNER ? OTHERS_BIRTH : OTHERS_NOBODY;
}

static void has_made(pid_t command, pid_t maker)
{
    unsigned long pid = 0;

    ptrace(PTRACE_GETEVENTMSG, maker, NULL, &pid);
    int kind = kind_of_child(command, find(maker)->kind, (pid_t)pid);
    struct traced *fresh = find((pid_t)pid);
    fresh->kind = kind;
    if (fresh->waits && kind == OTHERS_NOBODY)
        let_go(fresh);
    else if (fresh->waits)
        go_on(fresh, 0);
    fresh->waits = 0;
}

/* Returns whether it is still followed. */
static int has_executed(struct traced *one)
{
    if (one->kind == LOOP || one->kind == OTHERS_THREAD)
        return 1;
    one->kind = one->kind == STARTING ? kind_of_program(one->pid) : OTHERS_NOBODY;
    one->loads = 1;
    if (one->kind != OTHERS_NOBODY)
        return 1;
    let_go(one);
    return 0;
}

/* Returns whether it continues by itself: it waits until it is known whose it is. */
static int is_its_first_stop(struct traced *one)
{
    if (!one->is_new)
        return 0;
    one->is_new = 0; /* PTRACE_EVENT_STOP */
    if (one->kind == UNKNOWN)
        one->waits = 1;
    else if (one->kind == OTHERS_NOBODY)
        let_go(one);
    else
        go_on(one, 0);
    return 1;
}

static int is_at_entry(pid_t pid)
{
    struct __ptrace_syscall_info info = {};

    ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info);
    return info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

static int meets(struct traced *one, int (*meet)(pid_t, struct user_regs_struct *))
{
    struct user_regs_struct registers;

    if (one->kind != wanted_kind || !is_at_entry(one->pid))
        return 0;
    ptrace(PTRACE_GETREGS, one->pid, NULL, &registers);
    one->loads =
        one->loads && registers.orig_rax != SYS_rt_sigprocmask && registers.orig_rax != SYS_prctl;
    if (one->loads)
        return 0;
    return meet(one->pid, &registers);
}

/* Returns whether the tracing has come to its end. */
static int has_stopped(pid_t command, pid_t pid, int status,
                       int (*meet)(pid_t, struct user_regs_struct *))
{
    struct traced *one = find(pid);
    int event = status >> 16, signal = WSTOPSIG(status);

    if (is_its_first_stop(one))
        return 0;
    if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
        has_made(command, pid);
        one = find(pid);
    } else if (event == PTRACE_EVENT_EXEC && !has_executed(one)) {
        return 0;
    } else if (signal == (SIGTRAP | 0x80) && meets(one, meet)) {
        return 1;
    }
    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
        ptrace(PTRACE_LISTEN, pid, NULL, NULL);
        return 0;
    }
    go_on(one, event || signal == (SIGTRAP | 0x80) || signal == SIGTRAP ? 0 : signal);
    return 0;
}

/* Not attached: those that it makes would be stopped by a signal, and stay so where the tracer ends
 * before they have it. */
int others_seize(pid_t command)
{
    if (ptrace(PTRACE_SEIZE, command, NULL, (void *)OPTIONS) < 0)
        return -1;
    return ptrace(PTRACE_INTERRUPT, command, NULL, NULL) < 0 ? -1 : 0;
}

void others_trace(pid_t command, enum others wanted,
                  int (*meet)(pid_t pid, struct user_regs_struct *registers))
{
    int status;
    pid_t pid;

    wanted_kind = (int)wanted;
    *find(command) = (struct traced){.pid = command, .kind = LOOP};
    ptrace(PTRACE_CONT, command, NULL, NULL);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (WIFSTOPPED(status) && has_stopped(command, pid, status, meet))
            return;
        if (!WIFSTOPPED(status))
            forget(find(pid));
        if (!WIFSTOPPED(status) && pid == command)
            return;
    }
}

#endif
