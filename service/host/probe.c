/*
 * Health checks: a command, or a connection. The answer names the question by
 * its number, and a question that was withdrawn is forgotten here; whether an
 * answer comes in time is the core's decision.
 */
#include "host/probe.h"

#include "core/vocabulary/invariant.h"
#include "host/errand.h"
#include "host/path_look.h"
#include "host/process.h"
#include "core/vocabulary/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_USEC UINT64_C(50000)

struct probe {
    struct process *process;
    struct attempt_id id;
    uint32_t number;
    struct errand *errand; /* the command; NULL: there is none now */
    int fd;                /* the socket; -1: there is none */
    int error;             /* why not */
    sd_event_source *source;
};

/* A command in progress is killed. */
void probe_free(struct process *process)
{
    struct probe *probe = process->probe;

    if (!probe)
        return;
    process->probe = NULL;
    sd_event_source_disable_unref(probe->source);
    path_look_forget(process->check_look);
    errand_free(probe->errand);
    if (probe->fd >= 0)
        close(probe->fd);
    free(probe);
}

static void answer(const struct probe *probe, bool passed, const char *why)
{
    struct process *process = probe->process;
    const struct host *host = process->host;
    struct attempt_id id = probe->id;
    uint32_t number = probe->number;

    probe_free(process);
    core_checked(host->core, id, number, passed, why);
    host->check_over(process);
}

static void answer_failed(const struct probe *probe, const char *what, int error)
{
    char why[FAILURE_REASON_MAX];

    snprintf(why, sizeof(why), "%s: %s", what, strerror(error));
    text_make_line(why);
    answer(probe, false, why);
}

/* ---- a command ------------------------------------------------------------------------------- */

static void begin_command(struct probe *probe);

/* After a lack of descriptors or processes, which is not the child's
 * failure. */
static int begin_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct probe *probe = userdata;

    (void)source;
    (void)usec;
    probe->source = sd_event_source_disable_unref(probe->source);
    begin_command(probe);
    return 0;
}

/* What proctord lacks for it is no answer; the core's timeout bounds how long it is waited for. */
static void try_again(struct probe *probe)
{
    sd_event_add_time_relative(probe->process->host->event, &probe->source, CLOCK_MONOTONIC,
                               AGAIN_USEC, 0, begin_again, probe);
}

/* A check that could not be started for a lack of ours is tried again. */
static void command_ended(void *userdata, const struct errand_end *end)
{
    struct probe *probe = userdata;

    probe->errand = NULL;
    if (end->lacks)
        try_again(probe);
    else
        answer(probe, end->passed, end->why);
}

/* It runs as the child does, and goes with it: whatever ends the child ends it, too. */
static void begin_command(struct probe *probe)
{
    struct errand_order order = {.process = probe->process,
                                 .id = probe->id,
                                 .kind = ERRAND_CHECK,
                                 .number = probe->number,
                                 .ended = command_ended,
                                 .userdata = probe};

    if (errand_begin(&order, &probe->errand) < 0)
        try_again(probe);
}

/* ---- a connection ---------------------------------------------------------------------------- */

/* Without waiting. */
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

/* Accepted or refused: more is not asked. */
static void look_at_connection(const struct probe *probe)
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

static int failed_at_once(sd_event_source *source, void *userdata)
{
    const struct probe *probe = userdata;

    (void)source;
    answer_failed(probe, "connect", probe->error);
    return 0;
}

static int ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    look_at_connection(userdata);
    return 0;
}

/* Whatever the answer is, the core is in the middle of an input now: it comes later. If not even
 * that is possible, the core's timeout is the answer. */
static void watch_connection(struct host *host, struct probe *probe, int r)
{
    if (r == 0)
        r = sd_event_add_io(host->event, &probe->source, probe->fd, EPOLLOUT, ended, probe);
    if (r >= 0)
        return;
    probe->error = -r;
    sd_event_add_defer(host->event, &probe->source, failed_at_once, probe);
}

/* The path of a Unix socket has answered, and the check continues. */
static void path_answers(void *userdata, int error)
{
    struct process *process = userdata;
    const struct health_spec *health = process->child->config->declaration.process.health;
    struct probe *probe = process->probe;

    if (probe && probe->fd < 0 && !probe->source && health && !health->arguments)
        watch_connection(process->host, probe,
                         error < 0 ? error : start_connection(probe, &health->target));
}

/* A mount that does not answer holds up this check alone, until its timeout. */
static void begin_connection(struct host *host, struct probe *probe,
                             const struct socket_spec *target)
{
    const char *path = target->listen;

    if (path[0] != '/') {
        watch_connection(host, probe, start_connection(probe, target));
        return;
    }
    int r = path_look_begin(&probe->process->check_look, &path, 1, path_answers, probe->process);
    if (r < 0)
        watch_connection(host, probe, r);
}

/* ---- both ------------------------------------------------------------------------------------ */

/* One at a time; without memory the question stays open, and times out. */
void probe_begin(void *userdata, struct child *child, struct attempt_id id, uint32_t number)
{
    struct host *host = userdata;
    struct process *process = child->host;
    const struct health_spec *health = child->config->declaration.process.health;
    struct probe *probe;

    if (host->past || !process || process->state != PROCESS_RUNNING || !health)
        return;
    INVARIANT(process->id.attempt == id.attempt);
    probe_free(process);
    probe = calloc(1, sizeof(*probe));
    if (!probe)
        return;
    *probe = (struct probe){.process = process, .id = id, .number = number, .fd = -1};
    process->probe = probe;
    if (health->arguments)
        begin_command(probe);
    else
        begin_connection(host, probe, &health->target);
}

void probe_withdraw(void *userdata, struct child *child, struct attempt_id id)
{
    const struct host *host = userdata;

    INVARIANT(child_is_sound(child));
    (void)id;
    if (child->host && !host->past)
        probe_free(child->host);
}
