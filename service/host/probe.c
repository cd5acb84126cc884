#include "probe.h"

#include "environment.h"
#include "handle.h"
#include "process.h"
#include "spawn.h"
#include "text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct probe {
    struct process *process;
    struct attempt_id id;
    uint32_t number;
    pid_t pid; /* of the command; 0: there is none */
    int fd;    /* its pidfd, or the socket; -1: it failed at once */
    int error; /* why */
    sd_event_source *source;
    struct probe *next; /* of the host's */
};

static void unlink_probe(struct host *host, const struct probe *probe)
{
    struct probe **link = &host->probes;

    while (*link != probe)
        link = &(*link)->next;
    *link = probe->next;
}

void probe_free(struct process *process)
{
    struct probe *probe = process->probe;

    if (!probe)
        return;
    process->probe = NULL;
    unlink_probe(process->host, probe);
    sd_event_source_disable_unref(probe->source);
    if (probe->pid > 0) /* its zombie is reaped like an orphan's */
        handle_signal(probe->fd, SIGKILL);
    if (probe->fd >= 0)
        close(probe->fd);
    free(probe);
}

static void answer(struct probe *probe, bool passed, const char *why)
{
    struct host *host = probe->process->host;
    struct attempt_id id = probe->id;
    uint32_t number = probe->number;

    probe->pid = 0;
    probe_free(probe->process);
    core_checked(host->core, id, number, passed, why);
    host_settle(host);
}

static void answer_failed(struct probe *probe, const char *what, int error)
{
    char why[FAILURE_REASON_MAX];

    snprintf(why, sizeof(why), "%s: %s", what, strerror(error));
    text_make_line(why);
    answer(probe, false, why);
}

/* ---- a command ------------------------------------------------------------------------------- */

static void look_at_command(struct probe *probe)
{
    siginfo_t info = {};
    char why[64];

    if (waitid(P_PIDFD, (id_t)probe->fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
        return;
    if (info.si_code == CLD_EXITED && info.si_status == 0) {
        answer(probe, true, "");
        return;
    }
    snprintf(why, sizeof(why), info.si_code == CLD_EXITED ? "exit code %d" : "signal %d",
             info.si_status);
    answer(probe, false, why);
}

bool probe_exited(struct host *host, pid_t pid)
{
    for (struct probe *probe = host->probes; probe; probe = probe->next)
        if (probe->pid == pid) {
            look_at_command(probe);
            return true;
        }
    return false;
}

/* It runs as the child does, among its processes: whatever ends the child ends it, too. */
static int start_command(struct probe *probe, const struct child *child)
{
    struct process *process = probe->process;
    struct host *host = process->host;
    struct process_spec spec = child->config->declaration.process;
    struct environment environment = {};
    struct spawn_result spawned = {.pidfd = -1};
    char leaf[CGROUP_LEAF_MAX];
    int cgroup = -1;

    spec.arguments = spec.health->arguments;
    int r = environment_make(child, host->notify_path, &environment);
    if (r >= 0 && process->in_cgroup) {
        process_leaf(process, leaf);
        r = cgroup = cgroup_leaf_make(&host->cgroups, leaf);
    }
    if (r >= 0) {
        struct spawn_request request = {.spec = &spec,
                                        .environment = environment.variables,
                                        .input = host->null,
                                        .output = host->null,
                                        .cgroup = cgroup,
                                        .keep = -1};
        r = spawn(&request, &spawned);
    }
    if (cgroup >= 0)
        close(cgroup);
    environment_free(&environment);
    probe->pid = r < 0 ? 0 : spawned.pid;
    probe->fd = r < 0 ? -1 : spawned.pidfd;
    return r < 0 ? r : 0;
}

/* ---- a connection ---------------------------------------------------------------------------- */

static int start_connection(struct probe *probe, const struct socket_spec *target)
{
    struct sockaddr_storage address;

    memcpy(&address, target->address, target->address_size);
    probe->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0)
        return -errno;
    if (connect(probe->fd, (struct sockaddr *)&address, target->address_size) < 0 &&
        errno != EINPROGRESS)
        return -errno;
    return 0;
}

static void look_at_connection(struct probe *probe)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error)
        answer_failed(probe, "connect", error);
    else
        answer(probe, true, "");
}

/* ---- both ------------------------------------------------------------------------------------ */

static int ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct probe *probe = userdata;

    (void)source;
    (void)fd;
    (void)events;
    if (probe->pid > 0)
        look_at_command(probe);
    else
        look_at_connection(probe);
    return 0;
}

static int failed_at_once(sd_event_source *source, void *userdata)
{
    struct probe *probe = userdata;

    (void)source;
    answer_failed(probe,
                  probe->process->child->config->declaration.process.health->arguments ? "exec"
                                                                                       : "connect",
                  probe->error);
    return 0;
}

/* Whatever the answer is, the core is in the middle of an input now: it comes later. Where not even
 * that can be had, the core's timeout is the answer. */
static void watch(struct host *host, struct probe *probe, int r)
{
    uint32_t events = probe->pid > 0 ? EPOLLIN : EPOLLOUT;

    if (r == 0)
        r = sd_event_add_io(host->event, &probe->source, probe->fd, events, ended, probe);
    if (r >= 0)
        return;
    probe->error = -r;
    sd_event_add_defer(host->event, &probe->source, failed_at_once, probe);
}

void probe_begin(void *userdata, struct child *child, struct attempt_id id, uint32_t number)
{
    struct host *host = userdata;
    struct process *process = child->host;
    const struct health_spec *health = child->config->declaration.process.health;
    struct probe *probe;

    if (host->past || !process || process->state != PROCESS_RUNNING || !health)
        return;
    probe_free(process);
    probe = calloc(1, sizeof(*probe));
    if (!probe)
        return;
    *probe = (struct probe){
        .process = process, .id = id, .number = number, .fd = -1, .next = host->probes};
    host->probes = process->probe = probe;
    watch(host, probe,
          health->arguments ? start_command(probe, child)
                            : start_connection(probe, &health->target));
}

void probe_withdraw(void *userdata, struct child *child, struct attempt_id id)
{
    const struct host *host = userdata;

    (void)id;
    if (child->host && !host->past)
        probe_free(child->host);
}
