/*
 * Text: what comes from outside, with everything in it that could hurt. At the door, where it is
 * refused; and on its way out, where no reader may be blinded by it and no terminal must act on it.
 */
#include "fixture.h"

#include <string.h>

#define PATH            "/org/proctor1"
#define MANAGER         "org.proctor1.Manager"
#define SUPERVISOR_ROOT PATH "/supervisor/root"

static struct fixture f;

/* What GDBus can send; bytes that are no UTF-8 come in by other ways. */
static const struct hostile {
    const char *what, *text;
} hostile[] = {
    {"a line end", "one\ntwo"},
    {"a carriage return", "one\rtwo"},
    {"a tab", "one\ttwo"},
    {"an escape sequence", "x\x1b]0;owned\x07"},
    {"a bell at the end", "x\x07"},
    {"DEL", "x\x7f"},
    {"C1", "x\xc2\x9b"
           "31m"},
    {"NEL", "x\xc2\x85y"},
    {"a direction", "x\xe2\x80\xae"
                    "daol"},
    {"an isolate", "x\xe2\x81\xa6y"},
    {"a line separator", "x\xe2\x80\xa8y"},
    {"a paragraph separator", "x\xe2\x80\xa9y"},
    {"no character", "x\xef\xbf\xbey"},
    {"another one", "x\xef\xb7\x90y"},
    {"one of another plane", "x\xf0\x9f\xbf\xbey"},
};

static GVariant *options_with(const char *key, const char *value)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    if (key)
        g_variant_builder_add(&options, "{sv}", key, g_variant_new_string(value));
    return g_variant_builder_end(&options);
}

/* The call is refused, and the error names the argument. */
static void assert_refused(const char *path, const char *interface, const char *method,
                           GVariant *arguments, const char *argument)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = fixture_call(&f, path, interface, method, arguments, &error);
    g_autofree char *name = error ? g_dbus_error_get_remote_error(error) : NULL;

    g_assert_null(reply);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.InvalidArgument");
    g_assert_nonnull(strstr(error->message, argument));
}

/* ---- doors ----------------------------------------------------------------------------------- */

static const char manifest[] = "{name: other, exec: [/bin/sleep, \"1000\"]}";

static void a_reason_with_control_characters_is_refused(void)
{
    static const char *const by_id[] = {"PauseChild", "ResumeChild", "QuarantineChild",
                                        "RestartChild", "RemoveChild"};
    static const char *const verbs[] = {"Pause", "Resume", "Restart", "Shutdown"};
    const char *child = PATH "/child/worker";

    fixture_add(&f, "worker", "", "ready, pause");
    for (gsize i = 0; i < G_N_ELEMENTS(hostile); i++) {
        const char *text = hostile[i].text;
        for (gsize j = 0; j < G_N_ELEMENTS(by_id); j++)
            assert_refused(PATH, MANAGER, by_id[j],
                           g_variant_new("(ss@a{sv})", "worker", text, options_with(NULL, NULL)),
                           "reason");
        for (gsize j = 0; j < G_N_ELEMENTS(verbs); j++)
            assert_refused(SUPERVISOR_ROOT, "org.proctor1.Supervisor", verbs[j],
                           g_variant_new("(s@a{sv})", text, options_with(NULL, NULL)), "reason");
        assert_refused(child, "org.proctor1.Child", "Reload",
                       g_variant_new("(s@a{sv})", text, options_with(NULL, NULL)), "reason");
        assert_refused(child, "org.proctor1.Child", "Kill",
                       g_variant_new("(sis@a{sv})", "main", 1, text, options_with(NULL, NULL)),
                       "reason");
        assert_refused(PATH, MANAGER, "AddChild",
                       g_variant_new("(ss@a{sv})", manifest, text, options_with(NULL, NULL)),
                       "reason");
        assert_refused(PATH, MANAGER, "RunJob",
                       g_variant_new("(ss@a{sv})", manifest, text, options_with(NULL, NULL)),
                       "reason");
        assert_refused(PATH, MANAGER, "Reload",
                       g_variant_new("(s@a{sv})", text, options_with(NULL, NULL)), "reason");
        assert_refused(PATH, MANAGER, "Reexecute",
                       g_variant_new("(s@a{sv})", text, options_with(NULL, NULL)), "reason");
        assert_refused(PATH, MANAGER, "Shutdown",
                       g_variant_new("(s@a{sv})", text, options_with(NULL, NULL)), "reason");
    }
    fixture_wait_text(&f, "worker", "Operation", "active");
    g_assert_cmpuint(fixture_events(&f, "command-accepted", NULL), ==, 0);
}

