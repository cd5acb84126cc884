/*
 * An errand is a command on behalf of a child, beside its program: a health
 * check, or a command of `before`. It is started like the child itself, by the
 * spawner and as the user of the child, and has a tree of its own, whose
 * processes are gone before the errand counts as over.
 */
#include "host/errand.h"

#include "core/vocabulary/invariant.h"
#include "core/vocabulary/text.h"
#include "host/environment.h"
#include "host/exit_status.h"
#include "system/handle.h"
#include "host/outfit.h"
#include "host/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct errand {
    struct errand_order order;
    pid_t pid; /* 0: it does not run */
    int fd;    /* its pidfd; -1: there is none */
    int error; /* why it cannot be started */
    sd_event_source *source;
    struct account_lookup *lookup;
    struct launch *launch; /* it is on its way */
    struct tree *tree;     /* all its processes */
    struct errand *next;   /* of the host's */
};

static struct host *host_of(const struct errand *errand)
{
    return errand->order.process->host;
}

static const struct process_spec *spec_of(const struct errand *errand)
{
    return &errand->order.process->child->config->declaration.process;
}

/* NULL: the declaration does not have it any more. */
static const char **arguments_of(const struct errand *errand)
{
    const struct process_spec *spec = spec_of(errand);
    const struct command_list *const lists[] = {[ERRAND_BEFORE] = &spec->before,
                                                [ERRAND_RELOAD] = &spec->reload,
                                                [ERRAND_STOP] = &spec->stop,
                                                [ERRAND_AFTER_STOP] = &spec->after_stop,
                                                [ERRAND_AFTER_START] = &spec->after_start};
    const struct command_list *list = lists[errand->order.kind];
    uint32_t index = errand->order.index;

    if (errand->order.kind == ERRAND_CHECK)
        return spec->health ? spec->health->arguments : NULL;
    return index < list->count ? list->commands[index].arguments : NULL;
}

/* ---- its processes --------------------------------------------------------------------------- */

static void free_tree(struct tree *tree)
{
    tree_forget(tree);
    if (tree->group >= 0)
        close(tree->group);
    free(tree);
}

/* The last process of the errand: what waits for it is asked by attempt, since
 * the child may be in another one by now. */
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

void errand_free_trees(struct host *host)
{
    while (host->trees)
        free_tree(host->trees);
}

/* Lives longer than the errand: until its last process is gone. */
static struct tree *tree_new(const struct errand *errand)
{
    struct tree *tree = calloc(1, sizeof(*tree));
    char leaf[CGROUP_LEAF_MAX];

    if (!tree)
        return NULL;
    *tree = (struct tree){.host = host_of(errand),
                          .id = errand->order.id,
                          .check = errand->order.number,
                          .group = -1};
    if (errand->order.process->in_cgroup) {
        process_leaf(errand->order.process, leaf);
        cgroup_check_name(leaf, errand->order.number, tree->leaf);
    }
    return tree;
}

/* Whatever the answer, or without one: nothing of the command stays. */
static void end_tree(struct errand *errand)
{
    struct tree *tree = errand->tree;

    if (!tree)
        return;
    errand->tree = NULL;
    if (errand->pid > 0) { /* its zombie is reaped like an orphan's */
        handle_signal_group(errand->fd, errand->pid, SIGKILL);
        handle_signal(errand->fd, SIGKILL);
    }
    tree->group = errand->fd;
    tree->moment = census_moment(tree->host->census);
    errand->fd = -1;
    if (tree_is_empty(tree)) {
        if (tree->leaf[0])
            cgroup_leaf_remove(&tree->host->cgroups, tree->leaf);
        free_tree(tree);
        return;
    }
    tree_kill(tree);
    errand->order.process->checks_left++;
    tree_leave(tree, tree_is_gone, NULL);
}

bool errand_signal(const struct errand *errand, int signal)
{
    if (errand->pid == 0)
        return false;
    handle_signal_group(errand->fd, errand->pid, signal);
    handle_signal_group(errand->fd, errand->pid, SIGCONT);
    return true;
}

static void unlink_errand(const struct errand *errand)
{
    struct errand **link = &host_of(errand)->errands;

    while (*link != errand)
        link = &(*link)->next;
    *link = errand->next;
}

/* At any point: a start in progress is killed as soon as its process is
 * known. */
