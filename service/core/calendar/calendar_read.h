/*
 * Reading systemd's calendar syntax, as systemd.time(7) describes it and systemd 252 reads it:
 * weekdays, a date and a time, each of which may be missing, or one word ("weekly"). Not taken: a
 * zone within the expression (a declaration has a key of its own), and fractions of a second.
 */
#pragma once

#include "core/calendar/calendar.h"

/* Returns NULL, or a sentence about what is wrong. */
const char *calendar_read(const char *text, struct calendar *calendar);

/* One of its words ("daily"), in any case. Returns false if it is none. */
bool calendar_read_word(const char *text, struct calendar *calendar);
