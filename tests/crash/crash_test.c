/*
 * Crash test: a real proctord with real processes is killed again and again, at a random time or at
 * its Nth system call, under a load of commands, jobs and children that crash; now and then it is
 * replaced in place before it dies. After each death the next one must have every child exactly
 * once, know every command that had been acknowledged, and go on with the generations.
 *
 *   crash-test [--kills N] [--seed N] [--sweep]
 *   crash-test --faults ROUND [--from N] [--every N] [--until N]
 *
 * Every other death is at a system call: a random one of the first 4,000 stops, or with --sweep the
 * first, the second, the third ... With --faults no kills: each time another system call of
 * proctord fails, once, with the error number ROUND of those that it can have: it does not die,
 * every call is answered, and in the end every child is as it should be. Prints TAP and figures.
 * Needs PROCTORD, TEST_CHILD, KILL_AT and FAIL_AT; NO_CGROUPS=1 is as --no-cgroups.
 */
#include "fixture.h"

#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANAGER   "/org/proctor1"
#define STEADY    4
#define FLAKY     5
#define MANAGED   6  /* commands are for these */
#define AT_ONCE   4  /* commands under way */
#define JOBS_MAX  40 /* not yet known to be over */
#define STOPS     4000
#define PATIENCE  (15 * G_USEC_PER_SEC)
#define CALL_MSEC 5000

/* A child that gets commands, one at a time. */
struct managed {
    const char *operation; /* as acknowledged; NULL: a command is in doubt */
    gboolean busy;
};

struct seen {
    guint64 generation, attempt;
    guint pid;
};

/* The answer may be read long after it was sent: what counts for the audit is when it was asked. */
struct acknowledged {
    char *reason;
    guint64 asked_usec; /* CLOCK_REALTIME */
};

static struct {
    char *folder, *notify;
    GPid proctord;
    int output;
    GDBusConnection *bus;
    guint64 round; /* answers of earlier ones do not count */
    struct managed managed[MANAGED];
    guint under_way;
    GHashTable *seen; /* of each child */
    GArray *fresh;    /* struct acknowledged: since the last look */
    GPtrArray *jobs;  /* files of acknowledged jobs */
    guint64 next, acknowledged, kills, at_calls, deepest, upgrades;
    GRand *random;
    gboolean faulty; /* commands may fail, but not without a word */
    guint unanswered;
} t;

