/*
 * Metrics socket: the text of GetMetrics over HTTP, for collectors that speak no D-Bus: on a Unix
 * socket (`curl --unix-socket PATH http://localhost/metrics`) or one of IP. One answer a
 * connection, each within seconds. Each peer (metrics_address.h) has its share of them: one more
 * takes the place of its oldest that has not asked yet, or else of its oldest, so that a collector
 * that stands still holds up no other. The text is made in slices, once for all that wait for it.
 */
#pragma once

#include "bus/service.h"

#define METRICS_CONNECTIONS_MAX 32
#define METRICS_PER_PEER        8

struct metrics_socket;

/* Listens at path. kept: the same socket from the program that was here before; -1: none. children:
 * with a label for each child. Returns 0, or a negative errno: -EADDRINUSE if another program
 * listens there, or if the name is not a socket's. */
int metrics_socket_open(sd_event *event, const struct service *service, const char *path, int kept,
                        bool children, struct metrics_socket **socket);

/* The same on a socket that listens already, which is closed with it, or where that fails. */
int metrics_socket_serve(sd_event *event, const struct service *service, int fd, bool children,
                         struct metrics_socket **socket);
int metrics_socket_descriptor(const struct metrics_socket *socket); /* -1 for NULL */
void metrics_socket_close(struct metrics_socket *socket);           /* and takes the name away */
