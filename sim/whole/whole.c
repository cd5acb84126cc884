/*
 * A whole run: the unchanged proctord on a machine of the model, with a bus,
 * programs, deaths and losses of power. Everything that the model knows is
 * compared with what proctord says and does.
 */
#include "whole/whole.h"

#include "machine/call_memory.h"
#include "machine/runner.h"

#include "kernel/signals.h"
#include "whole/fact.h"
#include "whole/moment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MSEC          UINT64_C(1000000)
#define SEC           (1000 * MSEC)
#define AGAIN_NSEC    (100 * MSEC)
#define EXIT_MELTDOWN 10
#define HEAP_MAX      8192             /* of the C library and libsystemd, mostly 3,600 */
#define START_NSEC    (100 * MSEC)     /* one that lacks something in this time may give up */
#define CALLS_MAX     UINT64_C(400000) /* then proctord spins */

static uint64_t now_of(const struct whole *whole)
{
    return whole->machine->now_nsec - whole->base_nsec;
}

/* ---- proctord, from outside ------------------------------------------------------------------ */

static size_t add_word(char *text, size_t used, const char *word)
{
    size_t size = strlen(word) + 1;
    memcpy(text + used, word, size);
    return used + size;
}

/* As its unit file would start it. */
static void start_proctord(struct whole *whole)
{
    char arguments[1024];
    size_t used = add_word(arguments, 0, "/usr/sbin/proctord");

    used = add_word(arguments, used, "--state-dir=/var/lib/proctor");
    used = add_word(arguments, used, "--runtime-dir=/run/proctor");
    used = add_word(arguments, used, "--log-target=stderr");
    used = add_word(arguments, used, "--bus-address=unix:path=/run/dbus/system_bus_socket");
    used = add_word(arguments, used, "--manifests=/etc/proctor/tree.yaml");
    if (!whole->story->cgroups)
        used = add_word(arguments, used, "--no-cgroups");
    if (whole->story->power)
        used = add_word(arguments, used, "--durability=power");
    whole->start_nsec = MACHINE_NEVER;
    whole->has_come_up = false;
    whole->started_nsec = whole->machine->now_nsec;
    whole->starts++;
    struct task *task;
    int r = machine_start(whole->machine, arguments, used, "PATH=/bin", sizeof("PATH=/bin"), &task);
    if (r < 0)
        machine_fail(whole->machine, "proctord cannot be started: %s", strerror(-r));
    else
        whole->proctord = task_hold(task);
}

/* It is started again after a while, as its unit file would have it. */
static void proctord_ended(struct whole *whole)
{
    int status = whole->proctord->status;
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

    task_release(whole->proctord);
    whole->proctord = NULL;
    whole->is_told = whole->watch.hurried = false;
    whole->ends++;
    bool has_melted = whole->story->melts && status == EXIT_MELTDOWN << 8;
    if (has_melted || (status == 0 && (whole->phase == WHOLE_ENDS || whole->is_last))) {
        whole->phase = WHOLE_OVER;
        return;
    }
    bool was_told = whole->is_stopped && status == 0;
    bool lacked = status == EXIT_FAILURE << 8 && whole->story->faults.call_error > 0 &&
                  whole->machine->now_nsec - whole->started_nsec < START_NSEC;
    whole->is_stopped = false;
    if (!killed && !was_told && !lacked)
        machine_fail(whole->machine, "proctord has ended by itself (status %#x)", (unsigned)status);
    whole->start_nsec = whole->machine->now_nsec + AGAIN_NSEC;
    if (whole->phase == WHOLE_ENDS) { /* the next one has to be told again */
        whole->phase = WHOLE_RUNS;
        whole->moment--;
    }
}

/* ---- hooks of the machine -------------------------------------------------------------------- */

/* Signals that mean something to proctord are sent when it has said that it takes them. */
static bool may_happen(const struct whole *whole, const struct moment *moment)
{
    if (moment->at_nsec > now_of(whole) || !whole->proctord || whole->lost_power)
        return false;
    switch (moment->kind) {
    case MOMENT_END:
    case MOMENT_STOP:
    case MOMENT_REEXECUTE:
    case MOMENT_RELOAD:
    case MOMENT_CHANGE:
    case MOMENT_SIGNAL:
    case MOMENT_DIE:
    case MOMENT_KILL_SPAWNER:
        return whole->proctord->threads->blocked & SIGNAL_BIT(SIGUSR1);
    default:
        return true;
    }
}

