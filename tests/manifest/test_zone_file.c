/*
 * Zone files that are damaged: cut at each byte, with counts beyond all bounds, and at the limits.
 * What is read, or refused, never reads beyond the file's end (which a sanitizer sees).
 */
#include "../named.h"
#include "manifest/zone_file.c"

#include <glib.h>

struct shape {
    uint32_t times, types, letters, leaps;
};

static void put_word(GByteArray *file, uint32_t word)
{
    const uint8_t bytes[] = {(uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8),
                             (uint8_t)word};

    g_byte_array_append(file, bytes, sizeof(bytes));
}

static void put_header(GByteArray *file, const struct shape *shape)
{
    g_byte_array_append(file, (const uint8_t *)"TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    put_word(file, 0);
    put_word(file, 0);
    put_word(file, shape->leaps);
    put_word(file, shape->times);
    put_word(file, shape->types);
    put_word(file, shape->letters);
}

/* Changes between two offsets, a day apart from each other, from 2026 on. */
static GByteArray *zone_of(const struct shape *shape, const char *rule)
{
    GByteArray *file = g_byte_array_new();

    put_header(file, &(struct shape){.types = 1});
    for (int i = 0; i < 6; i++)
        g_byte_array_append(file, (const uint8_t *)"", 1);
    put_header(file, shape);
    for (uint32_t i = 0; i < shape->times; i++) {
        uint64_t time = (uint64_t)KEPT_FROM + UINT64_C(86400) * (i + 1);
        put_word(file, (uint32_t)(time >> 32));
        put_word(file, (uint32_t)time);
    }
    for (uint32_t i = 0; i < shape->times; i++)
        g_byte_array_append(file, &(uint8_t){(uint8_t)(i % shape->types)}, 1);
    for (uint32_t i = 0; i < shape->types; i++) {
        put_word(file, i % 2 * 3600);
        g_byte_array_append(file, (const uint8_t *)"\0\0", 2);
    }
    for (uint32_t i = 0; i < shape->letters + shape->leaps * 12; i++)
        g_byte_array_append(file, (const uint8_t *)"", 1);
    g_byte_array_append(file, (const uint8_t *)"\n", 1);
    g_byte_array_append(file, (const uint8_t *)rule, (guint)strlen(rule));
    g_byte_array_append(file, (const uint8_t *)"\n", 1);
    return file;
}

/* In memory of exactly its length. */
static int read_copy(const uint8_t *bytes, size_t length, char text[ZONE_TEXT_MAX])
{
    g_autofree char *copy = g_memdup2(bytes, length);
    struct zone zone;
    int r = text_of(copy, length, text);

    g_assert_true(r == 0 || r == -EBADMSG);
    g_assert_true(r < 0 || zone_read(text, &zone));
    return r;
}

static void cut(void)
{
    const struct shape shape = {.times = 3, .types = 2, .letters = 4, .leaps = 1};
    g_autoptr(GByteArray) file = zone_of(&shape, "UTC0");
    char text[ZONE_TEXT_MAX];

    g_assert_cmpint(read_copy(file->data, file->len, text), ==, 0);
    for (size_t length = 0; length < file->len; length++)
        g_assert_cmpint(read_copy(file->data, length, text), ==, -EBADMSG);
}

static void changed_bytes(void)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    const struct shape shape = {.times = 3, .types = 2, .letters = 4, .leaps = 1};
    g_autoptr(GByteArray) file = zone_of(&shape, "CET-1CEST,M3.5.0,M10.5.0/3");
    char text[ZONE_TEXT_MAX];

    for (size_t at = 0; at < file->len; at++)
        for (size_t v = 0; v < G_N_ELEMENTS(values); v++) {
            uint8_t before = file->data[at];
            file->data[at] = values[v];
            read_copy(file->data, file->len, text);
            file->data[at] = before;
        }
}

static void counts_beyond_all_bounds(void)
{
    static const uint32_t counts[] = {UINT32_MAX, INT32_MAX, UINT32_C(1) << 29, FILE_MAX + 1};
    const struct shape shape = {.times = 3, .types = 2};
    g_autoptr(GByteArray) file = zone_of(&shape, "UTC0");
    char text[ZONE_TEXT_MAX];

    for (size_t header = 0; header <= HEADER + 6; header += HEADER + 6)
        for (size_t at = header + 20; at < header + HEADER; at += 4)
            for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
                uint8_t before[4];
                const uint32_t big = GUINT32_TO_BE(counts[i]);
                memcpy(before, file->data + at, 4);
                memcpy(file->data + at, &big, 4);
                g_assert_cmpint(read_copy(file->data, file->len, text), ==, -EBADMSG);
                memcpy(file->data + at, before, 4);
            }
}

static void expect_shape(struct shape shape, const char *rule, int expected)
{
    g_autoptr(GByteArray) file = zone_of(&shape, rule);
    char text[ZONE_TEXT_MAX];

    g_assert_cmpint(read_copy(file->data, file->len, text), ==, expected);
}

static void limits(void)
{
    expect_shape((struct shape){.types = 0}, "UTC0", -EBADMSG);
    expect_shape((struct shape){.types = 1}, "UTC0", 0);
    expect_shape((struct shape){.times = 1, .types = 255}, "UTC0", 0);
    expect_shape((struct shape){.times = 1, .types = 256}, "UTC0", 0);
    expect_shape((struct shape){.times = 1, .types = 257}, "UTC0", -EBADMSG);
    expect_shape((struct shape){.times = CHANGES_MAX - 1, .types = 1}, "UTC0", 0);
    expect_shape((struct shape){.times = CHANGES_MAX, .types = 1}, "UTC0", 0);
    expect_shape((struct shape){.times = CHANGES_MAX + 1, .types = 1}, "UTC0", -EBADMSG);
    expect_shape((struct shape){.types = 1}, "", -EBADMSG);
    expect_shape((struct shape){.types = 1}, "nonsense rule", -EBADMSG);
}

/* More changes than a text has room for: the next ones are kept, and what was kept can be read. */
static void many_changes(void)
{
    for (uint32_t times = 1; times < 3 * ZONE_CHANGES_MAX; times++)
        expect_shape((struct shape){.times = times, .types = 2}, "UTC0", 0);
}

static void names(void)
{
    static const char *const none[] = {"",
                                       "/",
                                       "../passwd",
                                       "Europe/../../passwd",
                                       "Europe/",
                                       "/etc/localtime",
                                       "Europe//Berlin",
                                       "Europe",
                                       "No/Where"};
    char text[ZONE_TEXT_MAX];

    for (size_t i = 0; i < G_N_ELEMENTS(none); i++)
        g_assert_cmpint(zone_file_read(none[i], text), <, 0);
    g_assert_cmpint(zone_file_read("UTC", text), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/zone-file", cut);
    TEST("/zone-file", changed_bytes);
    TEST("/zone-file", counts_beyond_all_bounds);
    TEST("/zone-file", limits);
    TEST("/zone-file", many_changes);
    TEST("/zone-file", names);
    return g_test_run();
}
