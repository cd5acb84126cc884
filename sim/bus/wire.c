/*
 * The marshalling of D-Bus: numbers and texts at aligned places, in either byte
 * order. The reader never reads beyond its bytes; after the first error it
 * answers zeros and empty texts, and `failed` tells it, so that callers check
 * once at the end.
 */
#include "bus/wire.h"

#include "bus/grammar.h"

#include <string.h>

#define DEPTH_MAX 64 /* of containers, variants included */

/* ---- writing --------------------------------------------------------------------------------- */

void wire_align(struct wire_writer *writer, size_t alignment)
{
    size_t over = (writer->bytes->size - writer->start) % alignment;

    if (over > 0)
        bytes_add_zeros(writer->bytes, alignment - over);
}

void wire_write_byte(struct wire_writer *writer, uint8_t value)
{
    bytes_add(writer->bytes, &value, 1);
}

static void put(uint8_t *to, uint64_t value, size_t size, bool big)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> 8 * (big ? size - 1 - i : i));
}

static void write_number(struct wire_writer *writer, uint64_t value, size_t size)
{
    uint8_t data[8];

    wire_align(writer, size);
    put(data, value, size, writer->big);
    bytes_add(writer->bytes, data, size);
}

void wire_write_u32(struct wire_writer *writer, uint32_t value)
{
    write_number(writer, value, 4);
}

void wire_write_u64(struct wire_writer *writer, uint64_t value)
{
    write_number(writer, value, 8);
}

void wire_write_string(struct wire_writer *writer, const char *text)
{
    wire_write_u32(writer, (uint32_t)strlen(text));
    bytes_add(writer->bytes, text, strlen(text) + 1);
}

void wire_write_signature(struct wire_writer *writer, const char *text)
{
    wire_write_byte(writer, (uint8_t)strlen(text));
    bytes_add(writer->bytes, text, strlen(text) + 1);
}

size_t wire_begin_array(struct wire_writer *writer, size_t alignment)
{
    wire_write_u32(writer, 0);
    size_t begin = writer->bytes->size;
    wire_align(writer, alignment);
    return begin;
}

void wire_end_array(struct wire_writer *writer, size_t begin, size_t alignment)
{
    size_t padding = (alignment - (begin - writer->start) % alignment) % alignment;

    put(writer->bytes->data + begin - 4, writer->bytes->size - begin - padding, 4, writer->big);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const uint8_t *take(struct wire_reader *reader, size_t count)
{
    if (reader->failed || count > reader->size - reader->at) {
        reader->failed = true;
        return NULL;
    }
    reader->at += count;
    return reader->data + reader->at - count;
}

void wire_skip_padding(struct wire_reader *reader, size_t alignment)
{
    size_t over = reader->at % alignment;
    const uint8_t *padding = over > 0 ? take(reader, alignment - over) : NULL;

    for (size_t i = 0; padding && i < alignment - over; i++)
        reader->failed |= padding[i] != 0;
}

static uint64_t read_number(struct wire_reader *reader, size_t size)
{
    uint64_t value = 0;

    wire_skip_padding(reader, size);
    const uint8_t *data = take(reader, size);
    for (size_t i = 0; data && i < size; i++)
        value = value << 8 | data[reader->big ? i : size - 1 - i];
    return value;
}

uint8_t wire_read_byte(struct wire_reader *reader)
{
    return (uint8_t)read_number(reader, 1);
}

uint32_t wire_read_u32(struct wire_reader *reader)
{
    return (uint32_t)read_number(reader, 4);
}

uint64_t wire_read_u64(struct wire_reader *reader)
{
    return read_number(reader, 8);
}

static const char *read_text(struct wire_reader *reader, size_t length)
{
    const char *text = (const char *)take(reader, length + 1);

    if (!text || text[length] != '\0' || memchr(text, '\0', length) || !is_utf8(text, length)) {
        reader->failed = true;
        return "";
    }
    return text;
}

const char *wire_read_string(struct wire_reader *reader)
{
    return read_text(reader, wire_read_u32(reader));
}

const char *wire_read_signature(struct wire_reader *reader)
{
    const char *text = read_text(reader, wire_read_byte(reader));

    if (!is_signature(text))
        reader->failed = true;
    return text;
}

size_t wire_read_array(struct wire_reader *reader, size_t alignment)
{
    uint32_t length = wire_read_u32(reader);

    wire_skip_padding(reader, alignment);
    if (length > ARRAY_SIZE_MAX || length > reader->size - reader->at)
        reader->failed = true;
    return reader->failed ? reader->at : reader->at + length;
}

/* ---- checking -------------------------------------------------------------------------------- */

static void check_type(struct wire_reader *reader, const char *type, uint32_t descriptors,
                       int depth);

static void check_types(struct wire_reader *reader, const char *types, const char *end,
                        uint32_t descriptors, int depth)
{
    while (types < end && !reader->failed) {
        check_type(reader, types, descriptors, depth);
        types += type_length(types);
    }
}

static void check_array(struct wire_reader *reader, const char *element, uint32_t descriptors,
                        int depth)
{
    size_t end = wire_read_array(reader, type_alignment(*element));

    while (reader->at < end && !reader->failed)
        check_type(reader, element, descriptors, depth);
    reader->failed |= reader->at != end;
}

static void check_variant(struct wire_reader *reader, uint32_t descriptors, int depth)
{
    const char *type = wire_read_signature(reader);

    if (reader->failed || *type == '\0' || type_length(type) != strlen(type))
        reader->failed = true;
    else
        check_type(reader, type, descriptors, depth);
}

/* Checks one value by its type, and moves past it. The depth is bounded,
 * because a message could otherwise nest variants until the stack is full. */
static void check_type(struct wire_reader *reader, const char *type, uint32_t descriptors,
                       int depth)
{
    if (depth > DEPTH_MAX) {
        reader->failed = true;
        return;
    }
    switch (*type) {
    case 'b':
        reader->failed |= wire_read_u32(reader) > 1;
        break;
    case 's':
        wire_read_string(reader);
        break;
    case 'o':
        reader->failed |= !is_object_path(wire_read_string(reader));
        break;
    case 'g':
        wire_read_signature(reader);
        break;
    case 'h':
        reader->failed |= wire_read_u32(reader) >= descriptors;
        break;
    case 'v':
        check_variant(reader, descriptors, depth + 1);
        break;
    case 'a':
        check_array(reader, type + 1, descriptors, depth + 1);
        break;
    case '(':
    case '{':
        wire_skip_padding(reader, 8);
        check_types(reader, type + 1, type + type_length(type) - 1, descriptors, depth + 1);
        break;
    default: /* a number of the size that it is aligned to */
        read_number(reader, type_alignment(*type));
    }
}

bool wire_check(struct wire_reader *reader, const char *signature, uint32_t descriptors)
{
    check_types(reader, signature, signature + strlen(signature), descriptors, 0);
    return !reader->failed;
}
