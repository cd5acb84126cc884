/*
 * Timetable: when something is due, as people write it.
 *
 *     Mon..Fri 07:30            systemd's calendar syntax, systemd.time(7)
 *     30 7 * * 1-5              cron's five fields, crontab(5)
 *     @daily                    cron's words, and systemd's without the @
 *
 * Several expressions are separated by a line end each; it is due whenever one of them is. Which
 * syntax it is follows from the text alone: five words are cron's, and systemd's never has five.
 *
 * Clocks that change. An hour that is left out: what was due in it is due at the moment of the
 * change, and no run is lost. An hour that comes twice: it is due the first time only. An
 * expression with `*` for hours follows the clock's pace instead: nothing is made up for, and
 * both hours count. That is what cron does, and what users of systemd expect (docs/decisions.md).
 */
#pragma once

#include "core/calendar/calendar.h"
#include "core/calendar/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMETABLE_TEXT_MAX  1024
#define TIMETABLE_PARTS_MAX 32 /* calendars: a line of cron may need two */

struct timetable {
    struct calendar parts[TIMETABLE_PARTS_MAX];
    size_t n_parts;
};

/* Reads one or several expressions. Returns NULL, or a sentence about what is wrong. */
const char *timetable_read(const char *text, struct timetable *timetable);

/*
 * The first moment after `after` at which it is due; both are seconds since 1970 in UTC. Returns
 * false if there is none until the year 2199.
 */
bool timetable_next(const struct timetable *timetable, const struct zone *zone, int64_t after,
                    int64_t *next);
