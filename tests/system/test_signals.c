/*
 * Signals: the event loop takes them from the kernel before they are dispatched, and none of them
 * may be lost to a re-execution between the two.
 */
#include "../named.h"
#include "signals.h"

#include <glib.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define TURNS 16 /* more than it takes */

static GString *order;

static void end(void *userdata, const char *signal)
{
    g_assert_true(userdata == &order);
    g_string_append_printf(order, "%s ", signal);
}

static void reload(void *userdata)
{
    end(userdata, "SIGHUP");
}

static void reexecute(void *userdata)
{
    end(userdata, "SIGUSR1");
}

/* As the re-execution is: whatever is dispatched after it is lost. */
static int replace_program(sd_event_source *source, void *userdata)
{
    (void)source;
    end(userdata, "replaced");
    return 0;
}

static void what_has_been_taken_is_dispatched_before_the_program_is_replaced(void)
{
    const struct signal_hooks hooks = {
        .userdata = &order, .end = end, .reload = reload, .reexecute = reexecute};
    struct signals *signals = NULL;
    sd_event_source *replacement = NULL;
    sd_event *event = NULL;

    order = g_string_new("");
    g_assert_cmpint(sd_event_new(&event), >=, 0);
    g_assert_cmpint(signals_listen(event, &hooks, &signals), ==, 0);
    g_assert_cmpint(sd_event_add_defer(event, &replacement, replace_program, &order), >=, 0);
    g_assert_cmpint(sd_event_source_set_priority(replacement, SD_EVENT_PRIORITY_IMPORTANT), >=, 0);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGPWR);
    for (int i = 0; i < TURNS; i++)
        sd_event_run(event, 0);
    g_assert_true(g_str_has_suffix(order->str, " replaced "));
    g_assert_nonnull(strstr(order->str, "SIGTERM "));
    g_assert_nonnull(strstr(order->str, "SIGUSR1 "));
    g_assert_nonnull(strstr(order->str, "SIGPWR "));
    sd_event_source_unref(replacement);
    sd_event_unref(event);
    signals_free(signals);
    g_string_free(order, TRUE);
}

int main(int argc, char **argv)
{
    signals_prepare();
    g_test_init(&argc, &argv, NULL);
    TEST("/signals", what_has_been_taken_is_dispatched_before_the_program_is_replaced);
    return g_test_run();
}
