/*
 * Frames: length, checksum, kind, contents. A frame that does not fit is the
 * end of what is valid.
 */
#include "journal/frame.h"

#include <errno.h>
#include <string.h>

static const uint8_t magic[8] = {'P', 'R', 'O', 'C', 'T', 'O', 'R', 'J'};

_Static_assert(JOURNAL_HEADER_SIZE == sizeof(magic) + 4 + 4, "magic, version, stamp");
_Static_assert(FRAME_HEADER_SIZE == 4 + 4 + 1, "length, checksum, kind");
_Static_assert(JOURNAL_VERSION == 2 && FRAME_AUDIT == 9, "written in segments");

static void put32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get32(const uint8_t *from)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value |= (uint32_t)from[i] << (8 * i);
    return value;
}

/* Eight tables, eight bytes at a time ("slicing by eight"). */
static uint32_t table[8][256];

/* Before there are threads, which write the journal. */
__attribute__((constructor)) static void make_table(void)
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t crc = n;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? UINT32_C(0x82F63B78) : 0);
        table[0][n] = crc;
    }
    for (uint32_t n = 0; n < 256; n++)
        for (int i = 1; i < 8; i++)
            table[i][n] = (table[i - 1][n] >> 8) ^ table[0][table[i - 1][n] & 0xFF];
}

/* Eight bytes at a time, by tables, without special instructions: journals are
 * read on other machines. */
uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t size)
{
    crc = ~crc;
    for (; size >= 8; size -= 8, data += 8) {
        uint32_t low = crc ^ get32(data);
        crc = table[7][low & 0xFF] ^ table[6][(low >> 8) & 0xFF] ^ table[5][(low >> 16) & 0xFF] ^
              table[4][low >> 24] ^ table[3][data[4]] ^ table[2][data[5]] ^ table[1][data[6]] ^
              table[0][data[7]];
    }
    for (; size > 0; size--, data++)
        crc = (crc >> 8) ^ table[0][(crc ^ *data) & 0xFF];
    return ~crc;
}

void journal_header_write(uint8_t header[JOURNAL_HEADER_SIZE])
{
    memset(header, 0, JOURNAL_HEADER_SIZE);
    memcpy(header, magic, sizeof(magic));
    put32(header + 8, JOURNAL_VERSION);
}

void journal_header_set_stamp(uint8_t header[JOURNAL_HEADER_SIZE], uint32_t stamp)
{
    put32(header + 12, stamp);
}

uint32_t journal_header_stamp(const uint8_t *data, size_t size)
{
    return size < JOURNAL_HEADER_SIZE ? 0 : get32(data + 12);
}

int journal_header_check(const uint8_t *data, size_t size)
{
    if (size < JOURNAL_HEADER_SIZE || memcmp(data, magic, sizeof(magic)) != 0)
        return -EBADMSG;
    return get32(data + 8) == JOURNAL_VERSION ? 0 : -EPROTONOSUPPORT;
}

static uint32_t checksum(const uint8_t *length, uint8_t kind, const uint8_t *payload, size_t size)
{
    uint32_t crc = crc32c(crc32c(0, length, 4), &kind, 1);
    return crc32c(crc, payload, size);
}

void frame_header_write(uint8_t header[FRAME_HEADER_SIZE], enum frame_kind kind,
                        const uint8_t *payload, size_t size)
{
    put32(header, (uint32_t)size);
    header[8] = (uint8_t)kind;
    put32(header + 4, checksum(header, header[8], payload, size));
}

size_t frame_header_length(const uint8_t header[FRAME_HEADER_SIZE])
{
    return get32(header);
}

/* 1: a frame; 0: the end; negative: damage. */
int frame_next(const uint8_t *data, size_t size, size_t *offset, struct frame *frame)
{
    const uint8_t *at = data + *offset;
    size_t left = size - *offset;

    if (left == 0)
        return 0;
    if (left < FRAME_HEADER_SIZE)
        return -EBADMSG;
    uint32_t length = get32(at);
    if (length > FRAME_PAYLOAD_MAX || length > left - FRAME_HEADER_SIZE ||
        get32(at + 4) != checksum(at, at[8], at + FRAME_HEADER_SIZE, length))
        return -EBADMSG;
    *frame = (struct frame){
        .kind = (enum frame_kind)at[8], .payload = at + FRAME_HEADER_SIZE, .size = length};
    *offset += FRAME_HEADER_SIZE + length;
    return 1;
}
