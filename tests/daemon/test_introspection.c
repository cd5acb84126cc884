/*
 * introspection/ is the source of the API's reference: what the running service says of itself must
 * be the same, member by member, type by type.
 */
#include "fixture.h"

#include <string.h>

static struct fixture f;

/* ---- api ------------------------------------------------------------------------------------- */

static GDBusInterfaceInfo *load(const char *name)
{
    g_autofree char *file = g_strdup_printf("%s/%s.xml", g_getenv("INTROSPECTION"), name);
    g_autofree char *xml = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_get_contents(file, &xml, NULL, NULL));
    GDBusNodeInfo *node = g_dbus_node_info_new_for_xml(xml, &error);
    g_assert_no_error(error);
    GDBusInterfaceInfo *info = g_dbus_node_info_lookup_interface(node, name);
    g_assert_nonnull(strstr(xml, "<doc:summary>"));
    g_dbus_interface_info_ref(info);
    g_dbus_node_info_unref(node);
    return info;
}

static GDBusInterfaceInfo *ask(const char *path, const char *name)
{
    const char *xml;
    g_autoptr(GVariant) reply =
        fixture_call(&f, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL, NULL);

    g_variant_get(reply, "(&s)", &xml);
    GDBusNodeInfo *node = g_dbus_node_info_new_for_xml(xml, NULL);
    GDBusInterfaceInfo *info = g_dbus_node_info_lookup_interface(node, name);
    g_assert_nonnull(info);
    g_dbus_interface_info_ref(info);
    g_dbus_node_info_unref(node);
    return info;
}

static char *arguments_of(GDBusArgInfo **arguments)
{
    GString *out = g_string_new("");
    for (; arguments && *arguments; arguments++)
        g_string_append_printf(out, "%s %s;", (*arguments)->signature, (*arguments)->name);
    return g_string_free(out, FALSE);
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every member as one line, sorted. */
static char *members_of(const GDBusInterfaceInfo *info)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

    for (GDBusMethodInfo **m = info->methods; m && *m; m++) {
        g_autofree char *in = arguments_of((*m)->in_args), *out = arguments_of((*m)->out_args);
        g_ptr_array_add(lines, g_strdup_printf("method %s(%s) -> (%s)", (*m)->name, in, out));
    }
    for (GDBusSignalInfo **s = info->signals; s && *s; s++) {
        g_autofree char *in = arguments_of((*s)->args);
        g_ptr_array_add(lines, g_strdup_printf("signal %s(%s)", (*s)->name, in));
    }
    for (GDBusPropertyInfo **p = info->properties; p && *p; p++) {
        const char *emits = g_dbus_annotation_info_lookup(
            (*p)->annotations, "org.freedesktop.DBus.Property.EmitsChangedSignal");
        g_ptr_array_add(lines, g_strdup_printf("property %s %s %d %s", (*p)->name, (*p)->signature,
                                               (*p)->flags, emits ? emits : "true"));
    }
    g_ptr_array_sort(lines, by_text);
    GString *text = g_string_new("");
    for (guint i = 0; i < lines->len; i++)
        g_string_append_printf(text, "%s\n", (char *)lines->pdata[i]);
    return g_string_free(text, FALSE);
}

static void compare(const char *path, const char *name)
{
    GDBusInterfaceInfo *written = load(name), *running = ask(path, name);
    g_autofree char *a = members_of(written), *b = members_of(running);

    g_assert_cmpstr(a, ==, b);
    g_dbus_interface_info_unref(written);
    g_dbus_interface_info_unref(running);
}

static void the_manager_is_as_written(void)
{
    compare("/org/proctor1", "org.proctor1.Manager");
}

static void a_child_is_as_written(void)
{
    fixture_add(&f, "worker", "", "wait-term");
    compare("/org/proctor1/child/worker", "org.proctor1.Child");
}

static void a_supervisor_is_as_written(void)
{
    compare("/org/proctor1/supervisor/root", "org.proctor1.Supervisor");
}

