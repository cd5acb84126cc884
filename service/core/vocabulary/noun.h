/*
 * Nouns that are counted: "1 process", "2 processes".
 */
#pragma once

#include <stdint.h>

/* The noun in the number that goes with the count. It is one of a table; another one stays as it
 * is. */
const char *noun_of(uint64_t count, const char *singular);
