#include "crash.h"

#include <gio/gunixsocketaddress.h>

#define IN_VAIN 6 /* runs without a new site, after which there is none */

struct tally {
    GHashTable *injected; /* "openat EMFILE": how often */
    guint refused;        /* it did not start, and said why */
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
static void work_under_fault(int times)
{
    gint64 end = g_get_monotonic_time() + PATIENCE;

    t.unanswered = 0;
    for (int i = 0; i < times; i++) {
        keep_busy();
        while (t.under_way > 0 && g_get_monotonic_time() < end && !has_ended())
            turn();
    }
    if (has_ended())
        fail("it died");
    if (t.under_way > 0 || t.unanswered > 0)
        fail("%u calls were not answered", t.under_way + t.unanswered);
}

/* A child with everything that the others do not have comes, or goes. */
static void change_manifests(gboolean there)
{
    g_autofree char *path = g_build_filename(t.folder, "children.d", EXTRA ".yaml", NULL);
    g_autofree char *text =
        g_strdup_printf("name: " EXTRA "\nexec: [%s, ready, serve]\n"
                        "sockets: [{name: door, listen: %s/door}]\n"
                        "stdout: {file: %s/extra.log}\n"
                        "health_check: {unix: %s/door, interval: 10ms, on_failure: report}\n",
                        g_getenv("TEST_CHILD"), t.folder, t.folder, t.folder);

    if (there)
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
    else
        g_unlink(path);
    kill(t.proctord, SIGHUP);
}

/* Whether it answers or not: that it continues is what counts. */
static void ask_for_metrics(void)
{
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    g_autofree char *path = g_build_filename(t.folder, "metrics", NULL);
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    char buffer[4096];

    g_socket_client_set_timeout(client, 5);
    g_autoptr(GSocketConnection) connection =
        g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
    if (!connection)
        return;
    GIOStream *stream = G_IO_STREAM(connection);
    g_output_stream_write_all(g_io_stream_get_output_stream(stream), request, strlen(request), NULL,
                              NULL, NULL);
    while (g_input_stream_read(g_io_stream_get_input_stream(stream), buffer, sizeof(buffer), NULL,
                               NULL) > 0)
        ;
}

/* All that it can be asked to do, so that it comes to as many of its calls as possible. */
static void work_in_all_ways(gint64 n)
{
    work_under_fault(1);
    change_manifests(n % 2 == 1);
    work_under_fault(1);
    ask_for_metrics();
    ask_about_the_past();
    kill(t.proctord, SIGUSR1);
    work_under_fault(2);
}

static void forget_operations(void)
{
    for (int i = 0; i < MANAGED; i++)
        t.managed[i].operation = NULL;
}

static void end_after_fault(gboolean kill_it)
{
    int status;

    kill(t.proctord, kill_it ? SIGKILL : SIGTERM);
    status = wait_for_end(kill_it ? "SIGKILL" : "SIGTERM");
    if (!kill_it && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        fail("it does not end well: status %x", status);
    forget();
    if (!kill_it) { /* the next one starts with nothing of before */
        g_autofree char *command = g_strdup_printf("rm -rf '%s/state'", t.folder);
        if (system(command) != 0)
            fail("its state cannot be removed");
        g_hash_table_remove_all(t.seen);
        forget_operations();
    }
    g_ptr_array_set_size(t.jobs, 0);
    g_array_set_size(t.fresh, 0);
}

/* Returns what failed, NULL where it has not come so far. */
static char *run_with_fault(const struct faults *faults, gint64 n, struct tally *tally)
{
    g_autofree char *at = faults->sites
                              ? g_strdup_printf("sites=%s/sites", t.folder)
                              : g_strdup_printf("%s:%" G_GINT64_FORMAT, faults->call ?: "", n);
    g_autofree char *which = g_strdup_printf("%" G_GINT64_FORMAT, faults->round);
    g_autofree char *report = g_build_filename(t.folder, "report", NULL);
    const char *const tool[] = {g_getenv("FAIL_AT"), at, which, NULL};
    char *text = NULL;
    int status;

    g_unlink(report);
    g_setenv("FAIL_AT_REPORT", report, TRUE);
    if (start_under(tool)) {
        if (faults->sites)
            work_in_all_ways(n);
        else
            work_under_fault(3);
        wait_for_steady();
        check_processes();
        check_identities();
        check_jobs(FALSE);
        if (!is_durable()) {
            forget_operations(); /* it says that the next one will not know, */
            if (g_getenv("FAIL_AT_WHOM"))
                g_hash_table_remove_all(t.seen); /* not even of the attempts, from the start on */
        }
        end_after_fault(faults->call || n % 2 == 0);
    } else {
        status = wait_for_end("itself");
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
            fail("it does not start, and ends with status %x", status);
        forget();
        tally->refused++;
    }
    g_file_get_contents(report, &text, NULL, NULL);
    if (text && text[0] == '\0') {
        g_free(text);
        return NULL;
    }
    return text;
}

/* The report is "N CALL ERROR SITE", or "N nothing" where the call has no such error. */
static guint count(struct tally *tally, const char *report)
{
    g_auto(GStrv) words = g_strsplit_set(report, " \n", 4);

    if (strcmp(words[1], "nothing") == 0)
        return 0;
    char *what = g_strdup_printf("%s %s", words[1], words[2]);
    guint before = GPOINTER_TO_UINT(g_hash_table_lookup(tally->injected, what));
    g_hash_table_insert(tally->injected, what, GUINT_TO_POINTER(before + 1));
    return 1;
}

static void print_table(const struct tally *tally)
{
    g_autoptr(GList) names =
        g_list_sort(g_hash_table_get_keys(tally->injected), (GCompareFunc)strcmp);

    for (const GList *name = names; name; name = name->next)
        g_print("# %-32s %u\n", (const char *)name->data,
                GPOINTER_TO_UINT(g_hash_table_lookup(tally->injected, name->data)));
}

void inject_faults(const struct faults *faults)
{
    struct tally tally = {g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL), 0};
    guint injected = 0, in_vain = 0;

    for (gint64 n = faults->from; n <= faults->until; n += faults->every) {
        t.kills = (guint64)n; /* for what is said where it fails */
        g_autofree char *report = run_with_fault(faults, n, &tally);
        in_vain = report ? 0 : in_vain + 1;
        if (in_vain > (faults->sites ? IN_VAIN : 0))
            break;
        if (report)
            injected += count(&tally, report);
    }
    if (!start(NULL))
        fail("it does not start");
    wait_for_steady();
    shut_down();
    g_print("1..1\nok 1 - %u system calls failed once each, %u of them before it was up\n",
            injected, tally.refused);
    print_table(&tally);
    g_hash_table_unref(tally.injected);
}
