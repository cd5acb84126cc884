/*
 * What the programs do that proctord starts: they are models, run by these
 * habits instead of code. They send messages, fork, end, ignore signals.
 */
#include "whole/habit.h"

#include "machine/runner.h"

#include "kernel/signals.h"
#include "machine/pipe.h"
#include "machine/unix_socket.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define NSEC_USEC 1000

/* ---- what it says ---------------------------------------------------------------------------- */

const char *habit_variable(const struct task *task, const char *name)
{
    size_t length = strlen(name);

    for (size_t at = 0; at < task->environment_size; at += strlen(task->environment + at) + 1)
        if (strncmp(task->environment + at, name, length) == 0 &&
            task->environment[at + length] == '=')
            return task->environment + at + length + 1;
    return NULL;
}

/* As sd_notify() does it, through the socket of the model. */
static void notify(struct habit *habit, const char *text)
{
    struct task *task = habit->task;
    const char *path = habit_variable(task, "NOTIFY_SOCKET");
    const struct socket_credentials own = {task->pid, task->identity.uid, task->identity.gid};
    struct inode *inode;

    if (!path || path_look_up(task, NULL, path, 0, &inode) < 0)
        return;
    struct unix_socket *to = unix_socket_at(inode);
    struct unix_socket *from = to ? unix_socket_new(SOCK_DGRAM, &own) : NULL;
    if (from) {
        unix_socket_send(from, to, text, strlen(text), NULL, 0, &own);
        unix_socket_free(from);
    }
    inode_release(inode);
}

/* False: nobody takes it, or there is no room; a real one would wait then. */
static bool print(const struct habit *habit, const char *text)
{
    const struct program *program = program_of(habit->task);
    struct description *output = program ? descriptors_get(program->descriptors, 1) : NULL;

    return pipe_is_end(output) && pipe_write(output, text, strlen(text)) > 0;
}

/* Of its own number, and of the process: what comes out elsewhere is in order and comes once. */
static void print_lines(struct habit *habit, uint64_t count)
{
    char line[128];

    for (; count > 0; count--) {
        snprintf(line, sizeof(line), "line %llu of %d: %.*s\n",
                 (unsigned long long)habit->lines + 1, habit->task->pid, (int)(habit->lines % 70),
                 "......................................................................");
        if (print(habit, line))
            habit->lines++;
    }
}

/* ---- its life -------------------------------------------------------------------------------- */

/* A habit for one process. */
static struct habit *add(struct habits *habits, struct task *task, const struct player *actor)
{
    struct habit *habit = calloc(1, sizeof(*habit));

    if (!habit)
        return NULL;
    *habit = (struct habit){.next = habits->list,
                            .task = task_hold(task),
                            .actor = actor,
                            .due_nsec = habits->machine->now_nsec,
                            .launch = habits->launches};
    habits->list = habit;
    return habit;
}

/* A program that takes its time handles SIGTERM; others die of it. */
static void handle_stop_signal(const struct habit *habit)
{
    const struct traits *traits = &habit->actor->traits;
    const struct signal_action handled = {.disposition = SIGNAL_HANDLED};
    bool waits = false;

    for (size_t i = 0; i < habit->actor->n_steps; i++)
        waits = waits || habit->actor->steps[i].kind == STEP_WAIT_CANCEL;
    if (waits || (habit->is_main ? traits->ignores_cancel || traits->cancel_takes_usec > 0
                                 : traits->left_ignores || traits->left_takes_usec > 0))
        signal_act(habit->task, SIGTERM, &handled, NULL);
}

/* A process that is left over when the main one ends. */
static void fork_another(struct habits *habits, const struct habit *habit)
{
    const struct task_birth birth = {};
    struct task *child;

    if (task_fork(habit->task->threads, &birth, &child) < 0)
        return;
    machine_copy_program(habits->machine, habit->task, child);
    struct habit *other = add(habits, child, habit->actor);
    if (!other)
        return;
    other->due_nsec = habit->actor->n_left_steps > 0 ? habits->machine->now_nsec : MACHINE_NEVER;
    handle_stop_signal(other);
}

/* The process has executed its program. */
struct habit *habits_begin(struct habits *habits, struct task *task, const struct player *actor)
{
    habits->launches++;
    struct habit *habit = add(habits, task, actor);
    if (!habit)
        return NULL;
    habit->is_main = true;
    handle_stop_signal(habit);
    if (actor->traits.double_forks)
        fork_another(habits, habit);
    return habit;
}

static void end(const struct habit *habit, int code)
{
    task_exit(habit->task, code);
}

/* As setenv(3) and an exec of itself would leave it: PROCTOR_CHILD comes first. */
static void claim(struct task *task, const char *child)
{
    char *fresh;
    int size = asprintf(&fresh, "PROCTOR_CHILD=%s%cNOTIFY_SOCKET=%s%c", child, '\0',
                        habit_variable(task, "NOTIFY_SOCKET"), '\0');

    if (size < 0)
        return;
    free(task->environment);
    task->environment = fresh;
    task->environment_size = (size_t)size;
}

static void hand_over(const struct habits *habits, struct habit *habit)
{
    char text[64];

    for (const struct habit *other = habits->list; other; other = other->next)
        if (other->launch == habit->launch && !other->is_main && !other->is_over) {
            snprintf(text, sizeof(text), "MAINPID=%d", other->task->pid);
            notify(habit, text);
        }
}

