/*
 * Process calls: their making, their programs and their ends, who they are, and signals.
 */
#include "kernel/cgroup.h"
#include "kernel/signals.h"
#include "kernel/wait.h"
#include "machine/call_lists.h"
#include "machine/file_kind.h"
#include "machine/small_kinds.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#define STRINGS_MAX ((size_t)WIRE_EXEC_BYTES)

/* ---- clone ----------------------------------------------------------------------------------- */

static int new_thread(struct runner *runner, struct thread **thread)
{
    return task_add_thread(runner->task, thread);
}

/* The control group that a new process begins in, by a descriptor of its
 * folder. */
static int find_cgroup(const struct runner *runner, const struct clone_args *args,
                       struct cgroup **cgroup)
{
    const struct open_file *file;

    *cgroup = NULL;
    if (!(args->flags & CLONE_INTO_CGROUP))
        return 0;
    file = file_kind_of(runner_description(runner, args->cgroup));
    *cgroup = file ? cgroup_of_inode(file->inode) : NULL;
    return *cgroup ? 0 : -EBADF;
}

/* With CLONE_VFORK the parent is suspended until the child executes or ends. */
static int new_task(struct runner *runner, const struct clone_args *args, struct thread **thread)
{
    struct task_birth birth = {.of_parent = args->flags & CLONE_PARENT,
                               .end_signal = (int)args->exit_signal};
    struct task *child;
    int r = find_cgroup(runner, args, &birth.into);

    if (r == 0)
        r = task_fork(runner->thread, &birth, &child);
    if (r < 0)
        return r;
    r = machine_copy_program(runner->machine, runner->task, child);
    if (r < 0)
        return r;
    if (args->flags & CLONE_VM)
        program_of(child)->memory = program_of(runner->task)->memory;
    if (args->flags & CLONE_VFORK) {
        program_of(child)->maker = runner;
        runner->suspends = child;
    }
    *thread = child->threads;
    return 0;
}

/* The real process or thread is made by the guest itself, which is told its
 * slot. */
static int64_t clone_with(struct runner *runner, const struct clone_args *args)
{
    struct thread *thread = NULL;
    uint32_t slot;

    if (args->flags & CLONE_VFORK && args->flags & CLONE_VM && args->stack == 0)
        return -ENOSYS; /* both would use one stack */
    if (guest_take_slot(runner->machine->guest, &slot) < 0)
        return machine_fail(runner->machine, "there are too many threads");
    int r =
        args->flags & CLONE_THREAD ? new_thread(runner, &thread) : new_task(runner, args, &thread);
    struct runner *fresh = r == 0 ? machine_add_runner(runner->machine, thread, slot) : NULL;
    if (!fresh) {
        guest_give_slot(runner->machine->guest, slot);
        return r < 0 ? r : -ENOMEM;
    }
    fresh->clear = args->flags & CLONE_CHILD_CLEARTID ? args->child_tid : 0;
    fresh->child_tid = args->flags & CLONE_CHILD_SETTID ? args->child_tid : 0;
    runner->cloned = thread->id;
    runner->action = WIRE_CLONE;
    runner->other = slot;
    return thread->id;
}

int64_t call_clone(struct runner *runner, const uint64_t *a)
{
    struct clone_args args = {.flags = a[0] & ~UINT64_C(0xff),
                              .exit_signal = a[0] & 0xff,
                              .stack = a[1],
                              .parent_tid = a[2],
                              .child_tid = a[3]};
    return clone_with(runner, &args);
}

int64_t call_clone3(struct runner *runner, const uint64_t *a)
{
    struct clone_args args = {};

    if (a[1] > sizeof(args) || a[1] < 64)
        return a[1] < 64 ? -EINVAL : -E2BIG;
    if (calls_read(runner, a[0], &args, a[1]) < 0)
        return -EFAULT;
    return clone_with(runner, &args);
}

static struct runner *runner_in(const struct machine *machine, uint64_t slot)
{
    struct runner *runner = machine->runners;

    while (runner && (runner->gone || runner->slot != slot))
        runner = runner->next;
    return runner;
}

