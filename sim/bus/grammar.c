/*
 * What names, paths, signatures and texts may look like on the bus, by the
 * D-Bus specification. Each function answers one question about one text;
 * nothing is kept.
 */
#include "bus/grammar.h"

#include <stdint.h>
#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Elements between dots. Of a number on the bus, one is enough, and may begin with a digit. */
static bool is_dotted(const char *text, bool hyphens, bool number)
{
    bool begins = true;
    size_t dots = 0, length = strlen(text);

    if (length > NAME_LENGTH_MAX)
        return false;
    for (; *text; text++) {
        if (*text == '.' && !begins) {
            dots++;
            begins = true;
        } else if (is_letter(*text) || (hyphens && *text == '-') ||
                   (is_digit(*text) && (number || !begins))) {
            begins = false;
        } else {
            return false;
        }
    }
    return (dots > 0 || number) && !begins;
}

bool is_bus_name(const char *text)
{
    return text[0] == ':' ? is_dotted(text + 1, true, true) : is_dotted(text, true, false);
}

bool is_interface_name(const char *text)
{
    return is_dotted(text, false, false);
}

bool is_error_name(const char *text)
{
    return is_interface_name(text);
}

bool is_member_name(const char *text)
{
    size_t i = 0;

    if (is_digit(text[0]))
        return false;
    while (is_letter(text[i]) || is_digit(text[i]))
        i++;
    return i > 0 && text[i] == '\0' && i <= NAME_LENGTH_MAX;
}

bool is_object_path(const char *text)
{
    if (text[0] != '/')
        return false;
    for (size_t i = 1; text[i]; i++)
        if (text[i] == '/' ? text[i - 1] == '/' : !is_letter(text[i]) && !is_digit(text[i]))
            return false;
    return text[1] == '\0' || text[strlen(text) - 1] != '/';
}

/* ---- signatures ------------------------------------------------------------------------------ */

static bool is_basic(char type)
{
    return type != '\0' && strchr("ybnqiuxtdsogh", type);
}

static size_t complete(const char *text, int arrays, int structures);

/* "(su)": at least one type within. */
static size_t complete_structure(const char *text, int arrays, int structures)
{
    size_t length = 1, member;

    do {
        member = complete(text + length, arrays, structures + 1);
        length += member;
        if (member == 0)
            return 0;
    } while (text[length] != ')');
    return length + 1;
}

/* "{sv}": a basic key and one value. */
static size_t complete_entry(const char *text, int arrays, int structures)
{
    if (!is_basic(text[1]))
        return 0;
    size_t value = complete(text + 2, arrays, structures + 1);
    return value > 0 && text[2 + value] == '}' ? value + 3 : 0;
}

/* The length of one complete type, or 0. */
static size_t complete(const char *text, int arrays, int structures)
{
    if (arrays > NESTING_MAX || structures > NESTING_MAX)
        return 0;
    if (is_basic(*text) || *text == 'v')
        return 1;
    if (*text == '(')
        return complete_structure(text, arrays, structures);
    if (*text != 'a')
        return 0;
    size_t element = text[1] == '{' ? complete_entry(text + 1, arrays + 1, structures)
                                    : complete(text + 1, arrays + 1, structures);
    return element > 0 ? element + 1 : 0;
}

/* Any number of complete types, at most 255 characters, with no more nesting
 * than the specification allows. */
bool is_signature(const char *text)
{
    if (strlen(text) > NAME_LENGTH_MAX)
        return false;
    while (*text) {
        size_t length = complete(text, 0, 0);
        if (length == 0)
            return false;
        text += length;
    }
    return true;
}

size_t type_length(const char *signature)
{
    if (*signature == '{') /* the element of a dictionary */
        return complete_entry(signature, 0, 0);
    return complete(signature, 0, 0);
}

/* Values begin at multiples of this many bytes, counted from the beginning of
 * the message. */
size_t type_alignment(char type)
{
    switch (type) {
    case 'n':
    case 'q':
        return 2;
    case 'b':
    case 'i':
    case 'u':
    case 's':
    case 'o':
    case 'a':
    case 'h':
        return 4;
    case 'x':
    case 't':
    case 'd':
    case '(':
    case '{':
        return 8;
    default:
        return 1;
    }
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* How many bytes a character has by its first one; 0: it cannot be the first. */
static size_t character_size(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first < 0xE0)
        return 2;
    if (first >= 0xE0 && first < 0xF0)
        return 3;
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

static bool is_scalar(uint32_t character, size_t size)
{
    static const uint32_t smallest[] = {0, 1, 0x80, 0x800, 0x10000};

    return character >= smallest[size] && character <= 0x10FFFF &&
           !(character >= 0xD800 && character < 0xE000);
}

/* Surrogates, overlong forms and characters beyond U+10FFFF are refused. */
bool is_utf8(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint8_t first = (uint8_t)text[i];
        size_t size = character_size(first);
        if (size == 0 || size > length - i)
            return false;
        uint32_t character = size == 1 ? first : first & (0xFFu >> (size + 1));
        for (size_t k = 1; k < size; k++) {
            if (((uint8_t)text[i + k] & 0xC0) != 0x80)
                return false;
            character = character << 6 | ((uint8_t)text[i + k] & 0x3F);
        }
        if (!is_scalar(character, size))
            return false;
        i += size;
    }
    return true;
}
