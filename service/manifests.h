/*
 * Manifests: when they are read, and made into the tree: at the start, on request, and after a
 * recovery.
 *
 * At a start with no history nothing is supervised yet, and it waits for them. From then on they
 * are read beside the loop (manifest_load.h).
 */
#pragma once

#include "daemon.h"

/* Hooks of the service. */
int manifests_load(void *userdata, bool dry_run,
                   void (*done)(void *data, int r, const struct manifest_set *set, const char *why),
                   void *data);
int manifests_apply(void *userdata, const struct manifest_set *set,
                    const struct manifest_reload *what, struct manifest_changes *changes,
                    struct error *error);

/* A record has gone: a child that is to come back in its place is declared when the loop turns. */
void manifests_child_gone(struct daemon *daemon);
void manifests_forget(struct daemon *daemon);

void manifests_reload_by_signal(void *userdata); /* SIGHUP */

/* Those of before are there; what has been changed in the manifests meanwhile is changed as soon as
 * they can be read: at best before the loop runs. */
void manifests_recover(struct daemon *daemon);

/* Returns 0 or a negative errno, which has been said. */
int manifests_declare(struct daemon *daemon);
