/* Two clients of GLib: one owns a name and an object, the other one watches, asks and calls. */
#include "talk.h"

#include <gio/gunixfdlist.h>
#include <string.h>
#include <unistd.h>

static GDBusProxy *thing;

static const char glib_xml[] =
    "<node><interface name='com.example.Thing'><method name='Take'><arg type='h'/><arg type='h' "
    "direction='out'/></method><method name='Say'><arg type='s'/><arg type='s' direction='out'/>"
    "</method><property name='Size' type='u' access='read'/><signal name='Said'><arg type='s'/>"
    "</signal></interface></node>";

static void answer_thing(GDBusConnection *bus, const char *sender, const char *path,
                         const char *interface, const char *method, GVariant *arguments,
                         GDBusMethodInvocation *call, gpointer userdata)
{
    GUnixFDList *descriptors =
        g_dbus_message_get_unix_fd_list(g_dbus_method_invocation_get_message(call));

    (void)sender;
    (void)path;
    (void)userdata;
    if (g_str_equal(method, "Say")) {
        const char *text;
        g_variant_get(arguments, "(&s)", &text);
        g_dbus_connection_emit_signal(bus, NULL, "/thing", interface, "Said", arguments, NULL);
        g_dbus_method_invocation_return_value(call, g_variant_new("(s)", text));
    } else {
        g_dbus_method_invocation_return_value_with_unix_fd_list(call, g_variant_new("(h)", 0),
                                                                descriptors);
    }
}

static GVariant *get_thing(GDBusConnection *bus, const char *sender, const char *path,
                           const char *interface, const char *name, GError **error,
                           gpointer userdata)
{
    (void)bus;
    (void)sender;
    (void)path;
    (void)interface;
    (void)name;
    (void)error;
    (void)userdata;
    return g_variant_new_uint32(7);
}

static void name_came(GDBusConnection *bus, const char *name, const char *owner, gpointer userdata)
{
    (void)bus;
    g_string_append_printf(((struct talk *)userdata)->seen, "%s came: %s\n", name, owner);
}

static void name_went(GDBusConnection *bus, const char *name, gpointer userdata)
{
    (void)bus;
    g_string_append_printf(((struct talk *)userdata)->seen, "%s went\n", name);
}

static void owner_changed(GDBusConnection *bus, const char *name, gpointer userdata)
{
    (void)bus;
    g_string_append_printf(((struct talk *)userdata)->seen, "own name %s acquired\n", name);
}

static void said(GDBusProxy *proxy, const char *sender, const char *signal, GVariant *arguments,
                 gpointer userdata)
{
    g_autofree char *text = g_variant_print(arguments, FALSE);

    (void)proxy;
    (void)sender;
    g_string_append_printf(((struct talk *)userdata)->seen, "signal %s %s\n", signal, text);
}

static void iterate_until(struct talk *talk, const char *text)
{
    gint64 deadline = g_get_monotonic_time() + DEADLINE_MSEC * 1000;

    while (!strstr(talk->seen->str, text)) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_main_context_iteration(NULL, FALSE);
    }
}

static GDBusConnection *glib_client(struct talk *talk)
{
    g_autofree char *address = g_strdup_printf("unix:path=%s", talk->path);
    g_autoptr(GError) error = NULL;
    GDBusConnection *bus =
        g_dbus_connection_new_for_address_sync(address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);

    g_assert_no_error(error);
    g_string_append_printf(talk->seen, "GLib's client is %s, descriptors %d\n",
                           g_dbus_connection_get_unique_name(bus),
                           g_dbus_connection_get_capabilities(bus));
    return bus;
}

static void answered(GObject *source, GAsyncResult *result, gpointer userdata)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GUnixFDList) descriptors = NULL;
    g_autoptr(GVariant) answer = g_dbus_connection_call_with_unix_fd_list_finish(
        G_DBUS_CONNECTION(source), &descriptors, result, &error);
    g_autofree char *text = answer ? g_variant_print(answer, FALSE) : NULL;

    g_string_append_printf(((struct talk *)userdata)->seen, "answer %s, %d descriptors, %s\n",
                           or_none(text), descriptors ? g_unix_fd_list_get_length(descriptors) : 0,
                           error ? error->message : "no error");
}

static void proxy_came(GObject *source, GAsyncResult *result, gpointer userdata)
{
    g_autoptr(GError) error = NULL;
    GDBusProxy *proxy = thing = g_dbus_proxy_new_finish(result, &error);
    g_autofree char *owner = g_dbus_proxy_get_name_owner(proxy);
    g_autoptr(GVariant) size = NULL;

    (void)source;
    g_assert_no_error(error);
    size = g_dbus_proxy_get_cached_property(proxy, "Size");
    g_signal_connect(proxy, "g-signal", G_CALLBACK(said), userdata);
    g_string_append_printf(((struct talk *)userdata)->seen, "proxy of %s, size %u\n", owner,
                           g_variant_get_uint32(size));
}

static void call_thing(struct talk *talk, GDBusConnection *bus, const char *method,
                       GVariant *arguments, GUnixFDList *descriptors)
{
    g_dbus_connection_call_with_unix_fd_list(bus, "com.example.Thing", "/thing",
                                             "com.example.Thing", method, arguments, NULL, 0, -1,
                                             descriptors, NULL, answered, talk);
}

void talk_of_glib(struct talk *talk)
{
    static const GDBusInterfaceVTable table = {.method_call = answer_thing,
                                               .get_property = get_thing};
    g_autoptr(GDBusNodeInfo) info = g_dbus_node_info_new_for_xml(glib_xml, NULL);
    GDBusConnection *server = glib_client(talk), *user = glib_client(talk);
    g_autoptr(GUnixFDList) descriptors = g_unix_fd_list_new();
    guint watch = g_bus_watch_name_on_connection(user, "com.example.Thing", 0, name_came, name_went,
                                                 talk, NULL);

    talk->unordered = TRUE;
    iterate_until(talk, "com.example.Thing went");
    g_dbus_connection_register_object(server, "/thing", info->interfaces[0], &table, talk, NULL,
                                      NULL);
    guint own = g_bus_own_name_on_connection(server, "com.example.Thing", 0, owner_changed, NULL,
                                             talk, NULL);
    iterate_until(talk, "acquired");
    iterate_until(talk, "came");
    g_dbus_proxy_new(user, 0, NULL, "com.example.Thing", "/thing", "com.example.Thing", NULL,
                     proxy_came, talk);
    iterate_until(talk, "proxy of");
    call_thing(talk, user, "Say", g_variant_new("(s)", "hello"), NULL);
    iterate_until(talk, "answer ('hello',)");
    iterate_until(talk, "signal Said");
    g_unix_fd_list_append(descriptors, STDERR_FILENO, NULL);
    call_thing(talk, user, "Take", g_variant_new("(h)", 0), descriptors);
    iterate_until(talk, "1 descriptors");
    g_bus_unown_name(own);
    g_string_append(talk->seen, "--\n");
    gsize end = talk->seen->len;
    while (!strstr(talk->seen->str + end, "went"))
        g_main_context_iteration(NULL, TRUE);
    g_bus_unwatch_name(watch);
    g_clear_object(&thing);
    g_dbus_connection_close_sync(user, NULL, NULL);
    g_dbus_connection_close_sync(server, NULL, NULL);
    g_object_unref(user);
    g_object_unref(server);
}
