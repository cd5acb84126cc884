/*
 * Messages of the bus as bytes: reading, checking and writing them. The rules
 * are those of the D-Bus specification; a message that breaks one of them ends
 * the connection, so each must be checked here rather than by the readers of
 * the values.
 *
 * Texts of a parsed message point into its bytes, which must stay there as long
 * as the message is used.
 */
#include "bus/bus_message.h"

#include "bus/grammar.h"

#include <errno.h>
#include <string.h>

enum header_field {
    FIELD_PATH = 1,
    FIELD_INTERFACE,
    FIELD_MEMBER,
    FIELD_ERROR,
    FIELD_REPLY_SERIAL,
    FIELD_DESTINATION,
    FIELD_SENDER,
    FIELD_SIGNATURE,
    FIELD_DESCRIPTORS,
};

static size_t padded(size_t size)
{
    return (size + 7) / 8 * 8;
}

/* The size of the whole message, known from its first 16 bytes: 0 if fewer have
 * arrived, SIZE_MAX if no message can begin like this. */
size_t bus_message_size(const uint8_t *data, size_t size)
{
    if (size < MESSAGE_PROLOGUE)
        return 0;
    if (data[0] != 'l' && data[0] != 'B')
        return SIZE_MAX;
    struct wire_reader reader = {.data = data, .size = size, .at = 4, .big = data[0] == 'B'};
    uint32_t body = wire_read_u32(&reader);
    wire_read_u32(&reader);
    uint32_t fields = wire_read_u32(&reader);
    if (fields > ARRAY_SIZE_MAX || body > MESSAGE_SIZE_MAX ||
        padded(MESSAGE_PROLOGUE + fields) + body > MESSAGE_SIZE_MAX)
        return SIZE_MAX;
    return padded(MESSAGE_PROLOGUE + fields) + body;
}

/* ---- parsing --------------------------------------------------------------------------------- */

static const char *read_text_field(struct wire_reader *reader, const char *type, const char *wanted)
{
    if (strcmp(type, wanted) != 0) {
        reader->failed = true;
        return NULL;
    }
    return *wanted == 'g' ? wire_read_signature(reader) : wire_read_string(reader);
}

static uint32_t read_number_field(struct wire_reader *reader, const char *type)
{
    reader->failed |= strcmp(type, "u") != 0;
    return reader->failed ? 0 : wire_read_u32(reader);
}

/* None that is known may come twice. */
static void note_field(struct wire_reader *reader, uint8_t field, uint32_t *seen)
{
    if (field > FIELD_DESCRIPTORS)
        return;
    reader->failed |= (*seen & UINT32_C(1) << field) != 0;
    *seen |= UINT32_C(1) << field;
}

/* Reads one field of the header. Fields with a number of a later version are
 * skipped, as the specification demands; their value must be sound all the
 * same. */
static void read_field(struct wire_reader *reader, struct bus_message *message, uint32_t *seen)
{
    wire_skip_padding(reader, 8);
    uint8_t field = wire_read_byte(reader);
    note_field(reader, field, seen);
    size_t before = reader->at;
    const char *type = wire_read_signature(reader);

    switch (field) {
    case FIELD_PATH:
        message->path = read_text_field(reader, type, "o");
        break;
    case FIELD_INTERFACE:
        message->interface = read_text_field(reader, type, "s");
        break;
    case FIELD_MEMBER:
        message->member = read_text_field(reader, type, "s");
        break;
    case FIELD_ERROR:
        message->error = read_text_field(reader, type, "s");
        break;
    case FIELD_REPLY_SERIAL:
        message->reply_serial = read_number_field(reader, type);
        reader->failed |= message->reply_serial == 0;
        break;
    case FIELD_DESTINATION:
        message->destination = read_text_field(reader, type, "s");
        break;
    case FIELD_SENDER:
        message->sender = read_text_field(reader, type, "s");
        break;
    case FIELD_SIGNATURE:
        message->signature = read_text_field(reader, type, "g");
        break;
    case FIELD_DESCRIPTORS:
        message->descriptors = read_number_field(reader, type);
        break;
    default: /* those of later versions are ignored; number 0 is forbidden */
        reader->at = before;
        reader->failed |= field == 0;
        wire_check(reader, "v", 0);
    }
}

static bool fits(const char *text, bool (*is)(const char *text))
{
    return !text || is(text);
}

/* Whether the fields that the type of the message requires are there. Types of
 * later versions require none, and are ignored by their receivers. */
