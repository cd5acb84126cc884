/*
 * Jobs, with real processes: results, the queue, names, cancels, the shutdown.
 */
#include "fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACES_MAX 10000 /* of jobs that run at once */

static struct fixture f;

static GVariant *job_property(guint64 job, const char *name)
{
    g_autofree char *path = g_strdup_printf("/org/proctor1/job/%" G_GUINT64_FORMAT, job);
    g_autoptr(GVariant) reply = fixture_call(&f, path, "org.freedesktop.DBus.Properties", "Get",
                                             g_variant_new("(ss)", "org.proctor1.Job", name), NULL);
    g_autoptr(GVariant) boxed = g_variant_get_child_value(reply, 0);

    return g_variant_get_variant(boxed);
}

static void assert_state(guint64 job, const char *expected)
{
    g_autoptr(GVariant) state = job_property(job, "State");
    g_assert_cmpstr(g_variant_get_string(state, NULL), ==, expected);
}

static char *job_text(const char *name, const char *more, const char *steps)
{
    return g_strdup_printf("name: %s\n%sexec: [%s, %s]\n", name, more, g_getenv("TEST_CHILD"),
                           steps);
}

/* Returns the number of the job, 0 where it is refused. */
static guint64 run(const char *name, const char *more, const char *steps, GError **error)
{
    g_autofree char *text = job_text(name, more, steps);
    g_autoptr(GVariant) reply =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", text, "test", NULL), error);
    const char *path;

    if (!reply)
        return 0;
    g_variant_get(reply, "(&o)", &path);
    return g_ascii_strtoull(strrchr(path, '/') + 1, NULL, 10);
}

static GVariant *wait_for(guint64 job)
{
    g_autofree char *path = g_strdup_printf("/org/proctor1/job/%" G_GUINT64_FORMAT, job);
    g_autoptr(GVariant) reply = fixture_call(&f, path, "org.proctor1.Job", "Wait", NULL, NULL);

    return g_variant_get_child_value(reply, 0);
}

static void cancel(guint64 job)
{
    g_autofree char *path = g_strdup_printf("/org/proctor1/job/%" G_GUINT64_FORMAT, job);
    g_autoptr(GVariant) reply = fixture_call(&f, path, "org.proctor1.Job", "Cancel",
                                             g_variant_new("(sa{sv})", "test", NULL), NULL);
}

static gsize output_of(GVariant *result, const char **data)
{
    g_autoptr(GVariant) output = g_variant_lookup_value(result, "Output", G_VARIANT_TYPE("ay"));
    gsize size;

    *data = g_variant_get_fixed_array(output, &size, 1);
    return size;
}

/* ---- results --------------------------------------------------------------------------------- */

static void a_result_comes_back_whole(void)
{
    const char *data;
    g_autoptr(GVariant) result = wait_for(run("good", "", "result=42", NULL));

    g_assert_cmpstr(dict_text(result, "Result"), ==, "succeeded");
    g_assert_cmpuint(output_of(result, &data), ==, 2);
    g_assert_cmpint(memcmp(data, "42", 2), ==, 0);
    g_assert_false(dict_flag(result, "OutputTruncated"));
    g_assert_cmpuint(dict_number(result, "WallUSec"), >, 0);
    g_assert_cmpuint(dict_number(result, "CPUUSec"), >, 0);
}

static void an_end_has_its_name(void)
{
    g_autoptr(GVariant) failed = wait_for(run("a", "", "exit=3", NULL));
    g_autoptr(GVariant) panicked = wait_for(run("b", "", "die=11", NULL));
    g_autofree char *text = g_strdup("name: c\nexec: [/no/such/program]\n");
    g_autoptr(GVariant) path =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", text, "test", NULL), NULL);
    g_autoptr(GVariant) missing = wait_for(3);

    g_assert_cmpstr(dict_text(failed, "Result"), ==, "failed");
    g_assert_cmpuint(dict_number(failed, "ExitCode"), ==, 3);
    g_assert_cmpstr(dict_text(panicked, "Result"), ==, "panicked");
    g_assert_cmpuint(dict_number(panicked, "ExitCode"), ==, 139);
    g_assert_cmpstr(dict_text(missing, "Result"), ==, "spawn-failed");
}

