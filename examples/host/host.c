/*
 * A host of the core on one page: it supervises the command that it is given, with proctord's
 * restart limit, backoff and fence, and without D-Bus, cgroups or a journal. SIGTERM ends it.
 *
 *     cc host.c $(pkg-config --cflags --libs proctor-core) -o host
 *     ./host sh -c 'sleep 1; exit 1'
 */
#include <core/core.h>
#include <core/model/child.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char **command;
static pid_t pid;
static struct attempt_id current;
static bool fresh; /* it was started, and the core does not know yet: ports must not call back */
static uint64_t deadline_usec;

static uint64_t clock_usec(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The ports. */
static uint64_t monotonic(void *data) { return clock_usec(CLOCK_MONOTONIC); }
static uint64_t realtime(void *data) { return clock_usec(CLOCK_REALTIME); }
static void *allocate(void *data, size_t size) { return calloc(1, size); }
static void release(void *data, void *memory) { free(memory); }
static void set_timer(void *data, uint64_t usec) { deadline_usec = usec; }
static void forget(void *data, struct child *child) {}
static void cancel(void *data, struct child *child, struct attempt_id id) { kill(-pid, SIGTERM); }
static void end(void *data, struct child *child, struct attempt_id id) { kill(-pid, SIGKILL); }

static void start(void *data, struct child *child, struct attempt_id id)
{
    sigset_t none;

    current = id;
    fresh = true;
    if ((pid = fork()) != 0)
        return;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    execvp(command[0], command);
    _exit(127);
}

static void tell(void *data, const struct event *event)
{
    printf("%s generation=%ju attempt=%ju\n", event_kind_to_string(event->kind),
           (uintmax_t)event->generation, (uintmax_t)event->attempt);
    fflush(stdout);
}

static const struct core_ports ports = {.monotonic = monotonic,
                                        .realtime = realtime,
                                        .allocate = allocate,
                                        .release = release,
                                        .start = start,
                                        .cancel = cancel,
                                        .abort = end,
                                        .forget = forget,
                                        .set_timer = set_timer,
                                        .event = tell};

/* One thing that has happened becomes one input. */
static void take_input(struct core *core, const sigset_t *signals)
{
    uint64_t now = clock_usec(CLOCK_MONOTONIC);
    uint64_t left = deadline_usec > now ? deadline_usec - now : 0;
    struct timespec time = {(time_t)(left / 1000000), (long)(left % 1000000) * 1000};
    int status, signal = sigtimedwait(signals, NULL, deadline_usec ? &time : NULL);

    if (signal == SIGTERM)
        core_shutdown(core, "host", "told to end");
    else if (signal == SIGCHLD && waitpid(pid, &status, WNOHANG) == pid)
        core_completed(core, current,
                       &(struct completion){.by_signal = WIFSIGNALED(status),
                                            .signal = WTERMSIG(status),
                                            .code = WEXITSTATUS(status)});
    else if (signal < 0)
        core_timer(core);
}

int main(int argc, char **argv)
{
    struct core_settings settings = {.seed = (uint64_t)getpid()};
    struct declaration_problem problem;
    struct child_declaration child;
    struct core *core;
    sigset_t signals;

    command = argv + 1;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    declaration_defaults(&child, ROLE_SERVICE);
    child.id = "command";
    child.has_process = true;
    if (argc < 2 || core_new(&ports, &settings, &core) < 0 ||
        core_declare(core, &child, 1, "host", "its command line", &problem) < 0)
        return EXIT_FAILURE;
    while (core_shutdown_phase(core) != SHUTDOWN_COMPLETED) {
        if (fresh) {
            fresh = false;
            core_spawned(core, current, (uint32_t)pid);
        }
        take_input(core, &signals);
    }
    core_free(core);
    return EXIT_SUCCESS;
}
