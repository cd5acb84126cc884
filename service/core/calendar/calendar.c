/*
 * Dates without time zones. Days are counted from 1970-01-01 in the Gregorian
 * calendar; leap seconds do not exist, as in POSIX time. The next time that
 * fits is found field by field from the largest, which skips years and months
 * that cannot fit.
 */
#include "core/calendar/calendar.h"

#include <string.h>

/* ---- days ------------------------------------------------------------------------------------ */

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int month_days(int year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Years begin in March here, so that the leap day is the last one of its year; an era has 400
 * years, after which everything repeats (Howard Hinnant, "chrono-compatible date algorithms"). */
#define ERA_DAYS        INT64_C(146097)
#define DAYS_UNTIL_1970 INT64_C(719468)

static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_UNTIL_1970;
}

/* The algorithm of Howard Hinnant's "chrono-compatible low-level date
 * algorithms": the year begins in March, so that the leap day is its last. */
static void date_of(int64_t days, struct wall_time *time)
{
    int64_t shifted = days + DAYS_UNTIL_1970;
    int64_t era = (shifted >= 0 ? shifted : shifted - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t day = shifted - era * ERA_DAYS;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;

    time->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    time->month = (int)(month < 10 ? month + 3 : month - 9);
    time->year = (int)(year + era * 400 + (time->month <= 2));
}

static int64_t day_number(int64_t seconds)
{
    return seconds / CALENDAR_DAY - (seconds % CALENDAR_DAY < 0);
}

/* Seconds since 1970 as a date and a time, for any sign. */
struct wall_time wall_time_of(int64_t seconds)
{
    struct wall_time time;
    int64_t days = day_number(seconds);
    int of_day = (int)(seconds - days * CALENDAR_DAY);

    date_of(days, &time);
    time.hour = of_day / 3600;
    time.minute = of_day / 60 % 60;
    time.second = of_day % 60;
    return time;
}

int64_t wall_time_seconds(const struct wall_time *time)
{
    return days_of(time->year, time->month, time->day) * CALENDAR_DAY + time->hour * INT64_C(3600) +
           time->minute * INT64_C(60) + time->second;
}

/* The first day of 1970 was a Thursday. */
int wall_time_weekday(int64_t seconds)
{
    int64_t day = (day_number(seconds) + 3) % 7;

    return (int)(day < 0 ? day + 7 : day);
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* What an expression begins with; what is given replaces a field. */
void calendar_every_midnight(struct calendar *calendar)
{
    memset(calendar, 0, sizeof(*calendar));
    for (int year = CALENDAR_FIRST_YEAR; year <= CALENDAR_LAST_YEAR; year++)
        calendar_add_year(calendar, year);
    calendar->months = CALENDAR_ALL_MONTHS;
    calendar->days = CALENDAR_ALL_DAYS;
    calendar->weekdays = CALENDAR_ALL_WEEKDAYS;
    calendar->hours = 1;
    calendar->minutes = 1;
    calendar->seconds = 1;
}

bool calendar_has_year(const struct calendar *calendar, int year)
{
    unsigned bit = (unsigned)(year - CALENDAR_FIRST_YEAR);

    return bit < CALENDAR_YEARS && (calendar->years[bit / 64] >> bit % 64 & 1) != 0;
}

void calendar_add_year(struct calendar *calendar, int year)
{
    unsigned bit = (unsigned)(year - CALENDAR_FIRST_YEAR);

    calendar->years[bit / 64] |= UINT64_C(1) << bit % 64;
}

bool calendar_has_all_years(const struct calendar *calendar)
{
    for (int year = CALENDAR_FIRST_YEAR; year <= CALENDAR_LAST_YEAR; year++)
        if (!calendar_has_year(calendar, year))
            return false;
    return true;
}

/* ---- the next time --------------------------------------------------------------------------- */

static bool has_day(const struct calendar *calendar, const struct wall_time *time)
{
    int last = month_days(time->year, time->month);
    int day = calendar->days_from_end ? last + 1 - time->day : time->day;
    struct wall_time midnight = {.year = time->year, .month = time->month, .day = time->day};

    return (calendar->days >> day & 1) != 0 &&
           (calendar->weekdays >> wall_time_weekday(wall_time_seconds(&midnight)) & 1) != 0;
}

/* The first value from `from` on whose bit is set, or -1. */
static int first_bit(uint64_t bits, int from)
{
    uint64_t rest = from < 64 ? bits >> from : 0;

    return rest != 0 ? from + __builtin_ctzll(rest) : -1;
}

/* The first matching time of its day that is not before it. */
static bool next_of_day(const struct calendar *calendar, struct wall_time *time)
{
    int hour = first_bit(calendar->hours, time->hour);

    for (; hour >= 0; hour = first_bit(calendar->hours, hour + 1)) {
        bool later = hour > time->hour;
        int minute = first_bit(calendar->minutes, later ? 0 : time->minute);
        int second = 0;
        if (minute >= 0) {
            later = later || minute > time->minute;
            second = first_bit(calendar->seconds, later ? 0 : time->second);
        }
        if (minute >= 0 && second < 0) { /* not in this minute, so the next one that matches */
            minute = first_bit(calendar->minutes, minute + 1);
            second = first_bit(calendar->seconds, 0);
        }
        if (minute < 0 || second < 0)
            continue;
        time->hour = hour;
        time->minute = minute;
        time->second = second;
        return true;
    }
    return false;
}

static void step_to_month(struct wall_time *time)
{
    bool last = time->month == 12;

    *time = (struct wall_time){
        .year = time->year + last, .month = last ? 1 : time->month + 1, .day = 1};
}

static void step_to_day(struct wall_time *time)
{
    if (time->day >= month_days(time->year, time->month)) {
        step_to_month(time);
        return;
    }
    *time = (struct wall_time){.year = time->year, .month = time->month, .day = time->day + 1};
}

/* Each step moves the time to the beginning of the next year, month or day that
 * is possible, so an expression that never fits ends after a few thousand
 * steps. */
bool calendar_next(const struct calendar *calendar, int64_t from, int64_t *next)
{
    struct wall_time time = wall_time_of(from);

    if (time.year < CALENDAR_FIRST_YEAR)
        time = (struct wall_time){.year = CALENDAR_FIRST_YEAR, .month = 1, .day = 1};
    while (time.year <= CALENDAR_LAST_YEAR) {
        if (!calendar_has_year(calendar, time.year)) {
            time = (struct wall_time){.year = time.year + 1, .month = 1, .day = 1};
        } else if ((calendar->months >> time.month & 1) == 0) {
            step_to_month(&time);
        } else if (!has_day(calendar, &time) || !next_of_day(calendar, &time)) {
            step_to_day(&time);
        } else {
            *next = wall_time_seconds(&time);
            return true;
        }
    }
    return false;
}
