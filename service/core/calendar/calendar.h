/*
 * Calendar: a set of wall-clock times, such as "07:30:00 on each day from Monday to Friday".
 *
 * Each field is a set of the values that match, one bit a value; a time matches if each of its
 * fields does. So there is nothing to interpret when the next time is looked for: it walks from
 * year to month to day, and steps over what cannot match. The bound is the year 2199, as systemd's.
 *
 * Times are seconds of the wall clock since 1970-01-01 00:00:00 as that clock shows them, without
 * any zone; zone.h turns them into moments. The calendar is the proleptic Gregorian one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_FIRST_YEAR 1970
#define CALENDAR_LAST_YEAR  2199
#define CALENDAR_YEARS      (CALENDAR_LAST_YEAR - CALENDAR_FIRST_YEAR + 1)
#define CALENDAR_DAY        INT64_C(86400) /* seconds */

struct calendar {
    uint64_t years[(CALENDAR_YEARS + 63) / 64]; /* bit 0: CALENDAR_FIRST_YEAR */
    uint16_t months;                            /* bits 1 to 12 */
    uint32_t days;                              /* bits 1 to 31 */
    bool days_from_end;                         /* of the month: bit 1 is its last day */
    uint8_t weekdays;                           /* bit 0: Monday */
    uint32_t hours;                             /* bits 0 to 23 */
    uint64_t minutes, seconds;                  /* bits 0 to 59 */
};

#define CALENDAR_ALL_MONTHS   UINT16_C(0x1ffe)
#define CALENDAR_ALL_DAYS     UINT32_C(0xfffffffe)
#define CALENDAR_ALL_WEEKDAYS UINT8_C(0x7f)
#define CALENDAR_ALL_HOURS    UINT32_C(0xffffff)
#define CALENDAR_ALL_SIXTY    ((UINT64_C(1) << 60) - 1)

/* A wall-clock time by its parts. */
struct wall_time {
    int year, month, day; /* from 1 */
    int hour, minute, second;
};

struct wall_time wall_time_of(int64_t seconds);
int64_t wall_time_seconds(const struct wall_time *time);
int wall_time_weekday(int64_t seconds); /* 0: Monday */
int month_days(int year, int month);

/* Every day at 00:00:00: what an expression that names nothing would be. */
void calendar_every_midnight(struct calendar *calendar);

bool calendar_has_year(const struct calendar *calendar, int year);
void calendar_add_year(struct calendar *calendar, int year);
bool calendar_has_all_years(const struct calendar *calendar);

/* The first matching time that is not before `from`. Returns false if there is none. */
bool calendar_next(const struct calendar *calendar, int64_t from, int64_t *next);