static void a_large_result_is_cut_and_says_so(void)
{
    const char *data;
    g_autoptr(GVariant) result = wait_for(run("large", "", "result-bytes=1048576", NULL));

    g_assert_cmpstr(dict_text(result, "Result"), ==, "succeeded");
    g_assert_cmpuint(output_of(result, &data), ==, 65536);
    g_assert_true(dict_flag(result, "OutputTruncated"));
}

/* ---- the queue ------------------------------------------------------------------------------- */

/* spawn_blocking_semaphore_cap: a hundred over eight places, one killed. */
static void a_hundred_jobs_share_eight_places(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *waits = g_strdup_printf("wait=%s", fixture_path(&f, "go"));
    for (guint i = 1; i <= 100; i++) {
        g_autofree char *name = g_strdup_printf("job-%u", i);
        g_autofree char *steps = g_strdup_printf("result=%u", i);
        g_autofree char *first = g_strdup_printf("%s, %s", waits, steps);
        g_assert_cmpuint(run(name, "", i == 1 ? first : steps, NULL), ==, i);
    }
    for (guint i = 2; i <= 100; i++) {
        const char *data;
        g_autoptr(GVariant) result = wait_for(i);
        g_autofree char *expected = g_strdup_printf("%u", i);
        g_assert_cmpstr(dict_text(result, "Result"), ==, "succeeded");
        g_assert_cmpuint(output_of(result, &data), ==, strlen(expected));
        g_assert_cmpint(memcmp(data, expected, strlen(expected)), ==, 0);
    }
    assert_state(1, "running");
    kill((pid_t)fixture_number(&f, "jobs/1", "MainPID"), SIGKILL);
    g_autoptr(GVariant) killed = wait_for(1);
    g_assert_cmpstr(dict_text(killed, "Result"), ==, "panicked");
}

/* How many were together at once, at most: what the jobs themselves have written, in its order. */
static gint most_together(const char *name)
{
    g_autofree char *text = NULL;
    gint now = 0, most = 0;

    g_assert_true(g_file_get_contents(fixture_path(&f, name), &text, NULL, NULL));
    for (const char *c = text; *c; c++) {
        now += *c == '+' ? 1 : -1;
        most = MAX(most, now);
    }
    g_assert_cmpint(now, ==, 0);
    return most;
}

/* test_spawn_blocking_semaphore_cap: sixteen of 20 ms each, counted by the jobs themselves. */
static void sixteen_jobs_are_never_more_than_eight(void)
{
    g_autofree char *steps = g_strdup_printf("together=%s", fixture_path(&f, "together"));

    for (guint i = 1; i <= 16; i++) {
        g_autofree char *name = g_strdup_printf("job-%u", i);
        g_assert_cmpuint(run(name, "", steps, NULL), ==, i);
    }
    for (guint i = 1; i <= 16; i++) {
        g_autoptr(GVariant) result = wait_for(i);
        g_assert_cmpstr(dict_text(result, "Result"), ==, "succeeded");
    }
    gint most = most_together("together");
    g_assert_cmpint(most, <=, 8);
    g_assert_cmpint(most, >, 1); /* else nothing was measured */
}

/* test_blocking_spawner_task_appears_in_snapshot: by its name, while it runs. */
static void a_job_is_listed_by_its_name_while_it_runs(void)
{
    const char *name, *state;

    fixture_fifo(&f, "go");
    g_autofree char *waits = g_strdup_printf("wait=%s", fixture_path(&f, "go"));
    guint64 job = run("chunk_file", "", waits, NULL);
    g_autoptr(GVariant) reply = fixture_manager(&f, "ListJobs", NULL, NULL);
    g_autoptr(GVariant) rows = g_variant_get_child_value(reply, 0);

    g_assert_cmpuint(g_variant_n_children(rows), ==, 1);
    g_variant_get_child(rows, 0, "(t&s&ssttt)", NULL, &name, &state, NULL, NULL, NULL, NULL);
    g_assert_cmpstr(name, ==, "chunk_file");
    g_assert_cmpstr(state, ==, "running");
    g_assert_cmpuint(fixture_number(&f, "jobs/1", "Attempt"), ==, 1);
    fixture_release(&f, "go");
    g_autoptr(GVariant) result = wait_for(job);
    g_assert_cmpstr(dict_text(result, "Result"), ==, "succeeded");
}

