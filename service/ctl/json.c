#include "json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define KEYS_MAX 64

void json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < 0x20)
            fprintf(out, "\\u%04x", *c);
        else
            fputc(*c, out);
    fputc('"', out);
}

static bool begins_word(const char *name, size_t i)
{
    if (i == 0 || !isupper((unsigned char)name[i]))
        return false;
    if (islower((unsigned char)name[i - 1]))
        return true;
    return islower((unsigned char)name[i + 1]) && strncmp(name + i - 1, "USec", 4) != 0 &&
           strncmp(name + i - 1, "NSec", 4) != 0;
}

static void snake_case(FILE *out, const char *name)
{
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
        fprintf(json->out, "%.17g", value.real);
    else
        return -EOPNOTSUPP;
    return 0;
}

static void absent_keys(struct json *json, const char *const *absent, const bool *seen, bool first)
{
    for (size_t i = 0; absent && absent[i]; i++) {
        if (seen[i])
            continue;
        fputs(first ? "" : ",", json->out);
        first = false;
        new_line(json);
        snake_case(json->out, absent[i]);
        fputs(json->pretty ? ": null" : ":null", json->out);
    }
}

static int dictionary(struct json *json, sd_bus_message *m, const char *const *absent)
{
    bool seen[KEYS_MAX] = {}, first = true;
    char type;
    const char *contents;
    int r;

    fputc('{', json->out);
    json->depth++;
    while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
        const char *key;
        r = sd_bus_message_enter_container(m, 'e', contents);
        if (r >= 0)
            r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
            return r;
        for (size_t i = 0; absent && absent[i]; i++)
            seen[i] = seen[i] || strcmp(absent[i], key) == 0;
        fputs(first ? "" : ",", json->out);
        first = false;
        new_line(json);
        snake_case(json->out, key);
        fputs(json->pretty ? ": " : ":", json->out);
        r = json_value(json, m, NULL);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
    }
    absent_keys(json, absent, seen, first);
    json->depth--;
    if (!first)
        new_line(json);
    fputc('}', json->out);
    return r;
}

static int list(struct json *json, sd_bus_message *m)
{
    bool first = true;
    int r;

    fputc('[', json->out);
    json->depth++;
    while ((r = sd_bus_message_at_end(m, false)) == 0) {
        fputs(first ? "" : ",", json->out);
        first = false;
        new_line(json);
        r = json_value(json, m, NULL);
        if (r < 0)
            return r;
    }
    json->depth--;
    if (!first)
        new_line(json);
    fputc(']', json->out);
    return r;
}

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
