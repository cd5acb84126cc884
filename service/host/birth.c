/*
 * What a child does between the clone and its program. It shares the memory of
 * the spawner, so it makes only bare system calls on what the plan contains: no
 * allocation, no libc call that has state. Each step is named before it is made;
 * if it fails, or hangs, the parent knows where.
 */
#include "host/birth.h"

#include "host/birth_directory.h"
#include "host/birth_environment.h"
#include "host/birth_sandbox.h"
#include "system/environment_file.h"
#include "system/open_regular.h"
#include "host/starts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

#define SIGNALS_SIZE 8 /* of the kernel's set of 64 signals */
#define SAY_TRIES    4

/* A sanitizer keeps accounts of the stack in memory that would be shared. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#if !defined(SANITIZED) && (defined(__x86_64__) || defined(__aarch64__))
#define CAN_SHARE 1
#else
#define CAN_SHARE 0
#endif

/* ---- system calls that leave errno alone ----------------------------------------------------- */

#if defined(__x86_64__)
static inline long bare(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline long bare(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory", "cc");
    return x0;
}
#else
static inline long bare(long number, long a, long b, long c, long d, long e, long f)
{
    long result = syscall(number, a, b, c, d, e, f);
    return result < 0 ? -errno : result;
}
#endif

#define CALL6(number, a, b, c, d, e, f, ...)                                                       \
    bare(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL(...) CALL6(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* ---- what is said ---------------------------------------------------------------------------- */

static long say(int status, const struct birth_message *message)
{
    struct iovec data = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof(*message)};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};

    return CALL(SYS_sendmsg, status, &header, MSG_NOSIGNAL);
}

void birth_say_failed(int status, enum plan_step step, int error)
{
    struct birth_message message = {.word = BIRTH_FAILED, .step = step, .error = error};
    say(status, &message);
}

__attribute__((noreturn)) static void end(void)
{
    for (;;)
        CALL(SYS_exit_group, 127);
}

__attribute__((noreturn)) static void fail_with(const struct birth *birth, enum plan_step step,
                                                long error, size_t line, const char *why)
{
    struct birth_message message = {.word = BIRTH_FAILED,
                                    .step = step,
                                    .error = (int32_t)-error,
                                    .pid = (uint32_t)CALL(SYS_getpid),
                                    .line = (uint32_t)line};

    for (size_t i = 0; why && why[i] && i < sizeof(message.text) - 1; i++)
        message.text[i] = why[i];
    if (birth->record)
        starts_go_back(birth->record, birth->plan->gate);
    say(birth->descriptors[PLAN_STATUS], &message);
    end();
}

/* If proctord listens no more, a start that has a record continues: the next proctord finds it by
 * that. But a program must not run unless a proctord that does listen has been told: it would be
 * taken for one that hangs on its way. */
static void say_word(const struct birth *birth, enum birth_word word)
{
    struct birth_message message = {.word = word, .pid = (uint32_t)CALL(SYS_getpid)};
    long r = -EAGAIN;

    for (int i = 0; i < SAY_TRIES && r < 0 && r != -EPIPE; i++)
        r = say(birth->descriptors[PLAN_STATUS], &message);
    if (r < 0 && (r != -EPIPE || !birth->record))
        end();
}

/* error: a negative errno. */
static void must(const struct birth *birth, enum plan_step step, long error)
{
    if (error < 0)
        fail_with(birth, step, error, 0, NULL);
}

static void enter_step(const struct birth *birth, enum plan_step step)
{
    if (birth->record)
        birth->record->step = step;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* All that is needed on the way, in one piece. */
static char *arena(struct birth *birth, size_t size)
{
    long memory =
        CALL(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(birth, STEP_ENVIRONMENT, memory > -4096 && memory < 0 ? memory : 0);
    birth->arena = (void *)memory;
    birth->arena_size = size;
    return birth->arena;
}

/* ---- the environment ------------------------------------------------------------------------- */

static long read_file(long fd, char *text)
{
    size_t used = 0;

    for (;;) {
        long n = CALL(SYS_read, fd, text + used, ENVIRONMENT_FILE_MAX + 1 - used);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return n;
        used += (size_t)n;
        if (used > ENVIRONMENT_FILE_MAX)
            return -EFBIG;
        if (n == 0)
            return (long)used;
    }
}

static char **read_environment(struct birth *birth)
{
    struct plan *plan = birth->plan;
    struct environment_problem problem = {};
    struct variables file = {};
    size_t room = ENVIRONMENT_FILE_MAX + 16;

    enter_step(birth, STEP_ENVIRONMENT);
    long fd = open_regular_reading(plan->environment_file.text);
    if (fd == -ELOOP)
        fail_with(birth, STEP_ENVIRONMENT, fd, 0, open_regular_explain(AT_FDCWD, "", -ELOOP));
    if (fd == -ENOENT && plan->flags & PLAN_FILE_OPTIONAL)
        return plan->environment.list;
    must(birth, STEP_ENVIRONMENT, fd);
    char *text = arena(birth, room + (2 * FILE_VARIABLES_MAX + (size_t)plan->n_environment + 1) *
                                         sizeof(char *));
    long length = read_file(fd, text);
    must(birth, STEP_ENVIRONMENT, length);
    CALL(SYS_close, fd);
    file.list = (char **)(void *)(text + room);
    int r = environment_file_parse(text, (size_t)length, birth_variables_take, &file, &problem);
    if (r < 0)
        fail_with(birth, STEP_ENVIRONMENT, r, problem.line, problem.why);
    return birth_variables_merge(plan, &file, file.list + FILE_VARIABLES_MAX);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void apply_descriptors(const struct birth *birth)
{
    const struct plan *plan = birth->plan;
    long status = birth->descriptors[PLAN_STATUS];

    enter_step(birth, STEP_STDOUT);
    must(birth, STEP_STDOUT, CALL(SYS_dup3, birth->descriptors[PLAN_INPUT], 0, 0));
    must(birth, STEP_STDOUT, CALL(SYS_dup3, birth->descriptors[PLAN_OUTPUT], 1, 0));
    must(birth, STEP_STDOUT, CALL(SYS_dup3, birth->descriptors[PLAN_OUTPUT], 2, 0));
    for (uint32_t i = 0; i < plan->n_sockets; i++)
        must(birth, STEP_SOCKETS, CALL(SYS_dup3, birth->sockets[i], 3 + i, 0));
    /* All of ours are close-on-exec where the call is missing. */
    CALL(SYS_close_range, 3 + plan->n_sockets, status - 1, 0);
    CALL(SYS_close_range, status + 1, ~0U, 0);
}

/* It is written, and rotated, outside; that it can be opened at all is found out here. */
static void open_output_file(const struct birth *birth)
{
    struct birth_message message = {.word = BIRTH_FILE};
    struct stat status = {};
    int folder = -1;

    enter_step(birth, STEP_STDOUT);
    CALL(SYS_umask, 0022);
    int fd = open_regular_guarded(birth->plan->output_file.text, O_WRONLY | O_APPEND | O_CREAT,
                                  0640, &folder);
    must(birth, STEP_STDOUT, fd);
    if (fstat(fd, &status) == 0)
        memcpy(message.text, &status.st_dev, sizeof(status.st_dev));
    must(birth, STEP_STDOUT, say(birth->descriptors[PLAN_STATUS], &message));
    CALL(SYS_close, fd);
    CALL(SYS_close, folder);
}

/* ---- directories ----------------------------------------------------------------------------- */

static void make_directories(const struct birth *birth)
{
    const struct plan *plan = birth->plan;
    int64_t uid = plan->flags & PLAN_SET_USER ? (int64_t)plan->uid : -1;
    int64_t gid = plan->flags & PLAN_SET_GROUP ? (int64_t)plan->gid : -1;

    CALL(SYS_umask, 0022);
    for (uint64_t i = 0; i < plan->n_directories; i++) {
        const struct plan_directory *directory = &plan->directories.directories[i];
        enum plan_step step = STEP_RUNTIME_DIRECTORY + directory->kind;
        const char *why = NULL;

        enter_step(birth, step);
        int r = birth_directory_make(directory, uid, gid, &why);
        if (r < 0)
            fail_with(birth, step, r, directory->number, why);
    }
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* The kernel leaves out those that there are not, and refuses if none is left. */
static void set_affinity(const struct birth *birth)
{
    const struct plan *plan = birth->plan;
    long r = CALL(SYS_sched_setaffinity, 0, sizeof(plan->affinity), plan->affinity);

    if (r == -EINVAL)
        fail_with(birth, STEP_AFFINITY, r, 0, "none of these processors is available");
    must(birth, STEP_AFFINITY, r);
}

static void apply_limits(const struct birth *birth)
{
    const struct plan *plan = birth->plan;

    for (uint32_t i = 0; i < PROCESS_LIMITS; i++) {
        struct rlimit limit = {.rlim_cur = plan->limits[i].soft, .rlim_max = plan->limits[i].hard};
        if (plan->limits[i].set)
            must(birth, STEP_LIMITS,
                 CALL(SYS_prlimit64, 0, plan->limits[i].resource, &limit, NULL));
    }
    if (plan->flags & PLAN_SET_AFFINITY)
        set_affinity(birth);
    if (plan->flags & PLAN_SET_NICE)
        must(birth, STEP_NICE, CALL(SYS_setpriority, PRIO_PROCESS, 0, plan->nice));
    CALL(SYS_umask, plan->umask);
}

static size_t digits_of(long number, char text[24])
{
    char reversed[24];
    size_t n = 0, at = 0;
    unsigned long rest = number < 0 ? (unsigned long)-number : (unsigned long)number;

    do
        reversed[n++] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0)
        text[at++] = '-';
    while (n > 0)
        text[at++] = reversed[--n];
    text[at] = '\0';
    return at;
}

/* The kernel keeps it with the memory: that must be the child's own here. */
static void set_oom_score(const struct birth *birth)
{
    char text[24];
    size_t length = digits_of(birth->plan->oom_score, text);
    long fd = CALL(SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);

    must(birth, STEP_OOM_SCORE, fd);
    must(birth, STEP_OOM_SCORE, CALL(SYS_write, fd, text, length));
    CALL(SYS_close, fd);
}

static void enter_cgroup(const struct birth *birth)
{
    long fd =
        CALL(SYS_openat, birth->descriptors[PLAN_CGROUP], "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);

    must(birth, STEP_CGROUP, fd);
    must(birth, STEP_CGROUP, CALL(SYS_write, fd, "0", 1));
    CALL(SYS_close, fd);
}

/* ---- identity -------------------------------------------------------------------------------- */

static void limit_bounding_set(const struct birth *birth)
{
    uint64_t keep = birth->plan->capabilities;

    for (unsigned long i = 0; i < 64; i++) {
        if (keep & (UINT64_C(1) << i))
            continue;
        long r = CALL(SYS_prctl, PR_CAPBSET_DROP, i, 0, 0, 0);
        must(birth, STEP_CAPABILITIES, r == -EINVAL ? 0 : r);
    }
}

static void drop_capabilities(const struct birth *birth)
{
    uint64_t keep = birth->plan->capabilities;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)keep, (uint32_t)keep, (uint32_t)keep},
        {(uint32_t)(keep >> 32), (uint32_t)(keep >> 32), (uint32_t)(keep >> 32)},
    };

    must(birth, STEP_CAPABILITIES, CALL(SYS_capset, &header, data));
    for (unsigned long i = 0; i < 64; i++)
        if (keep & (UINT64_C(1) << i))
            must(birth, STEP_CAPABILITIES,
                 CALL(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0));
}

static void change_identity(const struct birth *birth)
{
    const struct plan *plan = birth->plan;
    bool capabilities = plan->flags & PLAN_SET_CAPABILITIES;
    long uid = plan->uid, gid = plan->gid;

    if (capabilities)
        limit_bounding_set(birth);
    if (capabilities && plan->flags & PLAN_SET_USER)
        must(birth, STEP_CAPABILITIES, CALL(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0));
    if (plan->flags & PLAN_SET_GROUPS)
        must(birth, STEP_GROUPS, CALL(SYS_setgroups, plan->n_groups, plan->groups.numbers));
    if (plan->flags & PLAN_SET_GROUP)
        must(birth, STEP_GROUP, CALL(SYS_setresgid, gid, gid, gid));
    if (plan->flags & PLAN_SET_USER) {
        must(birth, STEP_USER, CALL(SYS_setresuid, uid, uid, uid));
        CALL(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
    if (capabilities)
        drop_capabilities(birth);
    if (plan->flags & PLAN_NO_NEW_PRIVILEGES)
        must(birth, STEP_NO_NEW_PRIVILEGES, CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* The kernel has the groups in order, as they are in the plan. */
static bool groups_are_right(struct birth *birth)
{
    const struct plan *plan = birth->plan;
    uint32_t few[64], *groups = few;

    if (plan->n_groups > 64) {
        size_t size = plan->n_groups * sizeof(*groups);
        long memory =
            CALL(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory > -4096 && memory < 0)
            return false;
        groups = (uint32_t *)memory;
    }
    long n = CALL(SYS_getgroups, plan->n_groups > 64 ? plan->n_groups : 64, groups);
    bool right = n == (long)plan->n_groups;
    for (uint32_t i = 0; right && i < plan->n_groups; i++)
        right = groups[i] == plan->groups.numbers[i];
    if (groups != few)
        CALL(SYS_munmap, groups, plan->n_groups * sizeof(*groups));
    return right;
}

/* Nothing runs as another user because a call did less than it said. */
static void check_identity(struct birth *birth)
{
    const struct plan *plan = birth->plan;
    uint32_t real, effective, saved;

    must(birth, STEP_IDENTITY, CALL(SYS_getresuid, &real, &effective, &saved));
    bool right = !(plan->flags & PLAN_SET_USER) ||
                 (real == plan->uid && effective == plan->uid && saved == plan->uid);
    must(birth, STEP_IDENTITY, CALL(SYS_getresgid, &real, &effective, &saved));
    right = right && (!(plan->flags & PLAN_SET_GROUP) ||
                      (real == plan->gid && effective == plan->gid && saved == plan->gid));
    right = right && (!(plan->flags & PLAN_SET_GROUPS) || groups_are_right(birth));
    must(birth, STEP_IDENTITY, right ? 0 : -EPERM);
}

/* ---- the sandbox ----------------------------------------------------------------------------- */

static void enter_sandbox(const struct birth *birth)
{
    char why[BIRTH_TEXT_MAX] = "";

    enter_step(birth, STEP_SANDBOX);
    int r = birth_sandbox_enter(birth->plan, why, sizeof(why));
    if (r < 0)
        fail_with(birth, STEP_SANDBOX, r, 0, why);
}

static void filter_system_calls(const struct birth *birth)
{
    enter_step(birth, STEP_SYSCALLS);
    must(birth, STEP_SYSCALLS, birth_sandbox_filter(birth->plan));
}

/* ---- the whole way --------------------------------------------------------------------------- */

static void begin_record(const struct birth *birth)
{
    struct starts_record *record = birth->record;
    struct timespec now;

    if (!record || record->gate != birth->plan->gate)
        return;
    CALL(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
    record->begun_usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    __atomic_store_n(&record->pid, (uint32_t)CALL(SYS_getpid), __ATOMIC_SEQ_CST);
}

static void write_pid(char *digits)
{
    if (digits)
        digits_of(CALL(SYS_getpid), digits);
}

/* Behind the gate there is no way back but a failed exec. */
static void may_execute(const struct birth *birth)
{
    say_word(birth, BIRTH_EXECUTING);
    if (birth->record && !starts_pass_gate(birth->record, birth->plan->gate))
        end();
}

static void take_signals(const struct plan *plan)
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        void *restorer;
        unsigned long mask;
    } ignore = {.handler = SIG_IGN};
    uint64_t none = 0;

    if (plan->flags & PLAN_IGNORE_SIGPIPE)
        CALL(SYS_rt_sigaction, SIGPIPE, &ignore, NULL, SIGNALS_SIZE);
    CALL(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, SIGNALS_SIZE);
}

void birth_run(struct birth *birth)
{
    struct plan *plan = birth->plan;
    char **environment = plan->environment.list;

    begin_record(birth);
    say_word(birth, BIRTH_BEGUN);
    CALL(SYS_setsid);
    CALL(SYS_prctl, PR_SET_NAME, BIRTH_NAME, 0, 0, 0);
    if (birth->enter)
        enter_cgroup(birth);
    apply_descriptors(birth);
    if (plan->n_directories > 0)
        make_directories(birth);
    if (plan->output_file.text)
        open_output_file(birth);
    if (plan->environment_file.text)
        environment = read_environment(birth);
    enter_step(birth, STEP_LIMITS);
    /* If there is no room for one of its own it has the spawner's, which is shared with nothing
     * else. */
    CALL(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    if (plan->flags & PLAN_SET_OOM_SCORE)
        set_oom_score(birth);
    if (plan->n_sandbox > 0 || plan->joined > 0)
        enter_sandbox(birth);
    enter_step(birth, STEP_LIMITS);
    apply_limits(birth);
    change_identity(birth);
    check_identity(birth);
    enter_step(birth, STEP_WORKING_DIRECTORY);
    if (plan->working_directory.text)
        must(birth, STEP_WORKING_DIRECTORY, CALL(SYS_chdir, plan->working_directory.text));
    write_pid(plan->watchdog_pid.text);
    write_pid(plan->listen_pid.text);
    if (plan->n_filter > 0)
        filter_system_calls(birth);
    enter_step(birth, STEP_EXEC);
    take_signals(plan);
    may_execute(birth);
    fail_with(birth, STEP_EXEC,
              CALL(SYS_execve, plan->arguments.list[0], plan->arguments.list, environment), 0,
              NULL);
}

bool birth_wants_copy(const struct plan *plan)
{
    return !CAN_SHARE || plan->output_file.text || plan->environment_file.text ||
           plan->n_directories > 0 || plan->n_sandbox > 0 || plan->joined > 0 ||
           plan->n_filter > 0 || plan->flags & PLAN_SET_OOM_SCORE;
}

/* ---- cloning --------------------------------------------------------------------------------- */

/*
 * A clone whose child runs birth_run() on the given stack and never comes back here. The call is
 * written out because a child that shares memory must not return through the C library's frame.
 */
#if defined(__x86_64__)
static long clone_call(long number, long a, long b, long c, long d, struct birth *birth)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = 0;
    register void (*entry)(struct birth *) __asm__("r12") = birth_run;
    register struct birth *argument __asm__("r13") = birth;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %[argument], %%rdi\n\t"
                     "call *%[entry]\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
                       "r"(r8), [entry] "r"(entry), [argument] "r"(argument)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static long clone_call(long number, long a, long b, long c, long d, struct birth *birth)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = 0; /* tls */
    register long x4 __asm__("x4") = d;
    register void (*entry)(struct birth *) __asm__("x19") = birth_run;
    register struct birth *argument __asm__("x20") = birth;

    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t"
                     "mov x0, %[argument]\n\t"
                     "blr %[entry]\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3),
                       "r"(x4), [entry] "r"(entry), [argument] "r"(argument)
                     : "memory", "cc", "x30");
    return x0;
}
#endif

#if defined(__x86_64__) || defined(__aarch64__)
static pid_t clone_old(struct birth *birth, char *top, uint64_t flags, int *tid)
{
    birth->enter = birth->plan->flags & PLAN_IN_CGROUP;
    return (pid_t)clone_call(SYS_clone, (long)flags | SIGCHLD, (long)top, 0, (long)tid, birth);
}

static long clone_new(struct birth *birth, void *stack, size_t stack_size, uint64_t flags, int *tid)
{
    struct clone_args arguments = {
        .flags = flags,
        .child_tid = (uint64_t)(uintptr_t)tid,
        .stack = (uint64_t)(uintptr_t)stack,
        .stack_size = stack_size,
    };

    if (birth->plan->flags & PLAN_IN_CGROUP) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)birth->descriptors[PLAN_CGROUP];
    }
    return clone_call(SYS_clone3, (long)&arguments, sizeof(arguments), 0, 0, birth);
}

pid_t birth_clone(struct birth *birth, void *stack, size_t stack_size, int *tid)
{
    static bool no_clone3;
    uint64_t flags = CLONE_PARENT | (birth->copied ? 0 : CLONE_VM | CLONE_CHILD_CLEARTID);

    long r = no_clone3 ? -ENOSYS : clone_new(birth, stack, stack_size, flags, tid);
    if (r == -ENOSYS || r == -EINVAL) {
        no_clone3 = no_clone3 || r == -ENOSYS;
        r = clone_old(birth, (char *)stack + stack_size, flags, tid);
    }
    return (pid_t)r;
}
#else
/* The copy of the memory has a copy of the stack. */
pid_t birth_clone(struct birth *birth, void *stack, size_t stack_size, int *tid)
{
    (void)stack;
    (void)stack_size;
    (void)tid;
    birth->enter = birth->plan->flags & PLAN_IN_CGROUP;
    long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        birth_run(birth);
    return pid < 0 ? -errno : (pid_t)pid;
}
#endif
