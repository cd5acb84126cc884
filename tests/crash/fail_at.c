/*
 * fail-at [NAME]:N ROUND COMMAND...: runs a command and lets its Nth system call fail, or its Nth
 * of that name, counted from its first umask(2), which is the first thing that proctord does; where
 * it replaces itself, the loader's are left out. ROUND
 * chooses among the errors that the call can have by its manual page. From then on the command runs
 * untouched, as this process. Writes what failed into the file FAIL_AT_REPORT: "N openat EMFILE";
 * "N nothing" where the call has no such error; nothing at all where it has not come so far.
 *
 * fail-at sites=FILE ROUND COMMAND...: the first one of a site (site.h) that is not in FILE yet,
 * and puts it there. The report ends with the site.
 *
 * With $FAIL_AT_WHOM, not the command's loop but one of the others (others.h), in a thread or a
 * process of its own. The rounds behind the errors are "kill", "stop" (for longer than anybody has
 * patience) and "hold" (for a moment): at the entry of the call, instead of an error.
 */
#include "others.h"
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
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
#define STOP_USEC  3000000
#define HOLD_USEC  200000
#define SITES_MAX  16384

#ifdef __x86_64__

/* Not in it is what has no errors that could be (setting signal masks, asking who one is), and
 * brk(2), which tells its own by the break: memory that malloc(3) cannot get is met by mmap(2).
 * close(2) has done its work also where it fails: it is carried out, and reported as failed. */
