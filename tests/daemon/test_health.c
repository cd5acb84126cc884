/*
 * Health checks and sidecars, with real commands, real sockets and real processes.
 */
#include "fixture.h"

#include <stdio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct fixture f;

/* ---- health checks --------------------------------------------------------------------------- */

/* A child that is well while the file "ok" is there; each check leaves a line in "log". */
static void add_checked(const char *command_end, const char *more)
{
    g_autofree char *yaml =
        g_strdup_printf("health_check: {exec: [/bin/sh, -c, \"echo x >> %s; test -e %s%s\"],\n"
                        "               interval: 20ms, timeout: 2s, retries: 2%s}\n"
                        "backoff: {initial: 10ms}\nrestart: permanent\n",
                        fixture_path(&f, "log"), fixture_path(&f, "ok"), command_end, more);
    fixture_add(&f, "web", yaml, "wait-term");
}

static void make_well(void)
{
    g_assert_true(g_file_set_contents(fixture_path(&f, "ok"), "", 0, NULL));
}

static void make_ill(void)
{
    g_assert_cmpint(unlink(fixture_path(&f, "ok")), ==, 0);
}

static void wait_for_checks(guint count)
{
    gint64 deadline = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;

    while (fixture_count_lines(&f, "log") < count)
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
}

static void misses_in_a_row_are_a_silence(void)
{
    make_well();
    add_checked("", "");
    wait_for_checks(2); /* the first one has passed by then */
    g_assert_false(fixture_flag(&f, "web", "HeartbeatStale"));
    make_ill();
    fixture_wait_flag(&f, "web", "HeartbeatStale");
    g_autofree char *why = fixture_event_field(&f, "child-heartbeat-stale", "web", "why");
    g_assert_cmpstr(why, ==, "exit code 1");
    g_autofree char *explanation = fixture_text(&f, "web", "Explanation");
    g_assert_nonnull(strstr(explanation, "its health checks fail"));
    make_well();
    fixture_wait_event(&f, "child-heartbeat-recovered", "web", 1);
    g_assert_false(fixture_flag(&f, "web", "HeartbeatStale"));
    g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 0);
}

static void who_was_never_well_is_not_ill(void)
{
    add_checked("", "");
    wait_for_checks(6);
    g_assert_false(fixture_flag(&f, "web", "HeartbeatStale"));
}

static void an_ill_child_is_restarted_where_it_says_so(void)
{
    make_well();
    add_checked("", ", on_failure: restart");
    wait_for_checks(2);
    make_ill();
    fixture_wait_number(&f, "web", "Generation", 1);
    g_autoptr(GVariant) last = fixture_property(&f, "web", "LastExit");
    g_assert_cmpstr(dict_text(last, "Kind"), ==, "unhealthy");
    g_assert_nonnull(strstr(dict_text(last, "Reason"), "health checks failed"));
}

static void no_answer_in_time_is_a_miss(void)
{
    g_autofree char *yaml = g_strdup_printf(
        "health_check: {exec: [/bin/sh, -c, \"echo x >> %s; test -e %s || exec sleep 1000\"],\n"
        "               interval: 20ms, timeout: 100ms, retries: 2}\n",
        fixture_path(&f, "log"), fixture_path(&f, "ok"));

    make_well();
    fixture_add(&f, "web", yaml, "wait-term");
    wait_for_checks(2);
    make_ill();
    fixture_wait_flag(&f, "web", "HeartbeatStale");
    g_autofree char *why = fixture_event_field(&f, "child-heartbeat-stale", "web", "why");
    g_assert_cmpstr(why, ==, "no answer within its timeout");
    /* What hangs must not be left: fixture_stop() looks. */
}

static void a_command_that_can_not_be_run_is_a_miss(void)
{
    fixture_add(&f, "web",
                "health_check: {exec: [/no/such/program], interval: 5ms, retries: 1}\n"
                "heartbeat: {interval: 20ms, stale_after: 30ms, required: true}\n",
                "wait-term");
    fixture_wait_event(&f, "child-heartbeat-stale", "web", 1); /* the heartbeat's */
    g_autofree char *why = fixture_event_field(&f, "child-heartbeat-stale", "web", "why");
    g_assert_cmpstr(why, ==, "heartbeat");
    g_assert_cmpuint(fixture_number(&f, "web", "Attempt"), ==, 1);
}