static gboolean set_max_jobs(guint32 most)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) set = fixture_call(
        &f, "/org/proctor1", "org.freedesktop.DBus.Properties", "Set",
        g_variant_new("(ssv)", "org.proctor1.Manager", "MaxJobs", g_variant_new_uint32(most)),
        &error);
    return set != NULL;
}

static guint32 get_max_jobs(void)
{
    g_autoptr(GVariant) reply =
        fixture_call(&f, "/org/proctor1", "org.freedesktop.DBus.Properties", "Get",
                     g_variant_new("(ss)", "org.proctor1.Manager", "MaxJobs"), NULL);
    g_autoptr(GVariant) value = NULL;
    g_variant_get(reply, "(v)", &value);
    return g_variant_get_uint32(value);
}

static void max_jobs_has_a_limit_of_its_own(void)
{
    static const guint32 taken[] = {1, 2, PLACES_MAX - 1, PLACES_MAX};

    g_assert_cmpuint(get_max_jobs(), ==, 8);
    for (size_t i = 0; i < G_N_ELEMENTS(taken); i++) {
        g_assert_true(set_max_jobs(taken[i]));
        g_assert_cmpuint(get_max_jobs(), ==, taken[i]);
    }
    g_assert_false(set_max_jobs(0));
    g_assert_false(set_max_jobs(PLACES_MAX + 1));
    g_assert_cmpuint(get_max_jobs(), ==, PLACES_MAX);
}

static void no_more_than_max_jobs_run(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *waits = g_strdup_printf("wait=%s", fixture_path(&f, "go"));
    g_assert_true(set_max_jobs(1));
    guint64 first = run("a", "", waits, NULL), second = run("b", "", "exit=0", NULL);

    assert_state(first, "running");
    assert_state(second, "queued");
    g_assert_cmpuint(fixture_number(&f, "jobs/2", "Attempt"), ==, 0);
    g_autofree char *why = fixture_text(&f, "jobs/2", "Explanation");
    g_assert_true(g_str_has_prefix(why, "queued: at most 1 "));
    fixture_release(&f, "go");

    g_autoptr(GVariant) result = wait_for(second);
    assert_state(first, "finished");
}

/* ---- names ----------------------------------------------------------------------------------- */

static void a_name_is_refused_queued_or_replaced(void)
{
    g_autoptr(GError) error = NULL;
    guint64 first = run("import", "", "wait-term", NULL);

    g_assert_cmpuint(run("import", "", "exit=0", &error), ==, 0);
    g_assert_nonnull(strstr(error->message, "a job of this name is queued or runs"));
    guint64 behind = run("import", "same_name: queue\n", "exit=0", NULL);
    assert_state(behind, "queued");
    guint64 replacing = run("import", "same_name: replace\n", "result=new", NULL);

    g_autoptr(GVariant) a = wait_for(first), b = wait_for(behind), c = wait_for(replacing);
    g_assert_cmpstr(dict_text(a, "Result"), ==, "cancelled");
    g_assert_cmpstr(dict_text(b, "Result"), ==, "cancelled");
    g_assert_cmpstr(dict_text(c, "Result"), ==, "succeeded");
}

static void a_cancelled_job_is_gone_and_can_be_forgotten(void)
{
    guint64 job = run("a", "", "wait-term", NULL);
    g_autofree char *path = g_strdup_printf("/org/proctor1/job/%" G_GUINT64_FORMAT, job);
    g_autoptr(GError) early = NULL;

    g_assert_null(fixture_call(&f, path, "org.proctor1.Job", "Forget",
                               g_variant_new("(a{sv})", NULL), &early));
    cancel(job);
    g_autoptr(GVariant) result = wait_for(job);
    g_assert_cmpstr(dict_text(result, "Result"), ==, "cancelled");
    fixture_wait_removed(&f, "jobs/1");
    g_autoptr(GVariant) forgotten =
        fixture_call(&f, path, "org.proctor1.Job", "Forget", g_variant_new("(a{sv})", NULL), NULL);
    g_autoptr(GError) gone = NULL;
    g_assert_null(fixture_call(&f, path, "org.proctor1.Job", "Wait", NULL, &gone));
}