static const struct fault {
    long number;
    const char *name;
    int errors[ERRORS_MAX];
    int carried_out;
    enum site_object object;
} faults[] = {
    {SYS_read, "read", {EINTR, EIO}, 0, SITE_ON_DESCRIPTOR},
    {SYS_pread64, "pread64", {EINTR, EIO}, 0, SITE_ON_DESCRIPTOR},
    {SYS_write, "write", {EINTR, ENOSPC, EIO}, 0, SITE_ON_DESCRIPTOR},
    {SYS_openat, "openat", {EMFILE, ENFILE, ENOMEM, EACCES}, 0, SITE_ON_PATH_AT},
    {SYS_close, "close", {EINTR, EIO}, 1, SITE_ON_DESCRIPTOR},
    {SYS_newfstatat, "newfstatat", {ENOMEM, EACCES}, 0, SITE_ON_PATH_AT},
    {SYS_fstat, "fstat", {ENOMEM}, 0, SITE_ON_DESCRIPTOR},
    {SYS_lseek, "lseek", {EINVAL}, 0, SITE_ON_DESCRIPTOR},
    {SYS_mmap, "mmap", {ENOMEM, EAGAIN}, 0, SITE_ON_NOTHING},
    {SYS_mprotect, "mprotect", {ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_access, "access", {EACCES, ENOMEM}, 0, SITE_ON_PATH},
    {SYS_pipe2, "pipe2", {EMFILE, ENFILE}, 0, SITE_ON_NOTHING},
    {SYS_dup, "dup", {EMFILE}, 0, SITE_ON_DESCRIPTOR},
    {SYS_dup3, "dup3", {EMFILE, EBUSY, EINTR}, 0, SITE_ON_DESCRIPTOR},
    {SYS_fcntl, "fcntl", {EMFILE, EAGAIN, ENOLCK}, 0, SITE_ON_DESCRIPTOR},
    {SYS_flock, "flock", {EINTR, ENOLCK}, 0, SITE_ON_DESCRIPTOR},
    {SYS_ftruncate, "ftruncate", {EINTR, EIO}, 0, SITE_ON_DESCRIPTOR},
    {SYS_fallocate, "fallocate", {ENOSPC, EINTR, EIO}, 0, SITE_ON_DESCRIPTOR},
    {SYS_fdatasync, "fdatasync", {EIO, ENOSPC}, 0, SITE_ON_DESCRIPTOR},
    {SYS_fsync, "fsync", {EIO, ENOSPC}, 0, SITE_ON_DESCRIPTOR},
    {SYS_getdents64, "getdents64", {EIO, ENOMEM}, 0, SITE_ON_DESCRIPTOR},
    {SYS_mkdir, "mkdir", {ENOSPC, EROFS, EACCES}, 0, SITE_ON_PATH},
    {SYS_mkdirat, "mkdirat", {ENOSPC, EROFS, EACCES}, 0, SITE_ON_PATH_AT},
    {SYS_unlink, "unlink", {EBUSY, EIO}, 0, SITE_ON_PATH},
    {SYS_unlinkat, "unlinkat", {EBUSY, EIO}, 0, SITE_ON_PATH_AT},
    {SYS_rmdir, "rmdir", {EBUSY}, 0, SITE_ON_PATH},
    {SYS_rename, "rename", {ENOSPC, EIO}, 0, SITE_ON_PATH},
    {SYS_renameat, "renameat", {ENOSPC, EIO}, 0, SITE_ON_PATH_AT},
    {SYS_readlink, "readlink", {EIO, ENOMEM}, 0, SITE_ON_PATH},
    {SYS_chmod, "chmod", {EIO, EPERM}, 0, SITE_ON_PATH},
    {SYS_memfd_create, "memfd_create", {EMFILE, ENFILE, ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_splice, "splice", {ENOMEM, EAGAIN}, 0, SITE_ON_DESCRIPTOR},
    {SYS_statfs, "statfs", {EIO, ENOMEM}, 0, SITE_ON_PATH},
    {SYS_socket, "socket", {EMFILE, ENFILE, ENOBUFS, ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_socketpair, "socketpair", {EMFILE, ENFILE}, 0, SITE_ON_NOTHING},
    {SYS_bind, "bind", {EADDRINUSE, EACCES}, 0, SITE_ON_DESCRIPTOR},
    {SYS_listen, "listen", {EADDRINUSE}, 0, SITE_ON_DESCRIPTOR},
    {SYS_accept4, "accept4", {EMFILE, ECONNABORTED, EINTR}, 0, SITE_ON_DESCRIPTOR},
    {SYS_connect, "connect", {ECONNREFUSED, EACCES}, 0, SITE_ON_DESCRIPTOR},
    {SYS_setsockopt, "setsockopt", {ENOMEM}, 0, SITE_ON_DESCRIPTOR},
    {SYS_getsockname, "getsockname", {ENOBUFS}, 0, SITE_ON_DESCRIPTOR},
    {SYS_getsockopt, "getsockopt", {ENOBUFS}, 0, SITE_ON_DESCRIPTOR},
    {SYS_sendmsg, "sendmsg", {EAGAIN, ENOBUFS, ENOMEM, EINTR}, 0, SITE_ON_DESCRIPTOR},
    {SYS_recvmsg, "recvmsg", {EAGAIN, EINTR, ENOMEM}, 0, SITE_ON_DESCRIPTOR},
    {SYS_recvfrom, "recvfrom", {EAGAIN, EINTR, ENOMEM}, 0, SITE_ON_DESCRIPTOR},
    {SYS_sendto, "sendto", {EAGAIN, ENOBUFS, ENOMEM}, 0, SITE_ON_DESCRIPTOR},
    {SYS_epoll_create1, "epoll_create1", {EMFILE, ENFILE, ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_epoll_ctl, "epoll_ctl", {ENOMEM, ENOSPC}, 0, SITE_ON_THIRD},
    {SYS_epoll_wait, "epoll_wait", {EINTR}, 0, SITE_ON_NOTHING},
    {SYS_poll, "poll", {EINTR, ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_ppoll, "ppoll", {EINTR, ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_timerfd_create, "timerfd_create", {EMFILE, ENFILE, ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_signalfd4, "signalfd4", {EMFILE, ENFILE, ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_inotify_init1, "inotify_init1", {EMFILE, ENFILE, ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_clone3, "clone3", {EAGAIN, ENOMEM, EPERM, ENOSYS}, 0, SITE_ON_NOTHING},
    {SYS_clone, "clone", {EAGAIN, ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_vfork, "vfork", {EAGAIN, ENOMEM}, 0, SITE_ON_NOTHING},
    {SYS_execve, "execve", {ENOMEM, EACCES, ENFILE, EIO}, 0, SITE_ON_PATH},
    {SYS_waitid, "waitid", {EINTR}, 0, SITE_ON_NOTHING},
    {SYS_wait4, "wait4", {EINTR}, 0, SITE_ON_NOTHING},
    {SYS_kill, "kill", {EPERM}, 0, SITE_ON_NOTHING},
    {SYS_prctl, "prctl", {EINVAL}, 0, SITE_ON_NOTHING},
    {SYS_getrandom, "getrandom", {EAGAIN, EINTR}, 0, SITE_ON_NOTHING},
    {SYS_prlimit64, "prlimit64", {EPERM}, 0, SITE_ON_NOTHING},
    {434 /* pidfd_open */, "pidfd_open", {EMFILE, ENFILE, ENOMEM}, 0, SITE_ON_NOTHING},
    {424 /* pidfd_send_signal */, "pidfd_send_signal", {EPERM}, 0, SITE_ON_NOTHING},
    {438 /* pidfd_getfd */, "pidfd_getfd", {EMFILE, EPERM}, 0, SITE_ON_NOTHING},
};

/* In the kernel only the adding of a descriptor to an epoll needs memory; of what fcntl(2) does, a
 * copy needs a number, a lock may be another's, and reading and setting flags does not fail; a
 * question about an open descriptor has no path to be kept from. */
static int can_fail(const struct user_regs_struct *registers, int error)
{
    switch (registers->orig_rax) {
    case SYS_epoll_ctl:
        return registers->rsi == EPOLL_CTL_ADD;
    case SYS_fcntl:
        if (error == EMFILE)
            return registers->rsi == F_DUPFD || registers->rsi == F_DUPFD_CLOEXEC;
        return registers->rsi == F_SETLK || registers->rsi == F_SETLKW ||
               registers->rsi == F_OFD_SETLK || registers->rsi == F_OFD_SETLKW;
    case SYS_newfstatat:
        return error != EACCES || !(registers->r10 & AT_EMPTY_PATH);
    default:
        return 1;
    }
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
    if (waitpid(pid, &status, __WALL) < 0 || !WIFSTOPPED(status))
        return;
    ptrace(PTRACE_GETREGS, pid, NULL, &registers);
    registers.rax = (unsigned long long)-error;
    ptrace(PTRACE_SETREGS, pid, NULL, &registers);
}

/* ---- which one ------------------------------------------------------------------------------- */

static struct {
    const char *name; /* only calls of this name are counted: */
    size_t length;    /* 0: all are */
    long seen, nth;
    int sites;       /* a file; -1: the Nth is meant */
    uint64_t *known; /* hashes of what stands in it, 0 where there is room */
} meant;

/* Returns 0 where it was there already. */
static int remember(const char *site, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)site[i]) * UINT64_C(0x100000001b3);
    hash = hash ? hash : 1;
    size_t at = hash % SITES_MAX;
    while (meant.known[at] && meant.known[at] != hash)
        at = (at + 1) % SITES_MAX;
    if (meant.known[at])
        return 0;
    meant.known[at] = hash;
    return 1;
}

static void read_sites(const char *path)
{
    char line[SITE_MAX + 1];

    meant.known = calloc(SITES_MAX, sizeof(*meant.known));
    meant.sites = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    FILE *file = fopen(path, "re");
    if (!meant.known || meant.sites < 0 || !file)
        _exit(127);
    while (fgets(line, sizeof(line), file))
        remember(line, strcspn(line, "\n"));
    fclose(file);
}

static void mean(const char *where)
{
    meant.sites = -1;
    if (strncmp(where, "sites=", 6) == 0) {
        read_sites(where + 6);
        return;
    }
    meant.name = where;
    meant.length = strcspn(where, ":");
    meant.nth = where[meant.length] ? atol(where + meant.length + 1) : 0;
}

/* Whether a call of this site has failed before; from now on it has. */
static int is_known(const char *site)
{
    return !remember(site, strlen(site)) || dprintf(meant.sites, "%s\n", site) < 0;
}

/* error: 0 where the call has none in this round. */
static int is_meant(pid_t pid, const struct user_regs_struct *registers, const struct fault *fault,
                    int error, char site[SITE_MAX])
{
    if (meant.sites < 0)
        return (meant.length == 0 || (fault && strlen(fault->name) == meant.length &&
                                      strncmp(fault->name, meant.name, meant.length) == 0)) &&
               ++meant.seen >= meant.nth;
    meant.seen++;
    if (!error)
        return 0;
    site_describe(pid, registers, fault->name, fault->object, site);
    return !is_known(site);
}

/* ---- others ---------------------------------------------------------------------------------- */

static int round_of_others, report_of_others;
static const char *const deeds[] = {"kill", "stop", "hold"};

/* It is at the entry of a call. */
static void hurt(pid_t pid, int deed)
{
    if (deed == 0)
        kill(pid, SIGKILL);
    if (deed == 2)
        usleep(HOLD_USEC);
    if (deed != 1)
        return;
    kill(pid, SIGSTOP);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    usleep(STOP_USEC);
    kill(pid, SIGCONT);
}

static int hurt_first(pid_t pid, const struct user_regs_struct *registers, const char *name,
                      enum site_object object)
{
    int deed = round_of_others - ERRORS_MAX;
    char site[SITE_MAX] = "";

    meant.seen++;
    site_describe(pid, registers, name, object, site);
    if (is_known(site))
        return 0;
    dprintf(report_of_others, "%ld %s %s %s\n", meant.seen, name, deeds[deed], site);
    hurt(pid, deed);
    return 1;
}

static int meet(pid_t pid, struct user_regs_struct *registers)
{
    const struct fault *fault = find((long)registers->orig_rax);
    char site[SITE_MAX] = "", name[32];
    static pid_t known; /* whose program has been looked at */

    snprintf(name, sizeof(name), "%s", fault ? fault->name : "");
    if (!fault)
        snprintf(name, sizeof(name), "call%lld", (long long)registers->orig_rax);
    if (pid != known && site_look_at_program(pid) < 0)
        return 0;
    known = pid;
    if (round_of_others >= ERRORS_MAX)
        return hurt_first(pid, registers, name, fault ? fault->object : SITE_ON_NOTHING);
    int error = fault ? fault->errors[round_of_others] : 0;
    if (!error || !can_fail(registers, error) || !is_meant(pid, registers, fault, error, site))
        return 0;
    dprintf(report_of_others, "%ld %s %s %s\n", meant.seen, name, strerrorname_np(error), site);
    inject(pid, fault, error);
    return 1;
}

static void trace_others(pid_t command, enum others whom, int round, int report)
{
    round_of_others = round;
    report_of_others = report;
    others_trace(command, whom, meet);
}

/* ---- the command ------------------------------------------------------------------------------
 */

static void trace(pid_t pid, int round, int report)
{
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
        long number = (long)registers.orig_rax;
        if (!entry) {
            counting = counting && number != SYS_execve; /* the loader's calls are not counted */
            continue;
        }
        if (!counting && number == SYS_umask)
            counting = site_look_at_program(pid) == 0;
        const struct fault *fault = find(number);
        int error = fault && round < ERRORS_MAX ? fault->errors[round] : 0;
        if (error && !can_fail(&registers, error))
            error = 0;
        char site[SITE_MAX] = "";
        if (!counting || !is_meant(pid, &registers, fault, error, site))
            continue;
        if (error) {
            dprintf(report, "%ld %s %s %s\n", meant.seen, fault->name, strerrorname_np(error),
                    site);
            inject(pid, fault, error);
        } else {
            dprintf(report, "%ld nothing\n", meant.seen);
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
        enum others whom = others_by_name(getenv("FAIL_AT_WHOM") ?: "");
        if (whom != OTHERS_NOBODY ? others_seize(command) < 0
                                  : ptrace(PTRACE_ATTACH, command, NULL, NULL) < 0)
            _exit(127);
        if (waitpid(command, &status, 0) != command)
            _exit(127);
        if (whom == OTHERS_NOBODY)
            ptrace(PTRACE_SETOPTIONS, command, NULL, (void *)PTRACE_O_TRACESYSGOOD);
        if (write(ready[1], "", 1) != 1)
            _exit(127);
        close(ready[0]);
        close(ready[1]);
        const char *path = getenv("FAIL_AT_REPORT");
        mean(argv[1]);
        int report =
            open(path ? path : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (whom != OTHERS_NOBODY)
            trace_others(command, whom, atoi(argv[2]), report);
        else
            trace(command, atoi(argv[2]), report);
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
