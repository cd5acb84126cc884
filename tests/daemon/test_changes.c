/*
 * Changes of a declaration: what a reload, its dry run and ReplaceChild say and do.
 */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct fixture f;

static void assert_names(GVariant *changes, const char *key, const char *expected)
{
    g_autoptr(GVariant) names = g_variant_lookup_value(changes, key, G_VARIANT_TYPE_STRING_ARRAY);
    g_assert_nonnull(names);
    g_autofree const char **list = g_variant_get_strv(names, NULL);
    g_autofree char *text = g_strjoinv(" ", (char **)list);

    g_assert_cmpstr(text, ==, expected);
}

static void declare(const char *children)
{
    g_autofree char *text = g_strdup_printf("children:\n%s", children);
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
}

static const char three[] = "  - {name: db, exec: [@, wait-term]}\n"
                            "  - {name: web, exec: [@, wait-term]}\n"
                            "  - {name: log, exec: [@, wait-term]}\n";

static const char three_changed[] =
    "  - {name: db, exec: [@, wait-term], tags: [big], stop: {timeout: 5s}}\n"
    "  - {name: web, exec: [@, wait-term], nice: 1}\n"
    "  # a comment, and another order of keys\n"
    "  - {exec: [@, wait-term], name: log}\n";

static void each_change_has_its_class(void)
{
    declare(three);
    fixture_wait_text(&f, "log", "Status", "ready");
    g_autofree char *text = g_strdup_printf("children:\n%s", three_changed);
    fixture_write_tree(&f, text);

    for (int dry = 1; dry >= 0; dry--) {
        g_autoptr(GVariant) changes = fixture_reload_with(&f, dry ? "dry-run" : NULL);
        assert_names(changes, "in-place", "db");
        assert_names(changes, "pending", "web");
        assert_names(changes, "restart", "");
        g_assert_cmpuint(dict_number(changes, "unchanged"), ==, 1);
        g_assert_true(fixture_flag(&f, "web", "ManifestPending") == !dry);
    }
    g_autofree char *why = fixture_text(&f, "web", "Explanation");
    g_assert_nonnull(strstr(why, "a newer declaration takes effect at its next start"));
    g_autoptr(GVariant) again = fixture_reload(&f, NULL);
    g_assert_cmpuint(dict_number(again, "unchanged"), ==, 3);
    g_autoptr(GVariant) applied = fixture_reload_with(&f, "restart");
    assert_names(applied, "restart", "web");
    fixture_wait_number(&f, "web", "Generation", 1);
    g_assert_cmpuint(fixture_number(&f, "db", "Generation"), ==, 0);
    g_assert_false(fixture_flag(&f, "web", "ManifestPending"));
}

/* compose#5621: what an alias stands for is part of a declaration. */
static void an_anchor_is_a_change_of_each_that_uses_it(void)
{
    declare("  - {name: a, exec: &e [@, wait-term]}\n  - {name: b, exec: *e}\n");
    fixture_wait_text(&f, "b", "Status", "ready");

    fixture_write_tree(&f, "children:\n  - {name: a, exec: &e [@, status=new, wait-term]}\n"
                           "  - {name: b, exec: *e}\n");
    g_autoptr(GVariant) changes = fixture_reload_with(&f, "restart");
    assert_names(changes, "restart", "a b");
    fixture_wait_text(&f, "b", "StatusText", "new");
    g_autofree char *manifest = fixture_text(&f, "b", "Manifest");
    g_assert_null(strchr(manifest, '*'));
    g_assert_nonnull(strstr(manifest, "status=new"));
}

/* There is a moment in which there is no child of this name, and no object. */
static void wait_until_it_is_back(const char *path)
{
    gint64 deadline = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;

    for (gboolean back = FALSE; !back;) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) reply =
            fixture_call(&f, path, "org.freedesktop.DBus.Properties", "Get",
                         g_variant_new("(ss)", "org.proctor1.Child", "Operation"), &error);
        g_autofree char *text = reply ? g_variant_print(reply, FALSE) : g_strdup("");
        back = strstr(text, "active") != NULL;
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_main_context_iteration(NULL, FALSE);
    }
}

static GVariant *replace(const char *manifest, const char *option, GError **error)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    if (option)
        g_variant_builder_add(&options, "{sv}", option, g_variant_new_boolean(TRUE));
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "ReplaceChild", g_variant_new("(ssa{sv})", manifest, "test", &options), error);
    return reply ? g_variant_get_child_value(reply, 0) : NULL;
}