/* A listener of the test's own; the caller closes it. */
static int listen_at(const void *address, socklen_t size)
{
    int fd = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(bind(fd, address, size), ==, 0);
    g_assert_cmpint(listen(fd, 64), ==, 0);
    return fd;
}

static void check_connections(const char *name, const char *where, int listener)
{
    g_autofree char *yaml =
        g_strdup_printf("health_check: {%s, interval: 10ms, timeout: 2s, retries: 2}\n", where);

    fixture_add(&f, name, yaml, "wait-term");
    close(accept(listener, NULL, NULL)); /* it has been asked: a pass */
    close(accept(listener, NULL, NULL));
    g_assert_false(fixture_flag(&f, name, "HeartbeatStale"));
    close(listener);
    fixture_wait_flag(&f, name, "HeartbeatStale");
    g_autofree char *why = fixture_event_field(&f, "child-heartbeat-stale", name, "why");
    g_assert_true(g_str_has_prefix(why, "connect: "));
}

static void a_connection_is_a_check(void)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(tcp);
    int fd = listen_at(&tcp, sizeof(tcp));

    getsockname(fd, (struct sockaddr *)&tcp, &size);
    g_autofree char *port = g_strdup_printf("tcp: %u", ntohs(tcp.sin_port));
    check_connections("tcp", port, fd);

    g_autofree char *path = g_strdup(fixture_path(&f, "socket"));
    strcpy(local.sun_path, path);
    g_autofree char *where = g_strdup_printf("unix: %s", path);
    check_connections("local", where, listen_at(&local, sizeof(local)));
}

static gint http_status, http_asked;

/* Answers each connection with the status of now, until it is told to end: 0. */
static gpointer answer_http(gpointer userdata)
{
    int listener = GPOINTER_TO_INT(userdata), fd;
    char request[1024];

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        int status = g_atomic_int_get(&http_status);
        if (status == 0)
            break;
        ssize_t n = read(fd, request, sizeof(request));
        g_assert_true(n > 0 && strncmp(request, "GET /healthz HTTP/", 18) == 0);
        dprintf(fd, "HTTP/1.1 %d x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", status);
        close(fd);
        g_atomic_int_inc(&http_asked);
    }
    close(fd);
    return NULL;
}

static void end_http(GThread *server, const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_atomic_int_set(&http_status, 0);
    g_assert_cmpint(connect(fd, (const struct sockaddr *)address, sizeof(*address)), ==, 0);
    g_thread_join(server);
    close(fd);
}

/* A proxy of the child's environment is not asked. */
static void a_url_is_a_check(void)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(tcp);

    if (access("/usr/bin/curl", X_OK) < 0) {
        g_test_skip("needs curl");
        return;
    }
    int listener = listen_at(&tcp, sizeof(tcp));
    getsockname(listener, (struct sockaddr *)&tcp, &size);
    g_atomic_int_set(&http_status, 200);
    GThread *server = g_thread_new("http", answer_http, GINT_TO_POINTER(listener));
    g_autofree char *yaml = g_strdup_printf(
        "health_check: {http: \"http://127.0.0.1:%u/healthz\", interval: 10ms, timeout: 10s, "
        "retries: 2}\nenvironment: {http_proxy: \"http://127.0.0.1:1\"}\n",
        ntohs(tcp.sin_port));

    fixture_add(&f, "web", yaml, "wait-term");
    for (gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
         g_atomic_int_get(&http_asked) < 2; g_usleep(1000))
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    g_assert_false(fixture_flag(&f, "web", "HeartbeatStale"));
    g_atomic_int_set(&http_status, 503);
    fixture_wait_flag(&f, "web", "HeartbeatStale");
    g_autofree char *why = fixture_event_field(&f, "child-heartbeat-stale", "web", "why");
    g_assert_cmpstr(why, ==, "exit code 22");
    g_atomic_int_set(&http_status, 302);
    fixture_wait_event(&f, "child-heartbeat-recovered", "web", 1);
    end_http(server, &tcp);
    close(listener);
    fixture_wait_flag(&f, "web", "HeartbeatStale"); /* nothing listens any more */
}

