#include "probe.h"

#include "core/vocabulary/invariant.h"
#include "environment.h"
#include "exit_status.h"
#include "handle.h"
#include "path_look.h"
#include "process.h"
#include "core/vocabulary/text.h"

#include <errno.h>
#include <signal.h>
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
    pid_t pid; /* of the command; 0: there is none */
    int fd;    /* its pidfd, or the socket; -1: it failed at once */
    int error; /* why */
    sd_event_source *source;
    struct account_lookup *lookup; /* of the command's user */
    struct launch *launch;         /* the command is on its way */
    struct tree *tree;             /* all processes of the command */
    struct probe *next;            /* of the host's */
};

static void unlink_probe(struct host *host, const struct probe *probe)
{
    struct probe **link = &host->probes;

    while (*link != probe)
        link = &(*link)->next;
    *link = probe->next;
}

/* ---- its processes --------------------------------------------------------------------------- */

static void free_tree(struct tree *tree)
{
    tree_forget(tree);
    if (tree->group >= 0)
        close(tree->group);
    free(tree);
}

static void tree_is_gone(struct tree *tree)
{
    struct host *host = tree->host;
    const struct child *child = core_child_of(host->core, tree->id);
    struct process *process = child ? child->host : NULL;
    bool is_its = process && process->id.attempt == tree->id.attempt && process->checks_left > 0;

    if (tree->leaf[0])
        cgroup_leaf_remove(&host->cgroups, tree->leaf);
    free_tree(tree);
    if (is_its)
        host->check_gone(process);
}

void probe_free_trees(struct host *host)
{
    while (host->trees)
        free_tree(host->trees);
}

static struct tree *tree_new(const struct probe *probe)
{
    struct tree *tree = calloc(1, sizeof(*tree));
    char leaf[CGROUP_LEAF_MAX];

    if (!tree)
        return NULL;
    *tree = (struct tree){
        .host = probe->process->host, .id = probe->id, .check = probe->number, .group = -1};
    if (probe->process->in_cgroup) {
        process_leaf(probe->process, leaf);
        cgroup_check_name(leaf, probe->number, tree->leaf);
    }
    return tree;
}

/* Whatever the answer, or without one: nothing of the command stays. */
static void end_tree(struct probe *probe)
{
    struct tree *tree = probe->tree;
    struct process *process = probe->process;

    if (!tree)
        return;
    probe->tree = NULL;
    if (probe->pid > 0) { /* its zombie is reaped like an orphan's */
        handle_signal_group(probe->fd, probe->pid, SIGKILL);
        handle_signal(probe->fd, SIGKILL);
    }
    tree->group = probe->fd;
    tree->moment = census_moment(tree->host->census);
    probe->fd = -1;
    if (tree_is_empty(tree)) {
        if (tree->leaf[0])
            cgroup_leaf_remove(&tree->host->cgroups, tree->leaf);
        free_tree(tree);
        return;
    }
    tree_kill(tree);
    process->checks_left++;
    tree_leave(tree, tree_is_gone, NULL);
}

void probe_free(struct process *process)
{
    struct probe *probe = process->probe;

    if (!probe)
        return;
    process->probe = NULL;
    unlink_probe(process->host, probe);
    sd_event_source_disable_unref(probe->source);
    account_forget(probe->lookup);
    path_look_forget(process->check_look);
    if (probe->launch)
        launch_kill(probe->launch);
    launch_forget(probe->launch);
    end_tree(probe);
    if (probe->fd >= 0)
        close(probe->fd);
    free(probe);
}

static void answer(struct probe *probe, bool passed, const char *why)
{
    const struct host *host = probe->process->host;
    struct attempt_id id = probe->id;
    uint32_t number = probe->number;

    probe->pid = 0;
    probe_free(probe->process);
    core_checked(host->core, id, number, passed, why);
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
    struct rusage usage;
    siginfo_t info;
    char why[64];

    if (exit_status_take(probe->pid, probe->fd, &info, &usage) == 0)
        return;
    census_forget(probe->process->host->census, probe->pid);
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

static int ended(sd_event_source *source, int fd, uint32_t events, void *userdata);
static void begin_command(struct probe *probe);

static int begin_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct probe *probe = userdata;

    (void)source;
    (void)usec;
    probe->source = sd_event_source_disable_unref(probe->source);
    begin_command(probe);
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

/* What proctord lacks for it is no answer; the core's timeout bounds how long it is waited for. */
static void not_begun(struct probe *probe, int r)
{
    sd_event *event = probe->process->host->event;

    probe->error = -r;
    if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EAGAIN || r == -ENOBUFS)
        sd_event_add_time_relative(event, &probe->source, CLOCK_MONOTONIC, AGAIN_USEC, 0,
                                   begin_again, probe);
    else
        sd_event_add_defer(event, &probe->source, failed_at_once, probe);
}

