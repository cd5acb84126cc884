/*
 * Names of weekdays and months in expressions: English, in any case.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether two texts are the same but for the case of their letters. */
bool calendar_is_word(const char *a, const char *b);

/* Takes a name from the beginning of a text, which moves behind it: three letters, or all of it
 * where the whole name is allowed. Returns its number, from 0 (Monday, January), or -1. */
int calendar_take_weekday(const char **text, bool whole);
int calendar_take_month(const char **text);
