#include "text.h"

#include "invariant.h"

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
