/*
 * Shares and bounds: what one client asks for is never another one's loss, and no answer is larger
 * than what the bus takes.
 */
#include "fixture.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MANAGER "org.proctor1.Manager"
#define OBJECTS "org.freedesktop.DBus.ObjectManager"

static struct fixture f;
static char *metrics_path;

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

/* ---- answers about many objects -------------------------------------------------------------- */

/* Children without a process. */
static void write_children(int count)
{
    GString *text = g_string_new("children:\n");

    for (int i = 0; i < count; i++)
        g_string_append_printf(text, "  - {name: c%d, kind: async_worker, autostart: false}\n", i);
    fixture_write_tree(&f, text->str);
    g_string_free(text, TRUE);
    g_variant_unref(fixture_reload(&f, NULL));
}

/* One by one: a file may not be as long. */
static void add_children(int from, int to, const char *more)
{
    for (int i = from; i < to; i++) {
        GVariantBuilder none;
        g_autofree char *text = g_strdup_printf("name: c%d\nautostart: false\n%s", i, more);
        g_variant_builder_init(&none, G_VARIANT_TYPE_VARDICT);
        g_variant_unref(
            fixture_manager(&f, "AddChild", g_variant_new("(ssa{sv})", text, "test", &none), NULL));
    }
}

static GVariant *objects(GError **error)
{
    return fixture_call(&f, "/org/proctor1", OBJECTS, "GetManagedObjects", NULL, error);
}

static gboolean is_limit(GVariant *reply, GError *error)
{
    if (reply)
        return FALSE;
    g_autofree char *name = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(name, ==, "org.proctor1.Error.LimitExceeded");
    return TRUE;
}

static gboolean answers_about_all(const char *interface, const char *method)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = fixture_call(&f, "/org/proctor1", interface, method, NULL, &error);
    return !is_limit(reply, error);
}

/* 700 manifests of 60 KB are more than the system bus takes in one message. */
static void long_manifests_are_read_one_by_one(void)
{
    g_autofree char *argument = g_strnfill(60000, 'x');
    gsize longest = 0;

    g_autofree char *exec = g_strdup_printf("exec: [/bin/true, %s]\n", argument);
    add_children(0, 700, exec);
    g_assert_true(answers_about_all(MANAGER, "CurrentState"));
    g_autoptr(GVariant) reply = objects(NULL);
    g_autoptr(GVariant) all = g_variant_get_child_value(reply, 0);
    GVariantIter iter;
    GVariant *interfaces;
    const char *path;
    g_variant_iter_init(&iter, all);
    while (g_variant_iter_loop(&iter, "{&o@a{sa{sv}}}", &path, &interfaces)) {
        g_autoptr(GVariant) properties =
            g_variant_lookup_value(interfaces, "org.proctor1.Child", NULL);
        if (!properties)
            continue;
        g_assert_false(dict_has(properties, "Manifest"));
        longest = MAX(longest, g_variant_get_size(properties));
    }
    g_assert_cmpuint(g_variant_n_children(all), >, 700);
    g_autofree char *manifest = fixture_text(&f, "c0", "Manifest");
    g_assert_cmpuint(longest, <, 10000);
    g_assert_cmpuint(strlen(manifest), >, 60000);
}

/* More than 24 MiB: refused, and no client is disconnected. */
static void what_no_bus_takes_is_refused(void)
{
    GString *tags = g_string_new("kind: async_worker\ntags: [");

    for (int i = 0; i < 32; i++)
        g_string_append_printf(tags, "%st%02d%0997d", i > 0 ? ", " : "", i, 0);
    g_string_append(tags, "]\n");
    add_children(0, 700, tags->str); /* 21 MiB */
    g_assert_true(answers_about_all(OBJECTS, "GetManagedObjects"));
    g_assert_true(answers_about_all(MANAGER, "CurrentState"));
    add_children(700, 900, tags->str); /* 27 MiB */
    g_assert_false(answers_about_all(OBJECTS, "GetManagedObjects"));
    g_assert_false(answers_about_all(MANAGER, "CurrentState"));
    g_assert_true(answers_about_all(MANAGER, "ListChildren"));
    g_autofree char *name = fixture_text(&f, "c899", "Name");
    g_assert_cmpstr(name, ==, "c899");
    g_string_free(tags, TRUE);
}

struct view {
    GVariant *operations[3]; /* of c0, c1, c1999, as the client has them */
    gboolean answered, has_new;
};

static const char *const watched[] = {"c0", "c1", "c1999"};

static void take(struct view *view, const char *path, GVariant *properties)
{
    for (int i = 0; i < 3; i++) {
        g_autofree char *mine = g_strconcat("/org/proctor1/child/", watched[i], NULL);
        GVariant *operation = g_variant_lookup_value(properties, "Operation", NULL);
        if (g_str_equal(path, mine) && operation) {
            g_clear_pointer(&view->operations[i], g_variant_unref);
            view->operations[i] = g_variant_ref(operation);
        }
        if (operation)
            g_variant_unref(operation);
    }
    if (g_str_equal(path, "/org/proctor1/child/fresh"))
        view->has_new = TRUE;
}

static void signal_came(GDBusConnection *bus, const char *sender, const char *path,
                        const char *interface, const char *name, GVariant *arguments, gpointer data)
{
    struct view *view = data;

    (void)bus, (void)sender, (void)interface;
    if (!view->answered)
        return; /* a client that keeps only what comes behind its answer */
    if (g_str_equal(name, "PropertiesChanged")) {
        g_autoptr(GVariant) changed = g_variant_get_child_value(arguments, 1);
        take(view, path, changed);
    } else if (g_str_equal(name, "InterfacesAdded")) {
        const char *added;
        g_autoptr(GVariant) interfaces = NULL;
        g_variant_get(arguments, "(&o@a{sa{sv}})", &added, &interfaces);
        g_autoptr(GVariant) properties =
            g_variant_lookup_value(interfaces, "org.proctor1.Child", NULL);
        if (properties)
            take(view, added, properties);
    }
}

