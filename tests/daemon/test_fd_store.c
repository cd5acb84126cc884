/*
 * Descriptors that a child gives to be kept, with real processes: they are there at its next start.
 */
#include "fixture.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fixture f;

/* Each attempt writes what it has got, then gives what the steps say. */
static void add(const char *name, const char *yaml, const char *steps)
{
    g_autofree char *all =
        g_strdup_printf("store-contents=%s, %s, ready, live=600000", fixture_path(&f, name), steps);
    g_autofree char *lines = g_strdup_printf("readiness: explicit\n%s", yaml);

    fixture_add(&f, name, lines, all);
    fixture_wait_text(&f, name, "Readiness", "ready");
}

static void assert_has(const char *name, const char *contents)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(fixture_path(&f, name), &text, NULL, NULL));
    g_assert_cmpstr(text, ==, contents);
}

static void restart(const char *name)
{
    g_variant_unref(fixture_verb_waiting(&f, "Restart", name));
    fixture_wait_text(&f, name, "Readiness", "ready");
}

static void what_is_given_is_there_again(void)
{
    add("web", "fd_store_max: 8\n", "store=a, store");
    assert_has("web", "none");
    restart("web");
    assert_has("web", "a:stored a nameless");
    restart("web");
    assert_has("web", "a:stored:a:stored a nameless a nameless");
}

static void it_lies_behind_the_sockets(void)
{
    add("web", "fd_store_max: 2\nsockets: [{name: http, listen: \"@proctor-test-fd-store\"}]\n",
        "store=a");
    restart("web");
    assert_has("web", "http:a - a");
}

static void what_is_taken_back_is_closed(void)
{
    add("web", "fd_store_max: 8\n", "store=a, store=b, store=a, unstore=a, store=c");
    restart("web");
    assert_has("web", "b:c b c");
}

/* One less than the limit, the limit, and one more. */
static void the_limit_is_kept(void)
{
    add("less", "fd_store_max: 3\n", "store=a, store=b");
    add("same", "fd_store_max: 3\n", "store=a, store=b, store=c");
    add("more", "fd_store_max: 3\n", "store=a, store=b, store=c, store=d");
    restart("less");
    restart("same");
    restart("more");
    assert_has("less", "a:b a b");
    assert_has("same", "a:b:c a b c");
    assert_has("more", "a:b:c a b c");
}

static void without_a_store_nothing_is_taken(void)
{
    add("web", "", "store=a, barrier");
    restart("web");
    assert_has("web", "none");
}

static void it_is_kept_over_holds_and_failures(void)
{
    add("web", "fd_store_max: 1\nrestart: permanent\nbackoff: {initial: 1ms, jitter: none}\n",
        "store=a, fail-first");
    assert_has("web", "a a");
    g_variant_unref(fixture_verb_waiting(&f, "Pause", "web"));
    g_variant_unref(fixture_verb_waiting(&f, "Resume", "web"));
    fixture_wait_text(&f, "web", "Readiness", "ready");
    assert_has("web", "a a");
}

static void an_upgrade_keeps_it(void)
{
    add("web", "fd_store_max: 4\n", "store=b, store=a");
    add("held", "fd_store_max: 4\n", "store=x");
    g_variant_unref(fixture_verb_waiting(&f, "Pause", "held"));
    fixture_upgrade(&f);
    fixture_upgrade(&f);
    restart("web");
    assert_has("web", "b:a b a");
    g_variant_unref(fixture_verb_waiting(&f, "Resume", "held"));
    fixture_wait_text(&f, "held", "Readiness", "ready");
    assert_has("held", "x x");
}

static void a_death_loses_it_and_nothing_else(void)
{
    add("web", "fd_store_max: 4\n", "store=a");
    fixture_kill(&f);
    fixture_again(&f, NULL);
    restart("web");
    assert_has("web", "none");
    restart("web");
    assert_has("web", "a a");
}

/* A socket whose peer never reads. */
static int deaf(guint *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, size), ==, 0);
    g_assert_cmpint(listen(fd, 8), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &size), ==, 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Its close waits for 20 s, and nothing else does. */
static void what_lingers_holds_up_nobody(void)
{
    guint port;
    int door = deaf(&port);
    g_autofree char *steps = g_strdup_printf(
        "store-lingering=%u, store-lingering=%u, store-lingering=%u", port, port, port);

    add("web", "fd_store_max: 2\n", steps);
    gint64 begin = g_get_monotonic_time();
    g_variant_unref(fixture_verb(&f, "Remove", "web"));
    fixture_wait_removed(&f, "web");
    fixture_add(&f, "other", "", "live=600000");
    fixture_wait_text(&f, "other", "Status", "ready");
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 15 * G_USEC_PER_SEC);
    close(door);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/fd-store", what_is_given_is_there_again);
    FIXTURE_TEST(&f, NULL, "/daemon/fd-store", it_lies_behind_the_sockets);
    FIXTURE_TEST(&f, NULL, "/daemon/fd-store", what_is_taken_back_is_closed);
    FIXTURE_TEST(&f, NULL, "/daemon/fd-store", the_limit_is_kept);
    FIXTURE_TEST(&f, NULL, "/daemon/fd-store", without_a_store_nothing_is_taken);
    FIXTURE_TEST(&f, NULL, "/daemon/fd-store", it_is_kept_over_holds_and_failures);
    FIXTURE_TEST(&f, NULL, "/daemon/fd-store", an_upgrade_keeps_it);
    FIXTURE_TEST(&f, NULL, "/daemon/fd-store", a_death_loses_it_and_nothing_else);
    FIXTURE_TEST(&f, NULL, "/daemon/fd-store", what_lingers_holds_up_nobody);
    return g_test_run();
}