static void a_child_of_the_bus_is_replaced(void)
{
    g_autoptr(GError) missing = NULL, wrong = NULL;
    g_autofree char *newer =
        g_strdup_printf("name: bus\nexec: [%s, wait-term]\nnice: 1\n", g_getenv("TEST_CHILD"));

    g_assert_null(replace(newer, NULL, &missing));
    g_assert_nonnull(strstr(missing->message, "NoSuchChild"));
    fixture_add(&f, "bus", "", "wait-term");
    fixture_wait_text(&f, "bus", "Status", "ready");
    g_assert_null(replace("name: bus\nexec: [/bin/true]\nrequires: [nobody]\n", NULL, &wrong));
    g_assert_nonnull(strstr(wrong->message, "InvalidManifest"));
    g_assert_false(fixture_flag(&f, "bus", "ManifestPending"));

    g_autoptr(GVariant) dry = replace(newer, "dry-run", NULL);
    assert_names(dry, "pending", "bus");
    g_assert_false(fixture_flag(&f, "bus", "ManifestPending"));
    g_autoptr(GVariant) changes = replace(newer, NULL, NULL);
    assert_names(changes, "pending", "bus");
    fixture_kill(&f);
    fixture_again(&f, NULL);
    g_assert_true(fixture_flag(&f, "bus", "ManifestPending"));
    fixture_upgrade(&f);
    g_assert_true(fixture_flag(&f, "bus", "ManifestPending"));
    g_autoptr(GVariant) applied = replace(newer, "restart", NULL);
    assert_names(applied, "restart", "bus");
    fixture_wait_number(&f, "bus", "Generation", 1);
    g_assert_false(fixture_flag(&f, "bus", "ManifestPending"));
}

static void who_comes_back_while_it_is_removed_is_declared_again(void)
{
    const char *slow = "  - {name: slow, stop: {timeout: 1h}, readiness: explicit,\n     exec: [@, "
                       "ignore-term, ready, pause]}\n";
    const char *stays = "  - {name: stays, exec: [@, wait-term]}\n";
    g_autofree char *both = g_strdup_printf("%s%s", slow, stays);

    for (int death = 0; death < 3; death++) {
        declare(both);
        fixture_wait_text(&f, "slow", "Status", "ready");
        GPid pid = (GPid)fixture_number(&f, "slow", "MainPID");
        declare(stays);
        fixture_wait_text(&f, "slow", "Status", "cancelling");

        g_autofree char *text = g_strdup_printf("children:\n%s", both);
        fixture_write_tree(&f, text);
        g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
        assert_names(changes, "added", "slow");
        g_assert_cmpuint(dict_number(changes, "unchanged"), ==, 1);
        if (death == 1)
            fixture_upgrade(&f);
        if (death == 2) {
            fixture_kill(&f);
            fixture_again(&f, NULL);
        }
        kill(pid, SIGKILL);
        wait_until_it_is_back("/org/proctor1/child/slow");
        fixture_wait_text(&f, "slow", "Status", "ready");
        declare(stays);
        kill((GPid)fixture_number(&f, "slow", "MainPID"), SIGKILL);
        fixture_wait_removed(&f, "slow");
    }
}

/* ---- what a client that caches sees -----------------------------------------------------------
 */

static GDBusProxy *proxy_of(const char *path, const char *interface)
{
    g_autoptr(GError) error = NULL;
    GDBusProxy *proxy = g_dbus_proxy_new_sync(f.bus, G_DBUS_PROXY_FLAGS_NONE, NULL, "org.proctor1",
                                              path, interface, NULL, &error);
    g_assert_no_error(error);
    return proxy;
}

/* Those that say nothing of their changes are asked for each time. */
static gboolean is_silent(const char *interface, const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/%s.xml", g_getenv("INTROSPECTION"), interface);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_autoptr(GDBusNodeInfo) node = g_dbus_node_info_new_for_xml(text, NULL);
    GDBusInterfaceInfo *info = g_dbus_node_info_lookup_interface(node, interface);
    GDBusPropertyInfo *property = g_dbus_interface_info_lookup_property(info, name);
    g_assert_nonnull(property);
    const char *emits = g_dbus_annotation_info_lookup(
        property->annotations, "org.freedesktop.DBus.Property.EmitsChangedSignal");

    return emits && (g_str_equal(emits, "false") || g_str_equal(emits, "invalidates"));
}

