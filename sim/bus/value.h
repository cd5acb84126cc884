/*
 * Value: a value of D-Bus as a text, the same for equal values whatever the byte order; for what
 * clients compare and remember.
 */
#pragma once

#include "bus/wire.h"

/* Appends all values of a signature, separated by blanks; texts are quoted, variants bare. The
 * caller has checked the message. */
void value_show(struct wire_reader *reader, const char *signature, struct bytes *to);
/* Returns a text that the caller frees. */
char *value_text(struct wire_reader *reader, const char *signature);
/* Goes past the values of a signature. */
void value_skip(struct wire_reader *reader, const char *signature);