static void a_job_can_not_be_held(void)
{
    g_autoptr(GError) error = NULL;

    run("a", "", "wait-term", NULL);
    g_autoptr(GVariant) refused =
        fixture_call(&f, "/org/proctor1/child/jobs/_31", "org.proctor1.Child", "Pause",
                     g_variant_new("(sa{sv})", "test", NULL), &error);

    g_assert_null(refused);
    g_assert_nonnull(strstr(error->message, "a job runs once"));
}

/* ---- the shutdown ---------------------------------------------------------------------------- */

static char *told;

static void told_of(GObject *source, GAsyncResult *answer, gpointer data)
{
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), answer, NULL);
    g_autoptr(GVariant) result = reply ? g_variant_get_child_value(reply, 0) : NULL;
    (void)data;

    told = g_strdup(result ? dict_text(result, "Result") : "no answer");
}

static void a_shutdown_cuts_jobs(void)
{
    run("a", "", "wait-term", NULL);
    told = NULL;
    g_dbus_connection_call(f.bus, "org.proctor1", "/org/proctor1/job/1", "org.proctor1.Job", "Wait",
                           NULL, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, told_of, NULL);
    g_autoptr(GVariant) shutdown =
        fixture_manager(&f, "Shutdown", g_variant_new("(sa{sv})", "test", NULL), NULL);
    while (!told)
        g_main_context_iteration(NULL, TRUE);

    g_assert_cmpstr(told, ==, "supervisor-stopped");
    g_free(told);
    g_assert_cmpint(fixture_wait_end(&f), ==, 0);
}

/* ---- found by name --------------------------------------------------------------------------- */

static char *metrics(void)
{
    g_autoptr(GVariant) reply = fixture_manager(&f, "GetMetrics", NULL, NULL);
    char *text;

    g_variant_get(reply, "(s)", &text);
    return text;
}

/* The value of a sample; -1 where there is none. */
static double sample(const char *text, const char *name)
{
    g_autofree char *line = g_strdup_printf("\n%s ", name);
    const char *found = strstr(text, line);

    return found ? g_ascii_strtod(found + strlen(line), NULL) : -1;
}

static void jobs_are_listed(void)
{
    guint64 number, queued, started, finished;
    const char *name, *state, *result;

    fixture_fifo(&f, "go");
    g_autofree char *waits = g_strdup_printf("wait=%s", fixture_path(&f, "go"));
    g_autoptr(GVariant) failed = wait_for(run("nightly", "", "exit=3", NULL));
    run("nightly", "same_name: queue\n", waits, NULL);
    run("nightly", "same_name: queue\n", "exit=0", NULL);
    assert_state(2, "running");

    g_autoptr(GVariant) reply = fixture_manager(&f, "ListJobs", NULL, NULL);
    g_assert_cmpstr(g_variant_get_type_string(reply), ==, "(a(tsssttt))");
    g_autoptr(GVariant) rows = g_variant_get_child_value(reply, 0);
    g_assert_cmpuint(g_variant_n_children(rows), ==, 3);
    g_variant_get_child(rows, 0, "(t&s&s&sttt)", &number, &name, &state, &result, &queued, &started,
                        &finished);
    g_assert_cmpuint(number, ==, 1);
    g_assert_cmpstr(name, ==, "nightly");
    g_assert_cmpstr(state, ==, "finished");
    g_assert_cmpstr(result, ==, "failed");
    g_assert_cmpuint(queued, <=, started);
    g_assert_cmpuint(started, <=, finished);
    g_assert_cmpint((gint64)finished, <=, g_get_real_time());
    g_assert_cmpint((gint64)queued, >, g_get_real_time() - 60 * G_USEC_PER_SEC);
    g_variant_get_child(rows, 2, "(t&s&s&sttt)", &number, &name, &state, &result, &queued, &started,
                        &finished);
    g_assert_cmpstr(state, ==, "queued");
    g_assert_cmpstr(result, ==, "");
    g_assert_cmpuint(queued, >, 0);
    g_assert_cmpuint(started, ==, 0);
    g_assert_cmpuint(finished, ==, 0);
    fixture_release(&f, "go");
    g_autoptr(GVariant) last = wait_for(3);
}