/* The ids and names that are looked up are no texts for people: they are only not found. */
static void whatever_is_asked_is_answered(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(hostile); i++) {
        const char *text = hostile[i].text;
        const struct {
            const char *method;
            GVariant *arguments;
        } calls[] = {
            {"GetChild", g_variant_new("(s)", text)},
            {"PauseChild", g_variant_new("(ss@a{sv})", text, "test", options_with(NULL, NULL))},
            {"PauseChild", g_variant_new("(ss@a{sv})", "worker", "test", options_with(text, "x"))},
            {"AddChild", g_variant_new("(ss@a{sv})", text, "test", options_with(NULL, NULL))},
            {"RunJob", g_variant_new("(ss@a{sv})", text, "test", options_with(NULL, NULL))},
            {"QueryEvents", g_variant_new("(tu@a{sv})", (guint64)0, 1, options_with(text, "x"))},
            {"QueryEvents",
             g_variant_new("(tu@a{sv})", (guint64)0, 1, options_with("command", text))},
        };
        for (gsize j = 0; j < G_N_ELEMENTS(calls); j++) {
            g_autoptr(GError) error = NULL;
            g_assert_null(fixture_manager(&f, calls[j].method, calls[j].arguments, &error));
            g_autofree char *name = g_dbus_error_get_remote_error(error);
            g_assert_true(g_str_has_prefix(name, "org.proctor1.Error."));
            g_assert_null(strpbrk(error->message, "\n\r\t\x1b\x07\x7f"));
        }
    }
}

static void an_option_with_control_characters_is_refused(void)
{
    static const char *const names[] = {"requested-by", "idempotency-key"};

    fixture_add(&f, "worker", "", "ready, pause");
    for (gsize i = 0; i < G_N_ELEMENTS(hostile); i++)
        for (gsize j = 0; j < G_N_ELEMENTS(names); j++)
            assert_refused(PATH, MANAGER, "PauseChild",
                           g_variant_new("(ss@a{sv})", "worker", "test",
                                         options_with(names[j], hostile[i].text)),
                           names[j]);
    fixture_wait_text(&f, "worker", "Operation", "active");
}

static void a_reason_may_have_256_bytes(void)
{
    g_autofree char *most = g_strnfill(256, 'r'), *less = g_strnfill(255, 'r'),
                    *more = g_strnfill(257, 'r');
    g_autofree char *wide = NULL, *wider = NULL;
    GString *umlauts = g_string_new(NULL);

    for (int i = 0; i < 128; i++)
        g_string_append(umlauts, "\xc3\xbc");
    wide = g_string_free(umlauts, FALSE);
    wider = g_strconcat(wide, "x", NULL);
    fixture_add(&f, "worker", "", "ready, pause");
    for (gsize i = 0; i < 3; i++) {
        const char *const good[] = {less, most, wide};
        g_autoptr(GVariant) reply = fixture_manager(
            &f, "PauseChild",
            g_variant_new("(ss@a{sv})", "worker", good[i], options_with(NULL, NULL)), NULL);
        g_autofree char *told = fixture_event_field(&f, "command-accepted", "worker", "reason");
        g_autofree char *explained = fixture_text(&f, "worker", "Explanation");
        g_assert_cmpstr(told, ==, good[i]);
        g_assert_nonnull(strstr(explained, good[0])); /* of the first: the others are idempotent */
    }
    assert_refused(PATH, MANAGER, "PauseChild",
                   g_variant_new("(ss@a{sv})", "worker", more, options_with(NULL, NULL)), "reason");
    assert_refused(PATH, MANAGER, "PauseChild",
                   g_variant_new("(ss@a{sv})", "worker", wider, options_with(NULL, NULL)),
                   "reason");

    fixture_kill(&f); /* it is the same after a recovery */
    fixture_again(&f, NULL);
    g_autofree char *explained = fixture_text(&f, "worker", "Explanation");
    g_assert_nonnull(strstr(explained, less));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/text", a_reason_with_control_characters_is_refused);
    FIXTURE_TEST(&f, NULL, "/daemon/text", whatever_is_asked_is_answered);
    FIXTURE_TEST(&f, NULL, "/daemon/text", an_option_with_control_characters_is_refused);
    FIXTURE_TEST(&f, NULL, "/daemon/text", a_reason_may_have_256_bytes);
    return g_test_run();
}