static void end_main_thread(struct habit *habit)
{
    struct thread *other;

    if (task_add_thread(habit->task, &other) == 0)
        thread_exit(habit->task->threads, 0);
}

/* Of this world only. */
static void take_own_step(struct habits *habits, struct habit *habit, const struct step *step)
{
    pid_t session;

    switch ((enum habit_step)step->kind) {
    case HABIT_SAYS:
        notify(habit, step->word);
        break;
    case HABIT_CLAIMS:
        claim(habit->task, step->word);
        break;
    case HABIT_NEW_SESSION:
        task_new_session(habit->task, &session);
        break;
    case HABIT_HANDS_OVER:
        hand_over(habits, habit);
        break;
    case HABIT_MAIN_ENDS:
        end_main_thread(habit);
        break;
    case HABIT_PRINTS:
        print_lines(habit, step->number);
        break;
    case HABIT_EXITS_EITHER:
        end(habit, (int)chance_choose(&habits->machine->chance, 2));
        break;
    }
}

/* The next step; false: it waits, or is over. */
static bool take_step(struct habits *habits, struct habit *habit)
{
    const struct player *actor = habit->actor;
    const struct step *step =
        habit->is_main ? &actor->steps[habit->step] : &actor->left_steps[habit->step];

    if (habit->step == (habit->is_main ? actor->n_steps : actor->n_left_steps)) {
        habit->due_nsec = MACHINE_NEVER;
        return false;
    }
    habit->step++;
    if ((unsigned)step->kind >= HABIT_SAYS) {
        take_own_step(habits, habit, step);
        return true;
    }
    switch (step->kind) {
    case STEP_READY:
        notify(habit, "READY=1");
        return true;
    case STEP_NOT_READY:
        notify(habit, "READY=0");
        return true;
    case STEP_BEAT:
        notify(habit, "WATCHDOG=1");
        return true;
    case STEP_STATUS:
        notify(habit, "STATUS=working");
        print(habit, "working\n");
        return true;
    case STEP_RUN:
        habit->due_nsec = habits->machine->now_nsec + step->number * NSEC_USEC;
        return false;
    case STEP_EXIT:
        end(habit, (int)step->number);
        return false;
    case STEP_DIE:
        task_die(habit->task, (int)step->number, false);
        return false;
    case STEP_WAIT_CANCEL:
        habit->due_nsec = MACHINE_NEVER;
        habit->waits_for_cancel = true;
        return false;
    default:
        return true;
    }
}

static void act(struct habits *habits, struct habit *habit)
{
    if (habit->told_nsec > 0 && !habit->waits_for_cancel) { /* its time after the signal is up */
        end(habit, 0);
        return;
    }
    while (!habit->is_over && take_step(habits, habit))
        ;
}

void habits_act(struct habits *habits)
{
    for (struct habit *habit = habits->list; habit; habit = habit->next)
        if (!habit->is_over && habit->due_nsec <= habits->machine->now_nsec &&
            task_may_run(habit->task))
            act(habits, habit);
}

uint64_t habits_next(const struct habits *habits)
{
    uint64_t next = MACHINE_NEVER;

    for (const struct habit *habit = habits->list; habit; habit = habit->next)
        if (!habit->is_over && habit->due_nsec < next && task_may_run(habit->task))
            next = habit->due_nsec;
    return next;
}

/* ---- what is done to it ---------------------------------------------------------------------- */

/* SIGTERM has arrived. */
static void stop(struct habits *habits, struct habit *habit)
{
    const struct traits *traits = &habit->actor->traits;
    uint64_t now = habits->machine->now_nsec;
    bool ignores = habit->is_main ? traits->ignores_cancel : traits->left_ignores;
    uint64_t takes = habit->is_main ? traits->cancel_takes_usec : traits->left_takes_usec;

    if (ignores)
        return;
    if (habit->waits_for_cancel) {
        habit->waits_for_cancel = false;
        habit->due_nsec = now;
    } else {
        habit->due_nsec = now + takes * NSEC_USEC;
    }
}

/* Only the first SIGTERM counts. */
void habits_signalled(struct habits *habits, struct task *task)
{
    struct habit *habit = habits_find(habits, task);
    struct signal_action action;
    siginfo_t info;

    while (habit && !habit->is_over && signal_next(task->threads, &info, &action) > 0)
        if (info.si_signo == SIGTERM) {
            bool first = habit->told_nsec == 0;
            habit->told_nsec = first ? habits->machine->now_nsec : habit->told_nsec;
            if (first)
                stop(habits, habit);
        }
}

void habits_ended(struct habits *habits, const struct task *task)
{
    struct habit *habit = habits_find(habits, task);

    if (habit)
        habit->is_over = true;
}

void habits_free(struct habits *habits)
{
    while (habits->list) {
        struct habit *habit = habits->list;
        habits->list = habit->next;
        task_release(habit->task);
        free(habit);
    }
}

struct habit *habits_find(const struct habits *habits, const struct task *task)
{
    for (struct habit *habit = habits->list; habit; habit = habit->next)
        if (habit->task == task)
            return habit;
    return NULL;
}

size_t habits_alive(const struct habits *habits, const struct player *actor)
{
    size_t n = 0;

    for (const struct habit *habit = habits->list; habit; habit = habit->next)
        n += !habit->is_over && (!actor || habit->actor == actor);
    return n;
}
