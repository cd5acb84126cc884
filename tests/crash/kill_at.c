/*
 * kill-at N|clone:N COMMAND...: runs a command and kills it with SIGKILL when it stops for the Nth
 * time at the entry of a system call or at its return, or when its Nth clone returns: then a child
 * runs of which nobody has taken note. What it has started lives on. Exits with 0 then, 1
 * if the command has ended by itself before, 2 if it had not come so far within three seconds (it
 * is killed all the same). Prints the number of stops on standard error.
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

/* Whether it has just come back from making a process. */
static int is_back_from_clone(void)
{
    static long number;
    struct __ptrace_syscall_info info = {};

    ptrace(PTRACE_GET_SYSCALL_INFO, command, (void *)sizeof(info), &info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        number = (long)info.entry.nr;
    return info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval > 0 &&
           (number == SYS_clone3 || number == SYS_clone
#ifdef SYS_vfork
            || number == SYS_vfork
#endif
           );
}

static int trace(int clones, long stops)
{
    long seen = 0;
    int status, signal = 0;

    for (;;) {
        if (ptrace(PTRACE_SYSCALL, command, NULL, (void *)(long)signal) < 0 && seen == 0)
            return 127;
        if (waitpid(command, &status, 0) < 0)
            return 127;
        if (WIFEXITED(status) || WIFSIGNALED(status))
            break;
        signal = WSTOPSIG(status) == (SIGTRAP | 0x80) || WSTOPSIG(status) == SIGTRAP
                     ? 0
                     : WSTOPSIG(status);
        if (WSTOPSIG(status) != (SIGTRAP | 0x80))
            continue;
        seen += clones ? is_back_from_clone() : 1;
        if (seen >= stops)
            kill(command, SIGKILL);
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
    ptrace(PTRACE_SETOPTIONS, command, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
    signal(SIGALRM, time_is_up);
    alarm(SECONDS_MAX);
    int clones = strncmp(argv[1], "clone:", 6) == 0;
    return trace(clones, atol(argv[1] + (clones ? 6 : 0)));
}