static char *first_difference(GDBusProxy *proxy)
{
    const char *interface = g_dbus_proxy_get_interface_name(proxy);
    g_autoptr(GVariant) reply =
        fixture_call(&f, g_dbus_proxy_get_object_path(proxy), "org.freedesktop.DBus.Properties",
                     "GetAll", g_variant_new("(s)", interface), NULL);
    g_autoptr(GVariant) all = g_variant_get_child_value(reply, 0);
    GVariantIter iter;
    const char *name;
    GVariant *value;

    g_variant_iter_init(&iter, all);
    while (g_variant_iter_next(&iter, "{&sv}", &name, &value)) {
        g_autoptr(GVariant) is = value;
        g_autoptr(GVariant) cached = g_dbus_proxy_get_cached_property(proxy, name);
        if (!is_silent(interface, name) && (!cached || !g_variant_equal(is, cached)))
            return g_strdup(name);
    }
    return NULL;
}

static void wait_for_agreement(GDBusProxy *proxy)
{
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    g_autofree char *differs = NULL;

    while ((differs = first_difference(proxy))) {
        if (g_get_monotonic_time() > deadline)
            g_error("%s: a client that caches has an old %s", g_dbus_proxy_get_object_path(proxy),
                    differs);
        g_clear_pointer(&differs, g_free);
        g_main_context_iteration(NULL, FALSE);
    }
}

/* systemd#20792: a property that was said to be constant, and was not. */
static void a_client_that_caches_sees_each_change(void)
{
    declare("  - {name: db, exec: [@, wait-term]}\n  - {name: web, exec: [@, wait-term]}\n");
    fixture_wait_text(&f, "web", "Status", "ready");
    g_autoptr(GDBusProxy) web = proxy_of("/org/proctor1/child/web", "org.proctor1.Child");
    g_autoptr(GDBusProxy) root =
        proxy_of("/org/proctor1/supervisor/root", "org.proctor1.Supervisor");
    g_autoptr(GDBusProxy) manager = proxy_of("/org/proctor1", "org.proctor1.Manager");

    fixture_write_tree(
        &f, "supervisor: root\nstrategy: one-for-all\nescalation: shutdown-tree\n"
            "max_restarts_in_flight: 7\nrestart_limit: {burst: 9, interval: 9s}\nchildren:\n"
            "  - {name: db, exec: [@, wait-term]}\n"
            "  - {name: web, kind: service, criticality: optional, tags: [a, b], requires: [db],\n"
            "     restart_limit: {burst: 3, interval: 7s}, nice: 1, exec: [@, wait-term]}\n");
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    wait_for_agreement(web);
    wait_for_agreement(root);
    g_autoptr(GVariant) restarted = fixture_verb_waiting(&f, "Restart", "web");
    g_autoptr(GVariant) paused = fixture_verb_waiting(&f, "Pause", "web");
    g_autoptr(GVariant) set = fixture_call(
        &f, "/org/proctor1", "org.freedesktop.DBus.Properties", "Set",
        g_variant_new("(ssv)", "org.proctor1.Manager", "MaxJobs", g_variant_new_uint32(3)), NULL);
    wait_for_agreement(web);
    wait_for_agreement(root);
    wait_for_agreement(manager);
    g_autofree char *moved = g_strdup(fixture_path(&f, "children.d/moved.yaml"));
    g_autofree char *before = g_strdup(fixture_path(&f, "children.d/tree.yaml"));
    g_assert_cmpint(rename(before, moved), ==, 0);
    g_autoptr(GVariant) again = fixture_reload(&f, NULL);
    g_assert_cmpuint(dict_number(again, "unchanged"), ==, 2);
    wait_for_agreement(web);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/changes", each_change_has_its_class);
    FIXTURE_TEST(&f, NULL, "/daemon/changes", an_anchor_is_a_change_of_each_that_uses_it);
    FIXTURE_TEST(&f, NULL, "/daemon/changes", who_comes_back_while_it_is_removed_is_declared_again);
    FIXTURE_TEST(&f, NULL, "/daemon/changes", a_child_of_the_bus_is_replaced);
    FIXTURE_TEST(&f, NULL, "/daemon/changes", a_client_that_caches_sees_each_change);
    return g_test_run();
}
