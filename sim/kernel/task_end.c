/*
 * How processes end: exec, exit, being killed, being waited for. Children of a
 * process that ended go to a reaper; a supervisor must be that reaper, or loses
 * them.
 */
#include "kernel/task_table.h"

#include "kernel/cgroup.h"
#include "kernel/inode.h"
#include "kernel/signal_queue.h"

#include "core/vocabulary/invariant.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void thread_free(struct thread *thread)
{
    struct task *task = thread->task;
    struct thread **at = &task->threads;

    while (*at != thread)
        at = &(*at)->next;
    *at = thread->next;
    signal_queue_free(&thread->queue);
    free(thread);
}

static void tell_thread_ended(struct thread *thread)
{
    const struct task_ports *ports = &thread->task->table->ports;

    if (ports->thread_ended)
        ports->thread_ended(ports->userdata, thread);
}

/* All threads but the one end. */
static void end_other_threads(struct task *task, const struct thread *stays)
{
    for (struct thread *thread = task->threads, *next; thread; thread = next) {
        next = thread->next;
        if (thread == stays)
            continue;
        if (!thread->ended)
            tell_thread_ended(thread);
        thread_free(thread);
    }
}

static void reset_handlers(struct task *task)
{
    for (int signal = 1; signal < SIGNALS; signal++)
        if (task->actions[signal].disposition != SIGNAL_IGNORED)
            task->actions[signal] = (struct signal_action){0};
        else
            task->actions[signal] = (struct signal_action){.disposition = SIGNAL_IGNORED};
}

/* Only the calling thread survives, with the number of the process. Handlers
 * are reset, ignored signals stay ignored. */
void task_execute(struct thread *thread, const char *name, struct inode *program,
                  const char *arguments, size_t arguments_size, const char *environment,
                  size_t environment_size)
{
    struct task *task = thread->task;

    end_other_threads(task, thread);
    thread->id = task->pid;
    reset_handlers(task);
    snprintf(thread->name, sizeof(thread->name), "%s", name);
    if (program)
        inode_hold(program);
    inode_release(task->program);
    task->program = program;
    free(task->arguments);
    free(task->environment);
    task->arguments = malloc(arguments_size + 1);
    task->environment = malloc(environment_size + 1);
    INVARIANT(task->arguments && task->environment);
    if (arguments_size > 0)
        memcpy(task->arguments, arguments, arguments_size);
    if (environment_size > 0)
        memcpy(task->environment, environment, environment_size);
    task->arguments_size = arguments_size;
    task->environment_size = environment_size;
    task->has_executed = true;
    task->dumpable = true;
}

/* Who gets the children of one that ends. */
static struct task *reaper_of(const struct task *task)
{
    for (struct task *above = task->parent; above; above = above->parent)
        if (above->subreaper && task_is_alive(above))
            return above;
    return task_init(task->table);
}

static void give_away(struct task *child, struct task *to)
{
    child->parent = to;
    child->parent_thread = to ? task_first_thread(to)->id : 0;
    child->end_signal = SIGCHLD;
    if (child->state == TASK_ZOMBIE)
        task_tell_parent(child, 0);
}

/* Those that asked for a signal when the thread that made them ends. */
static void signal_of_death(struct task *task, pid_t thread)
{
    struct task *child = task->table->first;

    for (pid_t pid; child; child = task_after(task->table, pid)) {
        pid = child->pid;
        if (child->parent == task && child->parent_thread == thread && child->death_signal != 0)
            task->table->raise(child, child->death_signal, NULL);
    }
}

/* To the nearest subreaper above, or to PID 1; each may get the signal that it
 * asked for in this case. */
static void give_away_children(struct task *task)
{
    struct task *reaper = reaper_of(task);

    struct task *child = task->table->first;

    for (pid_t pid; child; child = task_after(task->table, pid)) {
        pid = child->pid;
        if (child->parent != task)
            continue;
        int signal = child->death_signal;
        session_orphan_group(child, task);
        give_away(child, reaper);
        if (signal != 0 && task_is_alive(child))
            task->table->raise(child, signal, NULL);
    }
}

/* What waitid() and SIGCHLD report about a child. */
siginfo_t task_child_info(const struct task *task, int code)
{
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    info.si_signo = SIGCHLD;
    info.si_pid = task->pid;
    info.si_uid = task->identity.uid;
    info.si_code = code;
    if (code == CLD_STOPPED)
        info.si_status = task->stop_signal;
    else if (code == CLD_CONTINUED)
        info.si_status = SIGCONT;
    else
        info.si_status =
            WIFEXITED(task->status) ? WEXITSTATUS(task->status) : WTERMSIG(task->status);
    return info;
}

