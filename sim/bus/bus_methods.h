/*
 * Bus methods: the calls that the broker itself answers, as org.freedesktop.DBus.
 */
#pragma once

#include "bus/delivery.h"

/* The only message that a client without a name may send. */
bool bus_methods_is_hello(const struct bus_message *message);

/* A call with destination org.freedesktop.DBus. */
void bus_methods_call(struct broker *broker, struct link *link, const struct bus_message *call);
