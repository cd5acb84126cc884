/*
 * Idempotency keys: the same call is answered again for 60 s, another one is refused, and no user
 * has more than its share of them.
 */
#include "bus/key.h"
#include "bus/options.h"
#include "private.h"
#include "world.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIFE  (60 * SEC)
#define ALICE 70001 /* no account that is trusted */
#define BOB   70002

static struct world *w;
static struct service service;
static sd_bus *bus;
static sd_bus_error error;

/* "PauseChild" of a child, with two options in one order or the other. */
static sd_bus_message *call(const char *child, bool other_way_round)
{
    const char *names[] = {"reason", "wait"};
    sd_bus_message *m = NULL;

    g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, NULL, "/org/proctor1",
                                                   "org.proctor1.Manager", "PauseChild"),
                    >=, 0);
    g_assert_cmpint(sd_bus_message_append(m, "s", child), >=, 0);
    g_assert_cmpint(sd_bus_message_append(m, "a{sv}", 2, names[other_way_round], "s", "x",
                                          names[!other_way_round], "s", "x"),
                    >=, 0);
    g_assert_cmpint(sd_bus_message_seal(m, 1, 0), >=, 0);
    return m;
}

static int claim(const char *text, const char *child, uid_t uid)
{
    struct options options = {.key = text};
    struct caller caller = {.uid = uid};
    sd_bus_message *m = call(child, false);

    sd_bus_error_free(&error);
    int r = key_claim(&service, m, &options, &caller, &error);
    sd_bus_message_unref(m);
    return r;
}

static void answer(const char *text, const char *child, uid_t uid)
{
    struct options options = {.key = text};
    struct caller caller = {.uid = uid};
    sd_bus_message *m = call(child, true), *reply = NULL;

    g_assert_cmpint(key_claim(&service, m, &options, &caller, &error), ==, 0);
    g_assert_cmpint(sd_bus_message_new_method_return(m, &reply), >=, 0);
    g_assert_cmpint(sd_bus_message_append(reply, "s", "done"), >=, 0);
    g_assert_cmpint(sd_bus_message_seal(reply, 2, 0), >=, 0);
    key_remember(&service, &options, uid, reply);
    sd_bus_message_unref(reply);
    sd_bus_message_unref(m);
}

static void begin(void)
{
    keys_free(service.keys);
    service = (struct service){.core = w->core, .bus = bus};
    g_assert_cmpint(keys_new(&service.keys), ==, 0);
}

static void pass(uint64_t usec)
{
    world_advance(w, usec);
    core_timer(w->core);
}

static void the_same_call_is_answered_again_for_its_time(void)
{
    begin();
    g_assert_cmpint(claim("k", "web", ALICE), ==, 0);
    answer("k", "web", ALICE);
    g_assert_cmpint(claim("k", "web", ALICE), ==, 1); /* and the options the other way round */
    pass(LIFE - 1);
    g_assert_cmpint(claim("k", "web", ALICE), ==, 1);
    pass(1);
    g_assert_cmpint(claim("k", "web", ALICE), ==, 1);
    pass(1);
    g_assert_cmpint(claim("k", "web", ALICE), ==, 0);
}

static void a_key_belongs_to_its_call_and_its_uid(void)
{
    begin();
    answer("k", "web", ALICE);
    g_assert_cmpint(claim("k", "api", ALICE), <, 0);
    g_assert_nonnull(strstr(error.message, "belongs to another call"));
    g_assert_cmpint(claim("K", "web", ALICE), ==, 0);
    g_assert_cmpint(claim("k", "web", BOB), ==, 0);
    g_assert_cmpint(claim(NULL, "web", ALICE), ==, 0);
}

static void a_uid_has_so_many_and_no_more(void)
{
    begin();
    for (unsigned i = 0; i < KEYS_PER_UID; i++) {
        g_autofree char *text = g_strdup_printf("key %u", i);
        answer(text, "web", ALICE); /* the last but one, the last */
    }
    g_assert_cmpint(claim("one more", "web", ALICE), <, 0);
    g_assert_true(sd_bus_error_has_name(&error, "org.proctor1.Error.LimitExceeded"));
    g_assert_cmpint(claim("key 0", "web", ALICE), ==, 1); /* those that there are, are kept */
    g_assert_cmpint(claim("one more", "web", BOB), ==, 0);
    g_assert_cmpint(claim("one more", "web", 0), ==, 0);
    pass(LIFE + 1);
    g_assert_cmpint(claim("one more", "web", ALICE), ==, 0);
}

int main(int argc, char **argv)
{
    int pair[2];

    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), ==,
                    0);
    g_assert_cmpint(sd_bus_new(&bus), >=, 0);
    g_assert_cmpint(sd_bus_set_fd(bus, pair[0], pair[0]), >=, 0);
    g_assert_cmpint(sd_bus_start(bus), >=, 0);
    WORLD_TEST(&w, "/key", the_same_call_is_answered_again_for_its_time);
    WORLD_TEST(&w, "/key", a_key_belongs_to_its_call_and_its_uid);
    WORLD_TEST(&w, "/key", a_uid_has_so_many_and_no_more);
    int r = g_test_run();
    keys_free(service.keys);
    sd_bus_error_free(&error);
    sd_bus_close_unref(bus);
    close(pair[1]);
    return r;
}
