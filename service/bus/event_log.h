/*
 * Event log: the last 4,096 events, for QueryEvents and for late subscribers.
 *
 * Its memory is taken when the daemon starts: an event costs none later, but for one that is larger
 * than its slot (long reasons), which gets a block of its own for as long as it is kept.
 */
#pragma once

#include "core/vocabulary/command_id.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct archive;
struct event;
struct event_log;
struct service;

#define EVENT_LOG_SIZE 4096

/* 0 or -ENOMEM. The slots are allocated, and touched, here. */
int event_log_new(struct event_log **log);
void event_log_free(struct event_log *log);
/* Copies the event; the oldest one goes if there is no room. */
void event_log_add(struct event_log *log, const struct event *event);
struct event_filter;
/* Reads the filter from the arguments of a call. What is wrong with it is in
 * `error`. The caller frees the filter. */
int event_filter_read(sd_bus_message *m, struct event_filter **filter, sd_bus_error *error);
void event_filter_free(struct event_filter *filter);
/* Writes the filter for the next program, or reads it there. */
void event_filter_archive(struct event_filter **filter, struct archive *archive);
/* All events after this sequence number that are still kept, oldest first. */
void event_log_visit(const struct service *service, uint64_t after,
                     void (*visit)(void *userdata, const struct event *event, const char *child),
                     void *userdata);
/* An empty filter lets everything pass. child: "" if the event belongs to none.
 */
bool event_filter_matches(const struct event_filter *filter, enum event_kind kind,
                          const char *child, struct command_id cause);
/* Answers the call, now or later; the filter is freed. */
int event_log_query(struct service *service, sd_bus_message *call, uint64_t after, uint32_t max,
                    struct event_filter *filter, sd_bus_error *error);
