/*
 * What /proc says of a process, whatever it calls itself.
 */
#include "../named.h"
#include "proc_stat.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void names_change_nothing(void)
{
    static const char *const names[] = {"plain", "a) R 1 2", ") 0 0 0", "(((", "1 2 3", " "};
    char before[16];
    uint64_t parent, started, first;

    g_assert_cmpint(proc_stat_read(getpid(), PROC_STAT_STARTED_TICKS, &first), ==, 0);
    prctl(PR_GET_NAME, before);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        prctl(PR_SET_NAME, names[i]);
        g_assert_cmpint(proc_stat_read(getpid(), PROC_STAT_PARENT, &parent), ==, 0);
        g_assert_cmpuint(parent, ==, (uint64_t)getppid());
        g_assert_cmpint(proc_stat_read(getpid(), PROC_STAT_STARTED_TICKS, &started), ==, 0);
        g_assert_cmpuint(started, ==, first);
    }
    prctl(PR_SET_NAME, before);
}

static void who_is_gone_has_none(void)
{
    uint64_t parent;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    g_assert_cmpint(proc_stat_read(pid, PROC_STAT_PARENT, &parent), <, 0);
}

static void entries(void)
{
    g_assert_cmpint(proc_stat_pid("1"), ==, 1);
    g_assert_cmpint(proc_stat_pid("2147483647"), ==, 2147483647);
    g_assert_cmpint(proc_stat_pid("2147483648"), ==, 0);
    g_assert_cmpint(proc_stat_pid("self"), ==, 0);
    g_assert_cmpint(proc_stat_pid("12x"), ==, 0);
    g_assert_cmpint(proc_stat_pid("-1"), ==, 0);
    g_assert_cmpint(proc_stat_pid(".."), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/proc-stat", names_change_nothing);
    TEST("/proc-stat", who_is_gone_has_none);
    TEST("/proc-stat", entries);
    return g_test_run();
}
