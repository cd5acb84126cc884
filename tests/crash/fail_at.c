/*
 * fail-at [NAME]:N ROUND COMMAND...: runs a command and lets its Nth system call fail, or its Nth
 * of that name, counted from its first umask(2), which is the first thing that proctord does. ROUND
 * chooses among the errors that the call can have by its manual page. From then on the command runs
 * untouched, as this process. Writes what failed into the file FAIL_AT_REPORT: "N openat EMFILE";
 * "N nothing" where the call has no such error; nothing at all where it has not come so far.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERRORS_MAX 4

#ifdef __x86_64__

/* close(2) has done its work also where it fails: it is carried out, and told as failed. */
static const struct fault {
    long number;
    const char *name;
    int errors[ERRORS_MAX];
    int carried_out;
} faults[] = {
    {SYS_read, "read", {EINTR, EIO}, 0},
    {SYS_pread64, "pread64", {EINTR, EIO}, 0},
    {SYS_write, "write", {EINTR, ENOSPC, EIO}, 0},
    {SYS_openat, "openat", {EMFILE, ENFILE, ENOMEM, EACCES}, 0},
    {SYS_close, "close", {EINTR, EIO}, 1},
    {SYS_newfstatat, "newfstatat", {ENOMEM, EACCES}, 0},
    {SYS_fstat, "fstat", {ENOMEM}, 0},
    {SYS_lseek, "lseek", {EINVAL}, 0},
    {SYS_mmap, "mmap", {ENOMEM, EAGAIN}, 0},
    {SYS_access, "access", {EACCES, ENOMEM}, 0},
    {SYS_pipe2, "pipe2", {EMFILE, ENFILE}, 0},
    {SYS_dup, "dup", {EMFILE}, 0},
    {SYS_fcntl, "fcntl", {EMFILE, EAGAIN, ENOLCK}, 0},
    {SYS_flock, "flock", {EINTR, ENOLCK}, 0},
    {SYS_ftruncate, "ftruncate", {EINTR, EIO}, 0},
    {SYS_fallocate, "fallocate", {ENOSPC, EINTR, EIO}, 0},
    {SYS_fdatasync, "fdatasync", {EIO, ENOSPC}, 0},
    {SYS_fsync, "fsync", {EIO, ENOSPC}, 0},
    {SYS_getdents64, "getdents64", {ENOENT}, 0},
    {SYS_mkdir, "mkdir", {ENOSPC, EROFS, EACCES}, 0},
    {SYS_mkdirat, "mkdirat", {ENOSPC, EROFS, EACCES}, 0},
    {SYS_unlink, "unlink", {EBUSY, EIO}, 0},
    {SYS_unlinkat, "unlinkat", {EBUSY, EIO}, 0},
    {SYS_rmdir, "rmdir", {EBUSY}, 0},
    {SYS_rename, "rename", {ENOSPC, EIO}, 0},
    {SYS_renameat, "renameat", {ENOSPC, EIO}, 0},
    {SYS_readlink, "readlink", {EIO, ENOMEM}, 0},
    {SYS_chmod, "chmod", {EIO, EPERM}, 0},
    {SYS_memfd_create, "memfd_create", {EMFILE, ENFILE, ENOMEM}, 0},
    {SYS_splice, "splice", {ENOMEM, EAGAIN}, 0},
    {SYS_statfs, "statfs", {EIO, ENOMEM}, 0},
    {SYS_socket, "socket", {EMFILE, ENFILE, ENOBUFS, ENOMEM}, 0},
    {SYS_socketpair, "socketpair", {EMFILE, ENFILE}, 0},
    {SYS_bind, "bind", {EADDRINUSE, EACCES}, 0},
    {SYS_listen, "listen", {EADDRINUSE}, 0},
    {SYS_accept4, "accept4", {EMFILE, ECONNABORTED, EINTR}, 0},
    {SYS_connect, "connect", {ECONNREFUSED, EACCES}, 0},
    {SYS_setsockopt, "setsockopt", {ENOMEM}, 0},
    {SYS_getsockopt, "getsockopt", {ENOBUFS}, 0},
    {SYS_sendmsg, "sendmsg", {EAGAIN, ENOBUFS, ENOMEM, EINTR}, 0},
    {SYS_recvmsg, "recvmsg", {EAGAIN, EINTR, ENOMEM}, 0},
    {SYS_sendto, "sendto", {EAGAIN, ENOBUFS, ENOMEM}, 0},
    {SYS_epoll_create1, "epoll_create1", {EMFILE, ENFILE, ENOMEM}, 0},
    {SYS_epoll_ctl, "epoll_ctl", {ENOMEM, ENOSPC}, 0},
    {SYS_epoll_wait, "epoll_wait", {EINTR}, 0},
    {SYS_poll, "poll", {EINTR, ENOMEM}, 0},
    {SYS_timerfd_create, "timerfd_create", {EMFILE, ENFILE, ENOMEM}, 0},
    {SYS_signalfd4, "signalfd4", {EMFILE, ENFILE, ENOMEM}, 0},
    {SYS_inotify_init1, "inotify_init1", {EMFILE, ENFILE, ENOMEM}, 0},
    {SYS_clone3, "clone3", {EAGAIN, ENOMEM, EPERM, ENOSYS}, 0},
    {SYS_clone, "clone", {EAGAIN, ENOMEM}, 0},
    {SYS_vfork, "vfork", {EAGAIN, ENOMEM}, 0},
    {SYS_waitid, "waitid", {EINTR}, 0},
    {SYS_wait4, "wait4", {EINTR}, 0},
    {SYS_kill, "kill", {EPERM}, 0},
    {SYS_prctl, "prctl", {EINVAL}, 0},
    {SYS_getrandom, "getrandom", {EAGAIN, EINTR}, 0},
    {SYS_prlimit64, "prlimit64", {EPERM}, 0},
    {434 /* pidfd_open */, "pidfd_open", {EMFILE, ENFILE, ENOMEM}, 0},
    {424 /* pidfd_send_signal */, "pidfd_send_signal", {EPERM}, 0},
    {438 /* pidfd_getfd */, "pidfd_getfd", {EMFILE, EPERM}, 0},
};

