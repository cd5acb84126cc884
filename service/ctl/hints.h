/*
 * Hints: what a person may have meant who typed a word of another tool, a name with a slip in it,
 * or a supervisor without its slash.
 *
 * Each returns a text that the caller frees, or NULL where there is nothing like it.
 */
#pragma once

#include "ctl/client.h"

/* Of a command that there is not. commands: those that there are, the last one NULL. */
char *hint_command(const char *word, const char *const *commands);

/* Of a child that there is not: asks proctord for those that there are. */
char *hint_child(struct client *client, const char *id);