/* The real thread is there; the one that waits for it in vfork comes here again. */
int64_t call_cloned(struct runner *runner, const uint64_t *a)
{
    struct runner *fresh = runner_in(runner->machine, a[1]);

    if ((int64_t)a[0] < 0)
        return machine_fail(runner->machine, "a clone fails: %s", strerror(-(int)a[0]));
    if (!runner->call.tried && fresh) {
        bool same = fresh->task == runner->task;
        struct wire_slot *slot = guest_slot(runner->machine->guest, fresh->slot);
        fresh->process = same ? runner->process : (pid_t)a[0];
        slot->process = fresh->process;
        if (fresh->state == RUNNER_UNBORN)
            fresh->state = RUNNER_READY;
        if (fresh->child_tid)
            calls_write(fresh, fresh->child_tid, &fresh->thread->id, sizeof(pid_t));
    }
    return runner->suspends ? MACHINE_CALL_WAITS : runner->cloned;
}

/* ---- execve ---------------------------------------------------------------------------------- */

/* The strings of a NULL-terminated list, one after the other. */
static int take_list(const struct runner *runner, uint64_t address, char *text, size_t room,
                     size_t *size)
{
    *size = 0;
    for (uint64_t one; address; address += sizeof(one)) {
        if (calls_read(runner, address, &one, sizeof(one)) < 0)
            return -EFAULT;
        if (one == 0)
            return 0;
        int n = guest_read_string(runner->process, one, text + *size, room - *size);
        if (n < 0)
            return n == -ENAMETOOLONG ? -E2BIG : n;
        *size += (size_t)n + 1;
        if (*size >= room)
            return -E2BIG;
    }
    return 0;
}

static int find_program(struct runner *runner, const char *path, struct inode **inode)
{
    int r = path_look_up(runner->task, NULL, path, 0, inode);

    if (r < 0)
        return r;
    r = S_ISREG((*inode)->mode) ? path_access(runner->task, *inode, X_OK) : -EACCES;
    if (r < 0)
        inode_release(*inode);
    return r;
}

static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* An exec leaves one thread. */
static void drop_others(struct runner *runner)
{
    for (struct runner *other = runner->machine->runners; other; other = other->next)
        if (other != runner && other->task == runner->task && !other->gone)
            machine_drop_runner(other);
}

/* It continues as what the path says: a copy of the guests' program, or a model child. */
static int64_t become(struct runner *runner, const char *path, struct inode *inode,
                      const char *strings, const size_t sizes[2])
{
    struct machine *machine = runner->machine;
    struct task *task = runner->task;
    bool is_guest = inode == machine->program;

    calls_clear_tid(runner);
    calls_release_maker(task);
    drop_others(runner);
    task_execute(runner->thread, name_in(path), inode, strings, sizes[0], strings + sizes[0],
                 sizes[1]);
    descriptors_execute(program_of(task)->descriptors);
    program_of(task)->memory = ++machine->memories;
    if (is_guest) {
        machine_renew(runner, strings, sizes[0], strings + sizes[0], sizes[1]);
        return MACHINE_CALL_GONE;
    }
    guest_kill(machine->guest, runner->process);
    machine_drop_runner(runner);
    if (machine->hooks.executed)
        machine->hooks.executed(machine->hooks.userdata, task, path);
    return MACHINE_CALL_GONE;
}

/* The old program goes only when everything is known to be right. */
int64_t call_execve(struct runner *runner, const uint64_t *a)
{
    char path[4096];
    size_t sizes[2];
    struct inode *inode;
    char *strings = malloc(STRINGS_MAX);
    int r = strings ? calls_path(runner, a[0], path) : -ENOMEM;

    if (r == 0)
        r = take_list(runner, a[1], strings, STRINGS_MAX, &sizes[0]);
    if (r == 0)
        r = take_list(runner, a[2], strings + sizes[0], STRINGS_MAX - sizes[0], &sizes[1]);
    if (r == 0)
        r = find_program(runner, path, &inode);
    int64_t result = r;
    if (r == 0) {
        result = become(runner, path, inode, strings, sizes);
        inode_release(inode);
    }
    free(strings);
    return result;
}

/* ---- ends ------------------------------------------------------------------------------------ */

int64_t call_exit_group(struct runner *runner, const uint64_t *a)
{
    task_exit(runner->task, (int)a[0] & 0xff);
    return MACHINE_CALL_GONE;
}

/* The last thread ends the process: the one that is told of that kills the real one. */
int64_t call_exit(struct runner *runner, const uint64_t *a)
{
    struct thread *thread = runner->thread;
    size_t others = 0;

    for (const struct thread *other = runner->task->threads; other; other = other->next)
        others += other != thread && !other->ended;
    if (others == 0) {
        task_exit(runner->task, (int)a[0] & 0xff);
        return MACHINE_CALL_GONE;
    }
    if (guest_end_thread(runner->machine->guest, runner->slot) < 0)
        return machine_fail(runner->machine, "a thread does not end");
    calls_clear_tid(runner);
    machine_drop_runner(runner);
    thread_exit(thread, (int)a[0] & 0xff);
    return MACHINE_CALL_GONE;
}

