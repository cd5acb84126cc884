#include "crash.h"

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
static char *run_with_fault(const struct faults *faults, gint64 n, struct tally *tally)
{
    g_autofree char *at = g_strdup_printf("%s:%" G_GINT64_FORMAT, faults->call ?: "", n);
    g_autofree char *which = g_strdup_printf("%" G_GINT64_FORMAT, faults->round);
    g_autofree char *report = g_build_filename(t.folder, "report", NULL);
    const char *const tool[] = {g_getenv("FAIL_AT"), at, which, NULL};
    char *text = NULL;
    int status = 0;

    g_unlink(report);
    g_setenv("FAIL_AT_REPORT", report, TRUE);
    if (start_under(tool)) {
        work_under_fault();
        wait_for_steady();
        check_processes();
        check_jobs(FALSE);
        end_after_fault(faults->call || n % 2 == 0);
    } else {
        waitpid(t.proctord, &status, 0);
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

/* The report is "N CALL ERROR", or "N nothing" where the call has no such error. */
static guint count(struct tally *tally, const char *report)
{
    char *what = g_strstrip(g_strdup(strchr(report, ' ') + 1));
    gboolean nothing = strcmp(what, "nothing") == 0;

    if (nothing) {
        g_free(what);
        return 0;
    }
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
    guint injected = 0;

    t.faulty = TRUE;
    for (gint64 n = faults->from; n <= faults->until; n += faults->every) {
        t.kills = (guint64)n; /* for what is said where it fails */
        g_autofree char *report = run_with_fault(faults, n, &tally);
        if (!report)
            break;
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
