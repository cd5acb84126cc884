/*
 * The lines before the first message: authentication by the identity that the
 * kernel reports (EXTERNAL), and the agreement to send descriptors. It is a
 * machine of four states, taken from the D-Bus specification; a client that
 * leaves the path ends in REFUSED.
 */
#include "bus/handshake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FAILURES_MAX 6
#define LINE_MAX     (16 * 1024) /* dbus-daemon's own bound */

static void answer(struct bytes *out, const char *line)
{
    bytes_add(out, line, strlen(line));
    bytes_add(out, "\r\n", 2);
}

static void reject(struct handshake *handshake, struct bytes *out)
{
    answer(out, "REJECTED EXTERNAL");
    handshake->failures++;
    handshake->state = handshake->failures < FAILURES_MAX ? HANDSHAKE_AUTH : HANDSHAKE_REFUSED;
}

static void accept_client(struct handshake *handshake, const char *id, struct bytes *out)
{
    char line[64];

    snprintf(line, sizeof(line), "OK %s", id);
    answer(out, line);
    handshake->state = HANDSHAKE_BEGIN;
}

/* An identity is the decimal uid, each character as two hexadecimal digits; empty: as the kernel
 * says. */
static bool is_own_identity(const struct handshake *handshake, const char *identity)
{
    char decimal[16], wanted[32];

    if (*identity == '\0')
        return true;
    snprintf(decimal, sizeof(decimal), "%" PRIu32, handshake->uid);
    for (size_t i = 0; i <= strlen(decimal); i++)
        snprintf(wanted + 2 * i, 3, "%02x", (unsigned char)decimal[i]);
    wanted[2 * strlen(decimal)] = '\0';
    return strcmp(identity, wanted) == 0;
}

static void identify(struct handshake *handshake, const char *id, const char *identity,
                     struct bytes *out)
{
    if (is_own_identity(handshake, identity))
        accept_client(handshake, id, out);
    else
        reject(handshake, out);
}

/* ---- lines, by state ------------------------------------------------------------------------- */

static bool is_command(const char *line, const char *command)
{
    size_t length = strlen(command);

    return strncmp(line, command, length) == 0 && (line[length] == '\0' || line[length] == ' ');
}

static const char *argument(const char *line)
{
    const char *space = strchr(line, ' ');

    return space ? space + 1 : "";
}

/* The identity may come with the command or, as libdbus does it, in a DATA line
 * of its own. */
static void begin_auth(struct handshake *handshake, const char *id, const char *line,
                       struct bytes *out)
{
    if (!is_command(argument(line), "EXTERNAL")) {
        reject(handshake, out);
    } else if (*argument(argument(line))) {
        identify(handshake, id, argument(argument(line)), out);
    } else {
        answer(out, "DATA");
        handshake->state = HANDSHAKE_DATA;
    }
}

/* Before authentication. BEGIN here would mean to skip it, and ends the
 * connection. */
static void expect_auth(struct handshake *handshake, const char *id, const char *line,
                        struct bytes *out)
{
    if (is_command(line, "AUTH"))
        begin_auth(handshake, id, line, out);
    else if (is_command(line, "CANCEL") || is_command(line, "DATA"))
        answer(out, "ERROR \"Not currently in an auth conversation\"");
    else if (is_command(line, "BEGIN"))
        handshake->state = HANDSHAKE_REFUSED;
    else if (is_command(line, "ERROR"))
        reject(handshake, out);
    else if (is_command(line, "NEGOTIATE_UNIX_FD"))
        answer(out, "ERROR \"Need to authenticate first\"");
    else
        answer(out, "ERROR \"Unknown command\"");
}

/* After "AUTH EXTERNAL" without an identity. */
static void expect_data(struct handshake *handshake, const char *id, const char *line,
                        struct bytes *out)
{
    if (is_command(line, "DATA"))
        identify(handshake, id, argument(line), out);
    else if (is_command(line, "CANCEL") || is_command(line, "ERROR"))
        reject(handshake, out);
    else if (is_command(line, "BEGIN"))
        handshake->state = HANDSHAKE_REFUSED;
    else if (is_command(line, "AUTH"))
        answer(out, "ERROR \"Sent AUTH while another AUTH in progress\"");
    else if (is_command(line, "NEGOTIATE_UNIX_FD"))
        answer(out, "ERROR \"Need to authenticate first\"");
    else
        answer(out, "ERROR \"Unknown command\"");
}

/* After authentication: descriptors may be agreed on, then BEGIN starts the
 * messages. */
static void expect_begin(struct handshake *handshake, const char *line, struct bytes *out)
{
    if (is_command(line, "BEGIN")) {
        handshake->state = HANDSHAKE_DONE;
    } else if (is_command(line, "NEGOTIATE_UNIX_FD")) {
        handshake->descriptors = true;
        answer(out, "AGREE_UNIX_FD");
    } else if (is_command(line, "CANCEL") || is_command(line, "ERROR")) {
        reject(handshake, out);
    } else if (is_command(line, "AUTH")) {
        answer(out, "ERROR \"Sent AUTH while expecting BEGIN\"");
    } else if (is_command(line, "DATA")) {
        answer(out, "ERROR \"Sent DATA while expecting BEGIN\"");
    } else {
        answer(out, "ERROR \"Unknown command\"");
    }
}

/* One line, in whichever state the handshake is. */
static void handle_line(struct handshake *handshake, const char *id, const char *line,
                        struct bytes *out)
{
    switch (handshake->state) {
    case HANDSHAKE_AUTH:
        expect_auth(handshake, id, line, out);
        break;
    case HANDSHAKE_DATA:
        expect_data(handshake, id, line, out);
        break;
    case HANDSHAKE_BEGIN:
        expect_begin(handshake, line, out);
        break;
    case HANDSHAKE_NUL:
    case HANDSHAKE_DONE:
    case HANDSHAKE_REFUSED:
        break;
    }
}

/* Takes one line, without its end; false: there is no whole one. */
static bool take_line(struct handshake *handshake, struct bytes *in, char *line)
{
    const uint8_t *end = in->size > 0 ? memmem(in->data, in->size, "\r\n", 2) : NULL;
    size_t length = end ? (size_t)(end - in->data) : in->size;

    if (length >= LINE_MAX)
        handshake->state = HANDSHAKE_REFUSED;
    if (!end || length >= LINE_MAX)
        return false;
    memcpy(line, in->data, length);
    line[length] = '\0';
    bytes_drop(in, length + 2);
    return true;
}

static bool is_over(const struct handshake *handshake)
{
    return handshake->state == HANDSHAKE_DONE || handshake->state == HANDSHAKE_REFUSED;
}

/* Takes lines from `in` and writes answers to `out`. What follows BEGIN stays
 * in `in`: it is the first message already. The first byte of all must be a
 * null byte, which carries the credentials on some systems. */
void handshake_continue(struct handshake *handshake, const char *id, struct bytes *in,
                        struct bytes *out)
{
    char line[LINE_MAX];

    if (handshake->state == HANDSHAKE_NUL && in->size > 0) {
        handshake->state = in->data[0] == '\0' ? HANDSHAKE_AUTH : HANDSHAKE_REFUSED;
        bytes_drop(in, 1);
    }
    while (!is_over(handshake) && take_line(handshake, in, line))
        handle_line(handshake, id, line, out);
}