/* In the kernel only the adding of a descriptor needs memory. */
static int can_fail(const struct user_regs_struct *registers)
{
    return (long)registers->orig_rax != SYS_epoll_ctl || registers->rsi == EPOLL_CTL_ADD;
}

static const struct fault *find(long number)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        if (faults[i].number == number)
            return &faults[i];
    return NULL;
}

/* The tracee is at the entry of the call. */
static void inject(pid_t pid, const struct fault *fault, int error)
{
    struct user_regs_struct registers;
    int status;

    ptrace(PTRACE_GETREGS, pid, NULL, &registers);
    if (!fault->carried_out) {
        registers.orig_rax = (unsigned long long)-1;
        ptrace(PTRACE_SETREGS, pid, NULL, &registers);
    }
    ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
    if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
        return;
    ptrace(PTRACE_GETREGS, pid, NULL, &registers);
    registers.rax = (unsigned long long)-error;
    ptrace(PTRACE_SETREGS, pid, NULL, &registers);
}

/* Whether the call is among those that are counted. */
static int is_meant(long number, const char *name, size_t length)
{
    const struct fault *fault = length > 0 ? find(number) : NULL;

    return length == 0 ||
           (fault && strlen(fault->name) == length && strncmp(fault->name, name, length) == 0);
}

static void trace(pid_t pid, const char *where, int round, int report)
{
    size_t name = strcspn(where, ":");
    long seen = 0, wanted = where[name] ? atol(where + name + 1) : 0;
    int status, signal = 0, counting = 0, entry = 0;

    while (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signal) == 0 &&
           waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
        if (WSTOPSIG(status) != (SIGTRAP | 0x80))
            continue;
        signal = 0;
        struct user_regs_struct registers;
        ptrace(PTRACE_GETREGS, pid, NULL, &registers);
        entry = !entry;
        if (!entry)
            continue;
        counting = counting || (long)registers.orig_rax == SYS_umask;
        if (!counting || !is_meant((long)registers.orig_rax, where, name) || ++seen < wanted)
            continue;
        const struct fault *fault = can_fail(&registers) ? find((long)registers.orig_rax) : NULL;
        int error = fault && round < ERRORS_MAX ? fault->errors[round] : 0;
        if (error) {
            dprintf(report, "%ld %s %s\n", seen, fault->name, strerrorname_np(error));
            inject(pid, fault, error);
        } else {
            dprintf(report, "%ld nothing\n", seen);
        }
        ptrace(PTRACE_DETACH, pid, NULL, NULL);
        return;
    }
}

/* The command is this process, so that signals and exit code are its own; the tracer is a child. */
int main(int argc, char **argv)
{
    pid_t command = getpid();
    int status, ready[2];
    char byte;

    if (argc < 4 || pipe(ready) < 0)
        return 127;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    pid_t between = fork();
    if (between == 0) {
        if (fork() != 0)
            _exit(0);
        if (ptrace(PTRACE_ATTACH, command, NULL, NULL) < 0 ||
            waitpid(command, &status, 0) != command)
            _exit(127);
        ptrace(PTRACE_SETOPTIONS, command, NULL, (void *)PTRACE_O_TRACESYSGOOD);
        if (write(ready[1], "", 1) != 1)
            _exit(127);
        close(ready[0]);
        close(ready[1]);
        const char *path = getenv("FAIL_AT_REPORT");
        trace(command, argv[1], atoi(argv[2]),
              open(path ? path : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        _exit(0);
    }
    waitpid(between, NULL, 0);
    if (read(ready[0], &byte, 1) != 1)
        return 127;
    close(ready[0]);
    close(ready[1]);
    execv(argv[3], argv + 3);
    return 127;
}

#else

int main(void)
{
    fputs("fail-at: only for x86-64\n", stderr);
    return 77;
}

#endif