/* Whoever waits for the end of our output waits for theirs too. Orphans become our children. */
static void kill_descendants(void)
{
    g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int)getpid());
    gint64 end = g_get_monotonic_time() + PATIENCE;

    for (gboolean any = TRUE; any && g_get_monotonic_time() < end;) {
        g_autofree char *list = NULL;
        if (!g_file_get_contents(path, &list, NULL, NULL))
            return;
        any = FALSE;
        for (char *at = list, *next; strtol(at, &next, 10) > 0; at = next) {
            kill((pid_t)strtol(at, NULL, 10), SIGKILL);
            any = TRUE;
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_print("not ok 1 - kill %" G_GUINT64_FORMAT ": %s\n# left in %s\n", t.kills, text, t.folder);
    if (t.proctord)
        kill(t.proctord, SIGKILL);
    kill_descendants();
    fflush(stdout);
    _exit(1);
}

/* ---- proctord -------------------------------------------------------------------------------- */

static void write_tree(void)
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

static gboolean has_ended(void)
{
    siginfo_t info = {};

    return waitid(P_PID, (id_t)t.proctord, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == t.proctord;
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

/* tool: what it is started under, with its arguments; NULL: nothing. Returns whether there is a bus
 * to talk to it. */
static gboolean start_under(const char *const *tool)
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
    if (g_getenv("NO_CGROUPS"))
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

/* stop: where it is to die, as kill-at has it; NULL: it is not. */
static gboolean start(const char *stop)
{
    const char *const tool[] = {g_getenv("KILL_AT"), stop, NULL};
    return start_under(stop ? tool : NULL);
}

/* It is dead: whose answer has not come is in doubt. */
static void forget(void)
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
        if (g_str_has_prefix(name, "org.proctor1.") && !t.faulty)
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

static void run_job(void)
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
    managed->operation = NULL;
    managed->busy = TRUE;
    g_autofree char *path = g_strdup_printf(MANAGER "/child/managed_2d%d", i);
    call(order, path, "org.proctor1.Child", verbs[verb], NULL);
}

static void keep_busy(void)
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

static gboolean wake(gpointer data)
{
    (void)data;
    return G_SOURCE_CONTINUE;
}

static gboolean is_dead(int *status)
{
    return waitpid(t.proctord, status, WNOHANG) == t.proctord;
}

/* Gives orders until proctord is dead. */
static void work_until_dead(int *status)
{
    gint64 end = g_get_monotonic_time() + PATIENCE;

    while (!is_dead(status)) {
        if (g_get_monotonic_time() > end)
            fail("it was not killed in time");
        keep_busy();
        g_main_context_iteration(NULL, TRUE);
    }
}

static void work_for(gint64 usec)
{
    for (gint64 end = g_get_monotonic_time() + usec; g_get_monotonic_time() < end;) {
        keep_busy();
        g_main_context_iteration(NULL, TRUE);
    }
}

/* Answers that were sent before the death may still be read. */
static void read_what_is_left(void)
{
    for (gint64 end = g_get_monotonic_time() + 20000; g_get_monotonic_time() < end;)
        g_main_context_iteration(NULL, TRUE);
}

/* ---- what is there --------------------------------------------------------------------------- */

/* A fault may cost proctord its connection: it takes it up again. */
static GVariant *ask(const char *interface, const char *method, GVariant *arguments)
{
    gint64 end = t.faulty ? g_get_monotonic_time() + PATIENCE : 0;
    g_autoptr(GVariant) kept = arguments ? g_variant_ref_sink(arguments) : NULL;

    for (;;) {
        g_autoptr(GError) error = NULL;
        GVariant *reply = g_dbus_connection_call_sync(
            t.bus, "org.proctor1", MANAGER, interface, method, kept, NULL,
            G_DBUS_CALL_FLAGS_NO_AUTO_START, CALL_MSEC * 2, NULL, &error);
        if (reply)
            return reply;
        if (g_get_monotonic_time() > end)
            fail("%s: %s", method, error->message);
        g_main_context_iteration(NULL, TRUE);
    }
}

/* Child id to struct seen. */
static GHashTable *look(GHashTable **operations)
{
    GHashTable *found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GVariant) reply =
        ask("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL);
    g_autoptr(GVariantIter) objects = NULL;
    GVariant *interfaces;

    if (operations)
        *operations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_variant_get(reply, "(a{oa{sa{sv}}})", &objects);
    while (g_variant_iter_next(objects, "{o@a{sa{sv}}}", NULL, &interfaces)) {
        g_autoptr(GVariant) child =
            g_variant_lookup_value(interfaces, "org.proctor1.Child", G_VARIANT_TYPE_VARDICT);
        struct seen *seen = g_new0(struct seen, 1);
        char *id = NULL;
        g_variant_unref(interfaces);
        if (!child || !g_variant_lookup(child, "Id", "s", &id)) {
            g_free(seen);
            continue;
        }
        g_variant_lookup(child, "Generation", "t", &seen->generation);
        g_variant_lookup(child, "Attempt", "t", &seen->attempt);
        g_variant_lookup(child, "MainPID", "u", &seen->pid);
        if (operations)
            g_hash_table_insert(*operations, g_strdup(id), g_strdup(dict_text(child, "Operation")));
        g_hash_table_insert(found, id, seen);
    }
    return found;
}

static const char *variable(const char *block, gsize size, const char *name)
{
    gsize length = strlen(name);

    for (const char *at = block; at < block + size; at += strlen(at) + 1)
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    return NULL;
}

/* Child id to an array of PIDs, of what runs with our notify socket in its environment. */
static GHashTable *scan(void)
{
    GHashTable *found =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);

    for (const char *name; (name = g_dir_read_name(proc));) {
        g_autofree char *path = g_build_filename("/proc", name, "environ", NULL);
        g_autofree char *block = NULL;
        guint pid = (guint)strtoul(name, NULL, 10);
        gsize size;
        if (pid == 0 || !g_file_get_contents(path, &block, &size, NULL))
            continue;
        const char *notify = variable(block, size, "NOTIFY_SOCKET");
        const char *child = variable(block, size, "PROCTOR_CHILD");
        if (!notify || !child || strcmp(notify, t.notify) != 0)
            continue;
        GArray *pids = g_hash_table_lookup(found, child);
        if (!pids) {
            pids = g_array_new(FALSE, FALSE, sizeof(guint));
            g_hash_table_insert(found, g_strdup(child), pids);
        }
        g_array_append_val(pids, pid);
    }
    return found;
}

static gboolean has(const GArray *pids, guint pid)
{
    for (guint i = 0; pids && i < pids->len; i++)
        if (g_array_index(pids, guint, i) == pid)
            return TRUE;
    return FALSE;
}

/* Two at the same time: those of one scan that are there in the next one too. */
static void check_nobody_runs_twice(GHashTable *first, GHashTable *second)
{
    GHashTableIter iter;
    gpointer id, value;

    g_hash_table_iter_init(&iter, first);
    while (g_hash_table_iter_next(&iter, &id, &value)) {
        const GArray *before = value, *after = g_hash_table_lookup(second, id);
        guint both = 0;
        for (guint i = 0; i < before->len; i++)
            both += has(after, g_array_index(before, guint, i));
        if (both > 1)
            fail("%s runs %u times", (const char *)id, both);
    }
}

/* Exactly the process that proctord says, or none where it says none. */
static gboolean agrees(GHashTable *before, GHashTable *after, GHashTable *processes, gpointer id)
{
    const struct seen *a = g_hash_table_lookup(before, id), *b = g_hash_table_lookup(after, id);
    const GArray *pids = g_hash_table_lookup(processes, id);

    if (!a || !b)
        return FALSE;
    if (b->generation > a->generation)
        return TRUE; /* it is restarted all the time, as it should be */
    if (a->attempt != b->attempt || a->pid != b->pid)
        return FALSE;
    return a->pid > 0 ? pids && pids->len == 1 && has(pids, a->pid) : !pids;
}

static void disagree(const char *id, GHashTable *now, GHashTable *processes)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const GArray *pids = g_hash_table_lookup(processes, id);
    const struct seen *seen = g_hash_table_lookup(now, id);

    for (guint i = 0; pids && i < pids->len; i++)
        g_string_append_printf(text, " %u", g_array_index(pids, guint, i));
    fail("%s: proctord says %u, /proc has%s", id, seen ? seen->pid : 0, text->str);
}

