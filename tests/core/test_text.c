/*
 * Text that comes from a process: what of it may go out over D-Bus, and to a terminal.
 */
#include "text.h"

#include <glib.h>
#include <string.h>

static void becomes(const char *from, const char *to)
{
    char buffer[256];

    g_strlcpy(buffer, from, sizeof(buffer));
    text_make_utf8(buffer);

    g_assert_cmpstr(buffer, ==, to);
}

/* As UTF-8 has it, without asking whether it is a character. */
static const char *encode(guint32 c)
{
    static char bytes[8];
    const char four[] = {(char)(0xF0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3F)),
                         (char)(0x80 | (c >> 6 & 0x3F)), (char)(0x80 | (c & 0x3F)), '\0'};
    const char three[] = {(char)(0xE0 | c >> 12), four[2], four[3], '\0'};

    g_strlcpy(bytes, c > 0xFFFF ? four : three, sizeof(bytes));
    return bytes;
}

static void character_becomes(guint32 c, const char *to)
{
    g_autofree char *from = g_strdup_printf("a%sz", encode(c));
    g_autofree char *expected = g_strdup_printf("a%sz", to);

    becomes(from, expected);
}

static void what_people_write_stays(void)
{
    becomes("", "");
    becomes("plain\ntext", "plain\ntext");
    becomes("\u00e4\u20ac\U0001F600", "\u00e4\u20ac\U0001F600");
    becomes("\u00a0", "\u00a0");
}

static void reserved_code_points_are_replaced(void)
{
    for (guint32 plane = 0; plane <= 0x10; plane++) {
        character_becomes(plane << 16 | 0xFFFE, "?");
        character_becomes(plane << 16 | 0xFFFF, "?");
    }
    for (guint32 c = 0xFDD0; c <= 0xFDEF; c++)
        character_becomes(c, "?");
}

static void their_neighbours_stay(void)
{
    const guint32 neighbours[] = {0xFDCF, 0xFDF0, 0xFFFD, 0x10000, 0x1FFFD, 0x20000, 0x10FFFD};

    for (gsize i = 0; i < G_N_ELEMENTS(neighbours); i++) {
        g_autofree char *same = g_strdup(encode(neighbours[i]));
        character_becomes(neighbours[i], same);
    }
}

static void control_characters_become_spaces(void)
{
    becomes("\x1b]0;evil\x07", " ]0;evil ");
    becomes("a\x7f\rb\t", "a  b ");
    becomes("a\xc2\x80\xc2\x9b\xc2\x9f", "a   ");
}

static void broken_bytes_are_replaced_one_by_one(void)
{
    becomes("\xff\xc3", "??");
    becomes("\xed\xa0\x80", "???");
    becomes("\xf4\x90\x80\x80", "????");
    becomes("\xe2\x82", "??");
}

static void a_copy_is_cut_between_characters(void)
{
    char buffer[6];

    text_copy(buffer, sizeof(buffer), "abc\u20ac");
    g_assert_cmpstr(buffer, ==, "abc");
    text_copy(buffer, sizeof(buffer), "ab\u20ac");
    g_assert_cmpstr(buffer, ==, "ab\u20ac");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/text/what-people-write-stays", what_people_write_stays);
    g_test_add_func("/text/reserved-code-points-are-replaced", reserved_code_points_are_replaced);
    g_test_add_func("/text/their-neighbours-stay", their_neighbours_stay);
    g_test_add_func("/text/control-characters-become-spaces", control_characters_become_spaces);
    g_test_add_func("/text/broken-bytes-are-replaced-one-by-one",
                    broken_bytes_are_replaced_one_by_one);
    g_test_add_func("/text/a-copy-is-cut-between-characters", a_copy_is_cut_between_characters);
    return g_test_run();
}
