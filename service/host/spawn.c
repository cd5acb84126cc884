#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

#define STACK_SIZE (64 * 1024)
#define GROUPS_MAX 96

/* Everything the child side needs, looked up before it exists. */
struct plan {
    const struct spawn_request *request;
    bool switch_user;
    bool switch_group;
    uid_t uid;
    gid_t gid;
    gid_t groups[GROUPS_MAX];
    size_t n_groups;
    volatile int error;
    const char *volatile step;
};

#define CHILD_SIDE __attribute__((no_sanitize("address", "undefined"), noinline))

/* ---- the child side: system calls only, in memory that it shares with the parent ------------- */

CHILD_SIDE __attribute__((noreturn)) static void child_fail(struct plan *plan, const char *step)
{
    plan->error = errno;
    plan->step = step;
    for (;;)
        syscall(SYS_exit_group, 127);
}

CHILD_SIDE static void apply_limits(struct plan *plan)
{
    const struct process_spec *spec = plan->request->spec;

    for (int i = 0; spec->limits && i < PROCESS_LIMITS; i++) {
        struct rlimit limit = {.rlim_cur = spec->limits[i].soft, .rlim_max = spec->limits[i].hard};
        if (spec->limits[i].set && syscall(SYS_prlimit64, 0, i, &limit, (struct rlimit *)NULL) < 0)
            child_fail(plan, "limits");
    }
    if (spec->nice_set && syscall(SYS_setpriority, PRIO_PROCESS, 0, spec->nice) < 0)
        child_fail(plan, "nice");
    if (spec->umask_set)
        syscall(SYS_umask, spec->umask);
}

CHILD_SIDE static void drop_capabilities(struct plan *plan)
{
    uint64_t keep = plan->request->spec->capabilities;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)keep, (uint32_t)keep, (uint32_t)keep},
        {(uint32_t)(keep >> 32), (uint32_t)(keep >> 32), (uint32_t)(keep >> 32)},
    };

    if (syscall(SYS_capset, &header, data) < 0)
        child_fail(plan, "capabilities");
    for (unsigned i = 0; i < 64; i++)
        if (keep & (UINT64_C(1) << i) &&
            syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
            child_fail(plan, "capabilities");
}

CHILD_SIDE static void limit_bounding_set(struct plan *plan)
{
    uint64_t keep = plan->request->spec->capabilities;

    for (unsigned long i = 0; i < 64; i++)
        if (!(keep & (UINT64_C(1) << i)) && syscall(SYS_prctl, PR_CAPBSET_DROP, i, 0, 0, 0) < 0 &&
            errno != EINVAL)
            child_fail(plan, "capabilities");
}

CHILD_SIDE static void apply_identity(struct plan *plan)
{
    bool capabilities = plan->request->spec->capabilities_set;

    if (capabilities)
        limit_bounding_set(plan);
    if (capabilities && plan->switch_user && syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        child_fail(plan, "capabilities");
    if ((plan->switch_user || plan->n_groups > 0) &&
        syscall(SYS_setgroups, plan->n_groups, plan->groups) < 0)
        child_fail(plan, "groups");
    if (plan->switch_group && syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid) < 0)
        child_fail(plan, "group");
    if (plan->switch_user && syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid) < 0)
        child_fail(plan, "user");
    if (capabilities)
        drop_capabilities(plan);
    if (plan->request->spec->no_new_privileges &&
        syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        child_fail(plan, "no_new_privileges");
}

CHILD_SIDE static void apply_descriptors(struct plan *plan)
{
    const struct spawn_request *request = plan->request;

    if (dup2(request->input, 0) < 0 || dup2(request->output, 1) < 0 || dup2(request->output, 2) < 0)
        child_fail(plan, "stdout");
    for (size_t i = 0; i < request->n_sockets; i++)
        if (dup2(request->sockets[i], 3 + (int)i) < 0)
            child_fail(plan, "sockets");
    /* All of ours are close-on-exec where the call is missing. */
    unsigned first = 3U + (unsigned)request->n_sockets;
    if (request->keep >= 0) {
        syscall(SYS_close_range, first, (unsigned)request->keep - 1, 0U);
        first = (unsigned)request->keep + 1;
    }
    syscall(SYS_close_range, first, ~0U, 0U);
}

