/*
 * Appending values to a message, with the size counted along the way. sd-bus
 * does not say how large a message has become, and the bus ends the connection
 * of a client that sends too much. Every text is made valid UTF-8 first.
 */
#include "bus/outgoing.h"

#include "core/vocabulary/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_MAX 1024 /* bytes of an error's text */
#define TYPES_MAX 64   /* of one container */

/* ---- bytes ----------------------------------------------------------------------------------- */

static size_t *counted; /* of the message that is encoded now; NULL: nobody asks */

void outgoing_count(size_t *bytes)
{
    counted = bytes;
}

/* D-Bus begins each value at a multiple of its alignment. */
static void count(size_t alignment, size_t size)
{
    if (counted)
        *counted = (*counted + alignment - 1) / alignment * alignment + size;
}

/* D-Bus aligns by type. */
static size_t alignment_of(char type)
{
    switch (type) {
    case 'y':
    case 'g':
    case 'v':
        return 1;
    case 'n':
    case 'q':
        return 2;
    case 't':
    case 'x':
    case 'd':
    case '(':
    case '{':
        return 8;
    default:
        return 4;
    }
}

static void count_text(const char *text)
{
    count(4, 4 + strlen(text) + 1);
}

/* Counts what the container itself takes. */
int append_open(sd_bus_message *m, char type, const char *contents)
{
    switch (type) {
    case 'a':
        count(4, 4);
        count(alignment_of(contents[0]), 0);
        break;
    case 'v':
        count(1, 1 + strlen(contents) + 1);
        break;
    default:
        count(8, 0);
    }
    return sd_bus_message_open_container(m, type, contents);
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* A copy, cleaned. */
static int append_cleaned(sd_bus_message *m, const char *text, void (*clean)(char *text))
{
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    clean(copy);
    count_text(copy);
    int r = sd_bus_message_append_basic(m, 's', copy);
    free(copy);
    return r;
}

static int append_line(sd_bus_message *m, const char *text)
{
    if (!text)
        text = "";
    if (!text_is_at_most(text, TEXT_PLAIN))
        return append_cleaned(m, text, text_make_line);
    count_text(text);
    return sd_bus_message_append_basic(m, 's', text);
}

int append_lines(sd_bus_message *m, const char *text)
{
    if (!text_is_at_most(text, TEXT_BLANK))
        return append_cleaned(m, text, text_make_lines);
    count_text(text);
    return sd_bus_message_append_basic(m, 's', text);
}

int append_word(sd_bus_message *m, const char *word)
{
    count_text(word);
    return sd_bus_message_append_basic(m, 's', word);
}

/* ---- values ---------------------------------------------------------------------------------- */

struct values {
    va_list list;
};

/* Made of what the bus allows by the encoder: a path, a signature. */
static int append_name(sd_bus_message *m, char type, const char *name)
{
    if (type == 'g')
        count(1, 1 + strlen(name) + 1);
    else
        count_text(name);
    return sd_bus_message_append_basic(m, type, name);
}

/* By its type letter, as va_arg cannot be generic. */
static int append_basic(sd_bus_message *m, char type, struct values *values)
{
    union {
        uint64_t t;
        double d;
        uint32_t u;
        int b;
        uint8_t y;
    } value;

    switch (type) {
    case 's':
        return append_line(m, va_arg(values->list, const char *));
    case 'o':
    case 'g':
        return append_name(m, type, va_arg(values->list, const char *));
    case 't':
    case 'x':
        value.t = va_arg(values->list, uint64_t);
        break;
    case 'd':
        value.d = va_arg(values->list, double);
        break;
    case 'u':
    case 'i':
        value.u = va_arg(values->list, uint32_t);
        break;
    case 'b':
        value.b = va_arg(values->list, int);
        break;
    case 'y':
        value.y = (uint8_t)va_arg(values->list, int);
        break;
    default:
        return -EINVAL;
    }
    count(alignment_of(type), alignment_of(type));
    return sd_bus_message_append_basic(m, type, &value);
}

/* Length of the first complete type. */
static size_t type_length(const char *types)
{
    size_t length = 0;
    int depth = 0;

    do {
        char c = types[length++];
        if (c == 'a')
            continue;
        depth += (c == '(' || c == '{') - (c == ')' || c == '}');
        if (depth == 0)
            break;
    } while (types[length]);
    return length;
}

static int append_types(sd_bus_message *m, const char *types, size_t length, struct values *values);

/* Recursion is bounded by the signature. */
static int append_container(sd_bus_message *m, char type, const char *contents, size_t length,
                            unsigned times, struct values *values)
{
    char signature[TYPES_MAX];

    if (length >= sizeof(signature))
        return -EINVAL;
    memcpy(signature, contents, length);
    signature[length] = '\0';
    int r = append_open(m, type, signature);
    for (unsigned i = 0; r >= 0 && i < times; i++)
        r = append_types(m, signature, length, values);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* One complete type. */
static int append_one(sd_bus_message *m, const char *type, size_t length, struct values *values)
{
    const char *contents;

    switch (type[0]) {
    case '(':
        return append_container(m, 'r', type + 1, length - 2, 1, values);
    case '{':
        return append_container(m, 'e', type + 1, length - 2, 1, values);
    case 'v':
        contents = va_arg(values->list, const char *);
        return append_container(m, 'v', contents, strlen(contents), 1, values);
    case 'a':
        return append_container(m, 'a', type + 1, length - 1, va_arg(values->list, unsigned),
                                values);
    default:
        return append_basic(m, type[0], values);
    }
}

static int append_types(sd_bus_message *m, const char *types, size_t length, struct values *values)
{
    int r = 0;

    for (size_t at = 0, one; r >= 0 && at < length; at += one) {
        one = type_length(types + at);
        r = append_one(m, types + at, one, values);
    }
    return r;
}

int append_values(sd_bus_message *m, const char *types, ...)
{
    struct values values;

    va_start(values.list, types);
    bool is_one = types[0] && !types[1] && types[0] != 'v';
    int r = is_one ? append_basic(m, types[0], &values)
                   : append_types(m, types, strlen(types), &values);
    va_end(values.list);
    return r;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void write_error(char text[ERROR_MAX], const char *format, va_list arguments)
{
    vsnprintf(text, ERROR_MAX, format, arguments);
    text_make_line(text); /* it may have been cut in the middle of a character, too */
}

int refuse_call(sd_bus_error *error, const char *name, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list arguments;

    va_start(arguments, format);
    write_error(text, format, arguments);
    va_end(arguments);
    return sd_bus_error_set(error, name, text);
}

int refuse_errno(sd_bus_error *error, int r, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list arguments;

    va_start(arguments, format);
    write_error(text, format, arguments);
    va_end(arguments);
    return sd_bus_error_set_errnof(error, r, "%s", text);
}

int refuse_late(sd_bus_message *call, const char *name, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list arguments;

    va_start(arguments, format);
    write_error(text, format, arguments);
    va_end(arguments);
    return sd_bus_reply_method_errorf(call, name, "%s", text);
}

int refuse_late_errno(sd_bus_message *call, int r, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list arguments;

    va_start(arguments, format);
    write_error(text, format, arguments);
    va_end(arguments);
    return sd_bus_reply_method_errnof(call, r, "%s", text);
}
