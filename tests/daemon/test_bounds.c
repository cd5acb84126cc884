/*
 * Bounds of what callers may have open at a time, at one less, at the limit and at one more: what
 * is too much is refused by itself, with the number, and what was there continues.
 */
#include "fixture.h"

#include <string.h>

#define NAME        "org.proctor1"
#define PATH        "/org/proctor1"
#define MANAGER     "org.proctor1.Manager"
#define SUBSCRIBERS 256
#define WAITERS     4096
#define TALKERS     512

static struct fixture f;

static GDBusConnection *connect_to_bus(void)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *bus =
        g_dbus_connection_new_for_address_sync(f.address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);

    g_assert_no_error(error);
    return bus;
}

static void disconnect(GDBusConnection *bus)
{
    g_dbus_connection_close_sync(bus, NULL, NULL);
    g_object_unref(bus);
}

static void assert_limit(const GError *error, const char *number)
{
    g_assert_nonnull(error);
    g_autofree char *remote = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(remote, ==, "org.proctor1.Error.LimitExceeded");
    g_assert_nonnull(strstr(error->message, number));
}

static GVariant *call(GDBusConnection *bus, const char *method, GVariant *arguments, GError **error)
{
    return g_dbus_connection_call_sync(bus, NAME, PATH, MANAGER, method, arguments, NULL,
                                       G_DBUS_CALL_FLAGS_NONE, 20000, NULL, error);
}

static gboolean subscribe(GDBusConnection *bus, GError **error)
{
    g_autoptr(GVariant) reply = call(bus, "Subscribe", g_variant_new_parsed("(@a{sv} {},)"), error);
    return reply != NULL;
}

/* One that unsubscribes, or goes, makes room for another one. */
static void subscriptions(void)
{
    GDBusConnection *list[SUBSCRIBERS + 1];
    g_autoptr(GError) error = NULL;
    guint n;

    for (n = 0; n <= SUBSCRIBERS; n++) {
        list[n] = connect_to_bus();
        if (!subscribe(list[n], &error))
            break;
    }

    g_assert_cmpuint(n, ==, SUBSCRIBERS);
    assert_limit(error, "the limit is 256");
    g_assert_true(subscribe(list[0], NULL)); /* again: another filter */
    g_autoptr(GVariant) reply = call(list[0], "Unsubscribe", NULL, NULL);
    g_assert_true(subscribe(list[SUBSCRIBERS], NULL));
    for (guint i = 0; i <= n; i++)
        disconnect(list[i]);
}

/* Each has its answer, also those that are too many to be measured one by one. */
static void connections(void)
{
    static GDBusConnection *list[TALKERS + 1];

    for (guint i = 0; i <= TALKERS; i++) {
        g_autoptr(GError) error = NULL;
        list[i] = connect_to_bus();
        g_autoptr(GVariant) reply =
            call(list[i], "QueryEvents", g_variant_new_parsed("(@t 0, @u 1, @a{sv} {})"), &error);
        g_assert_no_error(error);
    }
    for (guint i = 0; i <= TALKERS; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) reply =
            call(list[i], "QueryEvents", g_variant_new_parsed("(@t 0, @u 1, @a{sv} {})"), &error);
        g_assert_no_error(error);
    }
    for (guint i = 0; i <= TALKERS; i++)
        disconnect(list[i]);
}

struct waiting {
    guint answered, refused;
    GError *error;
};

static void answer_came(GObject *source, GAsyncResult *result, gpointer data)
{
    struct waiting *waiting = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    waiting->answered += reply != NULL;
    waiting->refused += reply == NULL;
    if (error && !waiting->error)
        waiting->error = g_steal_pointer(&error);
}

static void wait_for(const guint *number, guint value)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (*number < value) {
        g_main_context_iteration(NULL, FALSE);
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

static void waiting_calls(void)
{
    struct waiting waiting = {};
    static const char manifest[] = "name: long\nkind: job\nexec: [/bin/sleep, \"1000\"]\n";
    g_autoptr(GVariant) job =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);
    const char *path;

    g_variant_get_child(job, 0, "&o", &path);
    for (guint i = 0; i <= WAITERS; i++)
        g_dbus_connection_call(f.bus, NAME, path, "org.proctor1.Job", "Wait", NULL, NULL,
                               G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL, answer_came, &waiting);
    wait_for(&waiting.refused, 1);
    g_assert_cmpuint(waiting.answered, ==, 0);
    assert_limit(waiting.error, "at most 4096");

    g_autoptr(GVariant) cancelled = fixture_call(&f, path, "org.proctor1.Job", "Cancel",
                                                 g_variant_new("(sa{sv})", "test", NULL), NULL);
    wait_for(&waiting.answered, WAITERS);
    g_assert_cmpuint(waiting.refused, ==, 1);
    g_clear_error(&waiting.error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/bounds", subscriptions);
    FIXTURE_TEST(&f, NULL, "/daemon/bounds", connections);
    FIXTURE_TEST(&f, NULL, "/daemon/bounds", waiting_calls);
    return g_test_run();
}