static void answer_came(GObject *source, GAsyncResult *result, gpointer data)
{
    struct view *view = data;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, NULL);
    g_autoptr(GVariant) all = g_variant_get_child_value(reply, 0);
    GVariantIter iter;
    GVariant *interfaces;
    const char *path;

    view->answered = TRUE;
    g_variant_iter_init(&iter, all);
    while (g_variant_iter_loop(&iter, "{&o@a{sa{sv}}}", &path, &interfaces)) {
        g_autoptr(GVariant) properties =
            g_variant_lookup_value(interfaces, "org.proctor1.Child", NULL);
        if (properties)
            take(view, path, properties);
    }
}

static gboolean view_is_true(const struct view *view)
{
    return view->answered && view->has_new &&
           g_str_equal(g_variant_get_string(view->operations[0], NULL), "paused") &&
           g_str_equal(g_variant_get_string(view->operations[1], NULL), "active") &&
           g_str_equal(g_variant_get_string(view->operations[2], NULL), "paused");
}

/* What changes while the answer is made is sent behind it. */
static void a_client_ends_up_with_what_is_true(void)
{
    struct view view = {};

    write_children(2000);
    guint id =
        g_dbus_connection_signal_subscribe(f.bus, "org.proctor1", NULL, NULL, NULL, NULL,
                                           G_DBUS_SIGNAL_FLAGS_NONE, signal_came, &view, NULL);
    g_dbus_connection_call(f.bus, "org.proctor1", "/org/proctor1", OBJECTS, "GetManagedObjects",
                           NULL, NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL, answer_came, &view);
    g_variant_unref(fixture_verb(&f, "Pause", "c0"));
    g_variant_unref(fixture_verb(&f, "Pause", "c1999"));
    g_assert_false(view.answered); /* else it tries nothing */
    fixture_add(&f, "fresh", "autostart: false\n", "pause");
    gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    while (!view_is_true(&view) && g_get_monotonic_time() < end)
        g_main_context_iteration(NULL, TRUE);
    g_assert_true(view_is_true(&view));
    g_dbus_connection_signal_unsubscribe(f.bus, id);
    for (int i = 0; i < 3; i++)
        g_variant_unref(view.operations[i]);
}

static void a_state_says_between_which_events(void)
{
    write_children(1000);
    g_autoptr(GVariant) reply = fixture_manager(&f, "CurrentState", NULL, NULL);
    g_autoptr(GVariant) state = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) children = g_variant_lookup_value(state, "children", NULL);

    g_assert_cmpuint(g_variant_n_children(children), ==, 1000);
    g_assert_cmpuint(dict_number(state, "sequence"), ==, dict_number(state, "until_sequence"));
}

/* ---- the metrics socket ---------------------------------------------------------------------- */

static int connect_to_metrics(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_snprintf(address.sun_path, sizeof(address.sun_path), "%s", metrics_path);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

/* Up to the end of the connection. */
static char *read_all(int fd)
{
    GString *text = g_string_new(NULL);
    char bytes[4096];

    for (gssize n; (n = read(fd, bytes, sizeof(bytes))) > 0;)
        g_string_append_len(text, bytes, n);
    return g_string_free(text, FALSE);
}

static gboolean scrape(void)
{
    int fd = connect_to_metrics();
    gboolean sent = send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) == 18;
    g_autofree char *text = read_all(fd);

    close(fd);
    return sent && g_str_has_prefix(text, "HTTP/1.1 200") && strstr(text, "# EOF");
}

/* Before the five seconds are over after which it goes anyway. */
static gboolean is_closed(int fd)
{
    char byte;
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, 3000) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* Eight of a uid: the ninth takes the place of the oldest that is silent. */
static void silent_connections_give_way(void)
{
    int silent[9];
    char byte;

    for (int i = 0; i < 7; i++)
        silent[i] = connect_to_metrics();
    g_assert_true(scrape());
    silent[7] = connect_to_metrics();
    g_assert_true(scrape()); /* n + 1: the first one has gone for it */
    g_assert_true(is_closed(silent[0]));
    g_assert_cmpint(recv(silent[1], &byte, 1, MSG_DONTWAIT), ==, -1);
    for (int round = 0; round < 40; round++)
        g_assert_true(scrape());
    silent[8] = connect_to_metrics();
    for (int i = 0; i < 9; i++)
        close(silent[i]);
}

int main(int argc, char **argv)
{
    g_autofree char *folder = g_dir_make_tmp("proctor-metrics-XXXXXX", NULL);
    metrics_path = g_build_filename(folder, "socket", NULL);
    g_autofree char *option = g_strconcat("--metrics-socket=", metrics_path, NULL);
    const char *const with_metrics[] = {option, NULL};
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/shares", a_key_belongs_to_its_call);
    FIXTURE_TEST(&f, NULL, "/daemon/shares", a_key_outlives_an_upgrade);
    FIXTURE_TEST(&f, NULL, "/daemon/shares", long_manifests_are_read_one_by_one);
    FIXTURE_TEST(&f, NULL, "/daemon/shares", what_no_bus_takes_is_refused);
    FIXTURE_TEST(&f, NULL, "/daemon/shares", a_client_ends_up_with_what_is_true);
    FIXTURE_TEST(&f, NULL, "/daemon/shares", a_state_says_between_which_events);
    FIXTURE_TEST(&f, with_metrics, "/daemon/shares", silent_connections_give_way);
    int failed = g_test_run();
    rmdir(folder);
    return failed;
}