static void check_processes(void)
{
    g_autoptr(GHashTable) done = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gint64 end = g_get_monotonic_time() + PATIENCE;
    const char *odd = NULL;

    do {
        g_autoptr(GHashTable) before = look(NULL);
        g_autoptr(GHashTable) first = scan();
        g_autoptr(GHashTable) second = scan();
        g_autoptr(GHashTable) after = look(NULL);
        GHashTableIter iter;
        gpointer id;

        check_nobody_runs_twice(first, second);
        odd = NULL;
        g_hash_table_iter_init(&iter, before);
        while (g_hash_table_iter_next(&iter, &id, NULL)) {
            if (!g_str_has_prefix(id, "jobs/") && !g_hash_table_contains(done, id)) {
                if (agrees(before, after, first, id))
                    g_hash_table_add(done, g_strdup(id));
                else
                    odd = g_intern_string(id);
            }
        }
        if (g_get_monotonic_time() > end)
            disagree(odd, after, first);
    } while (odd);
}

static void remember(const char *id, const struct seen *now)
{
    const struct seen *was = g_hash_table_lookup(t.seen, id);
    struct seen *copy = g_memdup2(now, sizeof(*now));

    if (was)
        copy->attempt = MAX(copy->attempt, was->attempt);
    g_hash_table_insert(t.seen, g_strdup(id), copy);
}

