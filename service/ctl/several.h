/*
 * Several: one command on several hosts.
 *
 * Each host has a process of its own, whose lines are printed behind the name of the host; as JSON,
 * there is an object for each host: {"host": ..., "code": ..., "answer": ...}. The hosts have their
 * turns one after the other, in the order in which they were named: a restart that waits rolls over
 * them. What follows (-f) does so on all of them at the same time.
 */
#pragma once

#include "ctl/client.h"

/* carry_out: carries it out on client->host; returns an exit code. Returns the largest of them. */
int several_run(struct client *client, int (*carry_out)(struct client *client, void *userdata),
                void *userdata);
