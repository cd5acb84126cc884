#include "crash.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define AT_ONCE 4 /* commands under way */

struct under_load t;

/* A program that waits for the end of our output waits for theirs too: what we have started names
 * our folder. */
void kill_all_of_ours(void)
{
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);

    for (const char *name; (name = g_dir_read_name(proc));) {
        pid_t pid = (pid_t)strtol(name, NULL, 10);
        if (pid <= 1 || pid == getpid())
            continue;
        for (int i = 0; i < 2; i++) {
            g_autofree char *path =
                g_build_filename("/proc", name, i ? "environ" : "cmdline", NULL);
            g_autofree char *block = NULL;
            gsize size;
            if (g_file_get_contents(path, &block, &size, NULL) &&
                memmem(block, size, t.folder, strlen(t.folder)))
                kill(pid, SIGKILL);
        }
    }
}

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_print("not ok 1 - kill %" G_GUINT64_FORMAT ": %s\n# left in %s\n", t.kills, text, t.folder);
    if (t.proctord)
        kill(t.proctord, SIGKILL);
    kill_all_of_ours();
    fflush(stdout);
    _exit(1);
}

/* ---- proctord -------------------------------------------------------------------------------- */

void write_tree(void)
{
    g_autofree char *path = g_build_filename(t.folder, "children.d", "tree.yaml", NULL);
    g_autoptr(GString) text = g_string_new("children:\n");
    const char *child = g_getenv("TEST_CHILD");
    static const char *const limits =
        "restart: permanent, restart_limit: {burst: 10000, interval: 1h}, "
        "backoff: {initial: 5ms, max: 20ms}, stop: {timeout: 200ms, abort_timeout: 5s}";

    for (int i = 0; i < STEADY; i++)
        g_string_append_printf(text, "  - {name: steady-%d, exec: [%s, ready, wait-term], %s}\n", i,
                               child, limits);
    for (int i = 0; i < FLAKY; i++)
        g_string_append_printf(text, "  - {name: flaky-%d, exec: [%s, live=%d, exit=1], %s}\n", i,
                               child, 10 + i * 25, limits);
    for (int i = 0; i < MANAGED; i++)
        g_string_append_printf(text, "  - {name: managed-%d, exec: [%s, %s], %s}\n", i, child,
                               i % 3 == 2 ? "ignore-term, pause" : "wait-term", limits);
    g_string_append_printf(text,
                           "  - supervisor: group\n    strategy: one-for-all\n"
                           "    restart_limit: {burst: 10000, interval: 1h}\n    children:\n"
                           "      - {name: a, exec: [%s, live=60, exit=1], %s}\n"
                           "      - {name: b, exec: [%s, wait-term], %s}\n",
                           child, limits, child, limits);
    g_assert_true(g_file_set_contents(path, text->str, -1, NULL));
}

static void die_with_the_test(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

gboolean has_ended(void)
{
    siginfo_t info = {};

    return waitid(P_PID, (id_t)t.proctord, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == t.proctord;
}

int wait_for_end(const char *by)
{
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, t.proctord, 0), .events = POLLIN};
    int status = 0;

    if (ended.fd < 0 || poll(&ended, 1, PATIENCE / 1000) <= 0)
        fail("it does not end by %s", by);
    close(ended.fd);
    if (waitpid(t.proctord, &status, 0) != t.proctord)
        fail("its end by %s is somebody else's", by);
    return status;
}

static gboolean wake(gpointer data)
{
    (void)data;
    return G_SOURCE_CONTINUE;
}

void turn(void)
{
    guint timer = g_timeout_add(20, wake, NULL);

    g_main_context_iteration(NULL, TRUE);
    g_source_remove(timer);
}

/* Returns the bus's address; NULL: it was dead before it could say. What it has started may hold
 * the other end of the pipe. */
