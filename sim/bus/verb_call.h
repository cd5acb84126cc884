/*
 * Verb call: what proctord's clients call: a verb of the manager on a child, with its options.
 */
#pragma once

#include "bus/peer.h"

#define PROCTOR         "org.proctor1"
#define PROCTOR_PATH    "/org/proctor1"
#define PROCTOR_MANAGER "org.proctor1.Manager"
#define PROPERTIES      "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER  "org.freedesktop.DBus.ObjectManager"

struct verb_options {
    const char *key;          /* of idempotency; NULL: none */
    const char *requested_by; /* NULL: not said */
    bool wait, dry_run;
};

/* member: PauseChild and the like. */
void verb_call(struct peer *peer, const char *member, const char *child, const char *reason,
               const struct verb_options *options, const void *about);
