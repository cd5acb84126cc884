/*
 * What a process is given at its start, put together from the declaration, and
 * the failure of each step in words: which key of the manifest is to blame.
 */
#include "host/outfit.h"

#include "system/again.h"
#include "core/vocabulary/invariant.h"
#include "host/directories.h"
#include "host/environment.h"
#include "host/listener.h"
#include "host/process.h"
#include "host/result.h"
#include "host/store.h"
#include "core/vocabulary/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- why not --------------------------------------------------------------------------------- */

int process_step_failed(struct process *process, int error, const char *step, const char *what)
{
    process->result_error = -error;
    snprintf(process->result_reason, sizeof(process->result_reason), "%s%s%.80s: %s", step,
             what ? " " : "", what ? what : "", strerror(-error));
    text_make_line(process->result_reason); /* a long path was cut */
    return error;
}

/* The value of that key, for the message. */
static const char *culprit(const struct process_spec *spec, enum plan_step step, uint32_t number)
{
    switch (step) {
    case STEP_EXEC:
        return spec->arguments[0];
    case STEP_USER:
        return spec->user;
    case STEP_GROUP:
        return spec->group;
    case STEP_WORKING_DIRECTORY:
        return spec->working_directory;
    case STEP_STDOUT:
        return spec->output.path;
    case STEP_ENVIRONMENT:
        return spec->environment_file;
    case STEP_RUNTIME_DIRECTORY:
    case STEP_STATE_DIRECTORY:
    case STEP_LOGS_DIRECTORY:
    case STEP_CACHE_DIRECTORY:
        return directories_name(spec, step - STEP_RUNTIME_DIRECTORY, number);
    case STEP_SPAWNER:
    case STEP_FORK:
    case STEP_CGROUP:
    case STEP_LIMITS:
    case STEP_NICE:
    case STEP_AFFINITY:
    case STEP_OOM_SCORE:
    case STEP_SOCKETS:
    case STEP_CAPABILITIES:
    case STEP_GROUPS:
    case STEP_IDENTITY:
    case STEP_NO_NEW_PRIVILEGES:
    case STEP_SANDBOX:
    case STEP_SYSCALLS:
    case PLAN_STEPS:
        return NULL;
    }
    return NULL;
}

/* What the child says of it: "environment /etc/web.env:3: ...", "exec /no/such: No such file". */
void process_launch_failed(struct process *process, const struct launch_outcome *outcome)
{
    const struct process_spec *spec = &process->child->config->declaration.process;
    /* One that was killed has not said where it was. */
    enum plan_step step = outcome->error == -ECANCELED && !outcome->again
                              ? (enum plan_step)starts_step(process->host->starts, &process->id)
                              : outcome->step;
    const char *path = process->child->config->declaration.manifest_path;
    const char *what =
        step == STEP_SANDBOX && path && path[0] ? path : culprit(spec, step, outcome->line);
    const char *why = *outcome->text                   ? outcome->text
                      : outcome->error == -EMEDIUMTYPE ? "not a file"
                                                       : strerror(-outcome->error);
    char line[16] = "";

    if (outcome->line > 0 && step == STEP_ENVIRONMENT)
        snprintf(line, sizeof(line), ":%u", outcome->line);
    process->result_error = outcome->error == -ECANCELED ? 0 : -outcome->error;
    snprintf(process->result_reason, sizeof(process->result_reason), "%s%s%.80s%s: %s",
             plan_step_to_string(step), what ? " " : "", what ? what : "", line, why);
    text_make_line(process->result_reason);
}

/* ---- what it is given ------------------------------------------------------------------------ */

/* The same pipe over all attempts, unless the declaration has changed. */
int process_open_output(struct process *process)
{
    const struct child_declaration *declaration = &process->child->config->declaration;

    if (process->output && !output_is(process->output, &declaration->process.output)) {
        output_free(process->output);
        process->output = NULL;
    }
    if (declaration->process.output.kind == OUTPUT_NULL)
        return -ENODATA;
    if (!process->output) {
        int r = output_new(process->host->event, &declaration->process.output, declaration->id,
                           &process->output);
        if (r < 0)
            return r;
    }
    return output_open(process->output);
}

/* The sockets of the child: opened at its first start; later, those that are new. */
static int open_listeners(struct process *process, int *sockets)
{
    const struct process_spec *spec = &process->child->config->declaration.process;
    struct error culprit = {};

    if (spec->n_sockets == 0 && !process->listeners)
        return 0;
    int r = listeners_open(spec, &process->listeners, &culprit);
    if (r < 0)
        return process_step_failed(process, r, "sockets", culprit.text);
    for (size_t i = 0; i < spec->n_sockets; i++)
        sockets[i] = process->listeners->list[i].fd;
    return 0;
}

/* The job's end of the pipe for its result, where no descriptor that it may get is in the way. */
static int open_result(struct process *process, int *write_end)
{
    int low, r;

    if (!process->child->job)
        return 0;
    r = process_open_result(process, &low);
    if (r < 0)
        return process_step_failed(process, r, "result", NULL);
    *write_end = again_copy(low, 3 + CHILD_DESCRIPTORS_MAX + 1);
    r = *write_end < 0 ? *write_end : 0;
    close(low);
    return r < 0 ? process_step_failed(process, r, "result", NULL) : 0;
}

static void close_if_open(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static uint64_t inode_of(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) ? status.st_ino : 0;
}

/* ---- where it runs --------------------------------------------------------------------------- */

/* Nothing has been counted in it; and those that earlier attempts had go when they are empty. */
static void begin_marked_leaf(struct process *process)
{
    process->leaf_killed = process->leaf_used = false;
    process->oom_kills = 0;
    process->cpu_before_nsec = 0;
    cgroup_marked_tidy(&process->host->cgroups);
}

