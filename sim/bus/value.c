/*
 * Values of the bus as text, so that two of them can be compared and shown. The
 * form is close to that of busctl; it only has to be the same for the same
 * value.
 */
#include "bus/value.h"

#include "bus/grammar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add(struct bytes *to, const char *text)
{
    bytes_add(to, text, strlen(text));
}

static void show_number(uint64_t number, struct bytes *to)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    add(to, text);
}

static void show_text(const char *value, struct bytes *to)
{
    add(to, "\"");
    add(to, value);
    add(to, "\"");
}

static uint16_t read_u16(struct wire_reader *reader)
{
    wire_skip_padding(reader, 2);
    uint8_t first = wire_read_byte(reader), second = wire_read_byte(reader);

    return (uint16_t)(reader->big ? first << 8 | second : second << 8 | first);
}

static void show_one(struct wire_reader *reader, const char *type, struct bytes *to);

static void show_array(struct wire_reader *reader, const char *element, struct bytes *to)
{
    size_t end = wire_read_array(reader, type_alignment(*element));

    add(to, "[");
    while (reader->at < end && !reader->failed) {
        show_one(reader, element, to);
        add(to, reader->at < end ? " " : "");
    }
    add(to, "]");
}

static void show_members(struct wire_reader *reader, const char *type, struct bytes *to)
{
    char members[NAME_LENGTH_MAX + 1];

    wire_skip_padding(reader, 8);
    snprintf(members, sizeof(members), "%.*s", (int)type_length(type) - 2, type + 1);
    add(to, "(");
    value_show(reader, members, to);
    add(to, ")");
}

/* Shows one complete type and moves the reader past it. */
static void show_one(struct wire_reader *reader, const char *type, struct bytes *to)
{
    switch (*type) {
    case 's':
    case 'o':
        show_text(wire_read_string(reader), to);
        break;
    case 'g':
        show_text(wire_read_signature(reader), to);
        break;
    case 'v':
        value_show(reader, wire_read_signature(reader), to);
        break;
    case 'a':
        show_array(reader, type + 1, to);
        break;
    case '(':
    case '{':
        show_members(reader, type, to);
        break;
    case 'y':
        show_number(wire_read_byte(reader), to);
        break;
    case 'n':
    case 'q':
        show_number(read_u16(reader), to);
        break;
    case 'x':
    case 't':
    case 'd':
        show_number(wire_read_u64(reader), to);
        break;
    default:
        show_number(wire_read_u32(reader), to);
    }
}

void value_show(struct wire_reader *reader, const char *signature, struct bytes *to)
{
    for (const char *type = signature; *type && !reader->failed; type += type_length(type)) {
        if (type != signature)
            add(to, " ");
        show_one(reader, type, to);
    }
}

char *value_text(struct wire_reader *reader, const char *signature)
{
    struct bytes text = {0};

    value_show(reader, signature, &text);
    bytes_add_zeros(&text, 1);
    return (char *)text.data;
}

void value_skip(struct wire_reader *reader, const char *signature)
{
    struct bytes text = {0};

    value_show(reader, signature, &text);
    bytes_free(&text);
}
