/*
 * Bridge: the bus of this machine on standard input and output, for a proctorctl of another machine
 * that has reached this one by ssh. Bytes are copied as they are, and the bus sees the user of this
 * process.
 */
#pragma once

#include "ctl/client.h"

/* Until one of both sides ends. Returns an exit code. */
int command_stdio_bridge(struct client *client);