/* Before each step of the machine. */
static void wake(void *userdata)
{
    struct whole *whole = userdata;
    const struct story *story = whole->story;

    if (whole->phase == WHOLE_RUNS && whole->has_come_up && !whole->is_stopped && !whole->is_last)
        watch_loop(&whole->watch, whole->proctord);
    habits_act(&whole->habits);
    if (whole->start_nsec <= whole->machine->now_nsec && !whole->proctord)
        start_proctord(whole);
    /* What is to end has to be there. */
    while (whole->moment < story->n_moments && may_happen(whole, &story->moments[whole->moment]))
        moment_happen(whole, &story->moments[whole->moment++]);
}

/* When the next thing of the story happens. */
static uint64_t next(void *userdata)
{
    const struct whole *whole = userdata;
    uint64_t next = habits_next(&whole->habits);

    if (whole->lost_power)
        return whole->machine->now_nsec;
    uint64_t bus = bus_plug_next(whole->bus);

    next = bus < next ? bus : next;
    next = whole->start_nsec < next ? whole->start_nsec : next;
    if (whole->moment < whole->story->n_moments && whole->proctord) {
        uint64_t at = whole->story->moments[whole->moment].at_nsec + whole->base_nsec;
        next = at > whole->machine->now_nsec && at < next ? at : next;
    }
    return next;
}

static bool pump(void *userdata)
{
    struct whole *whole = userdata;
    bool any = bus_plug_pump(whole->bus);

    return journald_pump(whole->journald) || any;
}

/* Errors that any kernel may give for want of something, by the call. */
static int error_of(const char *name, uint32_t draw)
{
    static const struct {
        const char *name;
        int errors[3];
    } table[] = {
        {"openat", {EMFILE, ENFILE, ENOMEM}},      {"socket", {EMFILE, ENOBUFS, ENOMEM}},
        {"clone3", {EAGAIN, ENOMEM, EAGAIN}},      {"pidfd_open", {EMFILE, ENFILE, ENOMEM}},
        {"sendmsg", {ENOBUFS, ENOMEM, EAGAIN}},    {"recvmsg", {EINTR, ENOMEM, ENOBUFS}},
        {"pwritev", {ENOSPC, EIO, EINTR}},         {"pwrite64", {ENOSPC, EIO, EINTR}},
        {"fallocate", {ENOSPC, EINTR, EIO}},       {"memfd_create", {EMFILE, ENFILE, ENOMEM}},
        {"socketpair", {EMFILE, ENFILE, ENOBUFS}}, {"pipe2", {EMFILE, ENFILE, EMFILE}},
        {"fcntl", {EMFILE, EMFILE, EMFILE}},       {"epoll_wait", {EINTR, EINTR, EINTR}},
        {"waitid", {EINTR, EINTR, EINTR}},         {"fsync", {EIO, EIO, EINTR}},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strcmp(table[i].name, name) == 0)
            return -table[i].errors[draw];
    return 0;
}

static void note_start(struct whole *whole, const char *name)
{
    if (strcmp(name, "execve") == 0) {
        whole->has_come_up = false;
        whole->executions++;
    } else if (strcmp(name, "epoll_wait") == 0 || strcmp(name, "epoll_pwait") == 0)
        whole->has_come_up = true;
}

/* Who walks into a folder that does not answer is stuck there: not even SIGKILL ends him. */
static void get_stuck(struct whole *whole, const struct runner *runner, const char *name)
{
    static const char *const calls[] = {"chdir", "openat", "newfstatat", "execve"};
    char path[4096];

    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        bool at = strcmp(name, "openat") == 0 || strcmp(name, "newfstatat") == 0;
        if (strcmp(name, calls[i]) == 0 &&
            calls_path(runner, runner->call.arguments[at], path) == 0 &&
            strncmp(path, whole->hanging, strlen(whole->hanging)) == 0)
            task_set_stuck(runner->task, true);
    }
}

static uint64_t delay(void *userdata, const struct runner *runner, const char *name)
{
    const struct whole *whole = userdata;
    bool syncs = strcmp(name, "fsync") == 0 || strcmp(name, "fdatasync") == 0;

    (void)runner;
    return syncs && whole->has_come_up ? whole->story->kernel.sync_nsec : 0;
}

/* Only after proctord has come up: a start that lacks something may give up. */
static int before(void *userdata, struct runner *runner, const char *name)
{
    struct whole *whole = userdata;
    const struct story *story = whole->story;

    if (runner->task == whole->proctord)
        note_start(whole, name);
    if (whole->hanging)
        get_stuck(whole, runner, name);
    if (whole->kill_calls > 0 && runner->task == whole->proctord && --whole->kill_calls == 0) {
        if (whole->told)
            fprintf(whole->told, "-- killed before %s\n", name);
        signal_send(whole->machine->init, whole->machine->tasks, whole->proctord->pid, SIGKILL);
        return 0;
    }
    if (story->faults.call_error == 0 || now_of(whole) > story->faults_until_nsec ||
        runner->task != whole->proctord || !whole->has_come_up || error_of(name, 0) == 0)
        return 0;
    if (strcmp(name, "fcntl") == 0 && runner->call.arguments[1] != F_DUPFD_CLOEXEC)
        return 0; /* only that needs something */
    if (!schedule_strikes(whole->schedule, story->faults.call_error))
        return 0;
    if (strncmp(name, "pwrite", 6) == 0 || strcmp(name, "fallocate") == 0 ||
        strcmp(name, "openat") == 0)
        whole->promises.disk_failed = whole->watch.disk_failed = true;
    return error_of(name, schedule_choose(whole->schedule, 3));
}

