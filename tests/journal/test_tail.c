/*
 * The journal's tail: whatever a dead proctord was writing, a reader completes the segment that it
 * finds.
 */
#include "../named.h"
#include "journal/tail.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#define STAMP 77

static char *folder;
static struct tail *tail;
static struct tail_place place;

static void begin(void)
{
    folder = g_dir_make_tmp(NULL, NULL);
    g_assert_cmpint(tail_open(folder, &tail), ==, 0);
    place = (struct tail_place){.segment = {1, STAMP}, .offset = 100};
}

static void end(void)
{
    tail_close(tail);
    for (int i = 0; i < 2; i++) {
        g_autofree char *path =
            g_build_filename(folder, i == 0 ? "journal.tail" : "journal.tail2", NULL);
        g_assert_cmpint(g_unlink(path), ==, 0);
    }
    g_rmdir(folder);
    g_free(folder);
}

static void append(const char *text)
{
    size_t size = strlen(text);

    g_assert_cmpint(tail_append(tail, &place, (const uint8_t *)text, size), ==, 0);
    place.offset += size;
    place.offset_before += size;
}

/* As the writer does when it begins a segment of so many bytes. */
static void begin_segment(uint64_t size)
{
    place.before = place.segment;
    place.offset_before = place.offset;
    place.segment.number++;
    place.segment.stamp++;
    place.offset = size;
}

static void expect(uint64_t number, uint32_t stamp, uint64_t size, const char *missing)
{
    struct tail_segment segment = {number, stamp};
    g_autofree uint8_t *data = NULL;
    size_t length;

    g_assert_cmpint(tail_complete(tail, &segment, size, &data, &length), ==, 0);
    g_autofree char *text = g_strndup(data ? (const char *)data : "", length);
    g_assert_cmpstr(text, ==, missing);
}

static void what_is_missing_is_found_at_each_byte(void)
{
    static const char all[] = "onetwothreefour";

    begin();
    append("one");
    append("two");
    tail_switch(tail);
    append("three");
    append("four");
    for (size_t n = 0; n <= strlen(all); n++)
        expect(1, STAMP, 100 + n, all + n);
    expect(1, STAMP, 99, ""); /* a gap is not jumped over */
    expect(1, STAMP, 1000, "");
    expect(1, STAMP + 1, 100, ""); /* another segment of the same number */
    expect(2, STAMP, 100, "");
    end();
}

static void what_has_arrived_is_gone(void)
{
    begin();
    append("one");
    tail_switch(tail);
    append("two");
    tail_arrived(tail);
    expect(1, STAMP, 100, "");
    expect(1, STAMP, 103, "two");
    tail_switch(tail); /* the other file is used again */
    append("three");
    expect(1, STAMP, 103, "twothree");
    tail_reset(tail);
    expect(1, STAMP, 103, "");
    end();
}

static void a_new_segment_may_have_its_name_or_not(void)
{
    begin();
    append("one");
    begin_segment(500);
    append("two");
    tail_switch(tail);
    append("three");
    expect(1, STAMP, 100, "onetwothree"); /* not yet */
    expect(1, STAMP, 103, "twothree");
    expect(2, STAMP + 1, 500, "twothree"); /* it has */
    expect(2, STAMP + 1, 503, "three");
    end();
}

static void a_torn_record_is_the_end(void)
{
    g_autofree char *text = NULL;
    gsize size;

    begin();
    append("one");
    append("two");
    g_autofree char *path = g_build_filename(folder, "journal.tail", NULL);
    g_assert_true(g_file_get_contents(path, &text, &size, NULL));
    for (gsize cut = 1; cut <= size; cut++) {
        g_assert_true(g_file_set_contents(path, text, (gssize)(size - cut), NULL));
        tail_close(tail);
        g_assert_cmpint(tail_open(folder, &tail), ==, 0);
        expect(1, STAMP, 100, cut <= size / 2 ? "one" : "");
    }
    for (gsize i = 0; i < size; i++) { /* and a flipped bit is found, wherever it is */
        text[i] ^= 4;
        g_assert_true(g_file_set_contents(path, text, (gssize)size, NULL));
        tail_close(tail);
        g_assert_cmpint(tail_open(folder, &tail), ==, 0);
        expect(1, STAMP, 100, i < size / 2 ? "" : "one");
        text[i] ^= 4;
    }
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/tail", what_is_missing_is_found_at_each_byte);
    TEST("/tail", what_has_arrived_is_gone);
    TEST("/tail", a_new_segment_may_have_its_name_or_not);
    TEST("/tail", a_torn_record_is_the_end);
    return g_test_run();
}
