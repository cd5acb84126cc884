#include "crash.h"

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

GHashTable *look(GHashTable **operations)
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

GHashTable *scan(void)
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

/* What is known of a process that should not be there. */
static void describe(guint pid)
{
    static const char *const files[] = {"stat", "cmdline", "cgroup", "wchan", "environ"};

    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_strdup_printf("/proc/%u/%s", pid, files[i]);
        g_autofree char *text = NULL;
        gsize size;
        if (!g_file_get_contents(path, &text, &size, NULL))
            continue;
        for (gsize j = 0; j + 1 < size; j++)
            text[j] = text[j] == '\0' ? ' ' : text[j];
        g_printerr("# %s: %s\n", path, text);
    }
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
        for (guint i = 0; both > 1 && i < before->len; i++)
            describe(g_array_index(before, guint, i));
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

void check_processes(void)
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

void check_identities(void)
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
        if (!g_str_has_prefix(id, "jobs/") && !g_str_equal(id, EXTRA))
            remember(id, value);
}

gboolean is_durable(void)
{
    g_autoptr(GVariant) reply = ask("org.freedesktop.DBus.Properties", "Get",
                                    g_variant_new("(ss)", "org.proctor1.Manager", "Durability"));
    g_autoptr(GVariant) value = NULL;

    g_variant_get(reply, "(v)", &value);
    return g_str_equal(g_variant_get_string(value, NULL), "crash");
}

void ask_about_the_past(void)
{
    static const struct {
        const char *method, *arguments;
    } questions[] = {{"QueryAudit", "(uint64 0, uint32 100, @a{sv} {})"},
                     {"QueryEvents", "(uint64 0, uint32 100, @a{sv} {})"},
                     {"GetTrace", "()"},
                     {"GetMetrics", "()"}};

    for (gsize i = 0; i < G_N_ELEMENTS(questions); i++) {
        g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
            t.bus, "org.proctor1", MANAGER, "org.proctor1.Manager", questions[i].method,
            g_variant_new_parsed(questions[i].arguments), NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START,
            CALL_MSEC, NULL, NULL);
    }
}

/* All lines since then. */
static GString *read_audit(guint64 since)
{
    GString *all = g_string_new(NULL);

    for (guint64 from = since;;) {
        GVariantBuilder filter;
        g_autoptr(GVariantIter) lines = NULL;
        guint64 time = from, sequence;
        const char *kind, *child, *cause;
        GVariant *fields;
        g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
        g_autoptr(GVariant) reply =
            ask("org.proctor1.Manager", "QueryAudit", g_variant_new("(tua{sv})", from, 0, &filter));
        g_variant_get(reply, "(a(ttsssa{sv}))", &lines);
        if (g_variant_iter_n_children(lines) == 0)
            return all;
        while (g_variant_iter_next(lines, "(tt&s&s&s@a{sv})", &sequence, &time, &kind, &child,
                                   &cause, &fields)) {
            g_autofree char *text = g_variant_print(fields, FALSE);
            g_string_append_printf(all, "%s\n", text);
            g_variant_unref(fields);
        }
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

guint lines_of(const char *path)
{
    g_autofree char *text = NULL;
    guint lines = 0;

    if (g_file_get_contents(path, &text, NULL, NULL))
        for (const char *at = text; (at = strchr(at, '\n')); at++)
            lines++;
    return lines;
}

/* Each acknowledged job runs once; where it must be over by now, it has. */
void check_jobs(gboolean all)
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

void check(gboolean all)
{
    check_identities();
    check_processes();
    check_audit();
    check_jobs(all);
}

void shut_down(void)
{
    int status;

    kill(t.proctord, SIGTERM);
    status = wait_for_end("SIGTERM");
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
        fail("%s: cannot be removed", t.folder);
}