/* ---- sidecars -------------------------------------------------------------------------------- */

static void declare_pair(const char *order, const char *more)
{
    g_autofree char *text = g_strdup_printf(
        "strategy: one-for-all\n"
        "children:\n"
        "  - {name: app, exec: [@, ready, wait-term], readiness: explicit,\n"
        "     restart: permanent, backoff: {initial: 10ms, jitter: none}}\n"
        "  - {name: proxy, kind: sidecar, primary: app, order: %s, exec: [@, ready, wait-term],\n"
        "     readiness: explicit, backoff: {initial: 10ms, jitter: none}}\n"
        "%s",
        order, more);
    fixture_write_tree(&f, text);
    g_autoptr(GVariant) changes = fixture_reload(&f, NULL);
    fixture_wait_text(&f, "proxy", "Readiness", "ready");
    fixture_wait_text(&f, "app", "Readiness", "ready");
}

/* Whether the last event of the one came before the last of the other. */
static void assert_before(const char *kind, const char *child, const char *later_kind,
                          const char *later)
{
    GVariantBuilder filter;
    gint first = -1, second = -1, n = 0;

    g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "QueryEvents", g_variant_new("(tua{sv})", (guint64)0, 10000, &filter), NULL);
    g_autoptr(GVariant) list = g_variant_get_child_value(reply, 0);
    for (gsize i = 0; i < g_variant_n_children(list); i++, n++) {
        const char *k, *c;
        g_variant_get_child(list, i, "(ttt&s&ss@a{sv})", NULL, NULL, NULL, &k, &c, NULL, NULL);
        if (strcmp(k, kind) == 0 && strcmp(c, child) == 0)
            first = n;
        if (strcmp(k, later_kind) == 0 && strcmp(c, later) == 0)
            second = n;
    }
    g_assert_cmpint(first, >=, 0);
    g_assert_cmpint(second, >=, 0);
    g_assert_cmpint(first, <, second);
}

static void kill_child(const char *child)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_autofree char *path = g_strconcat("/org/proctor1/child/", child, NULL);
    g_autoptr(GVariant) reply =
        fixture_call(&f, path, "org.proctor1.Child", "Kill",
                     g_variant_new("(sisa{sv})", "main", 9, "test", &options), NULL);
}

static void a_sidecar_starts_after_and_is_restarted_with_its_primary(void)
{
    declare_pair("with", "");
    assert_before("child-ready", "app", "child-starting", "proxy");
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "app");
    fixture_wait_number(&f, "proxy", "Generation", 1);
    fixture_wait_text(&f, "proxy", "Readiness", "ready");
    g_assert_cmpuint(fixture_number(&f, "app", "Generation"), ==, 1);
    assert_before("child-control-cancel-delivered", "proxy", "child-control-cancel-delivered",
                  "app");
    assert_before("child-ready", "app", "child-starting", "proxy");
    g_assert_cmpuint(fixture_number(&f, "proxy", "RestartsUsed"), ==, 0);
}

static void a_sidecar_goes_around_and_is_restarted_with_its_primary(void)
{
    declare_pair("around", "");
    assert_before("child-ready", "proxy", "child-starting", "app");
    g_autoptr(GVariant) outcome = fixture_verb(&f, "Restart", "app");
    fixture_wait_number(&f, "app", "Generation", 1);
    fixture_wait_text(&f, "app", "Readiness", "ready");
    g_assert_cmpuint(fixture_number(&f, "proxy", "Generation"), ==, 1);
    assert_before("child-exited", "app", "child-control-cancel-delivered", "proxy");
    assert_before("child-ready", "proxy", "child-starting", "app");
    g_assert_cmpuint(fixture_number(&f, "proxy", "RestartsUsed"), ==, 0);
}

