/*
 * Environment files: each text beside what systemd 252 makes of it, or where it is refused.
 */
#include "../named.h"
#include "environment_file.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static int add(void *userdata, char *variable)
{
    GString *all = userdata;

    g_string_append_printf(all, "%s|", variable);
    return 0;
}

static int parse(const char *text, size_t length, GString *all, struct environment_problem *problem)
{
    g_autofree char *copy = g_malloc(length + 1);

    memcpy(copy, text, length);
    return environment_file_parse(copy, length, add, all, problem);
}

static void expect(const char *text, const char *variables)
{
    g_autoptr(GString) all = g_string_new("");
    struct environment_problem problem = {};

    g_assert_cmpint(parse(text, strlen(text), all, &problem), ==, 0);
    g_assert_cmpstr(all->str, ==, variables);
}

static void refuse_bytes(const char *text, size_t length, size_t line, const char *why)
{
    g_autoptr(GString) all = g_string_new("");
    struct environment_problem problem = {};

    g_assert_cmpint(parse(text, length, all, &problem), ==, -EINVAL);
    g_assert_cmpuint(problem.line, ==, line);
    g_assert_nonnull(strstr(problem.why, why));
}

static void refuse(const char *text, size_t line, const char *why)
{
    refuse_bytes(text, strlen(text), line, why);
}

static void plain_lines(void)
{
    expect("A=1\nB=2\n", "A=1|B=2|");
    expect("A=1", "A=1|");
    expect("", "");
    expect("\n\n \t\n", "");
    expect("A=\nB=\n", "A=|B=|");
    expect("A=a=b\n", "A=a=b|");
    expect("_a9=1\n", "_a9=1|");
    expect("A=1\nA=2\n", "A=1|A=2|");
    expect("A=1\r\nB=2\r\n", "A=1|B=2|");
}

static void blanks_around_do_not_belong(void)
{
    expect("  B = x  \n", "B=x|");
    expect("\tB\t=\tx y\t\n", "B=x y|");
    expect("A=x\\ \n", "A=x |");
}

static void comments(void)
{
    expect("# A=1\n; B=2\n  # C=3\nD=4\n", "D=4|");
    expect("A=1 # no comment\n", "A=1 # no comment|");
    expect("# ends with a backslash \\\nA=1\n", "A=1|");
    expect("# last", "");
}

static void quotes(void)
{
    expect("A=\"x y\"\n", "A=x y|");
    expect("A='x y'\n", "A=x y|");
    expect("A=' x '\n", "A= x |");
    expect("A=\"a\nb\"\nC=1\n", "A=a\nb|C=1|");
    expect("A='a\nb'\n", "A=a\nb|");
    expect("A=\"q\\\"b\\\\d\\$e\\`f\\ng\"\n", "A=q\"b\\d$e`f\\ng|");
    expect("A='a\\b'\n", "A=a\\b|");
    expect("A=\"a\" 'b' c \n", "A=abc|");
    expect("A=a\"b\"\n", "A=a\"b\"|");
    expect("A=\"\"\n", "A=|");
}

static void continuations(void)
{
    expect("A=a\\\nb\nC=1\n", "A=ab|C=1|");
    expect("A=a \\\n  b\n", "A=a   b|");
    expect("A=\"a\\\nb\"\n", "A=ab|");
    expect("A=a\\", "A=a|");
    expect("A=a\\\\b\n", "A=a\\b|");
}

static void byte_order_mark_is_skipped(void)
{
    expect("\xEF\xBB\xBF"
           "A=1\n",
           "A=1|");
    refuse("A=1\n\xEF\xBB\xBF"
           "B=1\n",
           2, "name of letters");
}

static void what_is_no_assignment_is_refused(void)
{
    refuse("A=1\nexport B=1\n", 2, "export");
    refuse("A=1\n\nB\n", 3, "there is no \"=\"");
    refuse("B", 1, "there is no \"=\"");
    refuse("=1\n", 1, "a name before");
    refuse("1A=1\n", 1, "name of letters");
    refuse("A-B=1\n", 1, "name of letters");
    refuse("A=1\nB='x\ny\n", 2, "is not closed");
    refuse("B=\"x\\", 1, "is not closed");
    refuse("\xC3\xA4=1\n", 1, "name of letters");
}

static void what_is_no_text_is_refused(void)
{
    refuse_bytes("A=1\nB=a\0b\n", 10, 2, "NUL");
    refuse("A=1\nB=\xFF\n", 2, "UTF-8");
    refuse("A=\xED\xA0\x80\n", 1, "UTF-8");
    refuse("A=\xC0\x80\n", 1, "UTF-8");
    refuse("A=\xC3", 1, "UTF-8");
    expect("A=\xC3\xA4\n", "A=\xC3\xA4|");
}

static void long_values(void)
{
    for (int i = -1; i <= 1; i++) {
        size_t length = (size_t)(ENVIRONMENT_VARIABLE_MAX - 1 + i); /* with its zero: the bound */
        g_autofree char *text = g_malloc(length + 1);
        g_autoptr(GString) all = g_string_new("");
        struct environment_problem problem = {};
        memset(text, 'x', length);
        memcpy(text, "A=", 2);
        g_assert_cmpint(parse(text, length, all, &problem), ==, i > 0 ? -EINVAL : 0);
    }
}

static int stop(void *userdata, char *variable)
{
    (void)userdata;
    (void)variable;
    return -E2BIG;
}

static void taker_can_end_it(void)
{
    char text[] = "A=1\nB=2\n";
    struct environment_problem problem = {};

    g_assert_cmpint(environment_file_parse(text, strlen(text), stop, NULL, &problem), ==, -E2BIG);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/environment-file", plain_lines);
    TEST("/environment-file", blanks_around_do_not_belong);
    TEST("/environment-file", comments);
    TEST("/environment-file", quotes);
    TEST("/environment-file", continuations);
    TEST("/environment-file", byte_order_mark_is_skipped);
    TEST("/environment-file", what_is_no_assignment_is_refused);
    TEST("/environment-file", what_is_no_text_is_refused);
    TEST("/environment-file", long_values);
    TEST("/environment-file", taker_can_end_it);
    return g_test_run();
}
