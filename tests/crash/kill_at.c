/*
 * kill-at N COMMAND...: runs a command and kills it with SIGKILL when it stops for the Nth time at
 * the entry of a system call or at its return. What it has started lives on. Exits with 0 then, 1
 * if the command has ended by itself before, 2 if it had not come so far within three seconds (it
 * is killed all the same). Prints the number of stops on standard error.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
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

static int trace(long stops)
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
        if (WSTOPSIG(status) == (SIGTRAP | 0x80) && ++seen >= stops)
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
    return trace(atol(argv[1]));
}
