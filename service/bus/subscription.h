/*
 * Subscriptions: events go, one by one, only to the clients that asked for them. One
 * subscription a client; it ends with the client's connection, of which the bus tells.
 * (sd_bus_track does the same, but waits for the bus to say whether the client is still there.)
 */
#pragma once

#include <systemd/sd-bus.h>

struct archive;
struct event;
struct service;

#define SUBSCRIBERS_MAX     256
#define SUBSCRIBERS_PER_UID 32

int subscribe(struct service *service, sd_bus_message *m, sd_bus_error *error);
int unsubscribe(struct service *service, sd_bus_message *m, sd_bus_error *error);
void subscribers_send(struct service *service, const struct event *event);
void subscribers_free(struct service *service);
void subscribers_archive(struct service *service, struct archive *archive);
void subscribers_let_go(struct service *service);
void subscribers_track(struct service *service);
