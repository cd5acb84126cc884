/*
 * Sending, blocking, ignoring and taking signals, and what they do by default.
 * Most of the surprises of process supervision are here: PID 1 ignores what it
 * does not handle, SIGCONT works even if it is blocked, and a process may be
 * killed and still take its time to die.
 */
#include "kernel/signals.h"

#include "kernel/signal_queue.h"
#include "kernel/task_table.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define STOP_SIGNALS                                                                               \
    (SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define HARMLESS_SIGNALS                                                                           \
    (SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) | SIGNAL_BIT(SIGCONT))
#define CORE_SIGNALS                                                                               \
    (SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGFPE) |         \
     SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGTRAP) |         \
     SIGNAL_BIT(SIGXCPU) | SIGNAL_BIT(SIGXFSZ))
#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

/* From the task and from each of its threads. */
static void forget_everywhere(struct task *task, signal_set set)
{
    signal_forget(signal_pending_of(task, NULL), set);
    for (struct thread *thread = task->threads; thread; thread = thread->next)
        signal_forget(signal_pending_of(task, thread), set);
}

static bool is_ignored(const struct task *task, int signal)
{
    enum signal_disposition disposition = task->actions[signal].disposition;

    if (SIGNAL_BIT(signal) & UNBLOCKABLE)
        return task->pid == 1;
    /* PID 1 has only what it handles. */
    return disposition == SIGNAL_IGNORED ||
           (disposition == SIGNAL_DEFAULT &&
            (task->pid == 1 || (SIGNAL_BIT(signal) & HARMLESS_SIGNALS)));
}

/* A thread that takes a signal: the main one, if it does not block it. */
static struct thread *taker(const struct task *task, int signal)
{
    for (struct thread *thread = task->threads; thread; thread = thread->next)
        if (!thread->ended && !(thread->blocked & SIGNAL_BIT(signal) & ~UNBLOCKABLE))
            return thread;
    return NULL;
}

/* A stopped process continues, and its parent may hear of it. */
static void go_on(struct task *task)
{
    const struct task_ports *ports = &task->table->ports;

    if (task->state != TASK_STOPPED)
        return;
    task->state = TASK_ALIVE;
    task->stop_told = true;
    task->continue_told = false;
    if (ports->continued)
        ports->continued(ports->userdata, task);
    task_tell_parent(task, CLD_CONTINUED);
}

/* All threads stop; nothing runs until SIGCONT or SIGKILL. */
static void stop(struct task *task, int signal)
{
    const struct task_ports *ports = &task->table->ports;

    if (task->state == TASK_STOPPED)
        return;
    task->state = TASK_STOPPED;
    task->stop_signal = signal;
    task->stop_told = false;
    task->continue_told = true;
    if (ports->stopped)
        ports->stopped(ports->userdata, task);
    task_tell_parent(task, CLD_STOPPED);
}

/* A process that is stuck in the kernel dies when it comes out, as one in
 * uninterruptible sleep does. */
static void kill_now_or_later(struct task *task, int signal)
{
    struct task_table *table = task->table;
    bool dumps = SIGNAL_BIT(signal) & CORE_SIGNALS;

    if (task->dying != 0)
        return;
    if (task->stuck || chance_strikes(table->chance, table->profile.late_death))
        task->dying = signal;
    else
        task_die(task, signal, dumps && task->dumps_core);
}

/* What a signal does by default. */
static void act_by_default(struct task *task, int signal)
{
    if (SIGNAL_BIT(signal) & STOP_SIGNALS)
        stop(task, signal);
    else
        kill_now_or_later(task, signal);
}

/* A pending signal that a thread takes: nothing, the default, or it waits for signal_next(). A
 * stopped task does nothing but die of SIGKILL. */
static void act_on(struct task *task, struct thread *thread, int signal)
{
    siginfo_t info;

    if (!task_is_alive(task) || (task->state == TASK_STOPPED && signal != SIGKILL))
        return;
    if (task->actions[signal].disposition == SIGNAL_HANDLED) {
        if (task->table->ports.signalled)
            task->table->ports.signalled(task->table->ports.userdata, task, signal);
        return;
    }
    bool ignored = is_ignored(task, signal);
    signal_dequeue(signal_pending_of(task, thread), signal, &info);
    if (!ignored)
        act_by_default(task, signal);
}

