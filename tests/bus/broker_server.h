/*
 * Broker server: the simulator's broker behind a real socket, in a process of its own, for clients
 * that are real.
 */
#pragma once

#include <glib.h>

/* Listens at path and serves until it is killed. Returns the PID. */
GPid broker_server_start(const char *path);
