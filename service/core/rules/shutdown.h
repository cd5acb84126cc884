/*
 * Shutdown of the tree (semantics.md section 7). Cancel goes out in the reverse order of the tree,
 * and to a child only when those that depend on it are gone (stop_order.h). Each child has its own
 * stop deadline; the phases only tell how far the whole has come. A bound for the whole, where a
 * call gives one, cuts short what is left when it passes.
 */
#pragma once

#include <stdint.h>

struct archive;
struct child;
struct core;

void shutdown_begin_by_policy(struct core *core, const char *reason, int exit_code);
void shutdown_child_gone(struct core *core, struct child *child);
void shutdown_child_aborting(struct core *core, struct child *child);
void shutdown_abort_failed(struct core *core, struct child *child);
void shutdown_late_report(struct core *core, struct child *child);
void shutdown_request(struct core *core, uint64_t timeout_usec, const char *requester,
                      const char *reason);
void shutdown_bound_passed(struct core *core);
void shutdown_hurry(struct core *core, const char *requester, const char *reason);
void shutdown_archive_bound(struct core *core, struct archive *archive);
