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

/* Methods: they answer the call, and return 0 or the refusal. A second
 * Subscribe replaces the filter of the first. */
int subscribe(struct service *service, sd_bus_message *m, sd_bus_error *error);
int unsubscribe(struct service *service, sd_bus_message *m, sd_bus_error *error);
/* To each subscriber whose filter lets the event pass. */
void subscribers_send(struct service *service, const struct event *event);
void subscribers_free(struct service *service);
/* For the next program: who has subscribed, and to what. */
void subscribers_archive(struct service *service, struct archive *archive);
/* Before the connection passes to the next program: gives up the match rules
 * that belong to this one. */
void subscribers_let_go(struct service *service);
/* If the connection stays after all: the match rules are made again. */
void subscribers_track(struct service *service);
