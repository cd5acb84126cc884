/*
 * Commands on the journal of a real proctord, where a trace of a simulated run is expected too.
 * Each returns the exit status.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

int past_replay(const char *path, uint64_t until, bool step, bool log);

/* wanted: "KIND" or "KIND:CHILD", an event that must still come; NULL: what fails must still fail.
 */
int past_shrink(const char *path, const char *to, const char *wanted, double seconds);

int past_timeline(const char *path, FILE *file, const char *format);