static void launched(void *userdata, const struct launch_outcome *outcome)
{
    struct probe *probe = userdata;
    struct host *host = probe->process->host;

    probe->launch = NULL;
    if (launch_lacks_something(outcome)) {
        if (outcome->error < 0) {
            not_begun(probe, outcome->error);
            return;
        }
    }
    if (outcome->error < 0) {
        answer_failed(probe, plan_step_to_string(outcome->step), -outcome->error);
        return;
    }
    probe->pid = outcome->pid;
    probe->fd = outcome->pidfd;
    probe->tree->number = outcome->pid;
    if (sd_event_add_io(host->event, &probe->source, probe->fd, EPOLLIN, ended, probe) < 0)
        probe->source = NULL; /* SIGCHLD tells of its end */
}

/* One of its own, below that of the attempt, within whose limits it is. */
static int open_leaf(const struct probe *probe, int *cgroup)
{
    *cgroup = -1;
    if (!probe->tree->leaf[0])
        return 0;
    *cgroup = cgroup_leaf_make(&probe->process->host->cgroups, probe->tree->leaf);
    return *cgroup < 0 ? *cgroup : 0;
}

static int send_command(struct probe *probe, const struct account *account,
                        struct environment *environment)
{
    struct process *process = probe->process;
    struct host *host = process->host;
    struct process_spec spec = process->child->config->declaration.process;
    if (!probe->tree)
        probe->tree = tree_new(probe);
    int cgroup, r = probe->tree ? open_leaf(probe, &cgroup) : -ENOMEM;

    if (r < 0)
        return r;
    spec.arguments = spec.health->arguments;
    struct plan_source source = {.spec = &spec,
                                 .arguments = (char **)(uintptr_t)spec.arguments,
                                 .environment = environment->variables,
                                 .n_before = environment->before,
                                 .environment_file = spec.environment_file,
                                 .in_cgroup = cgroup >= 0};
    plan_take_account(&source, account);
    struct launch_descriptors descriptors = {
        .input = host->null, .output = host->null, .cgroup = cgroup};
    r = spawner_launch(host->spawner, &source, &descriptors, launched, probe, &probe->launch);
    if (cgroup >= 0)
        close(cgroup);
    return r;
}

static void launch_command(struct probe *probe, const struct account *account)
{
    struct environment environment = {};
    const struct process *process = probe->process;

    int r = environment_make(process->child, account, probe->number, process->host->notify_path,
                             NULL, &environment);
    if (r >= 0)
        r = send_command(probe, account, &environment);
    environment_free(&environment);
    if (r < 0)
        not_begun(probe, r);
}

static void account_found(void *userdata, struct account *account)
{
    struct probe *probe = userdata;

    probe->lookup = NULL;
    if (!account || account->error < 0)
        not_begun(probe, account ? account->error : -ENOMEM);
    else
        launch_command(probe, account);
    account_free(account);
}

/* It runs as the child does, and goes with it: whatever ends the child ends it, too. */
static void begin_command(struct probe *probe)
{
    const struct process_spec *spec = &probe->process->child->config->declaration.process;
    struct account_question question = {.user = spec->user,
                                        .group = spec->group,
                                        .supplementary_groups = spec->supplementary_groups};

    if (!spec->user && !spec->group && !spec->supplementary_groups) {
        launch_command(probe, NULL);
        return;
    }
    int r = account_look_up(&question, account_found, probe, &probe->lookup);
    if (r < 0)
        not_begun(probe, r);
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
    *probe = (struct probe){
        .process = process, .id = id, .number = number, .fd = -1, .next = host->probes};
    host->probes = process->probe = probe;
    if (health->arguments)
        begin_command(probe);
    else
        begin_connection(host, probe, &health->target);
}

void probe_withdraw(void *userdata, struct child *child, struct attempt_id id)
{
    const struct host *host = userdata;

    (void)id;
    if (child->host && !host->past)
        probe_free(child->host);
}
