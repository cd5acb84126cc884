/*
 * Outcome: what proctord answers to a command, an a{sv}, as a line for people and as an exit code.
 * docs/dbus.md names its keys.
 */
#pragma once

#include "ctl/client.h"

#include <stdio.h>
#include <systemd/sd-bus.h>

/* The keys that may have no value: JSON has them all the same. */
extern const char *const outcome_keys[];

/* Reads the outcome that the message stands before, and writes its line, without a newline. */
int outcome_write(FILE *out, const struct client *client, sd_bus_message *m);

/* Reads it, prints its line unless JSON is asked for, and says which exit code belongs to it. */
int outcome_show(struct client *client, sd_bus_message *m, int *code);

/* Answers the user with the outcome of a command on `id`, as text or JSON; returns the exit code.
 */
int outcome_answer(struct client *client, const char *id, sd_bus_message *reply);
