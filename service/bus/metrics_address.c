/*
 * Addresses of --metrics-listen: numbers only, as looking up a name may block.
 */
#include "bus/metrics_address.h"

#include "system/discard.h"
#include "system/number.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define WAITING 32 /* connections that have not been accepted */

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_storage room;
};

/* ---- the text -------------------------------------------------------------------------------- */

/* IPv6 in brackets. */
static int read_host(const char *host, uint16_t port, union address *address, socklen_t *size)
{
    size_t length = strlen(host);
    char inner[INET6_ADDRSTRLEN];

    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, host, &address->four.sin_addr) == 1) {
        address->four.sin_family = AF_INET;
        address->four.sin_port = htons(port);
        *size = sizeof(address->four);
        return 0;
    }
    if (length < 3 || length - 2 >= sizeof(inner) || host[0] != '[' || host[length - 1] != ']')
        return -EINVAL;
    memcpy(inner, host + 1, length - 2);
    inner[length - 2] = '\0';
    if (inet_pton(AF_INET6, inner, &address->six.sin6_addr) != 1)
        return -EINVAL;
    address->six.sin6_family = AF_INET6;
    address->six.sin6_port = htons(port);
    *size = sizeof(address->six);
    return 0;
}

/* The port is behind the last colon, and is never 0. */
static int read_address(const char *text, union address *address, socklen_t *size)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    uint64_t port;

    if (!colon || (size_t)(colon - text) >= sizeof(host) ||
        number_read(colon + 1, UINT16_MAX, &port) < 0 || port == 0)
        return -EINVAL;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    return read_host(host, (uint16_t)port, address, size);
}

bool metrics_address_is(const char *text)
{
    union address address;
    socklen_t size;

    assert(text);
    return read_address(text, &address, &size) == 0;
}

bool metrics_address_is_local(const char *text)
{
    union address address;
    socklen_t size;

    assert(text);
    if (read_address(text, &address, &size) < 0)
        return false;
    return address.any.sa_family == AF_INET ? ntohl(address.four.sin_addr.s_addr) >> 24 == 127
                                            : IN6_IS_ADDR_LOOPBACK(&address.six.sin6_addr);
}

/* ---- sockets --------------------------------------------------------------------------------- */

/* IPv6 only takes IPv6: an address means what it says on every system. */
int metrics_address_listen(const char *text)
{
    union address address;
    socklen_t size;

    assert(text);
    int r = read_address(text, &address, &size);
    if (r < 0)
        return r;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (address.any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    if (bind(fd, &address.any, size) == 0 && listen(fd, WAITING) == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

static bool is_equal(const union address *a, const union address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->four.sin_port == b->four.sin_port &&
               a->four.sin_addr.s_addr == b->four.sin_addr.s_addr;
    return a->six.sin6_port == b->six.sin6_port &&
           memcmp(&a->six.sin6_addr, &b->six.sin6_addr, sizeof(a->six.sin6_addr)) == 0;
}

/* A socket that was inherited may be for another address than the option
 * says. */
bool metrics_address_fits(int fd, const char *text)
{
    union address own = {}, wanted;
    socklen_t size = sizeof(own);
    int listens = 0;
    socklen_t length = sizeof(listens);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 || !listens ||
        getsockname(fd, &own.any, &size) < 0)
        return false;
    if (own.any.sa_family != AF_INET && own.any.sa_family != AF_INET6)
        return false;
    return !text || (read_address(text, &wanted, &size) == 0 && is_equal(&own, &wanted));
}

/* An address of IPv4 may come to a socket of IPv6 in its clothes. */
static int name_peer(int fd, const union address *address, struct metrics_peer *peer)
{
    const uint8_t *six = address->six.sin6_addr.s6_addr;
    struct ucred who;
    socklen_t size = sizeof(who);

    *peer = (struct metrics_peer){.family = address->any.sa_family};
    if (address->any.sa_family == AF_INET) {
        memcpy(peer->bytes, &address->four.sin_addr, 4);
    } else if (address->any.sa_family == AF_INET6) {
        bool mapped = IN6_IS_ADDR_V4MAPPED(&address->six.sin6_addr);
        if (mapped)
            peer->family = AF_INET;
        memcpy(peer->bytes, mapped ? six + 12 : six, mapped ? 4 : 8);
    } else {
        peer->family = AF_UNIX;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
            return -errno;
        memcpy(peer->bytes, &who.uid, sizeof(who.uid));
    }
    return 0;
}

/* The peer's address, for the limit per address. */
int metrics_address_accept(int fd, struct metrics_peer *peer)
{
    union address address = {};
    socklen_t size = sizeof(address);

    assert(peer);
    int connection = accept4(fd, &address.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0)
        return -errno;
    int r = name_peer(connection, &address, peer);
    if (r < 0)
        discard_close(connection);
    return r < 0 ? r : connection;
}

bool metrics_peer_is_same(const struct metrics_peer *a, const struct metrics_peer *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