static void a_crash_of_the_primary_takes_its_sidecar_along(void)
{
    declare_pair("around", "");
    kill_child("app");
    fixture_wait_number(&f, "proxy", "Generation", 1);
    fixture_wait_number(&f, "app", "Generation", 1);
}

static void a_crash_of_the_sidecar_is_its_own(void)
{
    declare_pair("around", "");
    kill_child("proxy");
    fixture_wait_number(&f, "proxy", "Generation", 1);
    g_assert_cmpuint(fixture_number(&f, "app", "Generation"), ==, 0);
    g_assert_cmpuint(fixture_number(&f, "app", "Attempt"), ==, 1);
}

static void a_hold_of_the_primary_stops_its_sidecar(void)
{
    declare_pair("around", "");
    g_autoptr(GVariant) paused = fixture_verb(&f, "Pause", "app");
    fixture_wait_text(&f, "proxy", "Status", "none");
    g_autofree char *why = fixture_text(&f, "proxy", "Explanation");
    g_assert_nonnull(strstr(why, "app"));
    g_autofree char *operation = fixture_text(&f, "proxy", "Operation");
    g_assert_cmpstr(operation, ==, "active");
    g_autoptr(GVariant) resumed = fixture_verb(&f, "Resume", "app");
    fixture_wait_number(&f, "proxy", "Generation", 1);
    fixture_wait_number(&f, "app", "Generation", 1);

    g_autoptr(GVariant) alone = fixture_verb(&f, "Pause", "proxy"); /* and not the other way */
    fixture_wait_text(&f, "proxy", "Status", "none");
    g_assert_cmpuint(fixture_number(&f, "app", "Generation"), ==, 1);
    fixture_wait_text(&f, "app", "Status", "ready");
}

static void a_dry_run_names_the_sidecar(void)
{
    GVariantBuilder options;

    declare_pair("around", "");
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "dry-run", g_variant_new_boolean(TRUE));
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "RestartChild", g_variant_new("(ssa{sv})", "app", "test", &options), NULL);
    g_autoptr(GVariant) outcome = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) list =
        g_variant_lookup_value(outcome, "WouldRestart", G_VARIANT_TYPE_STRING_ARRAY);
    g_autofree char *text = g_variant_print(list, FALSE);
    g_assert_cmpstr(text, ==, "['proxy', 'app']");
    g_assert_cmpuint(fixture_number(&f, "proxy", "Generation"), ==, 0);
}

/* What a verb on a child or a scope answers; it is waited for unless it is tried only. */
static GVariant *give(const char *path, const char *interface, const char *verb, const char *option)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", option, g_variant_new_boolean(TRUE));
    g_autoptr(GVariant) reply =
        fixture_call(&f, path, interface, verb, g_variant_new("(sa{sv})", "test", &options), NULL);
    return g_variant_get_child_value(reply, 0);
}

static void assert_would_start(GVariant *outcome, const char *expected)
{
    g_autoptr(GVariant) list =
        g_variant_lookup_value(outcome, "WouldStart", G_VARIANT_TYPE_STRING_ARRAY);
    g_autofree char *text = g_variant_print(list, FALSE);
    g_assert_cmpstr(text, ==, expected);
}

