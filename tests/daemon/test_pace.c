/*
 * Pace: a client that calls too much is answered slowly, and others do not wait for it.
 */
#include "fixture.h"

#define AT_ONCE  60   /* calls of the flooder under way: all may wait */
#define TOO_MANY 3000 /* more than may wait */
#define POLITE   20   /* calls of the other one */

static struct fixture f;

struct flooder {
    GDBusConnection *bus;
    guint asked, under_way, answered, refused;
    gboolean goes_on;
};

static void call(struct flooder *flooder);

static void answer_came(GObject *source, GAsyncResult *result, gpointer data)
{
    struct flooder *flooder = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    flooder->under_way--;
    if (reply) {
        flooder->answered++;
    } else {
        g_autofree char *name = g_dbus_error_get_remote_error(error);
        g_assert_cmpstr(name, ==, "org.proctor1.Error.LimitExceeded");
        flooder->refused++;
    }
    if (flooder->goes_on)
        call(flooder);
}

static void call(struct flooder *flooder)
{
    flooder->asked++;
    flooder->under_way++;
    g_dbus_connection_call(flooder->bus, "org.proctor1", "/org/proctor1", "org.proctor1.Manager",
                           "ListChildren", NULL, NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL,
                           answer_came, flooder);
}

static struct flooder flooder_new(void)
{
    struct flooder flooder = {.bus = g_dbus_connection_new_for_address_sync(
                                  f.address,
                                  G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                      G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                  NULL, NULL, NULL)};

    g_assert_nonnull(flooder.bus);
    g_dbus_connection_set_exit_on_close(flooder.bus, FALSE);
    return flooder;
}

static void let_it_end(struct flooder *flooder)
{
    flooder->goes_on = FALSE;
    while (flooder->under_way > 0)
        g_main_context_iteration(NULL, TRUE);
    g_dbus_connection_close_sync(flooder->bus, NULL, NULL);
    g_clear_object(&flooder->bus);
}

static guint64 count_calls(const struct flooder *flooder)
{
    return flooder->answered + flooder->refused;
}

/* Until it owes: from then on its calls wait, as long as another client is there. */
static void let_it_owe(struct flooder *flooder)
{
    flooder->goes_on = TRUE;
    for (int i = 0; i < AT_ONCE; i++)
        call(flooder);
    while (count_calls(flooder) < 2000)
        g_main_context_iteration(NULL, TRUE);
}

/* Counted in the flooder's answers, not in time: of a call that does not wait for the flooder's
 * there is an answer after few of them. */
static void others_do_not_wait_for_it(void)
{
    fixture_add(&f, "web", "", "ready, wait-term");
    struct flooder flooder = flooder_new();
    let_it_owe(&flooder);
    for (int i = 0; i < POLITE; i++)
        fixture_flag(&f, "web", "HeartbeatStale"); /* it is there */
    guint64 before = count_calls(&flooder);
    for (int i = 0; i < POLITE; i++) {
        g_assert_cmpuint(fixture_number(&f, "web", "Generation"), ==, 0);
        for (int turn = 0; turn < 5; turn++)
            g_main_context_iteration(NULL, FALSE);
    }
    guint64 meanwhile = count_calls(&flooder) - before;
    g_test_message("%d calls, meanwhile %" G_GUINT64_FORMAT " of the flooder", POLITE, meanwhile);
    g_assert_cmpuint(meanwhile, <, (guint64)POLITE * AT_ONCE / 4);
    let_it_end(&flooder);
    g_assert_cmpuint(flooder.refused, ==, 0);
}

static void whoever_is_alone_is_not_held_up(void)
{
    struct flooder flooder = flooder_new();
    let_it_owe(&flooder);
    gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    while (count_calls(&flooder) < 10000 && g_get_monotonic_time() < end)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(count_calls(&flooder), >=, 10000);
    let_it_end(&flooder);
}

static void each_call_has_one_answer(void)
{
    struct flooder flooder = flooder_new();

    fixture_add(&f, "web", "", "ready, wait-term");
    let_it_owe(&flooder);
    flooder.goes_on = FALSE;
    for (int i = 0; i < TOO_MANY; i++) {
        call(&flooder);
        if (i % 100 == 0)
            fixture_flag(&f, "web", "HeartbeatStale");
    }
    let_it_end(&flooder);
    g_test_message("%u answered, %u refused", flooder.answered, flooder.refused);
    g_assert_cmpuint(flooder.refused, >, 0);
    g_assert_cmpuint(count_calls(&flooder), ==, flooder.asked);
}

/* Those that wait when the program is replaced are answered by the old one. */
static void who_waits_survives_an_upgrade(void)
{
    fixture_add(&f, "web", "", "ready, wait-term");
    struct flooder flooder = flooder_new();
    let_it_owe(&flooder);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < POLITE; j++)
            fixture_flag(&f, "web", "HeartbeatStale");
        fixture_upgrade(&f);
    }
    let_it_end(&flooder);
    g_assert_cmpuint(flooder.refused, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_TEST(&f, NULL, "/daemon/pace", others_do_not_wait_for_it);
    FIXTURE_TEST(&f, NULL, "/daemon/pace", whoever_is_alone_is_not_held_up);
    FIXTURE_TEST(&f, NULL, "/daemon/pace", each_call_has_one_answer);
    FIXTURE_TEST(&f, NULL, "/daemon/pace", who_waits_survives_an_upgrade);
    return g_test_run();
}
