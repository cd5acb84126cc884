/*
 * Archives: what is written is read, whatever is cut or made up fails, and a failed archive gives
 * nothing but 0 and empty texts.
 */
#include "../named.h"
#include "core/model/archive.h"
#include "core/vocabulary/moment.h"

#include <glib.h>
#include <string.h>

#define SIZE 4096

static uint8_t bytes[SIZE];
static size_t allocated;

static void *allocate(struct archive *archive, size_t size)
{
    GPtrArray *memory = archive->userdata;
    void *fresh = g_malloc0(size);

    allocated += size;
    g_ptr_array_add(memory, fresh);
    return fresh;
}

/* All that an archive can hold. */
struct things {
    uint64_t number, stamp, deadline;
    uint8_t word;
    char text[8];
    const char *string, *nothing;
    const char **strings, **none;
};

static void walk(struct archive *archive, struct things *things)
{
    ARCHIVE(archive, things->number);
    archive_stamp(archive, &things->stamp);
    archive_deadline(archive, &things->deadline);
    ARCHIVE_WORD(archive, things->word, 5);
    archive_text(archive, things->text, sizeof(things->text));
    archive_string(archive, &things->string);
    archive_string(archive, &things->nothing);
    archive_strings(archive, &things->strings);
    archive_strings(archive, &things->none);
}

static size_t write_things(struct things *things, size_t room)
{
    struct archive archive = {.data = bytes, .size = room};

    walk(&archive, things);
    return archive.failed ? 0 : archive.used;
}

static struct archive reader(GPtrArray *memory, size_t size)
{
    return (struct archive){
        .reading = true, .data = bytes, .size = size, .allocate = allocate, .userdata = memory};
}

static struct things sample(void)
{
    static const char *strings[] = {"a", "", "c=d", NULL};

    return (struct things){.number = UINT64_MAX,
                           .stamp = 12,
                           .deadline = MOMENT_MAX,
                           .word = 5,
                           .text = "1234567",
                           .string = "",
                           .strings = strings};
}

static void what_is_written_is_read(void)
{
    g_autoptr(GPtrArray) memory = g_ptr_array_new_with_free_func(g_free);
    struct things before = sample(), after;
    size_t size = write_things(&before, SIZE);
    struct archive archive = reader(memory, size);

    memset(&after, 0xFF, sizeof(after));
    walk(&archive, &after);
    g_assert_false(archive.failed);
    g_assert_cmpuint(archive.used, ==, size);
    g_assert_cmpuint(archive.latest_usec, ==, 12);
    g_assert_true(after.number == before.number && after.stamp == 12 && after.word == 5);
    g_assert_cmpuint(after.deadline, ==, MOMENT_MAX);
    g_assert_cmpstr(after.text, ==, "1234567");
    g_assert_cmpstr(after.string, ==, "");
    g_assert_null(after.nothing);
    g_assert_null(after.none);
    for (int i = 0; i < 4; i++)
        g_assert_cmpstr(after.strings[i], ==, before.strings[i]);
}

static void numbers_are_read_at_their_edges(void)
{
    static const uint64_t edges[] = {0,          1,
                                     127,        128,
                                     16383,      16384,
                                     UINT32_MAX, (uint64_t)UINT32_MAX + 1,
                                     1ull << 63, UINT64_MAX - 1,
                                     UINT64_MAX};

    for (size_t i = 0; i < G_N_ELEMENTS(edges); i++) {
        struct archive out = {.data = bytes, .size = SIZE};
        uint64_t number = edges[i];
        archive_number(&out, &number);
        struct archive in = reader(NULL, out.used);
        archive_number(&in, &number);
        g_assert_false(in.failed);
        g_assert_cmpuint(number, ==, edges[i]);
    }
}

static void every_cut_fails_and_allocates_little(void)
{
    struct things things = sample();
    size_t size = write_things(&things, SIZE);

    for (size_t cut = 0; cut < size; cut++) {
        g_autoptr(GPtrArray) memory = g_ptr_array_new_with_free_func(g_free);
        struct archive archive = reader(memory, cut);
        allocated = 0;
        walk(&archive, &things);
        g_assert_true(archive.failed);
        g_assert_cmpuint(allocated, <=, 16 * size);
    }
}

static void what_has_no_room_fails(void)
{
    struct things things = sample();
    size_t size = write_things(&things, SIZE);

    g_assert_cmpuint(write_things(&things, size), ==, size);
    g_assert_cmpuint(write_things(&things, size - 1), ==, 0);
}

static void made_up_bytes_never_read_beyond_themselves(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);

    for (int i = 0; i < 20000; i++) {
        g_autoptr(GPtrArray) memory = g_ptr_array_new_with_free_func(g_free);
        size_t size = (size_t)g_rand_int_range(rand, 0, 64);
        for (size_t j = 0; j < size; j++)
            bytes[j] = (uint8_t)g_rand_int_range(rand, 0, g_rand_int_range(rand, 1, 257));
        struct archive archive = reader(memory, size);
        struct things things = {};
        walk(&archive, &things);
        g_assert_cmpuint(archive.used, <=, size);
        g_assert_cmpuint(things.word, <=, 5);
        g_assert_cmpuint(strlen(things.text), <, sizeof(things.text));
    }
}

static void a_moment_that_cannot_be_is_long_ago(void)
{
    uint64_t moment = MOMENT_MAX / 2 + 1, deadline = MOMENT_MAX + 1;
    struct archive out = {.data = bytes, .size = SIZE};

    archive_number(&out, &moment);
    archive_number(&out, &deadline);
    struct archive in = reader(NULL, out.used);
    archive_stamp(&in, &moment);
    archive_deadline(&in, &deadline);
    g_assert_cmpuint(moment, ==, 1);
    g_assert_cmpuint(deadline, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/archive", what_is_written_is_read);
    TEST("/archive", numbers_are_read_at_their_edges);
    TEST("/archive", every_cut_fails_and_allocates_little);
    TEST("/archive", what_has_no_room_fails);
    TEST("/archive", made_up_bytes_never_read_beyond_themselves);
    TEST("/archive", a_moment_that_cannot_be_is_long_ago);
    return g_test_run();
}