static void a_dry_run_names_who_starts_later(void)
{
    const char *app = "/org/proctor1/child/app", *child = "org.proctor1.Child";
    const char *s = "/org/proctor1/supervisor/root/s", *supervisor = "org.proctor1.Supervisor";

    declare_pair("around", "  - supervisor: s\n"
                           "    children:\n"
                           "      - {name: l, exec: [@, wait-term]}\n"
                           "      - {name: w, requires: [s/l], exec: [@, wait-term]}\n");
    g_autoptr(GVariant) paused = give(app, child, "Pause", "wait");
    fixture_wait_text(&f, "proxy", "Status", "none");
    g_autoptr(GVariant) alone = give(app, child, "Resume", "dry-run");
    assert_would_start(alone, "['app', 'proxy']");
    g_autoptr(GVariant) resumed = give(app, child, "Resume", "wait");
    fixture_wait_number(&f, "proxy", "Generation", 1);
    fixture_wait_text(&f, "app", "Readiness", "ready");

    fixture_wait_text(&f, "s/w", "Status", "ready");
    g_autoptr(GVariant) held = give(s, supervisor, "Pause", "wait");
    g_autoptr(GVariant) outcomes = give(s, supervisor, "Resume", "dry-run");
    g_assert_cmpuint(g_variant_n_children(outcomes), ==, 2);
    g_autoptr(GVariant) first = g_variant_get_child_value(outcomes, 0);
    g_autoptr(GVariant) second = g_variant_get_child_value(outcomes, 1);
    assert_would_start(first, "['s/l']");
    assert_would_start(second, "['s/w']");
}

static void assert_refused(const char *manifest, const char *message)
{
    GVariantBuilder options;
    g_autoptr(GError) error = NULL;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) reply = fixture_manager(
        &f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", &options), &error);
    g_assert_null(reply);
    g_autofree char *remote = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(remote, ==, "org.proctor1.Error.InvalidManifest");
    if (!strstr(error->message, message))
        g_error("expected \"%s\", got \"%s\"", message, error->message);
}

static void a_primary_must_be_a_proper_one(void)
{
    declare_pair("around", "");
    assert_refused("name: x\nkind: sidecar\nexec: [/bin/true]\n",
                   "line 1, column 1: primary is missing");
    assert_refused("name: x\nkind: sidecar\nprimary: nobody\nexec: [/bin/true]\n",
                   "line 3, column 10: no child is called \"nobody\"");
    assert_refused("name: x\nkind: sidecar\nprimary: proxy\nexec: [/bin/true]\n",
                   "line 3, column 10: \"proxy\" is a sidecar itself");
    assert_refused("name: x\nkind: sidecar\nprimary: app\nrestart: permanent\nexec: [/bin/true]\n",
                   "line 4, column 10: restart: a sidecar follows its primary");
    assert_refused("name: x\nprimary: app\nexec: [/bin/true]\n",
                   "line 2, column 10: primary: only a child with kind: sidecar");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/health", misses_in_a_row_are_a_silence);
    FIXTURE_TEST(&f, NULL, "/daemon/health", who_was_never_well_is_not_ill);
    FIXTURE_TEST(&f, NULL, "/daemon/health", an_ill_child_is_restarted_where_it_says_so);
    FIXTURE_TEST(&f, NULL, "/daemon/health", no_answer_in_time_is_a_miss);
    FIXTURE_TEST(&f, NULL, "/daemon/health", a_command_that_can_not_be_run_is_a_miss);
    FIXTURE_TEST(&f, NULL, "/daemon/health", a_connection_is_a_check);
    FIXTURE_TEST(&f, NULL, "/daemon/health", a_url_is_a_check);
    FIXTURE_TEST(&f, NULL, "/daemon/sidecars",
                 a_sidecar_starts_after_and_is_restarted_with_its_primary);
    FIXTURE_TEST(&f, NULL, "/daemon/sidecars",
                 a_sidecar_goes_around_and_is_restarted_with_its_primary);
    FIXTURE_TEST(&f, NULL, "/daemon/sidecars", a_crash_of_the_primary_takes_its_sidecar_along);
    FIXTURE_TEST(&f, NULL, "/daemon/sidecars", a_crash_of_the_sidecar_is_its_own);
    FIXTURE_TEST(&f, NULL, "/daemon/sidecars", a_hold_of_the_primary_stops_its_sidecar);
    FIXTURE_TEST(&f, NULL, "/daemon/sidecars", a_dry_run_names_the_sidecar);
    FIXTURE_TEST(&f, NULL, "/daemon/sidecars", a_dry_run_names_who_starts_later);
    FIXTURE_TEST(&f, NULL, "/daemon/sidecars", a_primary_must_be_a_proper_one);
    return g_test_run();
}
