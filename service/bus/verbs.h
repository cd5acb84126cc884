/*
 * Verbs: one command, whether it came to the child's object or to the manager by id.
 *
 * command_prepare() reads the options and finds out the caller, whether it may, and why; it
 * returns 1 when there is nothing more to do: an idempotency key has answered the call already, or
 * it will come again (authorise()).
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <systemd/sd-bus.h>

struct caller;
struct options;
struct permission;
struct service;

/* Of one uid, unless it is root or proctord's own: jobs that have not finished, and children. */
#define JOBS_PER_UID     256 /* not finished */
#define CHILDREN_PER_UID 1000

extern const struct permission shutdown_permission; /* of the tree */

int command_prepare(struct service *service, sd_bus_message *m, const struct permission *permission,
                    const char *reason, const struct caller **caller, struct options *options,
                    sd_bus_error *error);
/* A verb on one child: returns what a handler of sd-bus returns. */
int verb_call(struct service *service, sd_bus_message *m, enum command_verb verb, const char *id,
              sd_bus_error *error);

/* A dry run that has found nothing to refuse, of a command that is not one of a child or scope. */
void tell_dry_run(struct service *service, const char *command, const char *requester,
                  const char *reason);
/* Orders the shutdown of the tree; the requester and the reason of the first
 * order are kept. The call is not answered here. */
void shutdown_order(struct service *service, const struct options *options, const char *reason);
/* Kill: the other arguments are which processes are meant, and the signal. */
int kill_call(struct service *service, sd_bus_message *m, const char *id, sd_bus_error *error);

/* A verb on all children below a supervisor. */
int scope_call(struct service *service, sd_bus_message *m, enum command_verb verb, const char *path,
               sd_bus_error *error);
