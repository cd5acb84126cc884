/*
 * Near: words that are nearly right, for hints. Levenshtein's distance: how many letters have to be
 * added, removed or replaced.
 */
#pragma once

#include <stddef.h>

#define NEAR_MAX 2 /* a hint that is farther off misleads */

/* For words of up to 31 letters; a distance beyond any where one is longer. */
size_t near_distance(const char *a, const char *b);
