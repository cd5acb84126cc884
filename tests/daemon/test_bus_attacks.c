/*
 * Attacks over the bus: every method of every object is called with arguments that are wrong in
 * type, in number, in size and in what they say, every property is set, and objects are asked for
 * that cannot be. Each call has an answer, an error has a name of D-Bus's or of ours, and nothing
 * changes.
 */
#include "fixture.h"

#include <string.h>

#define LONG (1 << 20)

static struct fixture f;
static const char *const interfaces[] = {"org.proctor1.Manager", "org.proctor1.Child",
                                         "org.proctor1.Supervisor", "org.proctor1.Job"};
static char *paths[G_N_ELEMENTS(interfaces)];

static GDBusInterfaceInfo *load(const char *name)
{
    g_autofree char *file = g_strdup_printf("%s/%s.xml", g_getenv("INTROSPECTION"), name);
    g_autofree char *xml = NULL;

    g_assert_true(g_file_get_contents(file, &xml, NULL, NULL));
    GDBusNodeInfo *node = g_dbus_node_info_new_for_xml(xml, NULL);
    GDBusInterfaceInfo *info = g_dbus_node_info_lookup_interface(node, name);
    g_dbus_interface_info_ref(info);
    g_dbus_node_info_unref(node);
    return info;
}

static void add_tree(void)
{
    g_autoptr(GVariant) added = fixture_manager(
        &f, "AddChild",
        g_variant_new(
            "(ssa{sv})",
            "supervisor: below\nchildren:\n  - {name: web, exec: [/bin/sleep, \"1000\"]}\n", "test",
            NULL),
        NULL);
    g_autoptr(GVariant) job = fixture_manager(
        &f, "RunJob",
        g_variant_new("(ssa{sv})", "name: long\nkind: job\nexec: [/bin/sleep, \"1000\"]\n", "test",
                      NULL),
        NULL);

    fixture_wait_text(&f, "below/web", "Status", "ready");
    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) /* of the test before */
        g_free(paths[i]);
    paths[0] = g_strdup("/org/proctor1");
    paths[1] = g_strdup("/org/proctor1/child/below/web");
    paths[2] = g_strdup("/org/proctor1/supervisor/root/below");
    g_variant_get_child(job, 0, "o", &paths[3]);
}

/* Any answer will do, but none that proctord did not make. */
static gboolean answers(const char *path, const char *interface, const char *method,
                        GVariant *arguments)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = fixture_call(&f, path, interface, method, arguments, &error);

    if (reply)
        return TRUE;
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    if (!name || strstr(name, "NoReply") || strstr(name, "Timeout") || strstr(name, "Disconnected"))
        g_error("%s.%s on %s: %s", interface, method, path, error->message);
    g_assert_true(g_str_has_prefix(name, "org.freedesktop.DBus.Error.") ||
                  g_str_has_prefix(name, "org.proctor1.Error."));
    g_assert_cmpuint(strlen(error->message), >, 0);
    return FALSE;
}

static void assert_as_before(void)
{
    g_autofree char *status = fixture_text(&f, "below/web", "Status");
    g_autofree char *operation = fixture_text(&f, "below/web", "Operation");

    g_assert_cmpstr(status, ==, "ready");
    g_assert_cmpstr(operation, ==, "active");
    g_assert_cmpuint(fixture_number(&f, "below/web", "Attempt"), ==, 1);
}

/* ---- what is wrong --------------------------------------------------------------------------- */

static GVariant *deep(void)
{
    GVariant *value = g_variant_new_string("x");

    for (int i = 0; i < 60; i++)
        value = g_variant_new_variant(value);
    return g_variant_new("(v)", value);
}

static GVariant *many_words(void)
{
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE_STRING_ARRAY);
    for (int i = 0; i < 50000; i++)
        g_variant_builder_add(&list, "s", "x");
    return g_variant_new("(as)", &list);
}

static GVariant *wrong_arguments(int i)
{
    g_autofree char *text = g_strnfill(LONG, 'x');

    switch (i) {
    case 0:
        return NULL;
    case 1:
        return g_variant_new("(s)", text);
    case 2:
        return g_variant_new("(t)", G_MAXUINT64);
    case 3:
        return deep();
    case 4:
        return many_words();
    case 5:
        return g_variant_new_parsed("({'reason': <{'reason': <'x'>}>},)");
    case 6:
        return g_variant_new_parsed("(@ay [], @a(sv) [], 'x', @o '/x', @g 'a{sv}')");
    case 7:
        return g_variant_new("(sssssssss)", "", "", "", "", "", "", "", "", "");
    }
    return NULL;
}

