/*
 * What a declared child takes of memory, and what a death costs: the system calls and the
 * instructions from the moment in which proctord wakes until the plan of the next attempt is on its
 * way to the spawner. They are counted, not timed, and do not grow with the number of children.
 */
#include "fixture.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define FEW    10
#define MANY   300
#define DEATHS 5

#define DECLARED   2000
#define MOST_BYTES 5632 /* 4,400 mostly; the heap grows in steps */

/* Beside what a start needs that has sockets, a user or limits, which these have not. The clone is
 * the spawner's next call. */
#define BEFORE_THE_PLAN 10

#define THOUSANDS       10000
#define DEATHS_IN_STEPS 2
#define MORE_PERCENT    10

static struct fixture f;
struct costs {
    guint before_the_plan; /* calls, until then */
    guint walks;           /* of all children, by waitid(P_ALL) */
};

/* The first of them run. */
static void write_children(guint count, guint running)
{
    GString *text = g_string_new("children:\n");

    for (guint i = 0; i < count; i++)
        g_string_append_printf(text,
                               "  - name: c%u\n    exec: [/bin/sleep, \"1000\"]\n"
                               "    stdout: null\n    restart: permanent\n    autostart: %s\n"
                               "    restart_limit: {burst: 1000}\n"
                               "    backoff: {initial: 0s, max: 0s, jitter: none}\n",
                               i, i < running ? "true" : "false");
    fixture_write_tree(&f, text->str);
    g_string_free(text, TRUE);
    g_variant_unref(fixture_reload(&f, NULL));
}

static GPid running_as(const char *name)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    GPid pid;

    while ((pid = (GPid)fixture_number(&f, name, "MainPID")) == 0) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(1000);
    }
    return pid;
}

static void wait_for_all(guint count)
{
    for (guint i = 0; i < count; i++) {
        g_autofree char *name = g_strdup_printf("c%u", i);
        running_as(name);
    }
}

static long next_call(struct __ptrace_syscall_info *info)
{
    int status;

    do {
        g_assert_cmpint(ptrace(PTRACE_SYSCALL, f.pid, 0, 0), ==, 0);
        g_assert_cmpint(waitpid(f.pid, &status, __WALL), ==, f.pid);
        g_assert_true(WIFSTOPPED(status));
        if (WSTOPSIG(status) != (SIGTRAP | 0x80))
            continue;
        g_assert_cmpint(ptrace(PTRACE_GET_SYSCALL_INFO, f.pid, sizeof(*info), info), >, 0);
    } while (WSTOPSIG(status) != (SIGTRAP | 0x80) || info->op != PTRACE_SYSCALL_INFO_ENTRY);
    return (long)info->entry.nr;
}

/* The message to the spawner is the first that begins so. */
static gboolean is_the_plan(const struct __ptrace_syscall_info *info)
{
    struct msghdr header;
    struct iovec part;
    char word[4] = "";
    struct iovec to[] = {{&header, sizeof(header)}, {&part, sizeof(part)}, {word, sizeof(word)}};
    struct iovec from = {(void *)(uintptr_t)info->entry.args[1], sizeof(header)};

    if (info->entry.nr != SYS_sendmsg || process_vm_readv(f.pid, &to[0], 1, &from, 1, 0) < 0)
        return FALSE;
    from = (struct iovec){header.msg_iov, sizeof(part)};
    if (process_vm_readv(f.pid, &to[1], 1, &from, 1, 0) < 0)
        return FALSE;
    from = (struct iovec){part.iov_base, sizeof(word)};
    return process_vm_readv(f.pid, &to[2], 1, &from, 1, 0) == sizeof(word) &&
           memcmp(word, "plan", sizeof(word)) == 0;
}

static void attach(void)
{
    int status;

    g_assert_cmpint(ptrace(PTRACE_SEIZE, f.pid, 0, PTRACE_O_TRACESYSGOOD), ==, 0);
    g_assert_cmpint(ptrace(PTRACE_INTERRUPT, f.pid, 0, 0), ==, 0);
    g_assert_cmpint(waitpid(f.pid, &status, __WALL), ==, f.pid);
}