static bool has_its_fields(const struct bus_message *message)
{
    switch (message->type) {
    case 0:
        return false;
    case MESSAGE_CALL:
        return message->path && message->member;
    case MESSAGE_RETURN:
        return message->reply_serial > 0;
    case MESSAGE_ERROR:
        return message->error && message->reply_serial > 0;
    case MESSAGE_SIGNAL:
        return message->path && message->interface && message->member &&
               strcmp(message->path, "/org/freedesktop/DBus/Local") != 0 &&
               strcmp(message->interface, "org.freedesktop.DBus.Local") != 0;
    default:
        return true;
    }
}

static bool has_valid_fields(const struct bus_message *message)
{
    return message->serial > 0 && has_its_fields(message) && fits(message->path, is_object_path) &&
           fits(message->interface, is_interface_name) && fits(message->member, is_member_name) &&
           fits(message->error, is_error_name) && fits(message->destination, is_bus_name) &&
           fits(message->sender, is_bus_name);
}

struct wire_reader bus_message_read(const struct bus_message *message)
{
    return (struct wire_reader){
        .data = message->body, .size = message->body_size, .big = message->big};
}

static bool has_valid_body(const struct bus_message *message)
{
    struct wire_reader reader = bus_message_read(message);

    return wire_check(&reader, message->signature ? message->signature : "",
                      message->descriptors) &&
           reader.at == reader.size;
}

/* Returns -EBADMSG for anything that the specification forbids, the padding and
 * the body included. */
int bus_message_parse(struct bus_message *message, const uint8_t *data, size_t size)
{
    struct wire_reader reader = {.data = data, .size = size, .at = 1, .big = data[0] == 'B'};

    uint32_t seen = 0;

    *message = (struct bus_message){.big = data[0] == 'B'};
    message->type = wire_read_byte(&reader);
    message->flags = wire_read_byte(&reader);
    uint8_t version = wire_read_byte(&reader);
    message->body_size = wire_read_u32(&reader);
    message->serial = wire_read_u32(&reader);
    size_t end = wire_read_array(&reader, 8);
    while (reader.at < end && !reader.failed)
        read_field(&reader, message, &seen);
    bool whole = reader.at == end && !reader.failed && version == 1;
    wire_skip_padding(&reader, 8);
    if (!whole || reader.failed || size - reader.at != message->body_size)
        return -EBADMSG;
    message->body = data + reader.at;
    return has_valid_fields(message) && has_valid_body(message) ? 0 : -EBADMSG;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Leaves a field out if there is no value, so that the caller can list all
 * fields in one order. */
static void write_text_field(struct wire_writer *writer, enum header_field field, const char *type,
                             const char *text)
{
    if (!text)
        return;
    wire_align(writer, 8);
    wire_write_byte(writer, (uint8_t)field);
    wire_write_signature(writer, type);
    if (*type == 'g')
        wire_write_signature(writer, text);
    else
        wire_write_string(writer, text);
}

static void write_number_field(struct wire_writer *writer, enum header_field field, uint32_t number)
{
    if (number == 0)
        return;
    wire_align(writer, 8);
    wire_write_byte(writer, (uint8_t)field);
    wire_write_signature(writer, "u");
    wire_write_u32(writer, number);
}

/* Appends the message to `to`, in the byte order that it names. Serial and
 * sender are those of the message. */
void bus_message_write(const struct bus_message *message, struct bytes *to)
{
    struct wire_writer writer = {.bytes = to, .start = to->size, .big = message->big};

    wire_write_byte(&writer, message->big ? 'B' : 'l');
    wire_write_byte(&writer, message->type);
    wire_write_byte(&writer, message->flags);
    wire_write_byte(&writer, 1);
    wire_write_u32(&writer, (uint32_t)message->body_size);
    wire_write_u32(&writer, message->serial);
    size_t fields = wire_begin_array(&writer, 8);
    write_text_field(&writer, FIELD_PATH, "o", message->path);
    write_text_field(&writer, FIELD_INTERFACE, "s", message->interface);
    write_text_field(&writer, FIELD_MEMBER, "s", message->member);
    write_text_field(&writer, FIELD_ERROR, "s", message->error);
    write_number_field(&writer, FIELD_REPLY_SERIAL, message->reply_serial);
    write_text_field(&writer, FIELD_DESTINATION, "s", message->destination);
    write_text_field(&writer, FIELD_SENDER, "s", message->sender);
    write_text_field(&writer, FIELD_SIGNATURE, "g", message->signature);
    write_number_field(&writer, FIELD_DESCRIPTORS, message->descriptors);
    wire_end_array(&writer, fields, 8);
    wire_align(&writer, 8);
    bytes_add(to, message->body, message->body_size);
}
