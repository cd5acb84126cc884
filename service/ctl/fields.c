/*
 * The fields of an event or of a dictionary, read into a table of fixed size.
 */
#include "ctl/fields.h"

#include "core/vocabulary/invariant.h"
#include "ctl/terminal.h"

#include <inttypes.h>
#include <string.h>

/* Values of compound types are skipped. */
static int read_value(sd_bus_message *m, struct field *field)
{
    const char *contents;
    union {
        const char *text;
        uint64_t t;
        int64_t x;
        uint32_t u;
        int32_t i;
    } value = {};
    int r = sd_bus_message_peek_type(m, NULL, &contents);

    if (r < 0)
        return r;
    if (!strchr("sotxuib", contents[0]) || contents[1])
        return sd_bus_message_skip(m, "v");
    r = sd_bus_message_read(m, "v", contents, &value);
    field->type = contents[0];
    if (contents[0] == 's' || contents[0] == 'o')
        field->text = value.text;
    else if (contents[0] == 'u')
        field->number = value.u;
    else
        field->number = contents[0] == 't' || contents[0] == 'x' ? value.x : value.i;
    return r;
}

/* Text is quoted, so that it cannot be mistaken for the next field. */
void field_write(FILE *out, const struct field *field)
{
    INVARIANT(!field->text == (field->type != 's' && field->type != 'o'));
    if (field->text)
        text_write_quoted(out, field->text);
    else if (field->type == 'b')
        fputs(field->number ? "true" : "false", out);
    else if (field->type == 't')
        fprintf(out, "%" PRIu64, (uint64_t)field->number);
    else
        fprintf(out, "%" PRId64, field->number);
}

/* The keys as they are. */
void fields_write_json(struct json *json, const struct fields *fields)
{
    json_open(json, '{');
    for (size_t i = 0; i < fields->count; i++) {
        json_key(json, fields->list[i].key);
        if (fields->list[i].text)
            json_text(json->out, fields->list[i].text);
        else
            field_write(json->out, &fields->list[i]);
    }
    json_close(json, '}');
}

/* Beyond the size of the table, fields are dropped. */
int fields_read(sd_bus_message *m, struct fields *fields)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    fields->count = 0;
    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        struct field field = {};
        r = sd_bus_message_read(m, "s", &field.key);
        if (r >= 0)
            r = read_value(m, &field);
        if (r >= 0 && fields->count < FIELDS_MAX)
            fields->list[fields->count++] = field;
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

const struct field *fields_find(const struct fields *fields, const char *key, size_t length)
{
    for (size_t i = 0; i < fields->count; i++)
        if (strlen(fields->list[i].key) == length && strncmp(fields->list[i].key, key, length) == 0)
            return &fields->list[i];
    return NULL;
}

const char *fields_text(const struct fields *fields, const char *key)
{
    const struct field *field = fields_find(fields, key, strlen(key));
    return field && field->text ? field->text : "";
}

int64_t fields_number(const struct fields *fields, const char *key)
{
    const struct field *field = fields_find(fields, key, strlen(key));
    return field ? field->number : 0;
}
