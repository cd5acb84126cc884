/*
 * Liveness: what a child says of itself, what it answers to its health checks, and what its silence
 * means.
 */
#pragma once

#include "reference/reference.h"

void ref_commands_ended(struct ref *r, struct ref_child *c, enum child_commands commands,
                        bool passed, const char *why);
int ref_reload(struct ref *r, struct ref_child *c, struct outcome *o);

/* What it does on its own word has taken too long. */
void ref_too_long(struct ref *r, struct ref_child *c);

/* Another daemon continues what this one did. */
void reference_recovered(struct ref *r);
void ref_ask_later(struct ref *r, struct ref_child *c);
void ref_checked(struct ref *r, struct ref_child *c, bool passed, const char *why);
void ref_ask(struct ref *r, struct ref_child *c);
void ref_listen(struct ref *r, struct ref_child *c, const struct notify_message *message);
