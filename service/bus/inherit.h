/*
 * A connection that another program has opened and this one continues to use. sd-bus can only take
 * over a socket on which it makes the handshake itself; ours had its own long ago. So it makes its
 * handshake, and says Hello, on a pair of sockets of which we hold the other end, with sd-bus as
 * the server there; then the socket of the bus is put in the place of its end (dup2(2)). The bus
 * sees the same connection all the time: the names, what is on its way and whose answers are
 * awaited stay.
 *
 * It works as long as nothing was read ahead, see service_prepare_handover(), and as nothing is
 * sent before the exchange, so sd-bus is attached to no event loop until then.
 *
 * The descriptor is the bus's from then on; where it fails it is not touched.
 */
#pragma once

#include <systemd/sd-bus.h>

int bus_inherit(int fd, const char *unique_name, sd_bus **bus);
