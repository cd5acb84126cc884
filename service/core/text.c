#include "text.h"

#include "invariant.h"

#include <stdbool.h>
#include <string.h>

struct text text_in(char *buffer, size_t size)
{
    INVARIANT(size > 0);
    buffer[0] = '\0';
    return (struct text){.buffer = buffer, .size = size};
}

void text_append(struct text *text, const char *string)
{
    size_t room = text->size - text->length - 1;
    size_t length = strlen(string);
    if (length > room)
        length = room;

    memcpy(text->buffer + text->length, string, length);
    text->length += length;
    text->buffer[text->length] = '\0';
}

void text_append_number(struct text *text, uint64_t number)
{
    char digits[21];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_append(text, digits + at);
}

static size_t utf8_boundary(const char *string, size_t length)
{
    while (length > 0 && ((unsigned char)string[length] & 0xC0) == 0x80)
        length--;
    return length;
}

void text_copy(char *buffer, size_t size, const char *string)
{
    INVARIANT(size > 0);
    size_t length = string ? strlen(string) : 0;
    if (length >= size)
        length = utf8_boundary(string, size - 1);
    if (length > 0)
        memmove(buffer, string, length);
    buffer[length] = '\0';
}

/* Bytes that follow a leading byte, -1 where it can not lead. */
static int utf8_followers(unsigned char c)
{
    if (c >= 0xC2 && c < 0xE0)
        return 1;
    if (c >= 0xE0 && c < 0xF0)
        return 2;
    return c >= 0xF0 && c < 0xF5 ? 3 : -1;
}

/* Length of the character of more than one byte that begins here, 0 where none does. */
static int utf8_length(const unsigned char *text)
{
    int more = utf8_followers(text[0]);

    for (int i = 1; i <= more; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F) ||
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F))
        return 0; /* overlong, surrogate, or too large */
    return more + 1;
}

/* The character of these bytes, which utf8_length() has counted. */
static uint32_t utf8_character(const unsigned char *text, int length)
{
    uint32_t character = length == 1 ? text[0] : text[0] & (0x7FU >> length);

    for (int i = 1; i < length; i++)
        character = character << 6 | (text[i] & 0x3F);
    return character;
}

/* What Unicode reserves: D-Bus libraries refuse a message that holds one of them. */
static bool is_noncharacter(uint32_t character)
{
    return (character & 0xFFFE) == 0xFFFE || (character >= 0xFDD0 && character <= 0xFDEF);
}

/* C0, DEL and C1: a terminal obeys them. */
static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7F && character < 0xA0);
}

void text_make_utf8(char *text)
{
    char *to = text;

    for (const char *from = text; *from;) {
        const unsigned char *bytes = (const unsigned char *)from;
        int length = *bytes >= 0x80 ? utf8_length(bytes) : 1;
        uint32_t character = utf8_character(bytes, length);
        if (length == 0 || is_noncharacter(character)) {
            *to++ = '?';
        } else if (is_control(character) && character != '\n') {
            *to++ = ' ';
        } else {
            memmove(to, from, (size_t)length);
            to += length;
        }
        from += length > 0 ? length : 1;
    }
    *to = '\0';
}