static void check_identities(void)
{
    g_autoptr(GHashTable) operations = NULL;
    g_autoptr(GHashTable) now = look(&operations);
    GHashTableIter iter;
    gpointer id, value;

    g_hash_table_iter_init(&iter, t.seen);
    while (g_hash_table_iter_next(&iter, &id, &value)) {
        const struct seen *was = value, *is = g_hash_table_lookup(now, id);
        if (!is)
            fail("%s is not there any more", (const char *)id);
        /* 0: no attempt is active */
        if (is->generation < was->generation || (is->attempt > 0 && is->attempt < was->attempt))
            fail("%s has gone back from %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT
                 " to %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT,
                 (const char *)id, was->generation, was->attempt, is->generation, is->attempt);
        if (g_str_has_prefix(id, "steady-") && was->pid > 0 && is->pid != was->pid)
            fail("%s was %u and is %u, and had no reason to end", (const char *)id, was->pid,
                 is->pid);
    }
    for (int i = 0; i < MANAGED; i++) {
        g_autofree char *name = g_strdup_printf("managed-%d", i);
        const char *is = g_hash_table_lookup(operations, name);
        if (t.managed[i].operation && g_strcmp0(is, t.managed[i].operation) != 0)
            fail("%s was acknowledged as %s and is %s", name, t.managed[i].operation, is);
        t.managed[i].operation = g_intern_string(is);
    }
    g_hash_table_iter_init(&iter, now);
    while (g_hash_table_iter_next(&iter, &id, &value))
        if (!g_str_has_prefix(id, "jobs/"))
            remember(id, value);
}

/* All lines since then. */
static GString *read_audit(guint64 since)
{
    GString *all = g_string_new(NULL);

    for (guint64 from = since;;) {
        GVariantBuilder filter;
        g_autoptr(GVariantIter) lines = NULL;
        guint64 time = from, sequence;
        const char *kind, *child, *text;
        g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
        g_autoptr(GVariant) reply =
            ask("org.proctor1.Manager", "QueryAudit", g_variant_new("(tua{sv})", from, 0, &filter));
        g_variant_get(reply, "(a(ttsss))", &lines);
        if (g_variant_iter_n_children(lines) == 0)
            return all;
        while (g_variant_iter_next(lines, "(tt&s&s&s)", &sequence, &time, &kind, &child, &text))
            g_string_append_printf(all, "%s\n", text);
        from = time + 1;
    }
}

/* Everything that was acknowledged since the last look is in the audit. */
static void check_audit(void)
{
    guint64 since = G_MAXUINT64;

    for (guint i = 0; i < t.fresh->len; i++)
        since = MIN(since, g_array_index(t.fresh, struct acknowledged, i).asked_usec);
    /* The wall clock may be set back while we look. */
    g_autoptr(GString) all = read_audit(t.fresh->len > 0 ? since - G_USEC_PER_SEC : since);
    for (guint i = 0; i < t.fresh->len; i++) {
        const struct acknowledged *order = &g_array_index(t.fresh, struct acknowledged, i);
        if (!strstr(all->str, order->reason))
            fail("the audit does not know \"%s\", which was asked for at %" G_GUINT64_FORMAT
                 " and acknowledged:\n%s",
                 order->reason, order->asked_usec, all->str);
    }
    g_array_set_size(t.fresh, 0);
}

static guint lines_of(const char *path)
{
    g_autofree char *text = NULL;
    guint lines = 0;

    if (g_file_get_contents(path, &text, NULL, NULL))
        for (const char *at = text; (at = strchr(at, '\n')); at++)
            lines++;
    return lines;
}

/* Each acknowledged job runs once; where it must be over by now, it has. */
static void check_jobs(gboolean all)
{
    gint64 end = g_get_monotonic_time() + PATIENCE;

    for (guint i = 0; i < t.jobs->len;) {
        guint lines = lines_of(t.jobs->pdata[i]);
        if (lines > 1)
            fail("%s ran %u times", (const char *)t.jobs->pdata[i], lines);
        if (lines == 1) {
            i++;
            continue;
        }
        if (!all)
            return;
        if (g_get_monotonic_time() > end)
            fail("%s was acknowledged and never ran", (const char *)t.jobs->pdata[i]);
        g_main_context_iteration(NULL, TRUE);
    }
    for (guint i = 0; i < t.jobs->len; i++)
        g_unlink(t.jobs->pdata[i]);
    g_ptr_array_set_size(t.jobs, 0);
}

