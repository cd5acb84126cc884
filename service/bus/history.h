/*
 * What the bus has to do with the journal: no acknowledgement before what it acknowledges is
 * durable.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

struct service;

#define HELD_MAX 1024 /* acknowledgements that wait for the disk: then changes are refused */

struct held {
    sd_bus_message *reply;
    uint64_t mark; /* of the journal: what it acknowledges stands before it */
};

int service_acknowledge(struct service *service, sd_bus_message *reply);
int journal_check(struct service *service, sd_bus_error *error);
void held_send(struct service *service);
void held_free(struct service *service);
