/*
 * Birth in a sandbox: bubblewrap makes the namespaces, with a program that only waits in them; the
 * child enters them, and lets that program end. See sandbox.h.
 *
 * The child has a copy of the spawner's memory here, and may use the C library where that
 * allocates nothing.
 */
#pragma once

#include <stddef.h>

struct plan;

/* Enters the sandbox of a plan that has one: its own, or that of the process which is joined.
 * Returns 0 or a negative errno; why: what is wrong where the errno does not say it, or "". */
int birth_sandbox_enter(const struct plan *plan, char *why, size_t size);

/* From here on, the filter of system calls holds. Returns 0 or a negative errno. */
int birth_sandbox_filter(const struct plan *plan);