static void a_job_is_as_written(void)
{
    g_autofree char *text = g_strdup_printf("name: j\nexec: [%s, pause]\n", g_getenv("TEST_CHILD"));
    g_autoptr(GVariant) path =
        fixture_manager(&f, "RunJob", g_variant_new("(ssa{sv})", text, "test", NULL), NULL);
    compare("/org/proctor1/job/1", "org.proctor1.Job");
}

static void every_property_can_be_read(void)
{
    fixture_add(&f, "a.b-c@d:e", "readiness: immediate\n", "pause");
    g_autoptr(GVariant) reply = fixture_call(
        &f, "/org/proctor1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL, NULL);
    g_autoptr(GVariant) objects = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) interfaces =
        g_variant_lookup_value(objects, "/org/proctor1/child/a_2eb_2dc_40d_3ae", NULL);
    g_assert_nonnull(interfaces);
    g_autoptr(GVariant) properties = g_variant_lookup_value(interfaces, "org.proctor1.Child", NULL);
    GDBusInterfaceInfo *written = load("org.proctor1.Child");

    /* The manifest may be long, and is read by itself. */
    for (GDBusPropertyInfo **p = written->properties; *p; p++)
        g_assert_cmpint(dict_has(properties, (*p)->name), ==, !g_str_equal((*p)->name, "Manifest"));
    g_autoptr(GVariant) of_one =
        fixture_call(&f, "/org/proctor1/child/a_2eb_2dc_40d_3ae", "org.freedesktop.DBus.Properties",
                     "GetAll", g_variant_new("(s)", "org.proctor1.Child"), NULL);
    g_autoptr(GVariant) all = g_variant_get_child_value(of_one, 0);
    g_assert_nonnull(strstr(dict_text(all, "Manifest"), "a.b-c@d:e"));
    g_dbus_interface_info_unref(written);
}

static guint changes_seen;

static void count_change(GDBusConnection *bus, const char *sender, const char *path,
                         const char *interface, const char *name, GVariant *arguments,
                         gpointer data)
{
    g_autoptr(GVariant) changed = g_variant_get_child_value(arguments, 1);
    (void)bus, (void)sender, (void)path, (void)interface, (void)name, (void)data;
    if (!dict_has(changed, "Operation"))
        return;
    changes_seen++;
    g_assert_cmpstr(dict_text(changed, "Operation"), ==, "paused");
    g_assert_cmpstr(dict_text(changed, "Status"), ==, "cancelling");
    g_assert_cmpstr(dict_text(changed, "StopState"), ==, "cancel-delivered");
    g_assert_false(dict_has(changed, "Generation")); /* it did not change */
    g_assert_false(dict_has(changed, "MainPID"));
}

static void one_signal_tells_exactly_what_changed(void)
{
    fixture_fifo(&f, "go"); /* its end must not fall into the same turn */
    g_autofree char *steps = g_strdup_printf("wait-term, wait=%s/go", f.folder);
    fixture_add(&f, "worker", "", steps);
    guint id = g_dbus_connection_signal_subscribe(
        f.bus, "org.proctor1", "org.freedesktop.DBus.Properties", "PropertiesChanged",
        "/org/proctor1/child/worker", NULL, G_DBUS_SIGNAL_FLAGS_NONE, count_change, NULL, NULL);
    changes_seen = 0;

    g_autoptr(GVariant) outcome = fixture_verb(&f, "Pause", "worker");
    while (changes_seen == 0)
        g_main_context_iteration(NULL, TRUE);
    fixture_release(&f, "go");
    fixture_wait_text(&f, "worker", "Status", "none");

    g_assert_cmpuint(changes_seen, ==, 1);
    g_dbus_connection_signal_unsubscribe(f.bus, id);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/api", the_manager_is_as_written);
    FIXTURE_TEST(&f, NULL, "/daemon/api", a_child_is_as_written);
    FIXTURE_TEST(&f, NULL, "/daemon/api", a_supervisor_is_as_written);
    FIXTURE_TEST(&f, NULL, "/daemon/api", a_job_is_as_written);
    FIXTURE_TEST(&f, NULL, "/daemon/api", every_property_can_be_read);
    FIXTURE_TEST(&f, NULL, "/daemon/api", one_signal_tells_exactly_what_changed);
    return g_test_run();
}