static char *read_address(void)
{
    g_autoptr(GString) line = g_string_new(NULL);
    struct pollfd ready = {.fd = t.output, .events = POLLIN};
    gint64 end = g_get_monotonic_time() + PATIENCE;
    char byte;

    while (!strchr(line->str, '\n')) {
        gboolean dead = has_ended();
        if (poll(&ready, 1, dead ? 0 : 5) > 0 && read(t.output, &byte, 1) == 1)
            g_string_append_c(line, byte);
        else if (dead)
            return NULL;
        else if (g_get_monotonic_time() > end)
            fail("it does not tell its bus");
    }
    return g_str_has_prefix(line->str, "bus: ") ? g_strdup(g_strstrip(line->str + 5)) : NULL;
}

static void add(GPtrArray *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(GPtrArray *arguments, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    g_ptr_array_add(arguments, g_strdup_vprintf(format, list));
    va_end(list);
}

gboolean start_under(const char *const *tool)
{
    g_autoptr(GPtrArray) arguments = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *address = NULL;
    GError *error = NULL;

    for (; tool && *tool; tool++)
        add(arguments, "%s", *tool);
    add(arguments, "%s", g_getenv("PROCTORD"));
    add(arguments, "--private-bus");
    add(arguments, "--audit-size=1G");
    add(arguments, "--state-dir=%s/state", t.folder);
    add(arguments, "--runtime-dir=%s/run", t.folder);
    add(arguments, "--manifests=%s/children.d", t.folder);
    if (t.faulty)
        add(arguments, "--metrics-socket=%s/metrics", t.folder);
    if (g_strcmp0(g_getenv("NO_CGROUPS"), "1") == 0)
        add(arguments, "--no-cgroups");
    g_ptr_array_add(arguments, NULL);
    if (!g_spawn_async_with_pipes(NULL, (char **)arguments->pdata, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
                                  die_with_the_test, NULL, &t.proctord, NULL, &t.output, NULL,
                                  &error))
        g_error("%s", error->message);
    t.round++;
    address = read_address();
    if (!address)
        return FALSE;
    t.bus =
        g_dbus_connection_new_for_address_sync(address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, NULL);
    if (t.bus)
        g_dbus_connection_set_exit_on_close(t.bus, FALSE);
    return t.bus != NULL;
}

gboolean start(const char *stop)
{
    const char *const tool[] = {g_getenv("KILL_AT"), stop, NULL};
    return start_under(stop ? tool : NULL);
}

void forget(void)
{
    t.proctord = 0;
    t.round++;
    t.under_way = 0;
    for (int i = 0; i < MANAGED; i++)
        t.managed[i].busy = FALSE;
    g_clear_object(&t.bus);
    close(t.output);
    t.kills++;
}

/* ---- load ------------------------------------------------------------------------------------ */

struct call {
    guint64 round;
    int managed; /* -1: a job */
    const char *operation;
    char *reason, *file;
    guint64 asked_usec;
};

static void free_acknowledged(gpointer data)
{
    g_free(((struct acknowledged *)data)->reason);
}

static void free_call(struct call *call)
{
    g_free(call->reason);
    g_free(call->file);
    g_free(call);
}

static void answer_came(GObject *source, GAsyncResult *result, gpointer data)
{
    struct call *call = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    /* An answer is an answer, also where it is read when proctord is dead already. */
    if (reply) {
        t.acknowledged++;
        g_array_append_val(t.fresh, ((struct acknowledged){
                                        .reason = g_steal_pointer(&call->reason),
                                        .asked_usec = call->asked_usec,
                                    }));
        if (call->file)
            g_ptr_array_add(t.jobs, g_strdup(call->file));
    } else if (g_dbus_error_is_remote_error(error)) {
        g_autofree char *name = g_dbus_error_get_remote_error(error);
        if (g_str_has_prefix(name, "org.proctor1.") && !t.faulty && !t.ending)
            fail("\"%s\" was refused: %s", call->reason, error->message);
    }
    if (!reply && !g_dbus_error_is_remote_error(error))
        t.unanswered++;
    if (call->round == t.round) {
        t.under_way--;
        if (call->managed >= 0) {
            t.managed[call->managed].busy = FALSE;
            if (reply)
                t.managed[call->managed].operation = call->operation;
        }
    }
    free_call(call);
}

static void call(struct call *call, const char *path, const char *interface, const char *method,
                 const char *manifest)
{
    GVariantBuilder options;

    call->round = t.round;
    call->asked_usec = (guint64)g_get_real_time();
    call->reason = g_strdup_printf("order-%" G_GUINT64_FORMAT ".", ++t.next);
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_dbus_connection_call(t.bus, "org.proctor1", path, interface, method,
                           manifest ? g_variant_new("(ssa{sv})", manifest, call->reason, &options)
                                    : g_variant_new("(sa{sv})", call->reason, &options),
                           NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START, CALL_MSEC, NULL, answer_came,
                           call);
    t.under_way++;
}

void run_job(void)
{
    g_autofree char *file = g_strdup_printf("%s/job-%" G_GUINT64_FORMAT, t.folder, t.next + 1);
    g_autofree char *manifest =
        g_strdup_printf("name: job-%" G_GUINT64_FORMAT "\nexec: [%s, log=%s, live=20]\n",
                        t.next + 1, g_getenv("TEST_CHILD"), file);
    struct call *job = g_new0(struct call, 1);

    job->managed = -1;
    job->file = g_steal_pointer(&file);
    call(job, MANAGER, "org.proctor1.Manager", "RunJob", manifest);
}

static void give_order(void)
{
    static const char *const verbs[] = {"Restart", "Pause", "Resume", "Quarantine", "Resume"};
    static const char *const becomes[] = {NULL, "paused", "active", "quarantined", "active"};
    int i = g_rand_int_range(t.random, 0, MANAGED), verb = g_rand_int_range(t.random, 0, 5);
    struct managed *managed = &t.managed[i];
    struct call *order;

    if (managed->busy)
        return;
    if (verb == 1 && g_strcmp0(managed->operation, "quarantined") == 0)
        return; /* a pause does not weaken a quarantine */
    order = g_new0(struct call, 1);
    order->managed = i;
    order->operation = becomes[verb] ? becomes[verb] : managed->operation;
    if (verb == 1 && !managed->operation) /* it may be quarantined, and stay so */
        order->operation = NULL;
    managed->operation = NULL;
    managed->busy = TRUE;
    g_autofree char *path = g_strdup_printf(MANAGER "/child/managed_2d%d", i);
    call(order, path, "org.proctor1.Child", verbs[verb], NULL);
}

void keep_busy(void)
{
    while (t.bus && t.under_way < AT_ONCE) {
        guint before = t.under_way;
        if (g_rand_int_range(t.random, 0, 8) == 0 && t.jobs->len < JOBS_MAX)
            run_job();
        else
            give_order();
        if (t.under_way == before)
            break;
    }
}

static gboolean is_dead(int *status)
{
    return waitpid(t.proctord, status, WNOHANG) == t.proctord;
}

/* Gives orders until proctord is dead. */
void work_until_dead(int *status)
{
    gint64 end = g_get_monotonic_time() + PATIENCE;

    while (!is_dead(status)) {
        if (g_get_monotonic_time() > end)
            fail("it was not killed in time");
        keep_busy();
        g_main_context_iteration(NULL, TRUE);
    }
}

void work_for(gint64 usec)
{
    for (gint64 end = g_get_monotonic_time() + usec; g_get_monotonic_time() < end;) {
        keep_busy();
        g_main_context_iteration(NULL, TRUE);
    }
}

/* Answers that were sent before the death may still be read. */
void read_what_is_left(void)
{
    for (gint64 end = g_get_monotonic_time() + 20000; g_get_monotonic_time() < end;)
        g_main_context_iteration(NULL, TRUE);
}

void begin_crash_test(guint32 seed)
{
    t.random = g_rand_new_with_seed(seed);
    t.folder = g_dir_make_tmp("proctor-crash-XXXXXX", NULL);
    t.notify = g_build_filename(t.folder, "run", "notify", NULL);
    t.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    t.fresh = g_array_new(FALSE, FALSE, sizeof(struct acknowledged));
    g_array_set_clear_func(t.fresh, free_acknowledged);
    t.jobs = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *manifests = g_build_filename(t.folder, "children.d", NULL);
    g_mkdir(manifests, 0755);
    g_timeout_add(2, wake, NULL);
}
