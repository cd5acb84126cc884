/*
 * What goes out on the bus: whatever is appended, the message is whole, and what it says can be
 * shown.
 */
#include "../named.h"
#include "outgoing.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

static sd_bus *bus;

/* C0, C1, a direction, bytes that are no UTF-8, no character, a line end, a tab. */
#define HOSTILE                                                                                    \
    "a\x1b]0;x\x07"                                                                                \
    "b\xc2\x9b"                                                                                    \
    "c\xe2\x80\xae"                                                                                \
    "d\xff"                                                                                        \
    "e\xef\xbf\xbe"                                                                                \
    "f\n\tg"
#define ON_A_LINE "a ]0;x b c d?e?f  g"
#define ON_LINES  "a ]0;x b c d?e?f\n\tg"

static sd_bus_message *new_message(void)
{
    sd_bus_message *m = NULL;
    g_assert_cmpint(sd_bus_message_new_signal(bus, &m, "/test", "org.test", "Test"), >=, 0);
    return m;
}

static void seal(sd_bus_message *m)
{
    g_assert_cmpint(sd_bus_message_seal(m, 1, 0), >=, 0);
    g_assert_cmpint(sd_bus_message_rewind(m, true), >=, 0);
}

static void assert_text(sd_bus_message *m, const char *wanted)
{
    const char *text = NULL;
    g_assert_cmpint(sd_bus_message_read(m, "s", &text), >, 0);
    g_assert_cmpstr(text, ==, wanted);
}

static void a_text_goes_out_as_one_line(void)
{
    sd_bus_message *m = new_message();

    g_assert_cmpint(append_values(m, "sss", HOSTILE, "plain \xc3\xbc", NULL), >=, 0);
    seal(m);

    assert_text(m, ON_A_LINE);
    assert_text(m, "plain \xc3\xbc");
    assert_text(m, "");
    sd_bus_message_unref(m);
}

static void lines_stay_where_they_belong(void)
{
    sd_bus_message *m = new_message();

    g_assert_cmpint(append_lines(m, HOSTILE), >=, 0);
    g_assert_cmpint(append_lines(m, "key:\n\tvalue\n"), >=, 0);
    seal(m);

    assert_text(m, ON_LINES);
    assert_text(m, "key:\n\tvalue\n");
    sd_bus_message_unref(m);
}

static void texts_within_containers_go_the_same_way(void)
{
    sd_bus_message *m = new_message();
    const char *key, *text, *first, *second;
    uint64_t number;
    uint32_t small;
    int32_t negative;
    int flag;

    g_assert_cmpint(append_values(m, "(st)a{sv}as", HOSTILE, UINT64_MAX, 1u, "key", "s", HOSTILE,
                                  2u, HOSTILE, "two"),
                    >=, 0);
    g_assert_cmpint(append_values(m, "uibv", UINT32_MAX, INT32_MIN, 1, "(ss)", HOSTILE, "x"), >=,
                    0);
    seal(m);

    g_assert_cmpint(sd_bus_message_read(m, "(st)", &text, &number), >, 0);
    g_assert_cmpstr(text, ==, ON_A_LINE);
    g_assert_cmpuint(number, ==, UINT64_MAX);
    g_assert_cmpint(sd_bus_message_read(m, "a{sv}", 1, &key, "s", &text), >, 0);
    g_assert_cmpstr(text, ==, ON_A_LINE);
    g_assert_cmpint(sd_bus_message_read(m, "as", 2, &first, &second), >, 0);
    g_assert_cmpstr(first, ==, ON_A_LINE);
    g_assert_cmpstr(second, ==, "two");
    g_assert_cmpint(sd_bus_message_read(m, "uib", &small, &negative, &flag), >, 0);
    g_assert_cmpuint(small, ==, UINT32_MAX);
    g_assert_cmpint(negative, ==, INT32_MIN);
    g_assert_true(flag);
    g_assert_cmpint(sd_bus_message_read(m, "v", "(ss)", &text, &second), >, 0);
    g_assert_cmpstr(text, ==, ON_A_LINE);
    sd_bus_message_unref(m);
}

static void an_error_is_one_line_whatever_it_names(void)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    g_autofree char *wide = g_strnfill(1500, 'x');

    g_assert_cmpint(refuse_call(&error, "org.test.Error", "%s: no", HOSTILE), <, 0);
    g_assert_cmpstr(error.message, ==, ON_A_LINE ": no");
    sd_bus_error_free(&error);

    for (int i = 1015; i < 1030; i++) { /* cut in the middle of a character, too */
        wide[i] = '\0';
        g_assert_cmpint(refuse_call(&error, "org.test.Error", "%s\xe2\x82\xac\xe2\x82\xac", wide),
                        <, 0);
        g_assert_true(g_utf8_validate(error.message, -1, NULL));
        sd_bus_error_free(&error);
        wide[i] = 'x';
    }
    g_assert_cmpint(refuse_errno(&error, -ENOENT, "%s", HOSTILE), ==, -ENOENT);
    g_assert_cmpint(sd_bus_error_get_errno(&error), ==, ENOENT);
    g_assert_nonnull(strstr(error.message, ON_A_LINE));
    sd_bus_error_free(&error);
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
    TEST("/outgoing", a_text_goes_out_as_one_line);
    TEST("/outgoing", lines_stay_where_they_belong);
    TEST("/outgoing", texts_within_containers_go_the_same_way);
    TEST("/outgoing", an_error_is_one_line_whatever_it_names);
    int r = g_test_run();
    sd_bus_close_unref(bus);
    close(pair[1]);
    return r;
}
