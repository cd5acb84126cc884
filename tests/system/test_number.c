/*
 * Numbers that people write: digits, within their range, or refused.
 */
#include "../named.h"
#include "number.h"

#include <errno.h>
#include <glib.h>

static void expect(const char *text, uint64_t max, int result)
{
    uint64_t number = 7;

    g_assert_cmpint(number_read(text, max, &number), ==, result);
    if (result < 0)
        g_assert_cmpuint(number, ==, 7);
}

static void digits_only(void)
{
    static const char *const bad[] = {"",   " 1", "1 ", "+1",  "-1",  "0x10", "1e3",
                                      "1.", ".5", "١",  "1\n", "1_0", "a"};

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        expect(bad[i], UINT64_MAX, -EINVAL);
    expect("0", 0, 0);
    expect("007", 7, 0);
}

static void bounds(void)
{
    expect("9", 10, 0);
    expect("10", 10, 0);
    expect("11", 10, -EINVAL);
    expect("18446744073709551614", UINT64_MAX, 0);
    expect("18446744073709551615", UINT64_MAX, 0);
    expect("18446744073709551616", UINT64_MAX, -EINVAL);
    expect("99999999999999999999999", UINT64_MAX, -EINVAL);
}

static void ids(void)
{
    uint32_t id;

    g_assert_cmpint(number_read_id("4294967293", &id), ==, 0);
    g_assert_cmpint(number_read_id("4294967294", &id), ==, 0);
    g_assert_cmpuint(id, ==, 4294967294);
    g_assert_cmpint(number_read_id("4294967295", &id), ==, -EINVAL);
    g_assert_cmpint(number_read_id("4294967296", &id), ==, -EINVAL);
    g_assert_cmpint(number_read_id("-1", &id), ==, -EINVAL);
    g_assert_true(number_is("00"));
    g_assert_false(number_is("1a"));
    g_assert_false(number_is(""));
}

static void signed_numbers(void)
{
    int64_t n;

    g_assert_cmpint(number_read_signed("-20", -20, 19, &n), ==, 0);
    g_assert_cmpint(n, ==, -20);
    g_assert_cmpint(number_read_signed("-21", -20, 19, &n), ==, -EINVAL);
    g_assert_cmpint(number_read_signed("19", -20, 19, &n), ==, 0);
    g_assert_cmpint(number_read_signed("20", -20, 19, &n), ==, -EINVAL);
    g_assert_cmpint(number_read_signed("--1", -20, 19, &n), ==, -EINVAL);
    g_assert_cmpint(number_read_signed("-", -20, 19, &n), ==, -EINVAL);
    g_assert_cmpint(number_read_signed("+1", -20, 19, &n), ==, -EINVAL);
    g_assert_cmpint(number_read_signed("9223372036854775808", INT64_MIN, INT64_MAX, &n), ==,
                    -EINVAL);
}

static void other_bases(void)
{
    uint64_t n;

    g_assert_cmpint(number_read_octal("0777", 0777, &n), ==, 0);
    g_assert_cmpuint(n, ==, 0777);
    g_assert_cmpint(number_read_octal("1000", 0777, &n), ==, -EINVAL);
    g_assert_cmpint(number_read_octal("8", 0777, &n), ==, -EINVAL);
    g_assert_cmpint(number_read_hex("fF", &n), ==, 0);
    g_assert_cmpuint(n, ==, 255);
    g_assert_cmpint(number_read_hex("0x1", &n), ==, -EINVAL);
}

static void taken_from_the_front(void)
{
    const char *text = "12s";
    uint64_t n;

    g_assert_cmpint(number_take(&text, &n), ==, 0);
    g_assert_cmpuint(n, ==, 12);
    g_assert_cmpstr(text, ==, "s");
    g_assert_cmpint(number_take(&text, &n), ==, -EINVAL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/number", digits_only);
    TEST("/number", bounds);
    TEST("/number", ids);
    TEST("/number", signed_numbers);
    TEST("/number", other_bases);
    TEST("/number", taken_from_the_front);
    return g_test_run();
}