CHILD_SIDE static void write_pid(char *digits)
{
    char reversed[16];
    size_t n = 0;
    unsigned long pid = (unsigned long)syscall(SYS_getpid);

    for (; pid > 0; pid /= 10)
        reversed[n++] = (char)('0' + pid % 10);
    while (n > 0)
        *digits++ = reversed[--n];
    *digits = '\0';
}

CHILD_SIDE __attribute__((noreturn)) static void child_side(void *argument)
{
    struct plan *plan = argument;
    const struct spawn_request *request = plan->request;
    const struct process_spec *spec = request->spec;
    struct {
        void (*handler)(int);
        unsigned long flags;
        void *restorer;
        unsigned long mask;
    } by_default = {};
    uint64_t none = 0;

    syscall(SYS_setsid);
    syscall(SYS_rt_sigaction, SIGPIPE, &by_default, NULL, sizeof(none));
    syscall(SYS_rt_sigaction, SIGXFSZ, &by_default, NULL, sizeof(none));
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
    apply_limits(plan);
    apply_descriptors(plan);
    apply_identity(plan);
    if (spec->working_directory && syscall(SYS_chdir, spec->working_directory) < 0)
        child_fail(plan, "working_directory");
    if (request->watchdog_pid)
        write_pid(request->watchdog_pid);
    if (request->listen_pid)
        write_pid(request->listen_pid);
    if (request->mark)
        *(volatile uint64_t *)request->mark = request->mark_value;
    syscall(SYS_execve, spec->arguments[0], spec->arguments, request->environment);
    child_fail(plan, "exec");
}

/* ---- the parent side ------------------------------------------------------------------------- */

/*
 * clone3 whose child runs child_side() on the given stack and never comes back here. The call is
 * written out because a child that shares memory must not return through the C library's frame.
 */
static long clone3_call(struct clone_args *arguments, struct plan *plan)
{
#if defined(__x86_64__)
    long result;
    register void (*entry)(void *) __asm__("r12") = child_side;
    register void *argument __asm__("r13") = plan;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %[argument], %%rdi\n\t"
                     "call *%[entry]\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(result)
                     : "0"((long)SYS_clone3), "D"(arguments),
                       "S"(sizeof(*arguments)), [entry] "r"(entry), [argument] "r"(argument)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long number __asm__("x8") = SYS_clone3;
    register long result __asm__("x0") = (long)arguments;
    register long size __asm__("x1") = sizeof(*arguments);
    register void (*entry)(void *) __asm__("x19") = child_side;
    register void *argument __asm__("x20") = plan;

    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t"
                     "mov x0, %[argument]\n\t"
                     "blr %[entry]\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(result)
                     : "r"(number), "r"(size), [entry] "r"(entry), [argument] "r"(argument)
                     : "memory", "cc", "x30");
    return result;
#else
    (void)arguments;
    (void)plan;
    return -ENOSYS;
#endif
}

static void *child_stack(void)
{
    static void *stack; /* one is enough: the parent waits while it is used */

    if (!stack) {
        void *fresh = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        stack = fresh == MAP_FAILED ? NULL : fresh;
    }
    return stack;
}

static int spawn_clone3(struct plan *plan, struct spawn_result *result)
{
    void *stack = child_stack();
    if (!stack)
        return -ENOMEM;

    struct clone_args arguments = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&result->pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uint64_t)(uintptr_t)stack,
        .stack_size = STACK_SIZE,
    };
    if (plan->request->cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)plan->request->cgroup;
    }
    long pid = clone3_call(&arguments, plan);
    if (pid < 0)
        return (int)pid;
    result->pid = (pid_t)pid;
    return 0;
}

