/*
 * Sockets in a manifest: where they listen, read into the addresses that bind(2) takes. Numeric
 * addresses only: a manifest must not wait for a name server.
 */
#include "system/number.h"
#include "core/vocabulary/invariant.h"
#include "manifest/reader.h"
#include "manifest/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define EXPECTED                                                                                   \
    "ADDRESS:PORT, [ADDRESS]:PORT, PORT (1 to 65535), a path, or @NAME for the abstract namespace"

struct parsed {
    struct socket_spec *sockets, *socket;
    uint32_t mode;
};

static int put(struct socket_spec *socket, const void *address, size_t size)
{
    memcpy(socket->address, address, size);
    socket->address_size = (uint32_t)size;
    return 0;
}

/* A path or an abstract name. */
static int parse_local(const char *text, struct socket_spec *socket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(text);

    if (length < 2 || length >= sizeof(address.sun_path))
        return -EINVAL;
    memcpy(address.sun_path, text, length);
    if (text[0] == '@') { /* an abstract name has no terminator: its size is its end */
        address.sun_path[0] = '\0';
        return put(socket, &address, offsetof(struct sockaddr_un, sun_path) + length);
    }
    return put(socket, &address, sizeof(address));
}

/* Numbers only. */
static int parse_internet(const char *host, uint64_t port, struct socket_spec *socket)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET, host, &four.sin_addr) == 1)
        return put(socket, &four, sizeof(four));
    if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1)
        return put(socket, &six, sizeof(six));
    return -EINVAL;
}

/* A port alone is every address, or the given host. */
int manifest_parse_address(const char *text, const char *host_of_port, struct socket_spec *socket)
{
    INVARIANT(text && socket);
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    uint64_t port;

    if (text[0] == '/' || text[0] == '@')
        return parse_local(text, socket);
    if (unit_number(colon ? colon + 1 : text, UINT16_MAX, &port) < 0 || port == 0)
        return -EINVAL;
    snprintf(host, sizeof(host), "%s", host_of_port);
    if (colon) {
        size_t length = (size_t)(colon - text);
        bool brackets = length > 2 && text[0] == '[' && colon[-1] == ']';
        if (length == 0 || length >= sizeof(host) || (!brackets && memchr(text, ':', length)))
            return -EINVAL;
        snprintf(host, sizeof(host), "%.*s", (int)(brackets ? length - 2 : length),
                 text + brackets);
    }
    return parse_internet(host, port, socket);
}

/* LISTEN_FDNAMES separates names with colons. */
static int read_name(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;
    int r = reader_text(reader, node, &parsed->socket->name);

    if (r < 0)
        return r;
    if (!child_id_valid(parsed->socket->name) || strpbrk(parsed->socket->name, "/:"))
        return reader_refuse(reader, node,
                             "expected 1 to 64 characters of A-Z a-z 0-9 _ . @ -, got \"%.60s\"",
                             parsed->socket->name);
    for (const struct socket_spec *other = parsed->sockets; other < parsed->socket; other++)
        if (other->name && strcmp(other->name, parsed->socket->name) == 0) /* NULL: a mistake */
            return reader_refuse(reader, node, "a socket is already called \"%s\"", other->name);
    return 0;
}

static int read_listen(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;
    int r = reader_text(reader, node, &parsed->socket->listen);

    if (r == 0 && manifest_parse_address(parsed->socket->listen, "::", parsed->socket) < 0)
        return reader_refuse(reader, node, "expected " EXPECTED ", got \"%.60s\"",
                             parsed->socket->listen);
    return r;
}

static int read_type(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {{"stream", 0}, {"datagram", 1}, {}};
    int value, r = reader_word(reader, node, words, &value);

    if (r == 0)
        ((struct parsed *)target)->socket->datagram = value;
    return r;
}

/* Of a path. */
static int read_mode(struct reader *reader, const struct node *node, void *target)
{
    const char *text = reader_scalar(reader, node, "a mode such as 0660");
    uint64_t mode;

    if (!text)
        return -EINVAL;
    if (number_read_octal(text, 0777, &mode) < 0)
        return reader_refuse(reader, node, "expected an octal mode such as 0660, got \"%.60s\"",
                             text);
    ((struct parsed *)target)->socket->mode = (uint32_t)mode;
    return 0;
}

/* Both keys are required. */
static int read_socket(struct reader *reader, const struct node *node, size_t i, void *target)
{
    static const struct key keys[] = {
        {"name", read_name}, {"listen", read_listen}, {"type", read_type}, {"mode", read_mode}, {}};
    struct parsed *parsed = target;

    parsed->socket = &parsed->sockets[i];
    parsed->socket->mode = 0666;
    int r = reader_mapping(reader, node, keys, parsed);
    if (r == 0 && (!parsed->socket->name || !parsed->socket->listen))
        return reader_refuse(reader, node, "expected {name: NAME, listen: WHERE}");
    return r;
}

/* In the order in which the child gets them. */
int manifest_read_sockets(struct reader *reader, const struct node *node,
                          struct process_spec *process)
{
    size_t count = reader_list_length(node);
    struct parsed parsed = {};

    INVARIANT(process);
    if (count > SOCKETS_MAX)
        return reader_refuse(reader, node, "has %zu entries, at most %d are allowed", count,
                             SOCKETS_MAX);
    parsed.sockets = arena_allocate(reader->arena, (count + 1) * sizeof(*parsed.sockets));
    if (!parsed.sockets)
        return -ENOMEM;
    process->sockets = parsed.sockets;
    process->n_sockets = count;
    return reader_list(reader, node, &parsed, read_socket);
}
