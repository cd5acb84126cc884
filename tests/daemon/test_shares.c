/*
 * Shares and bounds: what one client asks for is never another one's loss, and no answer is larger
 * than what the bus takes.
 */
#include "fixture.h"

#include <string.h>

#define MANAGER "org.proctor1.Manager"
#define OBJECTS "org.freedesktop.DBus.ObjectManager"

static struct fixture f;

static void assert_error(const GError *error, const char *name, const char *part)
{
    g_assert_nonnull(error);
    g_autofree char *remote = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(remote, ==, name);
    g_assert_nonnull(strstr(error->message, part));
}

/* ---- idempotency keys ------------------------------------------------------------------------ */

static GVariant *with_key(const char *verb, const char *child, const char *reason, const char *key,
                          gboolean key_first, GError **error)
{
    GVariantBuilder options;
    g_autofree char *path = g_strconcat("/org/proctor1/child/", child, NULL);

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    if (key_first)
        g_variant_builder_add(&options, "{sv}", "idempotency-key", g_variant_new_string(key));
    g_variant_builder_add(&options, "{sv}", "requested-by", g_variant_new_string("alice"));
    if (!key_first)
        g_variant_builder_add(&options, "{sv}", "idempotency-key", g_variant_new_string(key));
    return fixture_call(&f, path, "org.proctor1.Child", verb,
                        g_variant_new("(sa{sv})", reason, &options), error);
}

static char *command_of(GVariant *reply)
{
    g_autoptr(GVariant) outcome = g_variant_get_child_value(reply, 0);
    return g_strdup(dict_text(outcome, "CommandId"));
}

static void refused_with_key(const char *verb, const char *child, const char *reason)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = with_key(verb, child, reason, "k", TRUE, &error);

    g_assert_null(reply);
    assert_error(error, "org.proctor1.Error.InvalidArgument", "the key belongs to another call");
}

static void a_key_belongs_to_its_call(void)
{
    fixture_add(&f, "web", "", "wait-term");
    fixture_add(&f, "db", "", "wait-term");
    g_autoptr(GVariant) first = with_key("Pause", "web", "why", "k", TRUE, NULL);
    g_autofree char *command = command_of(first);
    g_autoptr(GVariant) again = with_key("Pause", "web", "why", "k", FALSE, NULL);
    g_autofree char *same = command_of(again);

    g_assert_cmpstr(same, ==, command);
    refused_with_key("Resume", "web", "why");
    refused_with_key("Pause", "db", "why");
    refused_with_key("Pause", "web", "why not");
    fixture_wait_text(&f, "db", "Operation", "active");
}

static void a_key_outlives_an_upgrade(void)
{
    fixture_add(&f, "web", "", "wait-term");
    g_autoptr(GVariant) first = with_key("Pause", "web", "why", "k", TRUE, NULL);
    g_autofree char *command = command_of(first);

    fixture_upgrade(&f);
    g_autoptr(GVariant) again = with_key("Pause", "web", "why", "k", TRUE, NULL);
    g_autofree char *same = command_of(again);
    g_assert_cmpstr(same, ==, command);
    refused_with_key("Resume", "web", "why");
}

#define TEST(name, function) fixture_test(&f, NULL, "/daemon/shares/" name, function)

int main(int argc, char **argv)
{
    fixture_become_init();
    g_test_init(&argc, &argv, NULL);
    TEST("a-key-belongs-to-its-call", a_key_belongs_to_its_call);
    TEST("a-key-outlives-an-upgrade", a_key_outlives_an_upgrade);
    return g_test_run();
}
