/*
 * Text in buffers of a fixed size, always with an end, cut at a boundary of
 * UTF-8. The core formats without printf(), which depends on the locale, and
 * may allocate.
 */
#include "core/vocabulary/text.h"

#include "core/vocabulary/invariant.h"

#include <string.h>

struct text text_in(char *buffer, size_t size)
{
    INVARIANT(size > 0);
    buffer[0] = '\0';
    return (struct text){.buffer = buffer, .size = size};
}

/* What does not fit is cut. */
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

/* From the last digit; 20 digits are enough for 64 bits. */
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

/* The ranges may overlap. A character is never cut in half: what follows is
 * shown on terminals and sent over D-Bus, which demands valid UTF-8. */
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

/* Bytes that follow a leading byte, -1 where it cannot lead. */
static int utf8_followers(unsigned char c)
{
    if (c < 0x80)
        return 0;
    if (c >= 0xC2 && c < 0xE0)
        return 1;
    if (c >= 0xE0 && c < 0xF0)
        return 2;
    return c >= 0xF0 && c < 0xF5 ? 3 : -1;
}

/* Length of the character that begins here, 0 where none does: no overlong forms, no surrogates. */
static size_t utf8_decode(const unsigned char *text, uint32_t *code)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    int more = utf8_followers(text[0]);

    if (more < 0)
        return 0;
    *code = more == 0 ? text[0] : text[0] & (0x3Fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((text[i] & 0xC0) != 0x80) /* the end of the text, too */
            return 0;
        *code = *code << 6 | (text[i] & 0x3Fu);
    }
    if (*code < least[more] || (*code >= 0xD800 && *code < 0xE000) || *code > 0x10FFFF)
        return 0;
    return (size_t)more + 1;
}

/* sd-bus and GLib refuse a message with one of these. */
static bool is_noncharacter(uint32_t code)
{
    return (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFE) == 0xFFFE;
}

/* C0, DEL and C1; the line and paragraph separators; what Unicode calls Bidi_Control. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C ||
           (code >= 0x200E && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

/* One character: its length, its class and its code. Invalid bytes are passed
 * one by one. */
size_t text_next(const char *text, enum text_class *class, uint32_t *code)
{
    size_t length = utf8_decode((const unsigned char *)text, code);

    if (length == 0) {
        *class = TEXT_INVALID;
        *code = (unsigned char)text[0];
        return 1;
    }
    if (*code == '\n' || *code == '\t')
        *class = TEXT_BLANK;
    else if (is_noncharacter(*code))
        *class = TEXT_INVALID;
    else
        *class = is_control(*code) ? TEXT_CONTROL : TEXT_PLAIN;
    return length;
}

/* ASCII is decided without decoding, since nearly all text is. */
bool text_is_at_most(const char *text, enum text_class most)
{
    enum text_class class;
    uint32_t code;

    while (*text) {
        if ((unsigned char)*text >= 0x20 && (unsigned char)*text < 0x7F) {
            text++;
            continue;
        }
        text += text_next(text, &class, &code);
        if (class > most)
            return false;
    }
    return true;
}

/* What replaces a character is never longer than it. */
static void clean(char *text, bool keep_lines)
{
    char *to = text;
    enum text_class class;
    uint32_t code;

    for (size_t length; *text; text += length) {
        length = text_next(text, &class, &code);
        if (class == TEXT_PLAIN || (class == TEXT_BLANK && keep_lines)) {
            memmove(to, text, length);
            to += length;
        } else {
            *to++ = class == TEXT_INVALID ? '?' : ' ';
        }
    }
    *to = '\0';
}

void text_make_line(char *text)
{
    clean(text, false);
}

void text_make_lines(char *text)
{
    clean(text, true);
}
