/*
 * Writing JSON, straight from D-Bus values. Keys become snake_case; integers
 * stay integers, also beyond 2^53, as most readers of JSON keep them.
 */
#include "ctl/json.h"

#include "core/vocabulary/invariant.h"
#include "core/vocabulary/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX        64
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

static void write_code(FILE *out, uint32_t code)
{
    if (code > 0xFFFF)
        fprintf(out, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xD7C0 + (code >> 10),
                0xDC00 + (code & 0x3FF));
    else
        fprintf(out, "\\u%04" PRIx32, code);
}

/* Returns the length of what was written; text is terminated. */
static size_t write_character(FILE *out, const char *text)
{
    enum text_class class;
    uint32_t code;
    size_t length = text_next(text, &class, &code);

    if (code == '"' || code == '\\')
        fprintf(out, "\\%c", (char)code);
    else if (class == TEXT_PLAIN)
        fwrite(text, 1, length, out);
    else
        write_code(out, length == 1 && code >= 0x80 ? 0xFFFD : code);
    return length;
}

void json_text(FILE *out, const char *text)
{
    fputc('"', out);
    while (*text)
        text += write_character(out, text);
    fputc('"', out);
}

/* Bytes that are not valid UTF-8 become U+FFFD. */
void json_bytes(FILE *out, const char *text, size_t size)
{
    char *copy = malloc(size + 1);

    fputc('"', out);
    if (copy) {
        memcpy(copy, text, size);
        copy[size] = '\0';
        for (size_t at = 0; at < size;)
            at += write_character(out, copy + at);
    }
    free(copy);
    fputc('"', out);
}

void json_number(FILE *out, uint64_t number)
{
    fprintf(out, "%" PRIu64, number);
}

void json_flag(FILE *out, bool flag)
{
    fputs(flag ? "true" : "false", out);
}

static bool is_unit(const char *name)
{
    return strncmp(name, "USec", 4) == 0 || strncmp(name, "NSec", 4) == 0;
}

static bool begins_word(const char *name, size_t i)
{
    if (i == 0 || !isupper((unsigned char)name[i]))
        return false;
    if (islower((unsigned char)name[i - 1]) || is_unit(name + i))
        return true;
    return islower((unsigned char)name[i + 1]) && !is_unit(name + i - 1);
}

/* What is no name of ours stays as it is: an object's path, a child's id. */
static void snake_case(FILE *out, const char *name)
{
    if (!isalpha((unsigned char)name[0]) || strspn(name, NAME_CHARACTERS) != strlen(name)) {
        json_text(out, name);
        return;
    }
    fputc('"', out);
    for (size_t i = 0; name[i]; i++) {
        if (begins_word(name, i))
            fputc('_', out);
        fputc(tolower((unsigned char)name[i]), out);
    }
    fputc('"', out);
}

static void new_line(struct json *json)
{
    if (!json->pretty)
        return;
    fputc('\n', json->out);
    for (int i = 0; i < json->depth; i++)
        fputs("  ", json->out);
}

void json_open(struct json *json, char bracket)
{
    INVARIANT(bracket == '{' || bracket == '[');
    fputc(bracket, json->out);
    json->depth++;
    json->begun = false;
}

void json_close(struct json *json, char bracket)
{
    INVARIANT((bracket == '}' || bracket == ']') && json->depth > 0);
    json->depth--;
    if (json->begun)
        new_line(json);
    fputc(bracket, json->out);
    json->begun = true;
}

void json_item(struct json *json)
{
    fputs(json->begun ? "," : "", json->out);
    json->begun = true;
    new_line(json);
}

void json_key(struct json *json, const char *key)
{
    json_item(json);
    snake_case(json->out, key);
    fputs(json->pretty ? ": " : ":", json->out);
}

/* A number that is not finite has no form in JSON. */
static int basic(struct json *json, sd_bus_message *m, char type)
{
    union {
        const char *text;
        uint64_t u64;
        int64_t i64;
        uint32_t u32;
        int32_t i32;
        uint8_t byte;
        int flag;
        double real;
    } value;
    int r = sd_bus_message_read_basic(m, type, &value);

    if (r < 0)
        return r;
    if (strchr("sog", type))
        json_text(json->out, value.text);
    else if (type == 'b')
        fputs(value.flag ? "true" : "false", json->out);
    else if (type == 't')
        fprintf(json->out, "%" PRIu64, value.u64);
    else if (type == 'x')
        fprintf(json->out, "%" PRId64, value.i64);
    else if (type == 'u')
        fprintf(json->out, "%" PRIu32, value.u32);
    else if (type == 'i')
        fprintf(json->out, "%" PRId32, value.i32);
    else if (type == 'y')
        fprintf(json->out, "%u", value.byte);
    else if (type == 'd')
        fprintf(json->out, isfinite(value.real) ? "%.17g" : "null", value.real);
    else
        return -EOPNOTSUPP;
    return 0;
}

static void absent_keys(struct json *json, const char *const *absent, const bool *seen)
{
    for (size_t i = 0; absent && absent[i]; i++) {
        if (seen[i])
            continue;
        json_key(json, absent[i]);
        fputs("null", json->out);
    }
}

/* A key may be a text or an object path. */
static int read_key(sd_bus_message *m, const char **key)
{
    char type;
    const char *contents;
    int r = sd_bus_message_peek_type(m, &type, &contents);

    if (r > 0 && type != 's' && type != 'o')
        return -EOPNOTSUPP;
    return r <= 0 ? r : sd_bus_message_read_basic(m, type, key);
}

/* Notes which of the expected keys have been seen. */
static int entry(struct json *json, sd_bus_message *m, const char *contents,
                 const char *const *absent, bool *seen)
{
    const char *key;
    int r = sd_bus_message_enter_container(m, 'e', contents);

    if (r >= 0)
        r = read_key(m, &key);
    if (r < 0)
        return r;
    for (size_t i = 0; absent && absent[i]; i++)
        seen[i] = seen[i] || strcmp(absent[i], key) == 0;
    json_key(json, key);
    r = json_value(json, m, NULL);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Expected keys that are missing are written as null. */
static int dictionary(struct json *json, sd_bus_message *m, const char *const *absent)
{
    bool seen[KEYS_MAX] = {};
    const char *contents;
    char type;
    int r;

    json_open(json, '{');
    while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
        r = entry(json, m, contents, absent, seen);
        if (r < 0)
            return r;
    }
    absent_keys(json, absent, seen);
    json_close(json, '}');
    return r;
}

/* An array or a structure. */
static int list(struct json *json, sd_bus_message *m)
{
    int r;

    json_open(json, '[');
    while ((r = sd_bus_message_at_end(m, false)) == 0) {
        json_item(json);
        r = json_value(json, m, NULL);
        if (r < 0)
            return r;
    }
    json_close(json, ']');
    return r;
}

/* One complete D-Bus value, recursively. */
int json_value(struct json *json, sd_bus_message *m, const char *const *absent)
{
    char type;
    const char *contents;
    int r = sd_bus_message_peek_type(m, &type, &contents);

    if (r <= 0)
        return r < 0 ? r : -EBADMSG;
    if (!strchr("avr", type))
        return basic(json, m, type);
    bool entries = type == 'a' && contents[0] == '{';
    r = sd_bus_message_enter_container(m, type, contents);
    if (r < 0)
        return r;
    if (type == 'v')
        r = json_value(json, m, absent);
    else
        r = entries ? dictionary(json, m, absent) : list(json, m);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}
