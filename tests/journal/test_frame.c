/*
 * Frames: whatever was cut, torn or flipped is found, and what stands before it can be used.
 */
#include "../named.h"
#include "journal/frame.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static GByteArray *frames(const char *const *payloads)
{
    GByteArray *bytes = g_byte_array_new();
    uint8_t header[FRAME_HEADER_SIZE];

    for (; *payloads; payloads++) {
        const uint8_t *payload = (const uint8_t *)*payloads;
        frame_header_write(header, FRAME_INPUT, payload, strlen(*payloads));
        g_byte_array_append(bytes, header, sizeof(header));
        g_byte_array_append(bytes, payload, (guint)strlen(*payloads));
    }
    return bytes;
}

static const char *const three[] = {"first", "", "the third", NULL};

/* How many whole frames there are; *r: what ended them. */
static int count_whole(const uint8_t *data, size_t size, int *r)
{
    struct frame frame;
    size_t offset = 0, before;
    int count = 0;

    for (;;) {
        before = offset;
        *r = frame_next(data, size, &offset, &frame);
        if (*r <= 0)
            break;
        g_assert_cmpuint(frame.size, ==, strlen(three[count]));
        g_assert_true(memcmp(frame.payload, three[count], frame.size) == 0);
        count++;
    }
    g_assert_cmpuint(offset, ==, before);
    return count;
}

static void the_checksum_is_that_of_the_standard(void)
{
    uint8_t zeros[32] = {}, ones[32];

    memset(ones, 0xFF, sizeof(ones));
    g_assert_cmphex(crc32c(0, (const uint8_t *)"123456789", 9), ==, 0xE3069283);
    g_assert_cmphex(crc32c(0, zeros, 32), ==, 0x8A9136AA); /* RFC 3720, B.4 */
    g_assert_cmphex(crc32c(0, ones, 32), ==, 0x62A8AB43);
    g_assert_cmphex(crc32c(crc32c(0, (const uint8_t *)"1234", 4), (const uint8_t *)"56789", 5), ==,
                    0xE3069283);
}

static void what_is_written_is_read(void)
{
    g_autoptr(GByteArray) bytes = frames(three);
    int r;

    g_assert_cmpint(count_whole(bytes->data, bytes->len, &r), ==, 3);
    g_assert_cmpint(r, ==, 0);
    g_assert_cmpuint(frame_header_length(bytes->data), ==, 5);
}

static void every_cut_is_found(void)
{
    g_autoptr(GByteArray) bytes = frames(three);
    const size_t ends[] = {0, FRAME_HEADER_SIZE + 5, 2 * FRAME_HEADER_SIZE + 5, bytes->len};

    for (size_t cut = 0; cut <= bytes->len; cut++) {
        int r, whole = 0;
        while (whole < 3 && ends[whole + 1] <= cut)
            whole++;
        g_assert_cmpint(count_whole(bytes->data, cut, &r), ==, whole);
        g_assert_cmpint(r, ==, cut == ends[whole] ? 0 : -EBADMSG);
    }
}

static void every_flipped_bit_is_found(void)
{
    g_autoptr(GByteArray) bytes = frames(three);
    int r;

    for (guint bit = 0; bit < bytes->len * 8; bit++) {
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        g_assert_cmpint(count_whole(bytes->data, bytes->len, &r), <, 3);
        g_assert_cmpint(r, ==, -EBADMSG);
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void a_length_beyond_the_bound_is_refused(void)
{
    uint8_t header[FRAME_HEADER_SIZE];
    struct frame frame;
    size_t offset = 0;

    frame_header_write(header, FRAME_INPUT, NULL, 0);
    memset(header, 0xFF, 4);
    g_assert_cmpint(frame_next(header, sizeof(header), &offset, &frame), ==, -EBADMSG);
    g_assert_cmpuint(offset, ==, 0);
}

static void the_header_names_its_format(void)
{
    uint8_t header[JOURNAL_HEADER_SIZE];

    journal_header_write(header);
    journal_header_set_stamp(header, 0x12345678);
    g_assert_cmpint(journal_header_check(header, sizeof(header)), ==, 0);
    g_assert_cmphex(journal_header_stamp(header, sizeof(header)), ==, 0x12345678);
    g_assert_cmphex(journal_header_stamp(header, sizeof(header) - 1), ==, 0);
    g_assert_cmpint(journal_header_check(header, sizeof(header) - 1), ==, -EBADMSG);
    header[8]++; /* a later version */
    g_assert_cmpint(journal_header_check(header, sizeof(header)), ==, -EPROTONOSUPPORT);
    header[0] = 'p';
    g_assert_cmpint(journal_header_check(header, sizeof(header)), ==, -EBADMSG);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/frame", the_checksum_is_that_of_the_standard);
    TEST("/frame", what_is_written_is_read);
    TEST("/frame", every_cut_is_found);
    TEST("/frame", every_flipped_bit_is_found);
    TEST("/frame", a_length_beyond_the_bound_is_refused);
    TEST("/frame", the_header_names_its_format);
    return g_test_run();
}