/* test_measure_blocking_emits_metrics of the seeds: both histograms, by the job's name. */
static void both_times_are_measured_by_name(void)
{
    fixture_fifo(&f, "go");
    g_autofree char *waits = g_strdup_printf("wait=%s", fixture_path(&f, "go"));
    g_autoptr(GVariant) good = wait_for(run("blocking", "", "result=42", NULL));
    g_autoptr(GVariant) bad = wait_for(run("blocking", "", "exit=3", NULL));
    run("blocking", "", waits, NULL);
    run("blocking", "same_name: queue\n", "exit=0", NULL);
    assert_state(3, "running");
    g_autofree char *text = metrics();

    g_assert_cmpfloat(sample(text, "proctor_job_wall_seconds_count{name=\"blocking\"}"), ==, 2);
    g_assert_cmpfloat(sample(text, "proctor_job_cpu_seconds_count{name=\"blocking\"}"), ==, 2);
    g_assert_cmpfloat(sample(text, "proctor_job_wall_seconds_sum{name=\"blocking\"}"), ==,
                      (double)(dict_number(good, "WallUSec") + dict_number(bad, "WallUSec")) / 1e6);
    g_assert_cmpfloat(sample(text, "proctor_job_cpu_seconds_sum{name=\"blocking\"}"), ==,
                      (double)(dict_number(good, "CPUUSec") + dict_number(bad, "CPUUSec")) / 1e6);
    g_assert_cmpfloat(
        sample(text, "proctor_job_wall_seconds_bucket{name=\"blocking\",le=\"+Inf\"}"), ==, 2);
    g_assert_cmpfloat(
        sample(text, "proctor_job_results_total{name=\"blocking\",result=\"succeeded\"}"), ==, 1);
    g_assert_cmpfloat(
        sample(text, "proctor_job_results_total{name=\"blocking\",result=\"failed\"}"), ==, 1);
    g_assert_cmpfloat(sample(text, "proctor_jobs{name=\"blocking\",state=\"running\"}"), ==, 1);
    g_assert_cmpfloat(sample(text, "proctor_jobs{name=\"blocking\",state=\"queued\"}"), ==, 1);
    fixture_release(&f, "go");
    g_autoptr(GVariant) last = wait_for(4);
}

static char *tool(const char *json, const char *pattern)
{
    g_autofree char *address = g_strdup_printf("--address=%s", f.address);
    char *command[] = {(char *)g_getenv("PROCTORCTL"),
                       address,
                       (char *)json,
                       (char *)"--no-legend",
                       (char *)"jobs",
                       (char *)pattern,
                       NULL};
    char *output;
    int status;

    g_assert_true(g_spawn_sync(NULL, command, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL,
                               &status, NULL));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    return output;
}

static void the_tool_finds_jobs_by_name(void)
{
    g_autoptr(GVariant) first = wait_for(run("nightly", "", "exit=3", NULL));
    g_autoptr(GVariant) second = wait_for(run("hourly", "", "exit=0", NULL));
    g_autofree char *text = tool("--json=off", "night*"), *by_number = tool("--json=off", "2"),
                    *none = tool("--json=off", "weekly"), *json = tool("--json=short", "night*");

    g_assert_true(g_regex_match_simple("^nightly +1 +finished +failed +[0-9: -]+ [0-9.]+ .?s\n$",
                                       text, 0, 0));
    g_assert_true(g_regex_match_simple("^hourly +2 +finished +succeeded ", by_number, 0, 0));
    g_assert_cmpstr(none, ==, "");
    g_assert_true(g_regex_match_simple(
        "^\\[\\{\"id\":1,\"name\":\"nightly\",\"state\":\"finished\",\"result\":\"failed\","
        "\"queued_usec\":[0-9]+,\"started_usec\":[0-9]+,\"finished_usec\":[0-9]+\\}\\]\n$",
        json, 0, 0));
}

#define NAMES_MAX 256

static void finish_names(guint first, guint last)
{
    for (guint i = first; i <= last; i++) {
        g_autofree char *name = g_strdup_printf("n%u", i);
        run(name, "", "exit=0", NULL);
    }
    for (guint i = first; i <= last; i++)
        g_variant_unref(wait_for(i));
}