/* proctord releases what it has when it ends in order: what is left after main() was forgotten. */
static void after(void *userdata, const struct runner *runner, const char *name, int64_t result)
{
    struct whole *whole = userdata;

    if (strcmp(name, "(left)") != 0 || runner->task != whole->proctord)
        return;
    if (whole->told)
        fprintf(whole->told, "-- %lld bytes of its heap are left\n", (long long)result);
    if (result > HEAP_MAX && whole->story->faults.call_error == 0)
        machine_fail(whole->machine, "%lld bytes of the heap of proctord are left at its end",
                     (long long)result);
}

static const struct player *actor_of(const struct whole *whole, const char *path)
{
    for (size_t i = 0; i < whole->story->n_actors; i++)
        if (strcmp(whole->story->actors[i].path, path) == 0)
            return &whole->story->actors[i];
    return NULL;
}

/* A program of a child begins. */
static void executed(void *userdata, struct task *task, const char *path)
{
    struct whole *whole = userdata;
    const struct player *actor = actor_of(whole, path);

    if (whole->told)
        fprintf(whole->told, "-- PID %d executes %s\n", task->pid, path);
    if (!actor) {
        machine_fail(whole->machine, "%s is executed, and no program of the story", path);
        return;
    }
    watch_start(&whole->watch, task, actor);
    if (actor->is_child)
        promises_start(&whole->promises, task, actor->child);
    habits_begin(&whole->habits, task, actor);
}

static void ended(void *userdata, struct task *task)
{
    struct whole *whole = userdata;

    if (whole->told)
        fprintf(whole->told, "-- PID %d (%s) has ended: %#x\n", task->pid, task->threads->name,
                (unsigned)task->status);
    habits_ended(&whole->habits, task);
    if (task == whole->proctord)
        proctord_ended(whole);
}

static void signalled(void *userdata, struct task *task)
{
    habits_signalled(&((struct whole *)userdata)->habits, task);
}

