#include "strike.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOLD_USEC 100000

#define OPTIONS                                                                                    \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |       \
     PTRACE_O_TRACECLONE)

static GPid tracer;
static int report = -1; /* the reading end of what the tracer says */

static struct {
    GPid traced; /* what strike_begin() was given */
    GPid victim; /* 0: it does not exist yet */
    GPid early;  /* stopped, before the one that made it has said so */
    enum strike_whom whom;
    enum strike_how how;
    guint n, seen;
    gboolean struck;
    gboolean executed;
} aim;

static void say(char word)
{
    if (write(report, &word, 1) != 1)
        _exit(1);
}

static void let_go(pid_t pid)
{
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

#ifdef __x86_64__

/* What frees something, or only asks, cannot be refused; an end least of all. */
static gboolean can_be_refused(long call)
{
    static const long never[] = {SYS_rt_sigprocmask, SYS_rt_sigaction,    SYS_close,   SYS_munmap,
                                 SYS_exit,           SYS_exit_group,      SYS_getpid,  SYS_gettid,
                                 SYS_getuid,         SYS_rt_sigreturn,    SYS_umask,   SYS_brk,
                                 SYS_futex,          SYS_set_robust_list, SYS_geteuid, SYS_getgid,
                                 SYS_getegid};

    for (gsize i = 0; i < G_N_ELEMENTS(never); i++)
        if (call == never[i])
            return FALSE;
    return TRUE;
}

/* The victim is at the entry of the call, which fails instead. */
static void refuse(pid_t pid, struct user_regs_struct *registers, int error)
{
    int status;

    registers->orig_rax = (unsigned long long)-1;
    ptrace(PTRACE_SETREGS, pid, NULL, registers);
    ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
    if (waitpid(pid, &status, __WALL) < 0 || !WIFSTOPPED(status))
        return;
    ptrace(PTRACE_GETREGS, pid, NULL, registers);
    registers->rax = (unsigned long long)-error;
    ptrace(PTRACE_SETREGS, pid, NULL, registers);
}

/* Returns whether it was refused. */
static gboolean try_to_refuse(pid_t pid, int error)
{
    struct __ptrace_syscall_info info = {};
    struct user_regs_struct registers;

    ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return FALSE;
    long call = (long)info.entry.nr;
    if (error == EAGAIN ? call != SYS_clone3 && call != SYS_clone : !can_be_refused(call))
        return FALSE;
    ptrace(PTRACE_GETREGS, pid, NULL, &registers);
    refuse(pid, &registers, error);
    return TRUE;
}

#else

static gboolean try_to_refuse(pid_t pid, int error)
{
    (void)pid;
    (void)error;
    return FALSE;
}

#endif

/* At the Nth stop, or behind it. Returns whether there is nothing more to do. */
static gboolean strike(pid_t pid)
{
    switch (aim.how) {
    case STRIKE_KILL:
        kill(pid, SIGKILL);
        break;
    case STRIKE_STOP:
        kill(pid, SIGSTOP);
        break;
    case STRIKE_REFUSE:
        if (aim.seen == aim.n)
            try_to_refuse(pid, ENOMEM);
        break;
    case STRIKE_HOLD:
        if (aim.seen == aim.n)
            g_usleep(HOLD_USEC);
        break;
    case STRIKE_STARVE:
        if (!try_to_refuse(pid, EAGAIN) || aim.struck)
            return FALSE;
        break;
    }
    if (!aim.struck)
        say('s');
    aim.struck = TRUE;
    return aim.how != STRIKE_STARVE;
}

/* Returns FALSE where the tracer has done its work. */
static gboolean at_event(pid_t pid, int event)
{
    unsigned long message = 0;

    if (event == PTRACE_EVENT_EXEC && pid == aim.victim)
        aim.executed = TRUE;
    if (event == PTRACE_EVENT_EXEC)
        return aim.whom != STRIKE_CHILD || pid != aim.victim;
    if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
        ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message);
        gboolean wanted = aim.victim == 0 && (aim.whom != STRIKE_NEW_SPAWNER || pid == aim.traced);
        if (wanted && (aim.whom != STRIKE_NEW_SPAWNER || event != PTRACE_EVENT_CLONE))
            aim.victim = (pid_t)message;
        if (aim.early != 0) {
            ptrace(aim.early == aim.victim ? PTRACE_SYSCALL : PTRACE_DETACH, aim.early, NULL, NULL);
            aim.early = 0;
        }
    }
    return TRUE;
}

/* Until its exec proctord waits for it, as for itself: who may stop the one may stop the other. */
static gboolean counts(void)
{
    return aim.whom != STRIKE_NEW_SPAWNER || aim.how != STRIKE_STOP || aim.executed;
}

static int signal_of(int status)
{
    int signal = WSTOPSIG(status);
    return status >> 16 || signal == (SIGTRAP | 0x80) || signal == SIGTRAP ? 0 : signal;
}

/* A new one stops once before it does anything; one that is not watched goes its own way. */
static gboolean at_stop(pid_t pid, int status)
{
    if (status >> 16 && !at_event(pid, status >> 16))
        return FALSE;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80) && pid == aim.victim && counts() &&
        ++aim.seen >= aim.n && strike(pid))
        return FALSE;
    if (pid != aim.traced && aim.victim == 0)
        aim.early = pid;
    else if (pid != aim.traced && pid != aim.victim)
        let_go(pid);
    else
        ptrace(pid == aim.victim ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL,
               (void *)(long)signal_of(status));
    return TRUE;
}

static void trace(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, __WALL)) > 0)
        if (WIFSTOPPED(status) && !at_stop(pid, status))
            break;
    /* What is traced runs on when its tracer ends. */
}

static void run(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    aim.victim = aim.whom == STRIKE_SPAWNER ? aim.traced : 0;
    if (ptrace(PTRACE_SEIZE, aim.traced, NULL,
               aim.whom == STRIKE_SPAWNER ? PTRACE_O_TRACESYSGOOD : OPTIONS) < 0 ||
        ptrace(PTRACE_INTERRUPT, aim.traced, NULL, NULL) < 0)
        _exit(1);
    int status;
    if (waitpid(aim.traced, &status, __WALL) < 0)
        _exit(1);
    ptrace(aim.victim ? PTRACE_SYSCALL : PTRACE_CONT, aim.traced, NULL, NULL);
    say('r');
    trace();
    _exit(0);
}

gboolean strike_begin(GPid traced, enum strike_whom whom, enum strike_how how, guint n)
{
    int ends[2];
    char word;

    g_assert_cmpint(pipe(ends), ==, 0);
    aim.traced = traced;
    aim.whom = whom;
    aim.how = how;
    aim.n = n;
    tracer = fork();
    g_assert_cmpint(tracer, >=, 0);
    if (tracer == 0) {
        close(ends[0]);
        report = ends[1];
        run();
    }
    close(ends[1]);
    report = ends[0];
    if (read(report, &word, 1) == 1) {
        g_assert_cmpint(word, ==, 'r');
        return TRUE;
    }
    close(report);
    waitpid(tracer, NULL, 0);
    return FALSE;
}

gboolean strike_end(void)
{
    char word;

    kill(tracer, SIGKILL);
    waitpid(tracer, NULL, 0);
    gboolean struck = read(report, &word, 1) == 1;
    close(report);
    return struck;
}