void errand_free(struct errand *errand)
{
    if (!errand)
        return;
    unlink_errand(errand);
    sd_event_source_disable_unref(errand->source);
    account_forget(errand->lookup);
    if (errand->launch)
        launch_kill(errand->launch);
    launch_forget(errand->launch);
    end_tree(errand);
    if (errand->fd >= 0)
        close(errand->fd);
    free(errand);
}

/* ---- its end --------------------------------------------------------------------------------- */

static void end(struct errand *errand, const struct errand_end *end)
{
    struct errand_order order = errand->order;

    errand->pid = 0;
    errand_free(errand);
    order.ended(order.userdata, end);
}

static void end_unstarted(struct errand *errand, int error, bool lacks, const char *what)
{
    char why[FAILURE_REASON_MAX];

    snprintf(why, sizeof(why), "%s", what);
    text_make_line(why);
    end(errand, &(struct errand_end){.error = error, .lacks = lacks, .why = why});
}

/* Its first process has ended; that decides how the errand ended. */
static void look_at(struct errand *errand)
{
    struct rusage usage;
    siginfo_t info;
    char why[64];

    if (exit_status_take(errand->pid, errand->fd, &info, &usage) == 0)
        return;
    census_forget(host_of(errand)->census, errand->pid);
    bool exited = info.si_code == CLD_EXITED, passed = exited && info.si_status == 0;
    snprintf(why, sizeof(why), exited ? "exit code %d" : "signal %d", info.si_status);
    end(errand, &(struct errand_end){.passed = passed, .why = passed ? "" : why});
}

bool errand_exited(struct host *host, pid_t pid)
{
    for (struct errand *errand = host->errands; errand; errand = errand->next)
        if (errand->pid == pid) {
            look_at(errand);
            return true;
        }
    return false;
}

static int exited(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    look_at(userdata);
    return 0;
}

/* ---- its start ------------------------------------------------------------------------------- */

/* The caller is always answered from the loop, never within its own call. */
static int tell_not_begun(sd_event_source *source, void *userdata)
{
    struct errand *errand = userdata;
    int r = errand->error;
    char what[128];

    (void)source;
    snprintf(what, sizeof(what), "exec: %s", strerror(-r));
    end_unstarted(errand, r,
                  r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EAGAIN || r == -ENOBUFS,
                  what);
    return 0;
}

/* The answer comes later: this may be within an input of the core. */
static void not_begun(struct errand *errand, int r)
{
    errand->error = r;
    sd_event_add_defer(host_of(errand)->event, &errand->source, tell_not_begun, errand);
}

/* The spawner's answer. If the descriptor cannot be watched, SIGCHLD finds
 * it. */
static void launched(void *userdata, const struct launch_outcome *outcome)
{
    struct errand *errand = userdata;
    struct process *process = errand->order.process;
    char what[FAILURE_REASON_MAX];

    errand->launch = NULL;
    if (outcome->log_device != 0 && process->output)
        output_know_disk(process->output, outcome->log_device);
    if (outcome->error < 0) {
        snprintf(what, sizeof(what), "%s: %.150s", plan_step_to_string(outcome->step),
                 *outcome->text ? outcome->text : strerror(-outcome->error));
        end_unstarted(errand, outcome->error, launch_lacks_something(outcome), what);
        return;
    }
    errand->pid = outcome->pid;
    errand->fd = outcome->pidfd;
    errand->tree->number = outcome->pid;
    if (sd_event_add_io(host_of(errand)->event, &errand->source, errand->fd, EPOLLIN, exited,
                        errand) < 0)
        errand->source = NULL; /* SIGCHLD tells of its end */
}

/* One of its own, below that of the attempt, within whose limits it is. */
static int open_leaf(const struct errand *errand, int *cgroup)
{
    *cgroup = -1;
    if (!errand->tree->leaf[0])
        return 0;
    *cgroup = cgroup_leaf_make(&host_of(errand)->cgroups, errand->tree->leaf);
    return *cgroup < 0 ? *cgroup : 0;
}

