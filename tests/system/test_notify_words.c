/*
 * What the words of sd_notify(3) mean, and which values are none.
 */
#include "../named.h"
#include "fd_store.h"
#include "notify_words.h"

#include <glib.h>
#include <string.h>

static struct notify_message message;
static struct notify_asides asides;
static char text[512];

static void parse(const char *lines)
{
    g_assert_cmpuint(strlen(lines), <, sizeof(text));
    strcpy(text, lines);
    notify_parse(text, &message, &asides);
}

static void assert_mistake(const char *line, enum notify_key key)
{
    parse(line);
    if (!asides.mistakes[key])
        g_error("%s is taken", line);
    g_assert_cmpstr(asides.mistakes[key], ==, strchr(line, '=') + 1);
    g_assert_cmpuint(message.flags, ==, 0);
}

static void assert_no_mistake(const char *line)
{
    parse(line);
    for (int key = 0; key < NOTIFY_KEYS; key++)
        if (asides.mistakes[key])
            g_error("%s is not taken", line);
}

static void values_that_are_none_are_named(void)
{
    static const struct {
        const char *line;
        enum notify_key key;
    } rows[] = {
        {"READY=yes", NOTIFY_KEY_READY},
        {"READY=", NOTIFY_KEY_READY},
        {"READY=2", NOTIFY_KEY_READY},
        {"WATCHDOG=0", NOTIFY_KEY_WATCHDOG},
        {"STOPPING=0", NOTIFY_KEY_STOPPING},
        {"RELOADING=true", NOTIFY_KEY_RELOADING},
        {"ERRNO=-1", NOTIFY_KEY_ERRNO},
        {"ERRNO=4096", NOTIFY_KEY_ERRNO},
        {"EXTEND_TIMEOUT_USEC=-1", NOTIFY_KEY_EXTEND_TIMEOUT},
        {"EXTEND_TIMEOUT_USEC=infinity", NOTIFY_KEY_EXTEND_TIMEOUT},
        {"EXTEND_TIMEOUT_USEC=", NOTIFY_KEY_EXTEND_TIMEOUT},
        {"EXTEND_TIMEOUT_USEC=18446744073709551616", NOTIFY_KEY_EXTEND_TIMEOUT},
        {"MONOTONIC_USEC=1.5", NOTIFY_KEY_MONOTONIC},
        {"MAINPID=0", NOTIFY_KEY_MAIN_PID},
        {"MAINPID=1", NOTIFY_KEY_MAIN_PID},
        {"MAINPID=2147483648", NOTIFY_KEY_MAIN_PID},
        {"WATCHDOG_USEC=1000000", NOTIFY_KEY_WATCHDOG_USEC},
        {"FDSTORE=0", NOTIFY_KEY_FDSTORE},
        {"FDSTOREREMOVE=yes", NOTIFY_KEY_FDSTOREREMOVE},
        {"FDNAME=", NOTIFY_KEY_FDNAME},
        {"FDNAME=a:b", NOTIFY_KEY_FDNAME},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_mistake(rows[i].line, rows[i].key);
}

static void others_are_passed_over(void)
{
    assert_no_mistake("BARRIER=1");
    assert_no_mistake("FDPOLL=0");
    assert_no_mistake("X_READY=no");
    assert_no_mistake("READY");
    g_assert_cmpuint(message.flags, ==, 0);
}

static void bounds_are_taken(void)
{
    assert_no_mistake("EXTEND_TIMEOUT_USEC=18446744073709551615");
    assert_no_mistake("EXTEND_TIMEOUT_USEC=0");
    assert_no_mistake("ERRNO=4095");
    assert_no_mistake("MAINPID=2");
    assert_no_mistake("MAINPID=2147483647");
    g_assert_cmpuint(message.main_pid, ==, INT32_MAX);
}

static void the_last_word_counts(void)
{
    parse("READY=1\nSTOPPING=1");
    g_assert_cmpuint(message.flags, ==, NOTIFY_STOPPING);
    parse("STOPPING=1\nWATCHDOG=1\nREADY=1");
    g_assert_cmpuint(message.flags, ==, NOTIFY_READY | NOTIFY_HEARTBEAT);
    parse("READY=1\nRELOADING=1\nMONOTONIC_USEC=7");
    g_assert_cmpuint(message.flags, ==, NOTIFY_RELOADING);
    g_assert_cmpuint(message.reloading_usec, ==, 7);
    parse("READY=1\nREADY=0");
    g_assert_cmpuint(message.flags, ==, NOTIFY_NOT_READY);
}

static void names_of_descriptors_are_bounded(void)
{
    g_autofree char *most = g_strnfill(FD_STORE_NAME_MAX, 'x');
    g_autofree char *less = g_strnfill(FD_STORE_NAME_MAX - 1, 'x');
    g_autofree char *more = g_strnfill(FD_STORE_NAME_MAX + 1, 'x');

    g_assert_true(fd_store_name_is_valid("a"));
    g_assert_true(fd_store_name_is_valid(less));
    g_assert_true(fd_store_name_is_valid(most));
    g_assert_false(fd_store_name_is_valid(more));
    g_assert_false(fd_store_name_is_valid("\x7f"));
    g_assert_false(fd_store_name_is_valid("\xc3\xa4"));
    parse("FDSTORE=1\nFDNAME=conn 1\nFDSTOREREMOVE=1");
    g_assert_true(asides.stores && asides.removes);
    g_assert_cmpstr(asides.fd_name, ==, "conn 1");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/notify-words", values_that_are_none_are_named);
    TEST("/notify-words", others_are_passed_over);
    TEST("/notify-words", bounds_are_taken);
    TEST("/notify-words", the_last_word_counts);
    TEST("/notify-words", names_of_descriptors_are_bounded);
    return g_test_run();
}