static void check(gboolean all)
{
    check_identities();
    check_processes();
    check_audit();
    check_jobs(all);
}

/* ---- a process of which nobody has taken note ---------------------------------------------------
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
 * looks. The first clone is the private bus's. */
static void an_attempt_that_nobody_saw_runs_once(void)
{
    g_autofree char *file = g_strdup_printf("%s/job-%" G_GUINT64_FORMAT, t.folder, t.next + 1);
    gint64 end = g_get_monotonic_time() + PATIENCE;
    int status;

    if (!start("clone:2"))
        fail("it does not start");
    run_job();
    while (!has_ended())
        g_main_context_iteration(NULL, TRUE);
    waitpid(t.proctord, &status, 0);
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
    waitpid(t.proctord, NULL, 0);
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

static void die_at_some_time(void)
{
    work_for(g_rand_int_range(t.random, 0, 30000));
    if (g_rand_int_range(t.random, 0, 3) == 0) {
        kill(t.proctord, SIGUSR1);
        t.upgrades++;
        work_for(g_rand_int_range(t.random, 0, 30000));
    }
    kill(t.proctord, SIGKILL);
    waitpid(t.proctord, NULL, 0);
    read_what_is_left();
    forget();
}

static void torment(guint64 kills, gboolean sweep)
{
    for (guint64 stop = 1; t.kills < kills; stop++) {
        if (!start(NULL))
            fail("it does not start");
        check(FALSE);
        die_at_some_time();
        if (t.kills < kills)
            die_at_a_call(sweep ? stop : (guint64)g_rand_int_range(t.random, 1, STOPS));
    }
    if (!start(NULL))
        fail("it does not start");
    check(TRUE);
}

static void shut_down(void)
{
    int status;

    kill(t.proctord, SIGTERM);
    waitpid(t.proctord, &status, 0);
    t.proctord = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail("it does not end well: status %x", status);
    g_autoptr(GHashTable) left = scan();
    GHashTableIter iter;
    gpointer id, pids;
    g_hash_table_iter_init(&iter, left);
    while (g_hash_table_iter_next(&iter, &id, &pids))
        fail("%s is left, as process %u", (const char *)id,
             g_array_index((GArray *)pids, guint, 0));
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", t.folder);
    if (system(command) != 0)
        fail("%s: can not be removed", t.folder);
}

/* ---- faults ---------------------------------------------------------------------------------- */

struct tally {
    guint injected, refused; /* refused: it did not start, and said why */
};

static void wait_for_steady(void)
{
    gint64 end = g_get_monotonic_time() + PATIENCE;

    for (int i = 0; i < STEADY;) {
        g_autoptr(GHashTable) now = look(NULL);
        g_autofree char *id = g_strdup_printf("steady-%d", i);
        const struct seen *steady = g_hash_table_lookup(now, id);
        if (steady && steady->pid > 0)
            i++;
        else if (g_get_monotonic_time() > end)
            fail("%s does not come back", id);
    }
}

/* A fixed piece of work, so that the Nth call is about the same each time. */
static void work_under_fault(void)
{
    gint64 end = g_get_monotonic_time() + PATIENCE;

    t.unanswered = 0;
    for (int i = 0; i < 3; i++) {
        keep_busy();
        while (t.under_way > 0 && g_get_monotonic_time() < end && !has_ended())
            g_main_context_iteration(NULL, TRUE);
    }
    if (has_ended())
        fail("it died");
    if (t.under_way > 0 || t.unanswered > 0)
        fail("%u calls were not answered", t.under_way + t.unanswered);
}

static void end_after_fault(gboolean kill_it)
{
    int status;

    kill(t.proctord, kill_it ? SIGKILL : SIGTERM);
    waitpid(t.proctord, &status, 0);
    if (!kill_it && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        fail("it does not end well: status %x", status);
    forget();
    g_ptr_array_set_size(t.jobs, 0);
    g_array_set_size(t.fresh, 0);
}

/* Returns what failed, NULL where it has not come so far. */
static char *run_with_fault(gint64 n, gint64 round, struct tally *tally)
{
    g_autofree char *at = g_strdup_printf("%" G_GINT64_FORMAT, n);
    g_autofree char *which = g_strdup_printf("%" G_GINT64_FORMAT, round);
    g_autofree char *report = g_build_filename(t.folder, "report", NULL);
    const char *const tool[] = {g_getenv("FAIL_AT"), at, which, NULL};
    char *text = NULL;
    int status;

    g_unlink(report);
    g_setenv("FAIL_AT_REPORT", report, TRUE);
    if (start_under(tool)) {
        work_under_fault();
        wait_for_steady();
        check_processes();
        check_jobs(FALSE);
        end_after_fault(n % 2 == 0);
    } else {
        waitpid(t.proctord, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
            fail("it does not start, and ends with status %x", status);
        forget();
        tally->refused++;
    }
    g_file_get_contents(report, &text, NULL, NULL);
    if (text && text[0] == '\0')
        g_clear_pointer(&text, g_free);
    return text;
}

static void inject_faults(gint64 round, gint64 from, gint64 every, gint64 until)
{
    struct tally tally = {};

    t.faulty = TRUE;
    for (gint64 n = from; n <= until; n += every) {
        t.kills = (guint64)n; /* for what is said where it fails */
        g_autofree char *report = run_with_fault(n, round, &tally);
        if (!report)
            break;
        tally.injected += !strstr(report, "nothing");
    }
    if (!start(NULL))
        fail("it does not start");
    wait_for_steady();
    shut_down();
    g_print("1..1\nok 1 - %u system calls failed once each, %u of them before it was up\n",
            tally.injected, tally.refused);
}

int main(int argc, char **argv)
{
    gint64 kills = 100, seed = 1;
    gboolean sweep = FALSE;
    gint64 faults = -1, from = 1, every = 1, until = G_MAXINT64;
    const GOptionEntry options[] = {
        {"kills", 0, 0, G_OPTION_ARG_INT64, &kills, "so many", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "of when and what", "N"},
        {"faults", 0, 0, G_OPTION_ARG_INT64, &faults, "which error of each call", "ROUND"},
        {"from", 0, 0, G_OPTION_ARG_INT64, &from, "the first call that fails", "N"},
        {"every", 0, 0, G_OPTION_ARG_INT64, &every, "each so many", "N"},
        {"until", 0, 0, G_OPTION_ARG_INT64, &until, "the last", "N"},
        {"sweep", 0, 0, G_OPTION_ARG_NONE, &sweep, "system calls one after the other", NULL},
        {}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    fixture_become_init();
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        g_error("%s", error->message);
    t.random = g_rand_new_with_seed((guint32)seed);
    t.folder = g_dir_make_tmp("proctor-crash-XXXXXX", NULL);
    t.notify = g_build_filename(t.folder, "run", "notify", NULL);
    t.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    t.fresh = g_array_new(FALSE, FALSE, sizeof(struct acknowledged));
    g_array_set_clear_func(t.fresh, free_acknowledged);
    t.jobs = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *manifests = g_build_filename(t.folder, "children.d", NULL);
    g_mkdir(manifests, 0755);
    g_timeout_add(2, wake, NULL);
    gint64 began = g_get_monotonic_time();

    if (faults >= 0) {
        write_tree();
        inject_faults(faults, from, every, until);
        return 0;
    }
    for (int i = 0; i < 3; i++)
        an_attempt_that_nobody_saw_runs_once();
    write_tree();
    torment((guint64)kills, sweep);
    shut_down();
    g_print("1..1\nok 1 - %" G_GUINT64_FORMAT " kills, %" G_GUINT64_FORMAT
            " of them at a system call (the deepest at stop %" G_GUINT64_FORMAT
            "), %" G_GUINT64_FORMAT " orders acknowledged and found again\n# %" G_GUINT64_FORMAT
            " upgrades, %.1f s, seed %" G_GINT64_FORMAT "\n",
            t.kills, t.at_calls, t.deepest, t.acknowledged, t.upgrades,
            (double)(g_get_monotonic_time() - began) / 1e6, seed);
    return 0;
}