static void close_if_open(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* What is run beside the program is one of the child's processes, and sees what
 * they see. 0: it has a sandbox of its own. */
static pid_t sandbox_to_join(const struct errand *errand)
{
    const struct process *process = errand->order.process;
    enum errand_kind kind = errand->order.kind;
    bool beside = kind == ERRAND_CHECK || kind == ERRAND_RELOAD || kind == ERRAND_STOP;

    return beside && process->state == PROCESS_RUNNING ? process->main_pid : 0;
}

/* A health check has no output; a command writes where the child's output
 * goes. */
static int send(struct errand *errand, const struct account *account,
                struct environment *environment)
{
    struct host *host = host_of(errand);
    struct process *process = errand->order.process;
    struct process_spec spec = *spec_of(errand);
    __attribute__((cleanup(close_if_open))) int cgroup = -1;
    __attribute__((cleanup(close_if_open))) int output = -1;
    bool speaks = errand->order.kind != ERRAND_CHECK;

    spec.arguments = arguments_of(errand);
    if (!spec.arguments)
        return -ENOENT;
    errand->tree = tree_new(errand);
    int r = errand->tree ? open_leaf(errand, &cgroup) : -ENOMEM;
    if (r < 0)
        return r;
    output = speaks ? process_open_output(process) : -ENODATA;
    if (output < 0 && output != -ENODATA)
        return output;
    struct plan_source source = {
        .spec = &spec,
        .arguments = (char **)(uintptr_t)spec.arguments,
        .environment = environment->variables,
        .n_before = environment->before,
        .environment_file = spec.environment_file,
        .directory_bases =
            errand->order.kind == ERRAND_BEFORE ? environment->directories.bases : NULL,
        .output_file = output >= 0 ? output_wanted_file(process->output) : NULL,
        .in_cgroup = cgroup >= 0};
    plan_take_account(&source, account);
    struct launch_descriptors descriptors = {
        .input = host->null, .output = output < 0 ? host->null : output, .cgroup = cgroup};
    if (sandbox_has_namespaces(spec.sandbox))
        source.joined = sandbox_to_join(errand);
    r = process_make_sandbox(process, environment, &source);
    if (r < 0)
        return r;
    r = spawner_launch(host->spawner, &source, &descriptors, launched, errand, &errand->launch);
    sandbox_words_free(source.sandbox);
    return r;
}

/* What it is told of the child's program: its PID, or how it ended. */
static void describe_program(const struct errand *errand, struct environment_program *program)
{
    const struct process *process = errand->order.process;
    const struct main_end *main = &process->child->attempt.main;

    if (errand->order.kind == ERRAND_RELOAD || errand->order.kind == ERRAND_STOP ||
        errand->order.kind == ERRAND_AFTER_START)
        program->main_pid = process->state == PROCESS_RUNNING ? process->main_pid : 0;
    if (errand->order.kind != ERRAND_AFTER_STOP)
        return;
    program->exit = exit_kind_to_string(main->gone ? main->kind : EXIT_SPAWN_FAILED);
    program->unknown = main->unknown || !main->gone;
    program->code = main->code;
    program->signal = main->by_signal ? main->signal : 0;
}

/* The environment is that of the child, with a number that tells its processes
 * apart. */
static void launch(struct errand *errand, const struct account *account)
{
    struct environment environment = {};
    struct environment_program program = {};
    const struct errand_order *order = &errand->order;

    describe_program(errand, &program);
    int r = environment_make(order->process->child, account, order->number,
                             host_of(errand)->notify_path, NULL, &environment);
    if (r >= 0)
        r = environment_add_program(&environment, &program);
    if (r >= 0)
        r = send(errand, account, &environment);
    environment_free(&environment);
    if (r < 0)
        not_begun(errand, r);
}

/* The user is looked up outside the loop, as that may ask the network. */
static void account_found(void *userdata, struct account *account)
{
    struct errand *errand = userdata;

    errand->lookup = NULL;
    if (!account || account->error < 0)
        not_begun(errand, account ? account->error : -ENOMEM);
    else
        launch(errand, account);
    account_free(account);
}

/* Without a user, nothing has to be looked up. */
int errand_begin(const struct errand_order *order, struct errand **errand)
{
    struct errand *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    *fresh = (struct errand){.order = *order, .fd = -1, .next = order->process->host->errands};
    order->process->host->errands = *errand = fresh;
    const struct process_spec *spec = spec_of(fresh);
    struct account_question question = {.user = spec->user,
                                        .group = spec->group,
                                        .supplementary_groups = spec->supplementary_groups};

    if (!spec->user && !spec->group && !spec->supplementary_groups) {
        launch(fresh, NULL);
        return 0;
    }
    int r = account_look_up(&question, account_found, fresh, &fresh->lookup);
    if (r < 0)
        not_begun(fresh, r);
    return 0;
}