/* All that is pending and that a thread takes now. */
static void act_on_pending(struct task *task)
{
    for (int signal = 1; signal < SIGNALS && task_is_alive(task); signal++) {
        if ((task->pending & SIGNAL_BIT(signal)) && taker(task, signal))
            act_on(task, NULL, signal);
        for (struct thread *thread = task->threads; thread && task_is_alive(task);
             thread = thread->next)
            if ((thread->pending & SIGNAL_BIT(signal) & ~thread->blocked) && !thread->ended)
                act_on(task, thread, signal);
    }
}

/* What happens even when a signal is blocked: SIGCONT wakes, and takes back a stop that is pending;
 * a stop takes back a SIGCONT. */
static void prepare(struct task *task, int signal)
{
    if (signal == SIGCONT) {
        forget_everywhere(task, STOP_SIGNALS);
        go_on(task);
    } else if (SIGNAL_BIT(signal) & STOP_SIGNALS) {
        forget_everywhere(task, SIGNAL_BIT(SIGCONT));
    }
}

/* Delivers one signal to a process or a thread. The process may end in here,
 * hence it is held. */
static void put(struct task *task, struct thread *thread, int signal, const siginfo_t *info)
{
    siginfo_t by_kernel;

    if (!task_is_alive(task))
        return;
    memset(&by_kernel, 0, sizeof(by_kernel));
    by_kernel.si_signo = signal;
    by_kernel.si_code = SI_KERNEL;
    prepare(task, signal);
    if (task->pid == 1 && task->actions[signal].disposition != SIGNAL_HANDLED &&
        !(task->threads->blocked & SIGNAL_BIT(signal) & ~UNBLOCKABLE))
        return;
    struct thread *takes = thread ? thread : taker(task, signal);
    bool blocked = !takes || (takes->blocked & SIGNAL_BIT(signal) & ~UNBLOCKABLE);
    if (!blocked && is_ignored(task, signal))
        return;
    struct task *held = task_hold(task);
    signal_enqueue(signal_pending_of(task, thread), signal, info ? info : &by_kernel);
    if (signal == SIGKILL) {
        forget_everywhere(task, SIGNAL_BIT(SIGKILL));
        kill_now_or_later(task, SIGKILL);
    } else if (!blocked) {
        act_on(task, thread, signal);
        if (signal == SIGCONT && task_is_alive(task))
            act_on_pending(task);
    } else if (task->table->ports.signalled) {
        task->table->ports.signalled(task->table->ports.userdata, task, signal);
    }
    task_release(held);
}

static void tell_sent(struct task_table *table, const struct task *sender, const struct task *to,
                      int signal)
{
    if (table->ports.sent && signal != 0)
        table->ports.sent(table->ports.userdata, sender, to, signal);
}

void signal_raise(struct task *to, int signal, const siginfo_t *info)
{
    tell_sent(to->table, NULL, to, signal);
    put(to, NULL, signal, info);
}

void signal_raise_thread(struct thread *to, int signal, const siginfo_t *info)
{
    tell_sent(to->task->table, NULL, to->task, signal);
    put(to->task, to, signal, info);
}

static bool may_signal(const struct task *sender, const struct task *to, int signal)
{
    return !sender || identity_is_super(&sender->identity) ||
           sender->identity.uid == to->identity.uid ||
           (signal == SIGCONT && sender->session == to->session);
}

static siginfo_t info_from(const struct task *sender, int signal, int code)
{
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    info.si_signo = signal;
    info.si_code = sender ? code : SI_KERNEL;
    info.si_pid = sender ? sender->pid : 0;
    info.si_uid = sender ? sender->identity.uid : 0;
    return info;
}

static int check_signal(const struct task *sender, const struct task *to, int signal)
{
    if (signal < 0 || signal >= SIGNALS)
        return -EINVAL;
    return may_signal(sender, to, signal) ? 0 : -EPERM;
}

/* Signal 0 only asks whether it would be allowed. */
static int send(struct task *sender, struct task *to, struct thread *thread, int signal,
                const siginfo_t *info)
{
    int r = check_signal(sender, to, signal);

    if (r < 0 || signal == 0)
        return r;
    siginfo_t own = info_from(sender, signal, thread ? SI_TKILL : SI_USER);
    tell_sent(to->table, sender, to, signal);
    put(to, thread, signal, info ? info : &own);
    return 0;
}

/* To all that a condition is true of. */
static int send_to_many(struct task *sender, struct task_table *table, int signal,
                        bool (*is_meant)(const struct task *task, uint64_t what), uint64_t what)
{
    int r = -ESRCH;
    pid_t pid;

    if (signal < 0 || signal >= SIGNALS)
        return -EINVAL;
    for (struct task *task = table->first; task; task = task_after(table, pid)) {
        pid = task->pid;
        if (!is_meant(task, what))
            continue;
        int sent = send(sender, task, NULL, signal, NULL);
        r = sent == 0 || r == 0 ? 0 : sent;
    }
    return r;
}

