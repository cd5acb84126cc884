/* generated-gdbus CHILD: by what gdbus-codegen makes of the XML. Prints the child's status,
 * restarts it, and prints its generation. */
#include "manager.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) bus =
        g_dbus_connection_new_for_address_sync(g_getenv("PROCTOR_BUS_ADDRESS"),
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);
    Manager *manager = NULL;
    g_autoptr(GVariant) outcome = NULL;
    guint64 generation = 0;
    GVariantBuilder options;

    if (bus)
        manager = manager_proxy_new_sync(bus, G_DBUS_PROXY_FLAGS_NONE, "org.proctor1",
                                         "/org/proctor1", NULL, &error);
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(TRUE));
    if (manager && argc > 1) {
        g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(manager), 60000);
        manager_call_restart_child_sync(manager, argv[1], "by a generated client",
                                        g_variant_builder_end(&options), &outcome, NULL, &error);
    }
    if (error) {
        g_printerr("%s\n", error->message);
        return EXIT_FAILURE;
    }
    g_variant_lookup(outcome, "NewGeneration", "t", &generation);
    g_print("%u children, generation %" G_GUINT64_FORMAT "\n", manager_get_nchildren(manager),
            generation);
    g_object_unref(manager);
    return EXIT_SUCCESS;
}