static int code_of_end(const struct task *task)
{
    if (WIFEXITED(task->status))
        return CLD_EXITED;
    return task->dumped_core ? CLD_DUMPED : CLD_KILLED;
}

bool task_leaves_no_zombies(const struct task *parent)
{
    const struct signal_action *action = &parent->actions[SIGCHLD];

    return action->disposition == SIGNAL_IGNORED || (action->flags & SA_NOCLDWAIT);
}

/* code: 0 for its end. */
void task_tell_parent(struct task *task, int code)
{
    struct task *parent = task->parent;
    bool is_end = code == 0;

    if (!parent) {
        if (is_end)
            task_reap(task);
        return;
    }
    siginfo_t info = task_child_info(task, is_end ? code_of_end(task) : code);
    bool is_wanted = is_end || !(parent->actions[SIGCHLD].flags & SA_NOCLDSTOP);
    bool is_lost = is_end && (task->end_signal == SIGCHLD && task_leaves_no_zombies(parent));
    int signal = is_end ? task->end_signal : SIGCHLD;
    bool is_init = parent->pid == 1 && !task->table->profile.init_is_lazy;
    if (is_wanted && signal != 0 && parent->actions[signal].disposition != SIGNAL_IGNORED)
        task->table->raise(parent, signal, &info);
    if (is_end && (is_lost || (is_init && !parent->runner)))
        task_reap(task);
}

/* After this the number can be used again. */
void task_reap(struct task *task)
{
    struct task **at = &task->table->first;

    INVARIANT(task->state == TASK_ZOMBIE);
    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
    task->state = TASK_REAPED;
    task->parent = NULL;
    task_release(task);
}

/* The process becomes a zombie until its parent has waited for it. */
void task_end(struct task *task, int status)
{
    const struct task_ports *ports = &task->table->ports;

    if (!task_is_alive(task))
        return;
    task_hold(task);
    end_other_threads(task, task->threads);
    if (!task->threads->ended)
        tell_thread_ended(task->threads);
    task->threads->ended = true;
    task->state = TASK_ZOMBIE;
    task->dying = 0;
    task->status = status;
    task->table->n_alive--;
    if (ports->ended)
        ports->ended(ports->userdata, task);
    cgroup_leave(task);
    if (task->parent)
        session_orphan_group(task, task->parent);
    give_away_children(task);
    task_tell_parent(task, 0);
    task_release(task);
}

void task_exit(struct task *task, int code)
{
    task_end(task, (code & 0xff) << 8);
}

void task_die(struct task *task, int signal, bool dumps_core)
{
    task->dumped_core = dumps_core;
    task_end(task, signal | (dumps_core ? 0x80 : 0));
}

/* A main thread that ends before the others leaves a process that looks dead
 * and is not. */
void thread_exit(struct thread *thread, int code)
{
    struct task *task = thread->task;
    bool is_main = thread->id == task->pid;
    pid_t id = thread->id;

    if (is_main)
        task->main_code = code;
    thread->ended = true;
    struct thread *other = task_first_thread(task);
    if (other->ended) {
        task_end(task, (task->main_code & 0xff) << 8);
        return;
    }
    tell_thread_ended(thread);
    signal_of_death(task, id);
    TASK_FOREACH(child, task->table)
    if (child->parent == task && child->parent_thread == id)
        child->parent_thread = other->id;
    if (!is_main)
        thread_free(thread);
}

void task_set_stuck(struct task *task, bool stuck)
{
    task->stuck = stuck;
    if (!stuck && task->dying != 0 && task_is_alive(task))
        task_die(task, task->dying, false);
}

/* Those that were killed and were late die now. Returns whether any did. */
bool task_table_proceed(struct task_table *table)
{
    bool any = false;

    for (struct task *task = table->first; task;) {
        bool ends = task->dying != 0 && !task->stuck && task_is_alive(task);

        if (ends) {
            task_die(task, task->dying, false);
            any = true;
        }
        task = ends ? table->first : task->next;
    }
    return any;
}

/* All processes vanish, without anyone being told. */
void task_table_power_off(struct task_table *table)
{
    const struct task_ports *ports = &table->ports;

    while (table->first) {
        struct task *task = table->first;

        table->first = task->next;
        if (task_is_alive(task)) {
            table->n_alive--;
            if (ports->ended)
                ports->ended(ports->userdata, task);
            cgroup_leave(task);
        }
        task->state = TASK_REAPED;
        task_release(task);
    }
    table->last_pid = 0;
}

void task_table_free(struct task_table *table)
{
    table->ports.ended = NULL;
    table->ports.thread_ended = NULL;
    task_table_power_off(table);
    free(table);
}