static void assert_names(const char *first_that_counts, double forgotten)
{
    g_autofree char *text = metrics();
    g_autofree char *name = g_strdup_printf(
        "proctor_job_results_total{name=\"%s\",result=\"succeeded\"}", first_that_counts);

    g_assert_cmpfloat(sample(text, name), ==, 1);
    g_assert_cmpfloat(sample(text, "proctor_job_names_forgotten_total"), ==, forgotten);
    g_assert_cmpfloat(sample(text, "proctor_jobs_of_other_names"), ==, 0);
}

static void only_so_many_names_are_measured(void)
{
    g_autofree char *gone = NULL;

    finish_names(1, 1); /* it ends first */
    finish_names(2, NAMES_MAX - 1);
    assert_names("n1", 0);
    finish_names(NAMES_MAX, NAMES_MAX);
    assert_names("n1", 0);
    finish_names(NAMES_MAX + 1, NAMES_MAX + 1);
    assert_names("n257", 1);
    gone = metrics();
    g_assert_cmpfloat(sample(gone, "proctor_job_wall_seconds_count{name=\"n1\"}"), ==, -1);
}

/* ---- proctorctl ------------------------------------------------------------------------------ */

static void the_tool_passes_the_result_and_the_code_on(void)
{
    g_autofree char *text = job_text("greet", "", "result=hello");
    g_autofree char *output = NULL;
    int status;

    g_assert_true(g_file_set_contents(fixture_path(&f, "job.yaml"), text, -1, NULL));
    char *command[] = {(char *)g_getenv("PROCTORCTL"),
                       (char *)g_strdup_printf("--address=%s", f.address),
                       (char *)"run",
                       (char *)fixture_path(&f, "job.yaml"),
                       (char *)"--",
                       (char *)"result= world",
                       (char *)"exit=7",
                       NULL};
    g_assert_true(g_spawn_sync(NULL, command, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL,
                               &status, NULL));
    g_free(command[1]);

    g_assert_cmpstr(output, ==, "hello world");
    g_assert_cmpint(WEXITSTATUS(status), ==, 7);
}

static void the_tool_shows_the_result_while_it_comes(void)
{
    g_autofree char *steps = NULL, *text = NULL,
                    *address = g_strdup_printf("--address=%s", f.address);
    char first[8] = "", rest[8] = "";
    int output, status;
    GPid pid;

    fixture_fifo(&f, "go");
    steps = g_strdup_printf("result=one, \"wait=%s\", result=two", fixture_path(&f, "go"));
    text = job_text("slow", "", steps);
    g_assert_true(g_file_set_contents(fixture_path(&f, "job.yaml"), text, -1, NULL));
    char *command[] = {(char *)g_getenv("PROCTORCTL"), address, (char *)"run",
                       (char *)fixture_path(&f, "job.yaml"), NULL};
    g_assert_true(g_spawn_async_with_pipes(NULL, command, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                           NULL, &pid, NULL, &output, NULL, NULL));
    g_assert_cmpint(read(output, first, 3), ==, 3); /* while the job waits for us */
    g_assert_cmpstr(first, ==, "one");
    fixture_release(&f, "go");
    g_assert_cmpint(read(output, rest, 3), ==, 3);
    g_assert_cmpstr(rest, ==, "two");
    g_assert_cmpint(read(output, rest, 1), ==, 0);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    close(output);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", a_result_comes_back_whole);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", an_end_has_its_name);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", a_large_result_is_cut_and_says_so);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", a_hundred_jobs_share_eight_places);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", sixteen_jobs_are_never_more_than_eight);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", a_job_is_listed_by_its_name_while_it_runs);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", max_jobs_has_a_limit_of_its_own);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", no_more_than_max_jobs_run);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", a_name_is_refused_queued_or_replaced);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", a_cancelled_job_is_gone_and_can_be_forgotten);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", a_job_can_not_be_held);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", a_shutdown_cuts_jobs);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", jobs_are_listed);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", both_times_are_measured_by_name);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", the_tool_finds_jobs_by_name);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", only_so_many_names_are_measured);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", the_tool_passes_the_result_and_the_code_on);
    FIXTURE_TEST(&f, NULL, "/daemon/jobs", the_tool_shows_the_result_while_it_comes);
    return g_test_run();
}
