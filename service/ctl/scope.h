/*
 * Scope: an id that ends with a slash is the path of a supervisor, and means all that is below it;
 * "/" is the root.
 */
#pragma once

#include "ctl/client.h"

#include <stdbool.h>

/* Whether the id ends with a slash. */
bool scope_is_meant(const char *id);

/* Carries out the verb of the method that names a child; returns the worst exit code. */
int scope_verb(struct client *client, const char *method, const char *id);