static int enter_cgroup(int cgroup, pid_t pid)
{
    char text[16];
    int fd = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int length = snprintf(text, sizeof(text), "%d", (int)pid);
    ssize_t n = write(fd, text, (size_t)length);
    int error = errno;
    close(fd);
    return n < 0 ? -error : 0;
}

/* Older kernels. vfork shares the parent's stack: nothing but the call may happen here. */
__attribute__((noinline)) static int spawn_vfork(struct plan *plan, struct spawn_result *result)
{
    pid_t pid = vfork();
    if (pid == 0) {
        if (plan->request->cgroup >= 0 &&
            enter_cgroup(plan->request->cgroup, (pid_t)syscall(SYS_getpid)) < 0)
            child_fail(plan, "cgroup");
        child_side(plan);
    }
    if (pid < 0)
        return -errno;
    result->pid = pid;
    result->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return 0;
}

static int look_up_group(const char *name, gid_t *gid)
{
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    if (*name && !*end) {
        *gid = (gid_t)number;
        return 0;
    }
    errno = 0;
    const struct group *group = getgrnam(name);
    if (!group)
        return errno > 0 ? -errno : -ENOENT;
    *gid = group->gr_gid;
    return 0;
}

static int look_up_user(struct plan *plan, const char *name)
{
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    bool numeric = *name && !*end;
    errno = 0;
    const struct passwd *user = numeric ? getpwuid((uid_t)number) : getpwnam(name);

    if (!user && !numeric)
        return errno > 0 ? -errno : -ENOENT;
    plan->switch_user = plan->switch_group = true;
    plan->uid = user ? user->pw_uid : (uid_t)number;
    plan->gid = user ? user->pw_gid : (gid_t)number;
    if (user) {
        int count = GROUPS_MAX / 2;
        if (getgrouplist(user->pw_name, user->pw_gid, plan->groups, &count) < 0)
            count = GROUPS_MAX / 2;
        plan->n_groups = (size_t)count;
    }
    return 0;
}

static int look_up(struct plan *plan, const char **step)
{
    const struct process_spec *spec = plan->request->spec;
    int r = 0;

    *step = "user";
    if (spec->user)
        r = look_up_user(plan, spec->user);
    if (r == 0 && spec->group) {
        *step = "unix_group";
        plan->switch_group = true;
        r = look_up_group(spec->group, &plan->gid);
    }
    for (const char **group = spec->supplementary_groups; r == 0 && group && *group; group++) {
        *step = "supplementary_groups";
        r = plan->n_groups < GROUPS_MAX ? look_up_group(*group, &plan->groups[plan->n_groups++])
                                        : -E2BIG;
    }
    return r;
}

static int make(struct plan *plan, struct spawn_result *result)
{
    static bool no_clone3;
    sigset_t all, before;

    /* No handler of ours may run in the child, which has our memory until it executes. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    int r = no_clone3 ? -ENOSYS : spawn_clone3(plan, result);
    if (r == -ENOSYS || r == -EINVAL) {
        no_clone3 = r == -ENOSYS;
        r = spawn_vfork(plan, result);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return r;
}

static void reap_failed(struct spawn_result *result)
{
    siginfo_t info;

    while (waitid(P_PID, (id_t)result->pid, &info, WEXITED) < 0 && errno == EINTR)
        ;
    if (result->pidfd >= 0)
        close(result->pidfd);
    result->pidfd = -1;
}

int spawn(const struct spawn_request *request, struct spawn_result *result)
{
    struct plan plan = {.request = request};

    *result = (struct spawn_result){.pidfd = -1};
    int r = look_up(&plan, &result->step);
    if (r < 0)
        return r;
    result->step = "fork";
    r = make(&plan, result);
    if (r < 0)
        return r;
    if (plan.error != 0) {
        reap_failed(result);
        result->step = plan.step;
        return -plan.error;
    }
    return 0;
}
