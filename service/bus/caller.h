/*
 * Caller: who asks, by what the bus says of the connection. The credentials of a unique name never
 * change while the bus lives, and the name is never given to another: they are asked for once.
 */
#pragma once

#include "core/core.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

struct service;

#define CALLER_SETS     128 /* senders whose credentials are remembered: so many times */
#define CALLER_WAYS     8
#define CALLER_NAME_MAX 64 /* of a unique name, with its zero */

struct caller {
    char unique_name[CALLER_NAME_MAX];
    uid_t uid;
    pid_t pid;
    char text[REQUESTER_MAX + 1]; /* "alice (uid 1000)" */
    char origin[96];              /* "pid 17, busctl, :1.4" */
    uint64_t used;                /* for replacing the oldest */
};

/* Enters what the bus says of a connection. */
void caller_learn(struct service *service, const char *name, uid_t uid, pid_t pid,
                  const char *user); /* NULL: it has no name */
bool caller_is_known(struct service *service, const char *name);
/* The sender of a call, who has been identified before the call got here
 * (stranger.h); a refusal if it has no name. */
int caller_of(struct service *service, sd_bus_message *message, const struct caller **caller,
              sd_bus_error *error);
const struct caller *caller_known(struct service *service, sd_bus_message *message); /* or NULL */
/* Whether it is not to have more, having so many. For callers that are root, or proctord's own
 * user, only the limits of all together count. */
bool caller_has_its_share(const struct caller *caller, size_t has, size_t most);

/* Root, and the user that proctord runs as. */
bool uid_is_trusted(uid_t uid);
/* As uid_is_trusted(). */
bool caller_is_trusted(const struct caller *caller);
/* 0, or the refusal with `what` as the thing that is not allowed. */
int caller_must_be_trusted(const struct caller *caller, const char *what, sd_bus_error *error);
