/*
 * Maker: manifests made from the schema by a stream of choices: every key with values that fit and
 * values that do not, with anchors, aliases, merge keys, comments and nesting in every place. The
 * same bytes make the same text; no bytes make the simplest one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* To be freed; *length is without the zero behind it. */
char *maker_make(const uint8_t *choices, size_t count, size_t *length);