/* Limits are written before the process enters. */
int process_open_leaf(struct process *process, int *cgroup)
{
    struct host *host = process->host;
    const struct process_spec *spec = &process->child->config->declaration.process;
    char leaf[CGROUP_LEAF_MAX];

    *cgroup = -1;
    process->in_cgroup = host->cgroups.fd >= 0;
    process->unenforced = cgroup_limits_of(spec);
    if (!process->in_cgroup)
        return 0;
    if (process->mark > 0)
        begin_marked_leaf(process);
    process_leaf(process, leaf);
    *cgroup = cgroup_leaf_make(&host->cgroups, leaf);
    if (*cgroup < 0)
        return process_step_failed(process, *cgroup, "cgroup", leaf);
    process->unenforced = cgroup_leaf_limit(&host->cgroups, *cgroup, spec);
    return 0;
}

/* The account of the leaf goes over all attempts: what was used so far is not this one's. It is
 * read while the spawner is at work, so that nobody waits for it. */
static void note_usage(struct process *process)
{
    char leaf[CGROUP_LEAF_MAX];

    if (!process->leaf_used || !process->in_cgroup)
        return;
    process->leaf_used = false;
    process_leaf(process, leaf);
    process->cpu_before_nsec = cgroup_leaf_cpu(&process->host->cgroups, leaf);
}

/* ---- the launch ------------------------------------------------------------------------------ */

int process_make_sandbox(struct process *process, const struct environment *environment,
                         struct plan_source *source)
{
    const struct process_spec *spec = &process->child->config->declaration.process;
    const struct sandbox_places places = {.bases = environment->directories.bases,
                                          .notify = process->host->notify_path};
    int n = 0;

    if (!spec->sandbox)
        return 0;
    if (spec->sandbox->parts[SANDBOX_SYSCALLS] == SYSCALLS_SERVICE)
        n = sandbox_filter(&source->filter);
    if (n < 0)
        return process_step_failed(process, n, plan_step_to_string(STEP_SYSCALLS), NULL);
    source->n_filter = (size_t)n;
    if (source->joined > 0 || !sandbox_has_namespaces(spec->sandbox))
        return 0;
    source->sandbox = sandbox_words(spec, &places);
    return source->sandbox
               ? 0
               : process_step_failed(process, -ENOMEM, plan_step_to_string(STEP_SANDBOX), NULL);
}

/* Everything that the plan needs. The gate is opened here: only a birth that
 * still finds it open may execute its program. */
static struct plan_source source_of(struct process *process, const struct account *account,
                                    const struct environment *environment)
{
    const struct host *host = process->host;
    const struct process_spec *spec = &process->child->config->declaration.process;
    struct plan_source source = {.spec = spec,
                                 .arguments = (char **)(uintptr_t)spec->arguments,
                                 .environment = environment->variables,
                                 .n_before = environment->before,
                                 .watchdog_pid = environment->watchdog_pid,
                                 .listen_pid = environment->listen_pid,
                                 .environment_file = spec->environment_file,
                                 .directory_bases = environment->directories.bases,
                                 .output_file = output_wanted_file(process->output),
                                 .in_cgroup = process->in_cgroup,
                                 .slot = process->id.slot,
                                 .gate = starts_open_gate(host->starts, &process->id)};

    plan_take_account(&source, account);
    return source;
}

/* All descriptors are put together, and closed again here: the spawner has its
 * own copies by then. What the pipes are is noted, for a proctord that has to
 * find them again. */
int process_send_launch(struct process *process, const struct account *account,
                        void (*ended)(void *userdata, const struct launch_outcome *outcome))
{
    struct host *host = process->host;
    const struct process_spec *spec = &process->child->config->declaration.process;
    __attribute__((cleanup(close_if_open))) int output = -1;
    __attribute__((cleanup(close_if_open))) int cgroup = -1;
    __attribute__((cleanup(close_if_open))) int result = -1;
    __attribute__((cleanup(environment_free))) struct environment environment = {};
    int sockets[CHILD_DESCRIPTORS_MAX + 1];

    store_prepare(process);
    int r = environment_make(process->child, account, 0, host->notify_path, process->store,
                             &environment);
    if (r < 0)
        return process_step_failed(process, r, "environment",
                                   r == -ENXIO ? "lacks XDG_RUNTIME_DIR or HOME" : NULL);
    output = process_open_output(process);
    if (output < 0 && output != -ENODATA)
        return process_step_failed(process, output, "stdout", spec->output.path);
    r = open_listeners(process, sockets);
    if (r == 0)
        r = open_result(process, &result);
    if (r < 0)
        return r;
    size_t n_sockets = spec->n_sockets + store_list(process->store, sockets + spec->n_sockets);
    sockets[n_sockets] = result;
    r = process_open_leaf(process, &cgroup);
    if (r < 0)
        return r;
    struct plan_source source = source_of(process, account, &environment);
    INVARIANT(n_sockets <= CHILD_DESCRIPTORS_MAX);
    source.n_sockets = n_sockets + (result >= 0);
    struct launch_descriptors descriptors = {.input = host->null,
                                             .output = output < 0 ? host->null : output,
                                             .cgroup = cgroup,
                                             .sockets = sockets};
    r = process_make_sandbox(process, &environment, &source);
    if (r < 0)
        return r;
    r = spawner_launch(host->spawner, &source, &descriptors, ended, process, &process->launch);
    sandbox_words_free(source.sandbox);
    if (r < 0)
        return process_step_failed(process, r, plan_step_to_string(STEP_SPAWNER), NULL);
    note_usage(process);
    process->note.output_inode = output_has_pipe(&spec->output) ? inode_of(output) : 0;
    process->note.result_inode = inode_of(result);
    return 0;
}
