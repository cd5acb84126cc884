/*
 * Broker server: the simulator's broker behind a real socket, in a process of its own, for clients
 * that are real.
 */
#pragma once

#include "bus/bus_side.h"

#include <glib.h>

/* Listens at path and serves until it is killed. Returns the PID. */
GPid broker_server_start(const char *path);

/* Listens at path and serves, with the clients of side, until they are at rest and have found what
 * they know confirmed. Then says so on the pipe: "" or what was wrong. */
GPid broker_server_start_side(const char *path, struct bus_side *side, int verdict);