static void signal_sent(void *userdata, const struct task *sender, const struct task *to,
                        int signal)
{
    struct whole *whole = userdata;

    if (whole->told && signal > 0)
        fprintf(whole->told, "-- signal %d from PID %d to PID %d\n", signal,
                sender ? sender->pid : 0, to->pid);
    watch_signal(&whole->watch, sender, to, signal);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void commanded(void *userdata, const char *member, const char *child)
{
    promises_commanded(&((struct whole *)userdata)->promises, member, child);
}

static void answered(void *userdata, const struct peer_call *call, const struct bus_message *answer)
{
    struct whole *whole = userdata;

    promises_answered(&whole->promises, call, answer);
    moment_answered(whole, call, answer);
}

/* What the story has on its disk. */
static void make_files(struct whole *whole)
{
    struct machine *machine = whole->machine;

    path_make_folder(machine->init, NULL, "/etc/proctor", 0755);
    path_make_folder(machine->init, NULL, "/var/log", 0755);
    path_make_folder(machine->init, NULL, "/mnt", 0755);
    path_make_folder(machine->init, NULL, "/mnt/dead", 0755);
    for (size_t i = 0; i < whole->story->kernel.n_fifos; i++)
        path_make_node(machine->init, NULL, whole->story->kernel.fifos[i], S_IFIFO | 0666, 0, NULL);
    machine_write_file(machine, "/etc/proctor/tree.yaml", whole->story->manifest, 0644);
    for (size_t i = 0; i < whole->story->n_actors; i++)
        machine_write_file(machine, whole->story->actors[i].path, "a model child", 0755);
    volume_sync(machine->disk);
}

static struct cgroup_profile cgroups_of(const struct story *story)
{
    struct cgroup_profile profile = story->kernel.cgroups;

    profile.none = !story->cgroups;
    return profile;
}

/* The machine, with all hooks. */
static struct machine *make_machine(struct whole *whole, const struct whole_settings *settings)
{
    const struct machine_settings machine = {
        .guest = settings->guest,
        .schedule = settings->schedule,
        .cgroups = cgroups_of(settings->story),
        .tasks = {.pid_max = settings->story->pid_max},
        .told = settings->told,
        .hooks = {.userdata = whole,
                  .before = before,
                  .after = after,
                  .delay = delay,
                  .executed = executed,
                  .ended = ended,
                  .signalled = signalled,
                  .signal_sent = signal_sent,
                  .wake = wake,
                  .next = next,
                  .pump = pump},
    };
    return machine_new(&machine);
}

static void check_end(struct whole *whole)
{
    size_t left = habits_alive(&whole->habits, NULL);

    if (left > 0)
        machine_fail(whole->machine, "%zu processes are left after a completed shutdown", left);
}

/* The machine is off for a while; what starts services starts proctord again. */
static void lose_power(struct whole *whole)
{
    struct machine *machine = whole->machine;
    uint64_t before = machine->now_nsec;

    whole->lost_power = false;
    promises_lose_power(&whole->promises);
    if (whole->proctord)
        task_release(whole->proctord);
    whole->proctord = NULL;
    whole->is_told = whole->watch.hurried = false;
    habits_free(&whole->habits);
    whole->kill_calls = 0;
    whole->answered = whole->asked; /* those that had asked are gone, too */
    bus_plug_die(whole->bus);
    journald_die(whole->journald);
    machine_lose_power(machine);
    bus_plug_start(whole->bus);
    if (whole->story->journald)
        journald_start(whole->journald);
    whole->base_nsec -= before - machine->now_nsec;
    whole->start_nsec = machine->now_nsec + SEC;
}

/* Until the story is over, or something is wrong. */
static void go(struct whole *whole)
{
    enum machine_progress progress = MACHINE_MOVED;

    while (progress == MACHINE_MOVED && whole->phase != WHOLE_OVER) {
        uint64_t until = whole->base_nsec + whole->story->end_nsec;
        progress = machine_step(whole->machine, until);
        if (whole->lost_power && progress != MACHINE_FAILED)
            lose_power(whole);
        if (whole->machine->calls > CALLS_MAX)
            machine_fail(whole->machine, "more than %llu calls", (unsigned long long)CALLS_MAX);
    }
    if (whole->phase == WHOLE_OVER)
        check_end(whole);
    else if (progress == MACHINE_QUIET)
        machine_fail(whole->machine, whole->phase == WHOLE_ENDS ? "proctord does not end"
                                                                : "the run comes to no end");
}

/* What proctord has written. */
static void tell_output(const struct whole *whole)
{
    struct machine *machine = whole->machine;
    struct open_file *file;
    char text[4096];
    ssize_t n;

    if (file_open(machine->init, NULL, "/run/console", O_RDONLY, 0, &file) < 0)
        return;
    while ((n = file_read(machine->init, file, text, sizeof(text))) > 0)
        fwrite(text, 1, (size_t)n, whole->told);
    file_release(file);
}

/* Entry: one run, with its result. */
void whole_run(const struct whole_settings *settings, struct whole_result *result)
{
    struct whole whole = {
        .schedule = settings->schedule, .story = settings->story, .told = settings->told};

    whole.machine = make_machine(&whole, settings);
    whole.base_nsec = whole.machine->now_nsec;
    whole.start_nsec = whole.machine->now_nsec;
    whole.habits = (struct habits){.machine = whole.machine};
    whole.watch = (struct watch){.machine = whole.machine, .habits = &whole.habits};
    make_files(&whole);
    whole.promises = (struct promises){
        .machine = whole.machine, .habits = &whole.habits, .lasting = settings->story->power};
    whole.observer = (struct client_observer){&whole, commanded, answered};
    whole.bus =
        bus_plug_new(whole.machine, settings->schedule, &settings->story->bus, &whole.observer);
    bus_plug_start(whole.bus);
    whole.journald = journald_new(whole.machine);
    if (whole.story->journald)
        journald_start(whole.journald);
    go(&whole);
    if (settings->tell_output && whole.told)
        tell_output(&whole);
    *result = (struct whole_result){.failed = whole.machine->failed,
                                    .hash = whole.machine->hash,
                                    .calls = whole.machine->calls,
                                    .nsec = now_of(&whole),
                                    .proctords = whole.starts,
                                    .starts = whole.watch.starts,
                                    .signals = whole.watch.signals,
                                    .kills = whole.watch.kills,
                                    .promises = whole.promises.made};
    memcpy(result->why, whole.machine->why, sizeof(result->why));
    whole.machine->hooks = (struct machine_hooks){};
    bus_plug_free(whole.bus);
    journald_free(whole.journald);
    if (whole.proctord)
        task_release(whole.proctord);
    habits_free(&whole.habits);
    machine_free(whole.machine);
}
