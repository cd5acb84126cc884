/*
 * Units: how people write durations, sizes, signals, capabilities and limits, each at its edges;
 * what is refused leaves the value as it was.
 */
#include "../named.h"
#include "unit.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <sys/resource.h>

#define UNTOUCHED UINT64_C(0xDEAD)
#define TEN_YEARS (UINT64_C(10) * 366 * 24 * 3600 * 1000000)

struct row {
    const char *text;
    uint64_t value; /* UNTOUCHED: it is refused */
};

static void try_rows(const struct row *rows, size_t count, int (*read)(const char *, uint64_t *))
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = UNTOUCHED;
        g_test_message("\"%s\"", rows[i].text);
        g_assert_cmpint(read(rows[i].text, &value), ==, rows[i].value == UNTOUCHED ? -EINVAL : 0);
        g_assert_cmpuint(value, ==, rows[i].value);
    }
}

static void durations(void)
{
    static const struct row rows[] = {
        {"0", 0},
        {"5", 5000000},
        {"100ms", 100000},
        {"1us", 1},
        {"1h 30m", UINT64_C(5400000000)},
        {"1h30m", UINT64_C(5400000000)},
        {"2d", UINT64_C(172800000000)},
        {"3660d", TEN_YEARS},
        {"316224000", TEN_YEARS},
        {"3660d 1us", UNTOUCHED},
        {"316224001", UNTOUCHED},
        {"3661d", UNTOUCHED},
        {"18446744073709551616", UNTOUCHED},
        {"", UNTOUCHED},
        {" 5", UNTOUCHED},
        {"-1", UNTOUCHED},
        {"+1", UNTOUCHED},
        {"5 s", UNTOUCHED},
        {"5x", UNTOUCHED},
        {"ms", UNTOUCHED},
        {"1h 30", UNTOUCHED},
        {"0x10", UNTOUCHED},
        {"1e3", UNTOUCHED},
        {"5S", UNTOUCHED},
    };

    try_rows(rows, G_N_ELEMENTS(rows), unit_duration);
}

static void sizes(void)
{
    static const struct row rows[] = {
        {"0", 0},
        {"1", 1},
        {"64K", 65536},
        {"10M", 10485760},
        {"2G", UINT64_C(2147483648)},
        {"1024T", UINT64_C(1) << 50},
        {"1025T", UNTOUCHED},
        {"18446744073709551615", UINT64_MAX},
        {"18446744073709551616", UNTOUCHED},
        {"10MB", UNTOUCHED},
        {"10m", UNTOUCHED},
        {"1.5G", UNTOUCHED},
        {"K", UNTOUCHED},
        {"", UNTOUCHED},
        {"-1", UNTOUCHED},
        {"1G1M", UNTOUCHED},
    };

    try_rows(rows, G_N_ELEMENTS(rows), unit_size);
}

static int thousandths(const char *text, uint64_t *value)
{
    return unit_milli(text, 100000, value);
}

static void decimals(void)
{
    static const struct row rows[] = {
        {"1", 1000},           {"0", 0},          {"0.2", 200},           {"1.234", 1234},
        {"1.2345", UNTOUCHED}, {"100", 100000},   {"100.001", UNTOUCHED}, {"101", UNTOUCHED},
        {".5", UNTOUCHED},     {"-1", UNTOUCHED}, {"1,5", UNTOUCHED},     {"nan", UNTOUCHED},
        {"", UNTOUCHED},
    };

    try_rows(rows, G_N_ELEMENTS(rows), thousandths);
}

static int a_hundred(const char *text, uint64_t *value)
{
    return unit_number(text, 100, value);
}

static void numbers(void)
{
    static const struct row rows[] = {
        {"0", 0},        {"99", 99},        {"100", 100},       {"101", UNTOUCHED}, {"007", 7},
        {"", UNTOUCHED}, {"1 ", UNTOUCHED}, {"1.0", UNTOUCHED}, {"-0", UNTOUCHED},
    };

    try_rows(rows, G_N_ELEMENTS(rows), a_hundred);
}

static int read_signal(const char *text, uint64_t *value)
{
    int signal = (int)UNTOUCHED;
    int r = unit_signal(text, &signal);

    *value = (uint64_t)signal;
    return r;
}

static void signals(void)
{
    const struct row rows[] = {
        {"SIGTERM", SIGTERM}, {"TERM", SIGTERM},         {"term", SIGTERM},
        {"sigquit", SIGQUIT}, {"15", SIGTERM},           {"64", (uint64_t)SIGRTMAX},
        {"0", UNTOUCHED},     {"65", UNTOUCHED},         {"SIG", UNTOUCHED},
        {"", UNTOUCHED},      {"SIGNOTHING", UNTOUCHED}, {"-15", UNTOUCHED},
    };

    try_rows(rows, G_N_ELEMENTS(rows), read_signal);
}

static int read_capability(const char *text, uint64_t *value)
{
    int capability = (int)UNTOUCHED;
    int r = unit_capability(text, &capability);

    *value = (uint64_t)capability;
    return r;
}

static void capabilities(void)
{
    const struct row rows[] = {
        {"CAP_NET_BIND_SERVICE", 10}, {"net_bind_service", 10}, {"cap_chown", 0},
        {"CAP_", UNTOUCHED},          {"", UNTOUCHED},          {"root", UNTOUCHED},
    };

    try_rows(rows, G_N_ELEMENTS(rows), read_capability);
}

static int read_limit(const char *text, uint64_t *value)
{
    int limit = (int)UNTOUCHED;
    int r = unit_limit(text, &limit);

    *value = (uint64_t)limit;
    return r;
}

static void limits(void)
{
    const struct row rows[] = {
        {"nofile", RLIMIT_NOFILE}, {"core", RLIMIT_CORE}, {"NOFILE", RLIMIT_NOFILE},
        {"files", UNTOUCHED},      {"", UNTOUCHED},
    };

    try_rows(rows, G_N_ELEMENTS(rows), read_limit);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/unit", durations);
    TEST("/unit", sizes);
    TEST("/unit", decimals);
    TEST("/unit", numbers);
    TEST("/unit", signals);
    TEST("/unit", capabilities);
    TEST("/unit", limits);
    return g_test_run();
}
