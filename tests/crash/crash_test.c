/*
 * Crash test: a real proctord with real processes is killed again and again, at a random time or at
 * its Nth system call, under a load of commands, jobs and children that crash; now and then it is
 * replaced in place before it dies, and its spawner is killed or stopped. After each death the next
 * one must have every child exactly once, know every command that had been acknowledged, and
 * continue with the generations.
 *
 *   crash-test [--kills N] [--restarts N] [--reboots N] [--seed N] [--sweep]
 *   crash-test --faults ROUND [--call NAME | --sites] [--from N] [--every N] [--until N]
 *
 * Between the deaths it is ended in good order N times (--restarts), and afterwards the whole
 * machine goes down N times (--reboots, where OTHER_BOOT may change the clock and the boot's id):
 * holds, generations and a child that came over the bus outlive all of it.
 *
 * Every other death is at a system call: a random one of the first 4,000 stops, or with --sweep the
 * first, the second, the third ... With --faults no kills: each time another system call of
 * proctord fails, once, with the error number ROUND of those that it can have: it does not die,
 * every call is answered, and in the end every child is as it should be, and the same process if it
 * had no reason to end. With --sites each place where it makes a call is met once, under more kinds
 * of work: reloads, upgrades, questions about the past. Prints TAP and figures.
 * Needs PROCTORD, TEST_CHILD, KILL_AT and FAIL_AT; NO_CGROUPS=1 is as --no-cgroups.
 */
#include "crash.h"

#define STOPS 4000

/* ---- a process that was not noted ---------------------------------------------------
 */

static gboolean job_is_over(void)
{
    g_autoptr(GHashTable) now = look(NULL);
    GHashTableIter iter;
    gpointer id;

    g_hash_table_iter_init(&iter, now);
    while (g_hash_table_iter_next(&iter, &id, NULL))
        if (g_str_has_prefix(id, "jobs/"))
            return FALSE;
    return TRUE;
}

/* proctord dies when the job has just been made; the job comes to its end before the next one
 * looks. */
static void an_attempt_that_nobody_saw_runs_once(void)
{
    g_autofree char *file = g_strdup_printf("%s/job-%" G_GUINT64_FORMAT, t.folder, t.next + 1);
    gint64 end = g_get_monotonic_time() + PATIENCE;

    if (!start("launch:1"))
        fail("it does not start");
    run_job();
    while (!has_ended()) {
        if (g_get_monotonic_time() > end)
            fail("it does not come to its first start");
        turn();
    }
    wait_for_end("kill-at");
    forget();
    for (gboolean alive = TRUE; alive || lines_of(file) == 0;) {
        g_autoptr(GHashTable) left = scan();
        alive = g_hash_table_size(left) > 0;
        if (g_get_monotonic_time() > end)
            fail("the job was not made, or does not end");
    }
    if (!start(NULL))
        fail("it does not start");
    while (!job_is_over())
        if (g_get_monotonic_time() > end)
            fail("the job is not over");
    if (lines_of(file) != 1)
        fail("a job that nobody saw ran %u times", lines_of(file));
    g_ptr_array_set_size(t.jobs, 0);
    kill(t.proctord, SIGKILL);
    wait_for_end("SIGKILL");
    forget();
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void die_at_a_call(guint64 stop)
{
    int status;

    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, stop);
    start(text);
    work_until_dead(&status);
    read_what_is_left();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
        fail("it ended by itself before stop %" G_GUINT64_FORMAT, stop);
    forget();
    t.at_calls++;
    t.deepest = MAX(t.deepest, stop);
}

/* And not a child of it that has not executed anything yet (PF_FORKNOEXEC). */
static gboolean is_spawner(const char *pid)
{
    g_autofree char *name = g_strdup_printf("/proc/%s/comm", pid);
    g_autofree char *stat = g_strdup_printf("/proc/%s/stat", pid);
    g_autofree char *comm = NULL, *text = NULL;
    unsigned flags = 0;

    if (!g_file_get_contents(name, &comm, NULL, NULL) ||
        !g_file_get_contents(stat, &text, NULL, NULL))
        return FALSE;
    const char *rest = strrchr(text, ')');
    return strcmp(comm, "proctor-spawner\n") == 0 && rest &&
           sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && !(flags & 0x40);
}

/* Wherever it is just now, it ends or is stopped. */
static void harm_spawner(int signal)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%d/task/%d/children", (int)t.proctord, (int)t.proctord);
    g_autofree char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    g_auto(GStrv) children = g_strsplit(text ? text : "", " ", -1);
    for (char **child = children; *child; child++)
        if (**child && is_spawner(*child) && kill((GPid)atoi(*child), signal) == 0)
            t.spawners++;
}

static void die_at_some_time(void)
{
    work_for(g_rand_int_range(t.random, 0, 30000));
    for (int i = g_rand_int_range(t.random, 0, 6); i > 0; i--) {
        harm_spawner(i == 1 && g_rand_int_range(t.random, 0, 4) == 0 ? SIGSTOP : SIGKILL);
        work_for(g_rand_int_range(t.random, 0, 10000));
    }
    if (g_rand_int_range(t.random, 0, 3) == 0) {
        kill(t.proctord, SIGUSR1);
        t.upgrades++;
        work_for(g_rand_int_range(t.random, 0, 30000));
    }
    kill(t.proctord, SIGKILL);
    wait_for_end("SIGKILL");
    read_what_is_left();
    forget();
}