static gboolean is_of_the_wait(long call)
{
    return call == SYS_epoll_wait || call == SYS_epoll_pwait || call == SYS_restart_syscall ||
           call == SYS_gettid;
}

/* Stopped in a call, it is let go as it is; and the next attempt is waited for. */
static void let_go(const char *name, GPid before)
{
    g_assert_cmpint(ptrace(PTRACE_DETACH, f.pid, 0, 0), ==, 0);
    while ((GPid)fixture_number(&f, name, "MainPID") == before)
        g_usleep(1000);
    running_as(name);
}

static struct costs watch_a_death(guint child)
{
    g_autofree char *name = g_strdup_printf("c%u", child);
    GPid pid = running_as(name);
    struct __ptrace_syscall_info info;
    struct costs costs = {};

    attach();
    kill(pid, SIGKILL);
    for (gboolean woken = FALSE;;) {
        long call = next_call(&info);
        gboolean is_wait = call == SYS_waitid && info.entry.args[0] == P_ALL;
        woken = woken || !is_of_the_wait(call);
        costs.before_the_plan += woken;
        costs.walks += is_wait;
        if (is_the_plan(&info))
            break;
    }
    let_go(name, pid);
    return costs;
}

/* A timer of its own that comes in between each time: reading it, and waiting again. */
#define ANOTHER_TURN 2

/* The least of a few: another timer may come in between. */
static struct costs least_of(guint children)
{
    struct costs least = {G_MAXUINT, G_MAXUINT};

    write_children(children, children);
    wait_for_all(children);
    for (guint i = 0; i < DEATHS; i++) {
        struct costs costs = watch_a_death(i);
        least.before_the_plan = MIN(least.before_the_plan, costs.before_the_plan);
        least.walks = MIN(least.walks, costs.walks);
    }
    return least;
}

static void a_death_costs_the_same_among_few_and_many(void)
{
    struct costs few = least_of(FEW), many = least_of(FEW + MANY);

    g_test_message("%u calls before the plan among %u children, %u among %u", few.before_the_plan,
                   FEW, many.before_the_plan, FEW + MANY);
    g_assert_cmpuint(few.before_the_plan, <=, BEFORE_THE_PLAN);
    g_assert_cmpuint(many.before_the_plan, <=, few.before_the_plan + ANOTHER_TURN);
    g_assert_cmpuint(many.walks, ==, 0);
}

/* ---- instructions ---------------------------------------------------------------------------- */

#ifdef __x86_64__
#define SYSCALL_WORD 0x050f /* the instruction, as two bytes */

static void step(struct user_regs_struct *registers)
{
    int status;

    g_assert_cmpint(ptrace(PTRACE_SINGLESTEP, f.pid, 0, 0), ==, 0);
    g_assert_cmpint(waitpid(f.pid, &status, __WALL), ==, f.pid);
    g_assert_true(WIFSTOPPED(status));
    g_assert_cmpint(ptrace(PTRACE_GETREGS, f.pid, 0, registers), ==, 0);
}

static gboolean is_at_the_plan(const struct user_regs_struct *registers)
{
    struct __ptrace_syscall_info info = {
        .entry = {.nr = registers->rax, .args = {registers->rdi, registers->rsi}}};

    if (registers->rax != SYS_sendmsg)
        return FALSE;
    long word = ptrace(PTRACE_PEEKTEXT, f.pid, registers->rip, 0);
    return (word & 0xffff) == SYSCALL_WORD && is_the_plan(&info);
}

/* A step is faster where both are on one processor. */
static void share_processor(gboolean one)
{
    cpu_set_t processors;

    CPU_ZERO(&processors);
    for (int i = 0; i < (one ? 1 : CPU_SETSIZE); i++)
        CPU_SET(i, &processors);
    sched_setaffinity(0, sizeof(processors), &processors);
    sched_setaffinity(f.pid, sizeof(processors), &processors);
}

