/*
 * Metrics socket: the text of GetMetrics over HTTP on a Unix socket, for collectors that speak no
 * D-Bus: `curl --unix-socket PATH http://localhost/metrics`. One answer a connection, each within
 * seconds. Each uid has its share of them: one more takes the place of its oldest that has not
 * asked yet, or else of its oldest, so that a collector that stands still holds up no other. The
 * text is made in slices, once for all that wait for it.
 */
#pragma once

#include "bus/service.h"

#define METRICS_CONNECTIONS_MAX 32
#define METRICS_PER_UID         8

struct metrics_socket;

/* Listens at path. kept: the same socket from the program that was here before; -1: none. children:
 * with a label for each child. Returns 0, or a negative errno: -EADDRINUSE if another program
 * listens there, or if the name is not a socket's. */
int metrics_socket_open(sd_event *event, const struct service *service, const char *path, int kept,
                        bool children, struct metrics_socket **socket);
int metrics_socket_descriptor(const struct metrics_socket *socket); /* -1 for NULL */
void metrics_socket_close(struct metrics_socket *socket);           /* and takes the name away */
