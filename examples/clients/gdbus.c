/* Lists the children and restarts one: gdbus [CHILD]. With GDBus:
 * cc gdbus.c $(pkg-config --cflags --libs gio-2.0) */
#include <gio/gio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    const char *address = g_getenv("PROCTOR_BUS_ADDRESS"), *id, *status;
    g_autoptr(GDBusConnection) bus = NULL;
    g_autoptr(GVariant) reply = NULL, outcome = NULL;
    g_autoptr(GVariantIter) children = NULL;
    g_autoptr(GError) error = NULL;
    GVariantBuilder options;
    guint64 generation;

    bus = address ? g_dbus_connection_new_for_address_sync(
                        address,
                        G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                            G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                        NULL, NULL, &error)
                  : g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
    if (bus)
        reply = g_dbus_connection_call_sync(bus, "org.proctor1", "/org/proctor1",
                                            "org.proctor1.Manager", "ListChildren", NULL, NULL,
                                            G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
    if (reply)
        g_variant_get(reply, "(a(sosssttbsub))", &children);
    while (reply && g_variant_iter_loop(children, "(&s&o&s&s&sttb&sub)", &id, NULL, NULL, &status,
                                        NULL, &generation, NULL, NULL, NULL, NULL, NULL))
        g_print("%s: %s, generation %" G_GUINT64_FORMAT "\n", id, status, generation);
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(TRUE));
    if (reply && argc > 1)
        outcome = g_dbus_connection_call_sync(
            bus, "org.proctor1", "/org/proctor1", "org.proctor1.Manager", "RestartChild",
            g_variant_new("(ssa{sv})", argv[1], "asked for by gdbus", &options), NULL,
            G_DBUS_CALL_FLAGS_NONE, 120000 /* ms: "wait" may take longer than 25 s */, NULL,
            &error);
    else
        g_variant_builder_clear(&options);
    if (error)
        g_printerr("%s\n", error->message);
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
