/*
 * Calls and replies as bytes, for an upgrade in place: what has been received
 * and not answered is received again by the new program.
 */
#include "bus/message.h"

#include "bus/private.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE_MAX 256 /* with its zero; D-Bus allows no more */

static int archive_values(struct archive *archive, sd_bus_message *m);

static bool is_text(char type)
{
    return type == SD_BUS_TYPE_STRING || type == SD_BUS_TYPE_OBJECT_PATH ||
           type == SD_BUS_TYPE_SIGNATURE;
}

static int archive_words(struct archive *archive, sd_bus_message *m, char type)
{
    const char *text = NULL;
    int r = archive->reading ? 0 : sd_bus_message_read_basic(m, type, &text);

    archive_string(archive, &text);
    if (r >= 0 && archive->reading)
        r = text ? sd_bus_message_append_basic(m, type, text) : -EBADMSG;
    return r;
}

/* Numbers of any width: the bytes of the union that the type does not use are 0. */
static int archive_figure(struct archive *archive, sd_bus_message *m, char type)
{
    union {
        uint8_t y;
        int b;
        int16_t n;
        uint16_t q;
        int32_t i;
        uint32_t u;
        int64_t x;
        uint64_t t;
        double d;
    } value;
    uint8_t bytes[8] = {};
    memset(&value, 0, sizeof(value)); /* an initializer is only sure to reach the first of them */
    int r = archive->reading ? 0 : sd_bus_message_read_basic(m, type, &value);

    memcpy(bytes, &value, sizeof(bytes));
    archive_bytes(archive, bytes, sizeof(bytes));
    memcpy(&value, bytes, sizeof(bytes));
    if (r >= 0 && archive->reading)
        r = sd_bus_message_append_basic(m, type, &value);
    return r;
}

/* The signature is read back first, so that the container can be opened. */
static int archive_container(struct archive *archive, sd_bus_message *m, char type,
                             const char *contents)
{
    char signature[SIGNATURE_MAX] = "";
    int r;

    if (!archive->reading && strlen(contents) < sizeof(signature))
        strcpy(signature, contents);
    archive_text(archive, signature, sizeof(signature));
    r = archive->reading ? sd_bus_message_open_container(m, type, signature)
                         : sd_bus_message_enter_container(m, type, signature);
    if (r >= 0)
        r = archive_values(archive, m);
    if (r < 0)
        return r;
    return archive->reading ? sd_bus_message_close_container(m) : sd_bus_message_exit_container(m);
}

static bool is_container(char type)
{
    return type == SD_BUS_TYPE_ARRAY || type == SD_BUS_TYPE_VARIANT || type == SD_BUS_TYPE_STRUCT ||
           type == SD_BUS_TYPE_DICT_ENTRY;
}

/* Up to the end of the container; what comes as the type 0. */
static int archive_values(struct archive *archive, sd_bus_message *m)
{
    for (;;) {
        const char *contents = NULL;
        char type = 0;
        int r = archive->reading ? 0 : sd_bus_message_peek_type(m, &type, &contents);
        ARCHIVE(archive, type);
        if (r < 0 || archive->failed)
            return r < 0 ? r : -EBADMSG;
        if (type == 0)
            return 0;
        if (is_container(type))
            r = archive_container(archive, m, type, contents);
        else
            r = is_text(type) ? archive_words(archive, m, type) : archive_figure(archive, m, type);
        if (r < 0)
            return r;
    }
}

int message_archive(struct archive *archive, sd_bus_message *m)
{
    int r = archive->reading ? 0 : sd_bus_message_rewind(m, true);

    INVARIANT(archive_is_sound(archive));
    if (r >= 0)
        r = archive_values(archive, m);
    if (r < 0)
        archive->failed = true;
    return r;
}

/* ---- whole calls --------------------------------------------------------------------------------
 */

struct call_header {
    char sender[64], path[CHILD_ID_MAX * 3 + 64], interface[64], member[64];
    uint64_t cookie;
    bool interactive;
};

static void archive_header(struct archive *archive, struct call_header *header)
{
    archive_text(archive, header->sender, sizeof(header->sender));
    archive_text(archive, header->path, sizeof(header->path));
    archive_text(archive, header->interface, sizeof(header->interface));
    archive_text(archive, header->member, sizeof(header->member));
    archive_number(archive, &header->cookie);
    ARCHIVE(archive, header->interactive);
}

static void copy_word(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

/* Everything that the new program needs to treat it as if it had just come:
 * sender, path, member, serial. */
int call_write(struct archive *archive, sd_bus_message *call)
{
    struct call_header header = {};

    INVARIANT(archive_is_sound(archive));
    copy_word(header.sender, sizeof(header.sender), sd_bus_message_get_sender(call));
    copy_word(header.path, sizeof(header.path), sd_bus_message_get_path(call));
    copy_word(header.interface, sizeof(header.interface), sd_bus_message_get_interface(call));
    copy_word(header.member, sizeof(header.member), sd_bus_message_get_member(call));
    sd_bus_message_get_cookie(call, &header.cookie);
    header.interactive = sd_bus_message_get_allow_interactive_authorization(call) > 0;
    archive_header(archive, &header);
    return message_archive(archive, call);
}

/* Put into the connection's own queue. */
int call_read(struct archive *archive, sd_bus *bus)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *call = NULL;
    struct call_header header = {};

    INVARIANT(archive_is_sound(archive));
    archive_header(archive, &header);
    if (archive->failed)
        return -EBADMSG;
    /* With a destination: a client of a bus handles no call that goes to everybody. */
    int r = sd_bus_message_new_method_call(bus, &call, PROCTOR_BUS_NAME, header.path,
                                           header.interface, header.member);
    if (r >= 0)
        r = sd_bus_message_set_sender(call, header.sender);
    if (r >= 0)
        r = sd_bus_message_set_allow_interactive_authorization(call, header.interactive);
    if (r >= 0)
        r = message_archive(archive, call);
    if (r >= 0)
        r = sd_bus_message_seal(call, header.cookie, 0);
    if (r >= 0)
        r = sd_bus_enqueue_for_read(bus, call);
    if (r < 0)
        archive->failed = true;
    return r;
}