/* Of the heap of a program whose main() has returned. */
int64_t call_left(struct runner *runner, const uint64_t *a)
{
    (void)runner;
    return (int64_t)a[0];
}

static int64_t give_info(const struct runner *runner, const struct wait_result *result,
                         uint64_t address)
{
    return address == 0 ? 0 : calls_write(runner, address, &result->info, sizeof(result->info));
}

/* What the model knows: processor time and memory. */
static int64_t give_usage(const struct runner *runner, const struct task *task, uint64_t address)
{
    struct rusage usage = {};

    if (address == 0)
        return 0;
    if (task) {
        usage.ru_utime.tv_sec = (time_t)(task->cpu_nsec / 1000000000);
        usage.ru_utime.tv_usec = (long)(task->cpu_nsec % 1000000000 / 1000);
        usage.ru_maxrss = (long)(task->memory_bytes / 1024);
    }
    return calls_write(runner, address, &usage, sizeof(usage));
}

#define P_PIDFD_NUMBER 3

/* By number, group or pidfd. */
int64_t call_waitid(struct runner *runner, const uint64_t *a)
{
    struct wait_result result = {};
    int r;

    if (a[0] == P_PIDFD_NUMBER) {
        struct task *child = pid_fd_task(runner_description(runner, a[1]));
        r = child ? wait_for_task(runner->task, child, (int)a[3], &result) : -EBADF;
    } else {
        r = wait_for(runner->task, (idtype_t)a[0], (pid_t)a[1], (int)a[3], &result);
    }
    if (r == -EAGAIN && !(a[3] & WNOHANG))
        return MACHINE_CALL_WAITS;
    if (r == 0)
        r = (int)give_info(runner, &result, a[2]);
    if (r == 0)
        r = (int)give_usage(runner, result.task, a[4]);
    if (result.task)
        task_release(result.task);
    return r;
}

/* The older form, for programs that use it. */
int64_t call_wait4(struct runner *runner, const uint64_t *a)
{
    pid_t pid = (pid_t)a[0], found = 0;
    idtype_t type = pid > 0 ? P_PID : pid == -1 ? P_ALL : P_PGID;
    struct wait_result result = {};
    int r = wait_for(runner->task, type,
                     pid < -1    ? -pid
                     : pid == -1 ? 0
                                 : pid,
                     (int)a[2] | WEXITED, &result);

    if (r == -EAGAIN && !(a[2] & WNOHANG))
        return MACHINE_CALL_WAITS;
    if (r == 0 && result.task && a[1])
        r = calls_write(runner, a[1], &result.status, sizeof(result.status));
    if (r == 0)
        r = (int)give_usage(runner, result.task, a[3]);
    found = result.info.si_pid;
    if (result.task)
        task_release(result.task);
    return r < 0 ? r : found;
}

/* ---- signals --------------------------------------------------------------------------------- */

