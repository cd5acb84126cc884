/*
 * Other ends than a death: a polite one, and one with the whole machine. What was acknowledged
 * outlives them all: holds, generations, and children that came over the bus.
 */
#include "crash.h"

/* A child that no manifest knows. From the next look on it is missed when it is not there. */
void add_over_the_bus(void)
{
    g_autofree char *manifest =
        g_strdup_printf("name: over-the-bus\nexec: [%s, wait-term]\n", g_getenv("TEST_CHILD"));
    GVariantBuilder options;
    g_autoptr(GError) error = NULL;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        t.bus, "org.proctor1", MANAGER, "org.proctor1.Manager", "AddChild",
        g_variant_new("(ssa{sv})", manifest, "test", &options), NULL,
        G_DBUS_CALL_FLAGS_NO_AUTO_START, CALL_MSEC, NULL, &error);
    if (!reply)
        fail("AddChild: %s", error->message);
}

/* All that ran has ended with good reason: none of it is the same process any more, and a job that
 * was cut is not begun again. */
static void expect_new_processes(void)
{
    GHashTableIter iter;
    gpointer seen;

    g_hash_table_iter_init(&iter, t.seen);
    while (g_hash_table_iter_next(&iter, NULL, &seen))
        ((struct seen *)seen)->pid = 0;
    for (guint i = 0; i < t.jobs->len; i++) {
        if (lines_of(t.jobs->pdata[i]) > 1)
            fail("%s ran more than once", (const char *)t.jobs->pdata[i]);
        g_unlink(t.jobs->pdata[i]);
    }
    g_ptr_array_set_size(t.jobs, 0);
}

void end_in_good_order(void)
{
    work_for(g_rand_int_range(t.random, 0, 30000));
    t.ending = TRUE;
    kill(t.proctord, SIGTERM);
    int status = wait_for_end("SIGTERM");
    read_what_is_left();
    t.ending = FALSE;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail("it does not end well: status %x", (unsigned)status);
    g_autoptr(GHashTable) left = scan();
    if (g_hash_table_size(left) > 0)
        fail("%u children are left by an orderly end", g_hash_table_size(left));
    forget();
    t.kills--;
    t.restarts++;
    expect_new_processes();
}

gboolean start_in_another_boot(void)
{
    const char *const tool[] = {g_getenv("OTHER_BOOT"), NULL};
    g_autofree char *id =
        g_strdup_printf("00000000-0000-4000-8000-%012" G_GINT64_MODIFIER "x", t.reboots + 1);
    g_autofree char *uptime = g_strdup_printf("%d", g_rand_int_range(t.random, 2, 90));

    g_setenv("BOOT_ID", id, TRUE);
    g_setenv("UPTIME", uptime, TRUE);
    return start_under(tool);
}

/* Everything is gone at once, and nothing reports it. */
void lose_power(void)
{
    gint64 end = g_get_monotonic_time() + PATIENCE;

    work_for(g_rand_int_range(t.random, 0, 30000));
    kill(t.proctord, SIGKILL);
    wait_for_end("SIGKILL");
    read_what_is_left();
    for (;;) {
        kill_all_of_ours();
        g_autoptr(GHashTable) left = scan();
        if (g_hash_table_size(left) == 0)
            break;
        if (g_get_monotonic_time() > end)
            fail("%u processes outlive the machine", g_hash_table_size(left));
    }
    forget();
    t.kills--;
    t.reboots++;
    expect_new_processes();
}