/* A child that no manifest knows is there from the beginning. */
static void begin_with_one_more(void)
{
    if (!start(NULL))
        fail("it does not start");
    add_over_the_bus();
    check(FALSE);
    kill(t.proctord, SIGKILL);
    wait_for_end("SIGKILL");
    forget();
}

static void start_and_check(void)
{
    if (!start(NULL))
        fail("it does not start");
    check(FALSE);
}

/* The orderly ends are spread over the deaths. */
static void torment(guint64 kills, guint64 restarts, gboolean sweep)
{
    for (guint64 stop = 1; t.kills < kills; stop++) {
        for (; t.restarts * kills < restarts * (t.kills + 1);) {
            start_and_check();
            end_in_good_order();
        }
        start_and_check();
        die_at_some_time();
        if (t.kills < kills)
            die_at_a_call(sweep ? stop : (guint64)g_rand_int_range(t.random, 1, STOPS));
    }
    start_and_check();
    end_in_good_order();
}

static gboolean may_change_boot(void)
{
    g_autofree char *probe =
        g_strdup_printf("%s /bin/true", g_getenv("OTHER_BOOT") ? g_getenv("OTHER_BOOT") : "false");

    g_setenv("BOOT_ID", "00000000-0000-4000-8000-000000000000", TRUE);
    g_setenv("UPTIME", "2", TRUE);
    return g_getenv("OTHER_BOOT") && system(probe) == 0;
}

static void go_down(guint64 reboots)
{
    if (reboots > 0 && !may_change_boot()) {
        g_print("# no reboots: neither clock nor boot id can be changed here\n");
        reboots = 0;
    }
    while (t.reboots < reboots) {
        if (!start_in_another_boot())
            fail("it does not start after a reboot");
        check(FALSE);
        lose_power();
    }
    if (!start(NULL))
        fail("it does not start");
    check(TRUE);
}

int main(int argc, char **argv)
{
    gint64 kills = 100, restarts = 0, reboots = 0, seed = 1;
    gboolean sweep = FALSE;
    char *whom = NULL;
    struct faults faults = {.round = -1, .from = 1, .every = 1, .until = G_MAXINT64};
    const GOptionEntry options[] = {
        {"kills", 0, 0, G_OPTION_ARG_INT64, &kills, "so many", "N"},
        {"restarts", 0, 0, G_OPTION_ARG_INT64, &restarts, "so many in good order", "N"},
        {"reboots", 0, 0, G_OPTION_ARG_INT64, &reboots, "so many of the machine", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "of when and what", "N"},
        {"faults", 0, 0, G_OPTION_ARG_INT64, &faults.round, "which error of each call", "ROUND"},
        {"sites", 0, 0, G_OPTION_ARG_NONE, &faults.sites, "each place once", NULL},
        {"whom", 0, 0, G_OPTION_ARG_STRING, &whom, "whose calls", "threads|spawner|outside|births"},
        {"call", 0, 0, G_OPTION_ARG_STRING, (void *)&faults.call, "only these are counted", "NAME"},
        {"from", 0, 0, G_OPTION_ARG_INT64, &faults.from, "the first call that fails", "N"},
        {"every", 0, 0, G_OPTION_ARG_INT64, &faults.every, "each so many", "N"},
        {"until", 0, 0, G_OPTION_ARG_INT64, &faults.until, "the last", "N"},
        {"sweep", 0, 0, G_OPTION_ARG_NONE, &sweep, "system calls one after the other", NULL},
        {}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        g_error("%s", error->message);
    if (whom)
        g_setenv("FAIL_AT_WHOM", whom, TRUE);
    begin_crash_test((guint32)seed);
    gint64 began = g_get_monotonic_time();

    if (faults.round >= 0) {
        t.faulty = TRUE;
        write_tree();
        inject_faults(&faults);
        return 0;
    }
    for (int i = 0; i < 3; i++)
        an_attempt_that_nobody_saw_runs_once();
    write_tree();
    begin_with_one_more();
    torment((guint64)kills, (guint64)restarts, sweep);
    go_down((guint64)reboots);
    shut_down();
    g_print("1..1\nok 1 - %" G_GUINT64_FORMAT " kills, %" G_GUINT64_FORMAT
            " of them at a system call (the deepest at stop %" G_GUINT64_FORMAT
            "), %" G_GUINT64_FORMAT " orders acknowledged and found again\n# %" G_GUINT64_FORMAT
            " orderly restarts, %" G_GUINT64_FORMAT " reboots, %" G_GUINT64_FORMAT
            " upgrades, %" G_GUINT64_FORMAT
            " spawners killed or stopped, %.1f s, seed %" G_GINT64_FORMAT "\n",
            t.kills, t.at_calls, t.deepest, t.acknowledged, t.restarts, t.reboots, t.upgrades,
            t.spawners, (double)(g_get_monotonic_time() - began) / 1e6, seed);
    return 0;
}