/* As the kernel has it. */
struct action {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

static struct signal_action action_of(const struct action *given)
{
    return (struct signal_action){.disposition = given->handler == 0   ? SIGNAL_DEFAULT
                                                 : given->handler == 1 ? SIGNAL_IGNORED
                                                                       : SIGNAL_HANDLED,
                                  .handler = (void *)(uintptr_t)given->handler,
                                  .flags = (int)given->flags,
                                  .mask = given->mask};
}

/* Handlers are addresses in the guest; the model only keeps them. */
int64_t call_rt_sigaction(struct runner *runner, const uint64_t *a)
{
    struct action given = {};
    struct signal_action action, before;

    if (a[3] != sizeof(uint64_t))
        return -EINVAL;
    if (a[1] && calls_read(runner, a[1], &given, sizeof(given)) < 0)
        return -EFAULT;
    action = action_of(&given);
    int r = signal_act(runner->task, (int)a[0], a[1] ? &action : NULL, &before);
    if (r < 0 || a[2] == 0)
        return r;
    given = (struct action){.handler = before.disposition == SIGNAL_HANDLED
                                           ? (uint64_t)(uintptr_t)before.handler
                                           : before.disposition == SIGNAL_IGNORED,
                            .flags = (uint64_t)(unsigned)before.flags,
                            .mask = before.mask};
    return calls_write(runner, a[2], &given, sizeof(given));
}

/* The old set is written before the new one is read, in case both are at one
 * address. */
int64_t call_rt_sigprocmask(struct runner *runner, const uint64_t *a)
{
    signal_set set, before = runner->thread->blocked;

    if (a[3] != sizeof(set))
        return -EINVAL;
    if (a[2] && calls_write(runner, a[2], &before, sizeof(before)) < 0)
        return -EFAULT;
    if (a[1] == 0)
        return 0;
    if (calls_read(runner, a[1], &set, sizeof(set)) < 0)
        return -EFAULT;
    signal_block(runner->thread, (int)a[0], set, NULL);
    return 0;
}

int64_t call_kill(struct runner *runner, const uint64_t *a)
{
    return signal_send(runner->task, runner->machine->tasks, (pid_t)a[0], (int)a[1]);
}

int64_t call_tgkill(struct runner *runner, const uint64_t *a)
{
    struct thread *thread = task_find_thread(runner->machine->tasks, (pid_t)a[1]);

    if (!thread || thread->task->pid != (pid_t)a[0])
        return -ESRCH;
    return signal_send_thread(runner->task, thread, (int)a[2]);
}

/* Groups by pidfd are new in Linux 6.9; the profile says whether the kernel has
 * them. */
int64_t call_pidfd_send_signal(struct runner *runner, const uint64_t *a)
{
    struct task *task = pid_fd_task(runner_description(runner, a[0]));
    siginfo_t info;

    if (!task)
        return -EBADF;
    if (a[3] & 4) /* PIDFD_SIGNAL_PROCESS_GROUP */
        return task_table_profile(runner->machine->tasks)->group_by_pidfd
                   ? signal_send_group(runner->task, runner->machine->tasks, task->pid, (int)a[1])
                   : -EINVAL;
    if (a[3])
        return -EINVAL;
    if (a[2] && calls_read(runner, a[2], &info, sizeof(info)) < 0)
        return -EFAULT;
    return signal_send_task(runner->task, task, (int)a[1], a[2] ? &info : NULL);
}

/* ---- who it is ------------------------------------------------------------------------------- */

int64_t call_getpid(struct runner *runner, const uint64_t *a)
{
    (void)a;
    return runner->task->pid;
}

int64_t call_gettid(struct runner *runner, const uint64_t *a)
{
    (void)a;
    return runner->thread->id;
}

int64_t call_getppid(struct runner *runner, const uint64_t *a)
{
    (void)a;
    return runner->task->parent ? runner->task->parent->pid : 0;
}

int64_t call_getuid(struct runner *runner, const uint64_t *a)
{
    (void)a;
    return runner->task->identity.uid;
}

int64_t call_getgid(struct runner *runner, const uint64_t *a)
{
    (void)a;
    return runner->task->identity.gid;
}

static int64_t give_three(const struct runner *runner, const uint64_t *a, uint32_t id)
{
    for (int i = 0; i < 3; i++)
        if (calls_write(runner, a[i], &id, sizeof(id)) < 0)
            return -EFAULT;
    return 0;
}

int64_t call_getresuid(struct runner *runner, const uint64_t *a)
{
    return give_three(runner, a, runner->task->identity.uid);
}

int64_t call_getresgid(struct runner *runner, const uint64_t *a)
{
    return give_three(runner, a, runner->task->identity.gid);
}

int64_t call_setresuid(struct runner *runner, const uint64_t *a)
{
    if (!identity_is_super(&runner->task->identity) && a[1] != runner->task->identity.uid)
        return -EPERM;
    runner->task->identity.uid = (uid_t)a[1];
    return 0;
}

int64_t call_setresgid(struct runner *runner, const uint64_t *a)
{
    if (!identity_is_super(&runner->task->identity) && a[1] != runner->task->identity.gid)
        return -EPERM;
    runner->task->identity.gid = (gid_t)a[1];
    return 0;
}

int64_t call_setgroups(struct runner *runner, const uint64_t *a)
{
    struct identity *identity = &runner->task->identity;

    if (!identity_is_super(identity) || a[0] > IDENTITY_GROUPS_MAX)
        return a[0] > IDENTITY_GROUPS_MAX ? -EINVAL : -EPERM;
    if (calls_read(runner, a[1], identity->groups, a[0] * sizeof(gid_t)) < 0)
        return -EFAULT;
    identity->n_groups = a[0];
    return 0;
}

/* With size 0 only the number is asked for. */
int64_t call_getgroups(struct runner *runner, const uint64_t *a)
{
    const struct identity *identity = &runner->task->identity;

    if (a[0] == 0)
        return (int64_t)identity->n_groups;
    if (a[0] < identity->n_groups)
        return -EINVAL;
    return calls_write(runner, a[1], identity->groups, identity->n_groups * sizeof(gid_t)) < 0
               ? -EFAULT
               : (int64_t)identity->n_groups;
}

int64_t call_setsid(struct runner *runner, const uint64_t *a)
{
    pid_t session;
    int r = task_new_session(runner->task, &session);

    (void)a;
    return r < 0 ? r : session;
}

int64_t call_getsid(struct runner *runner, const uint64_t *a)
{
    pid_t session;
    int r = task_get_session(runner->task, (pid_t)a[0], &session);
    return r < 0 ? r : session;
}

int64_t call_getpgid(struct runner *runner, const uint64_t *a)
{
    pid_t group;
    int r = task_get_group(runner->task, (pid_t)a[0], &group);
    return r < 0 ? r : group;
}

int64_t call_setpgid(struct runner *runner, const uint64_t *a)
{
    return task_set_group(runner->task, (pid_t)a[0], (pid_t)a[1]);
}

/* What changes nothing in the model succeeds; what is unknown is -EINVAL. */
int64_t call_prctl(struct runner *runner, const uint64_t *a)
{
    struct task *task = runner->task;
    int r;

    switch (a[0]) {
    case PR_SET_NAME:
        r = guest_read_string(runner->process, a[1], runner->thread->name, TASK_NAME_MAX + 1);
        runner->thread->name[TASK_NAME_MAX] = '\0';
        return r == -EFAULT ? r : 0;
    case PR_GET_NAME:
        return calls_write(runner, a[1], runner->thread->name, TASK_NAME_MAX + 1);
    case PR_SET_CHILD_SUBREAPER:
        task_set_subreaper(task, a[1]);
        return 0;
    case PR_SET_PDEATHSIG:
        task->death_signal = (int)a[1];
        return 0;
    case PR_SET_DUMPABLE:
        task->dumpable = a[1];
        return 0;
    case PR_GET_DUMPABLE:
        return task->dumpable;
    case PR_CAPBSET_READ:
        return a[1] > 40 ? -EINVAL : 1;
    case PR_CAPBSET_DROP:
        return a[1] > 40 ? -EINVAL : 0;
    case PR_SET_TIMERSLACK:
    case PR_SET_THP_DISABLE:
    case PR_SET_SECUREBITS:
    case PR_SET_KEEPCAPS:
    case PR_SET_NO_NEW_PRIVS:
    case PR_CAP_AMBIENT:
        return 0;
    default:
        return -EINVAL;
    }
}

/* Only for the caller itself. Raising a hard limit is for root. */
int64_t call_prlimit64(struct runner *runner, const uint64_t *a)
{
    struct program *program = program_of(runner->task);
    struct rlimit limit;

    if (a[0] != 0 && (pid_t)a[0] != runner->task->pid)
        return -ESRCH;
    if (a[1] >= MACHINE_LIMITS)
        return -EINVAL;
    if (a[3] && calls_write(runner, a[3], &program->limits[a[1]], sizeof(limit)) < 0)
        return -EFAULT;
    if (a[2] == 0)
        return 0;
    if (calls_read(runner, a[2], &limit, sizeof(limit)) < 0)
        return -EFAULT;
    if (limit.rlim_cur > limit.rlim_max)
        return -EINVAL;
    if (limit.rlim_max > program->limits[a[1]].rlim_max &&
        !identity_is_super(&runner->task->identity))
        return -EPERM;
    program->limits[a[1]] = limit;
    if (a[1] == RLIMIT_NOFILE)
        program->descriptors->limit = limit.rlim_cur;
    return 0;
}

int64_t call_setpriority(struct runner *runner, const uint64_t *a)
{
    runner->task->nice = (int)a[2];
    return 0;
}

/* What changes nothing in the model. */
int64_t call_nothing(struct runner *runner, const uint64_t *a)
{
    (void)runner;
    (void)a;
    return 0;
}

/* Where a kernel does not have it either. */
int64_t call_missing(struct runner *runner, const uint64_t *a)
{
    (void)runner;
    (void)a;
    return -ENOSYS;
}