static bool is_in_group(const struct task *task, uint64_t group)
{
    return task->group == (pid_t)group;
}

static bool is_in_group_of(const struct task *task, uint64_t serial)
{
    return task->group_serial == serial;
}

static bool is_anybody_but(const struct task *task, uint64_t pid)
{
    return task->pid != 1 && task->pid != (pid_t)pid;
}

int signal_send_group(struct task *sender, struct task_table *table, pid_t group, int signal)
{
    return send_to_many(sender, table, signal, is_in_group, (uint64_t)group);
}

int signal_send_group_of(struct task *sender, struct task *leader, int signal)
{
    return send_to_many(sender, leader->table, signal, is_in_group_of, leader->serial);
}

int signal_send(struct task *sender, struct task_table *table, pid_t pid, int signal)
{
    if (pid == -1)
        return send_to_many(sender, table, signal, is_anybody_but,
                            sender ? (uint64_t)sender->pid : 0);
    if (pid <= 0)
        return signal_send_group(sender, table, pid == 0 && sender ? sender->group : -pid, signal);
    struct thread *thread = task_find_thread(table, pid);
    return thread ? send(sender, thread->task, NULL, signal, NULL) : -ESRCH;
}

int signal_send_thread(struct task *sender, struct thread *to, int signal)
{
    return send(sender, to->task, to, signal, NULL);
}

int signal_send_task(struct task *sender, struct task *to, int signal, const siginfo_t *info)
{
    if (to->state == TASK_REAPED)
        return -ESRCH;
    if (info && info->si_signo != signal)
        return -EINVAL;
    if (info && (info->si_code >= 0 || info->si_code == SI_TKILL) && sender != to)
        return -EPERM;
    return send(sender, to, NULL, signal, info);
}

/* Ignoring a signal drops those that wait. */
int signal_act(struct task *task, int signal, const struct signal_action *action,
               struct signal_action *before)
{
    if (signal < 1 || signal >= SIGNALS)
        return -EINVAL;
    if (before)
        *before = task->actions[signal];
    if (!action)
        return 0;
    if (SIGNAL_BIT(signal) & UNBLOCKABLE)
        return -EINVAL;
    task->actions[signal] = *action;
    if (is_ignored(task, signal) && task->pid != 1)
        forget_everywhere(task, SIGNAL_BIT(signal));
    return 0;
}

/* What is unblocked and waits acts at once. SIGKILL and SIGSTOP cannot be
 * blocked. */
void signal_block(struct thread *thread, int how, signal_set set, signal_set *before)
{
    signal_set now = thread->blocked;

    if (before)
        *before = now;
    if (how == SIG_BLOCK)
        now |= set;
    else if (how == SIG_UNBLOCK)
        now &= ~set;
    else
        now = set;
    thread->blocked = now & ~UNBLOCKABLE;
    act_on_pending(thread->task);
}

bool signal_is_pending(const struct thread *thread, signal_set set)
{
    return ((thread->pending | thread->task->pending) & set) != 0;
}

static int lowest(signal_set set)
{
    return set == 0 ? 0 : __builtin_ctzll(set) + 1;
}

int signal_take(struct thread *thread, signal_set set, siginfo_t *info)
{
    int own = lowest(thread->pending & set), shared = lowest(thread->task->pending & set);

    /* A thread's own come first, as Linux has it. */
    if (own == 0 && shared == 0)
        return -EAGAIN;
    int signal = own != 0 ? own : shared;
    signal_dequeue(signal_pending_of(thread->task, own != 0 ? thread : NULL), signal, info);
    return signal;
}

/* The next signal that has a handler, lowest number first. */
int signal_next(struct thread *thread, siginfo_t *info, struct signal_action *action)
{
    struct task *task = thread->task;
    signal_set handled = 0;

    if (task->state != TASK_ALIVE)
        return 0;
    for (int signal = 1; signal < SIGNALS; signal++)
        if (task->actions[signal].disposition == SIGNAL_HANDLED)
            handled |= SIGNAL_BIT(signal);
    int signal = signal_take(thread, handled & ~thread->blocked, info);
    if (signal < 0)
        return 0;
    *action = task->actions[signal];
    if (action->flags & (int)SA_RESETHAND)
        task->actions[signal] = (struct signal_action){0};
    return signal;
}
