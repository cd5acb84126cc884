/*
 * Reading cron's five fields: minute, hour, day of the month, month, day of the week, as
 * crontab(5) of Vixie's cron describes them: lists, ranges, steps and names; 0 and 7 are Sunday.
 *
 * If neither of the two fields of days begins with `*`, a day matches if one of them does; such a
 * line needs two calendars.
 */
#pragma once

#include "core/calendar/calendar.h"

#include <stddef.h>

/* `calendars` has room for two; *made is how many there are. Returns NULL, or what is wrong. */
const char *cron_read(const char *text, struct calendar *calendars, size_t *made);

/* What follows an @: "daily". Returns NULL, or what is wrong. */
const char *cron_read_word(const char *text, struct calendar *calendar);