/* A value of the right type that says something odd. */
static GVariant *odd_value(const char *type, int i)
{
    static const char *const words[] = {"",  "..",           "\001\033[31m",
                                        "/", "below/web\nx", "\xe2\x80\xae"};
    GVariantBuilder options;

    if (strcmp(type, "s") == 0)
        return g_variant_new_string(words[i % (int)G_N_ELEMENTS(words)]);
    if (strcmp(type, "as") == 0)
        return g_variant_new_strv(words, (gssize)(i % (int)G_N_ELEMENTS(words)));
    if (strcmp(type, "t") == 0)
        return g_variant_new_uint64(i % 2 ? G_MAXUINT64 : 0);
    if (strcmp(type, "u") == 0)
        return g_variant_new_uint32(i % 2 ? G_MAXUINT32 : 0);
    if (strcmp(type, "i") == 0)
        return g_variant_new_int32(i % 2 ? G_MININT32 : G_MAXINT32);
    if (strcmp(type, "b") == 0)
        return g_variant_new_boolean(i % 2);
    if (strcmp(type, "o") == 0)
        return g_variant_new_object_path("/");
    g_assert_cmpstr(type, ==, "a{sv}");
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    for (int k = 0; k < (i % 2 ? 2000 : 1); k++)
        g_variant_builder_add(&options, "{sv}", i % 3 ? "dry-run" : "no-such-option",
                              i % 3 == 1 ? g_variant_new_string("yes") : g_variant_new_int32(-1));
    return g_variant_builder_end(&options);
}

static GVariant *odd_arguments(const GDBusMethodInfo *method, int i)
{
    GVariantBuilder tuple;

    g_variant_builder_init(&tuple, G_VARIANT_TYPE_TUPLE);
    for (GDBusArgInfo **in = method->in_args; in && *in; in++)
        g_variant_builder_add_value(&tuple, odd_value((*in)->signature, i));
    return g_variant_builder_end(&tuple);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static gboolean takes_a_reason(const GDBusMethodInfo *method)
{
    for (GDBusArgInfo **in = method->in_args; in && *in; in++)
        if (strcmp((*in)->name, "reason") == 0)
            return TRUE;
    return FALSE;
}

static void every_method(void)
{
    add_tree();
    for (guint n = 0; n < G_N_ELEMENTS(interfaces); n++) {
        GDBusInterfaceInfo *info = load(interfaces[n]);
        for (GDBusMethodInfo **method = info->methods; method && *method; method++) {
            gboolean takes_none = !(*method)->in_args || !(*method)->in_args[0];
            for (int i = takes_none; i < 8; i++)
                g_assert_false(
                    answers(paths[n], interfaces[n], (*method)->name, wrong_arguments(i)));
            /* A reason that is blank or has control characters is refused; others may be carried
             * out. */
            for (int i = 0; i < 6 && takes_a_reason(*method); i += 2)
                g_assert_false(
                    answers(paths[n], interfaces[n], (*method)->name, odd_arguments(*method, i)));
        }
        assert_as_before();
        g_dbus_interface_info_unref(info);
    }
}

static void every_property(void)
{
    static const char properties[] = "org.freedesktop.DBus.Properties";

    add_tree();
    for (guint n = 0; n < G_N_ELEMENTS(interfaces); n++) {
        GDBusInterfaceInfo *info = load(interfaces[n]);
        for (GDBusPropertyInfo **p = info->properties; p && *p; p++) {
            gboolean writable = (*p)->flags & G_DBUS_PROPERTY_INFO_FLAGS_WRITABLE;
            g_assert_false(answers(paths[n], properties, "Set",
                                   g_variant_new("(ssv)", interfaces[n], (*p)->name,
                                                 g_variant_new_parsed("[{'x': <@ay []>}]"))));
            if (writable || strcmp((*p)->signature, "s") != 0)
                continue;
            g_assert_false(answers(
                paths[n], properties, "Set",
                g_variant_new("(ssv)", interfaces[n], (*p)->name, g_variant_new_string(""))));
        }
        g_assert_false(answers(paths[n], properties, "Get",
                               g_variant_new("(ss)", interfaces[n], "NoSuchProperty")));
        g_assert_false(
            answers(paths[n], properties, "Get", g_variant_new("(ss)", "x.y", "Status")));
        assert_as_before();
        g_dbus_interface_info_unref(info);
    }
}

static void objects_that_cannot_be(void)
{
    g_autofree char *tail = g_strnfill(60000, 'x');
    g_autofree char *endless = g_strconcat("/org/proctor1/child/", tail, NULL);
    const char *const odd[] = {"/",
                               "/org",
                               "/org/proctor1/child",
                               "/org/proctor1/child/_",
                               "/org/proctor1/child/_0",
                               "/org/proctor1/child/_00",
                               "/org/proctor1/child/_2e_2e",
                               "/org/proctor1/child/below",
                               "/org/proctor1/child/below_2fweb",
                               "/org/proctor1/child/below/web/x",
                               "/org/proctor1/supervisor/root/_ff",
                               "/org/proctor1/job/18446744073709551616",
                               "/org/proctor1/job/_2d1",
                               endless};

    add_tree();
    for (guint i = 0; i < G_N_ELEMENTS(odd); i++)
        for (guint n = 1; n < G_N_ELEMENTS(interfaces); n++) {
            g_assert_false(answers(odd[i], "org.freedesktop.DBus.Properties", "Get",
                                   g_variant_new("(ss)", interfaces[n], "Status")));
            g_assert_false(
                answers(odd[i], interfaces[n], "Pause", g_variant_new("(sa{sv})", "x", NULL)));
        }
    assert_as_before();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/bus-attacks", every_method);
    FIXTURE_TEST(&f, NULL, "/daemon/bus-attacks", every_property);
    FIXTURE_TEST(&f, NULL, "/daemon/bus-attacks", objects_that_cannot_be);
    int failed = g_test_run();
    for (guint i = 0; i < G_N_ELEMENTS(paths); i++)
        g_free(paths[i]);
    return failed;
}
