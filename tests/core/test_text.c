/*
 * What a text is made of: each kind of character at its borders.
 */
#include "../named.h"
#include "core/vocabulary/noun.h"
#include "core/vocabulary/text.h"

#include <glib.h>
#include <string.h>

struct example {
    const char *text, *line; /* as it is, and as one line that D-Bus carries */
    enum text_class class;   /* the worst in it */
};

static const struct example examples[] = {
    {"", "", TEXT_PLAIN},
    {"maintenance", "maintenance", TEXT_PLAIN},
    {"Z\xc3\xbcrich \xe2\x80\x94 \xf0\x9f\x98\x80", "Z\xc3\xbcrich \xe2\x80\x94 \xf0\x9f\x98\x80",
     TEXT_PLAIN},
    {"a\tb\nc", "a b c", TEXT_BLANK},
    /* C0, DEL, C1 */
    {"a\rb", "a b", TEXT_CONTROL},
    {"<\x01\x1f>", "<  >", TEXT_CONTROL},
    {"\x1b]0;x\x07", " ]0;x ", TEXT_CONTROL},
    {"a\x7f", "a ", TEXT_CONTROL},
    {"<\xc2\x80\xc2\x9b\xc2\x9f>", "<   >", TEXT_CONTROL},
    {"\xc2\xa0", "\xc2\xa0", TEXT_PLAIN},
    /* lines and directions */
    {"<\xe2\x80\xa8\xe2\x80\xa9>", "<  >", TEXT_CONTROL},
    {"<\xe2\x80\xaa\xe2\x80\xae>", "<  >", TEXT_CONTROL},
    {"\xe2\x80\xa7 \xe2\x80\xaf", "\xe2\x80\xa7 \xe2\x80\xaf", TEXT_PLAIN}, /* beside them */
    {"<\xe2\x81\xa6\xe2\x81\xa9>", "<  >", TEXT_CONTROL},
    {"<\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f>", "<   >", TEXT_CONTROL},
    /* code points that are no characters */
    {"\xef\xb7\x8f \xef\xb7\x90 \xef\xb7\xaf \xef\xb7\xb0", "\xef\xb7\x8f ? ? \xef\xb7\xb0",
     TEXT_INVALID},
    {"\xef\xbf\xbd \xef\xbf\xbe \xef\xbf\xbf", "\xef\xbf\xbd ? ?", TEXT_INVALID},
    {"\xf0\x9f\xbf\xbe \xf4\x8f\xbf\xbf", "? ?", TEXT_INVALID},
    /* no UTF-8 */
    {"\xff", "?", TEXT_INVALID},
    {"\x80 \xbf", "? ?", TEXT_INVALID},
    {"a\xc3", "a?", TEXT_INVALID},
    {"\xc3 \xe2\x80 \xf0\x9f\x98", "? ?? ???", TEXT_INVALID},
    {"\xc0\xaf \xc1\xbf", "?? ??", TEXT_INVALID}, /* overlong */
    {"\xe0\x9f\xbf \xf0\x8f\xbf\xbf", "??? ????", TEXT_INVALID},
    {"\xed\x9f\xbf \xed\xa0\x80 \xed\xbf\xbf", "\xed\x9f\xbf ??? ???", TEXT_INVALID},
    {"\xf4\x90\x80\x80 \xf5\x80\x80\x80", "???? ????", TEXT_INVALID},
};

static void every_kind_has_its_borders(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(examples); i++) {
        const char *text = examples[i].text;
        char line[64];

        strcpy(line, text);
        text_make_line(line);

        g_assert_cmpstr(line, ==, examples[i].line);
        g_assert_true(text_is_at_most(text, examples[i].class));
        if (examples[i].class > TEXT_PLAIN)
            g_assert_false(text_is_at_most(text, examples[i].class - 1));
        g_assert_true(text_is_at_most(line, TEXT_PLAIN));
    }
}

static void lines_stay_where_they_are_wanted(void)
{
    char text[] = "key:\n\tvalue\r\n\x1b[31m\xff";

    text_make_lines(text);

    g_assert_cmpstr(text, ==, "key:\n\tvalue \n [31m?");
}

/* All code points, as UTF-8: what is said to be plain is accepted by GLib, too. */
static void what_is_plain_is_valid_for_others(void)
{
    for (gunichar c = 1; c < 0x110000; c++) {
        enum text_class class;
        uint32_t code;
        char text[8] = "";
        if (c >= 0xD800 && c < 0xE000)
            continue;
        size_t length = (size_t)g_unichar_to_utf8(c, text);

        g_assert_cmpuint(text_next(text, &class, &code), ==, length);
        g_assert_cmpuint(code, ==, c);
        if (class == TEXT_PLAIN)
            g_assert_false(g_unichar_iscntrl(c));
    }
}

static void a_copy_is_cut_between_characters(void)
{
    char buffer[6];

    text_copy(buffer, sizeof(buffer), "abc\u20ac");
    g_assert_cmpstr(buffer, ==, "abc");
    text_copy(buffer, sizeof(buffer), "ab\u20ac");
    g_assert_cmpstr(buffer, ==, "ab\u20ac");
}

static void a_count_has_its_noun(void)
{
    g_assert_cmpstr(noun_of(0, "process"), ==, "processes");
    g_assert_cmpstr(noun_of(1, "process"), ==, "process");
    g_assert_cmpstr(noun_of(2, "child"), ==, "children");
    g_assert_cmpstr(noun_of(UINT64_C(1) << 32 | 1, "byte"), ==, "bytes");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/text", every_kind_has_its_borders);
    TEST("/text", lines_stay_where_they_are_wanted);
    TEST("/text", what_is_plain_is_valid_for_others);
    TEST("/text", a_copy_is_cut_between_characters);
    TEST("/text", a_count_has_its_noun);
    return g_test_run();
}
