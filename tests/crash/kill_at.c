/*
 * kill-at N|launch:N COMMAND...: runs a command and kills it with SIGKILL when it stops for the Nth
 * time at the entry of a system call or at its return, in whichever thread, or when it is about to
 * take hold of the child of its Nth launch: that has come to its program, without being noted. (A
 * launch begins with a socketpair, and so does the spawner.) What it has started lives on. Exits
 * with 0 then, 1 if the command has ended by itself before, 2 if it had not come so far within
 * three seconds (it is killed all the same). Prints the number of stops on standard error.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_MAX 3

static volatile sig_atomic_t too_long;
static pid_t command;

static void time_is_up(int signal)
{
    (void)signal;
    too_long = 1;
    kill(command, SIGKILL);
}

static pid_t start(char **arguments)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    execv(arguments[0], arguments);
    _exit(127);
}

static int takes_hold(pid_t tid, long launches)
{
    static long pairs;
    struct __ptrace_syscall_info info = {};

    if (tid != command)
        return 0;
    ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return 0;
    pairs += info.entry.nr == SYS_socketpair;
    return info.entry.nr == SYS_pidfd_open && pairs > launches;
}

/* What a thread that has stopped is to be given when it continues. */
static int signal_of(int status)
{
    int signal = WSTOPSIG(status);
    return signal == (SIGTRAP | 0x80) || signal == SIGTRAP || signal == SIGSTOP ? 0 : signal;
}

/* The command's threads are stopped at their calls, too: each stop counts. */
static int trace(long launches, long stops)
{
    long seen = 0;
    int status;

    if (ptrace(PTRACE_SYSCALL, command, NULL, NULL) < 0)
        return 127;
    for (;;) {
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0)
            return 127;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (tid == command)
                break;
            continue;
        }
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            seen += launches > 0 ? takes_hold(tid, launches) : 1;
            if (seen >= stops)
                kill(command, SIGKILL);
        }
        ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(long)signal_of(status));
    }
    fprintf(stderr, "kill-at: %ld stops\n", seen);
    return seen >= stops ? 0 : too_long ? 2 : 1;
}

int main(int argc, char **argv)
{
    int status;

    if (argc < 3)
        return 127;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    command = start(argv + 2);
    if (command < 0 || waitpid(command, &status, WUNTRACED) < 0 || !WIFSTOPPED(status))
        return 127;
    ptrace(PTRACE_SETOPTIONS, command, NULL,
           (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE));
    signal(SIGALRM, time_is_up);
    alarm(SECONDS_MAX);
    int launch = strncmp(argv[1], "launch:", 7) == 0;
    return launch ? trace(atol(argv[1] + 7), 1) : trace(0, atol(argv[1]));
}