/* From the first call after the wait until the plan. */
static guint instructions_of(guint child)
{
    g_autofree char *name = g_strdup_printf("c%u", child);
    GPid pid = running_as(name);
    struct __ptrace_syscall_info info;
    struct user_regs_struct registers;
    guint count = 0;

    attach();
    kill(pid, SIGKILL);
    while (is_of_the_wait(next_call(&info)))
        ;
    share_processor(TRUE);
    do {
        step(&registers);
        count++;
    } while (!is_at_the_plan(&registers));
    share_processor(FALSE);
    let_go(name, pid);
    return count;
}

/* What comes in between (a timer, changes that are told) makes a death look longer: further ones
 * are watched until one takes no more than enough. */
static guint least_instructions(guint children, guint enough)
{
    guint least = G_MAXUINT;

    write_children(children, FEW);
    wait_for_all(FEW);
    for (guint i = 0; i < FEW && (i < DEATHS_IN_STEPS || least > enough); i++)
        least = MIN(least, instructions_of(i));
    return least;
}

static void a_death_takes_as_many_instructions_among_few_and_thousands(void)
{
#ifdef __SANITIZE_ADDRESS__
    g_test_skip("the sanitizer's instructions would be counted");
    return;
#endif
    guint few = least_instructions(FEW, G_MAXUINT);
    guint enough = few + few * MORE_PERCENT / 100;
    guint many = least_instructions(THOUSANDS, enough);

    g_test_message("%u instructions before the plan among %u children, %u among %u", few, FEW, many,
                   THOUSANDS);
    g_assert_cmpuint(many, <=, enough);
}
#else
static void a_death_takes_as_many_instructions_among_few_and_thousands(void)
{
    g_test_skip("they are counted on x86-64 only");
}
#endif

/* ---- memory ---------------------------------------------------------------------------------- */

static guint64 kilobytes(void)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/smaps_rollup", (int)f.pid);
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    const char *line = strstr(text, "\nPss:");
    g_assert_nonnull(line);
    return g_ascii_strtoull(line + strlen("\nPss:"), NULL, 10);
}

/* With a window of as many failures as there can be: what has not failed does not pay for it. */
static void declare(guint count)
{
    GString *text = g_string_new("children:\n");

    for (guint i = 0; i < count; i++)
        g_string_append_printf(text,
                               "  - name: d%u\n    exec: [/bin/sleep, \"1000\"]\n"
                               "    autostart: false\n"
                               "    restart_limit: {burst: %u}\n",
                               i, i % 100 == 0 ? 10000 : 10);
    fixture_write_tree(&f, text->str);
    g_string_free(text, TRUE);
    g_variant_unref(fixture_reload(&f, NULL));
    g_variant_unref(fixture_call(&f, "/org/proctor1", "org.freedesktop.DBus.ObjectManager",
                                 "GetManagedObjects", NULL, NULL));
}

static void a_declared_child_takes_little_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
    g_test_skip("the sanitizer's memory would be measured");
    return;
#endif
    declare(1);
    guint64 before = kilobytes();
    declare(DECLARED);
    guint64 taken = (kilobytes() - before) * 1024 / DECLARED;
    g_test_message("%" G_GUINT64_FORMAT " bytes for each declared child", taken);
    g_assert_cmpuint(taken, <=, MOST_BYTES);
}

int main(int argc, char **argv)
{
    g_unsetenv("MALLOC_PERTURB_"); /* it writes what proctord has not written */
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/costs", a_declared_child_takes_little_memory);
    FIXTURE_TEST(&f, fixture_cgroups(), "/daemon/costs", a_death_costs_the_same_among_few_and_many);
    FIXTURE_TEST(&f, fixture_cgroups(), "/daemon/costs",
                 a_death_takes_as_many_instructions_among_few_and_thousands);
    return g_test_run();
}
