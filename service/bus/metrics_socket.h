/*
 * Metrics socket: the text of GetMetrics over HTTP on a Unix socket, for collectors that speak no
 * D-Bus: `curl --unix-socket PATH http://localhost/metrics`. One answer a connection, at most so
 * many at a time, each within seconds: a collector that stands still holds up nobody.
 */
#pragma once

#include "service.h"

struct metrics_socket;

/* Listens at path. kept: the same socket from the program that was here before; -1: none. children:
 * with a label for each child. Returns 0, or a negative errno: -EADDRINUSE where somebody listens
 * there, or something else than a socket has the name. */
int metrics_socket_open(sd_event *event, const struct service *service, const char *path, int kept,
                        bool children, struct metrics_socket **socket);
int metrics_socket_descriptor(const struct metrics_socket *socket); /* -1 for NULL */
void metrics_socket_close(struct metrics_socket *socket);           /* and takes the name away */
