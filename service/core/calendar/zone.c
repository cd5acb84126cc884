/*
 * Time zones as text: changes of the past as a list, and the rule for the
 * future as in tzset(3). The core cannot read files, so the shell puts a zone
 * into this text once, and the declaration keeps it: a replay years later
 * computes the same times.
 */
#include "core/calendar/zone.h"

#include "core/calendar/calendar.h"

#include <stddef.h>
#include <string.h>

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take(const char **text, char c)
{
    if (**text != c)
        return false;
    ++*text;
    return true;
}

/* Decimal, bounded, without a sign. */
static bool take_number(const char **text, int64_t max, int64_t *number)
{
    if (!is_digit(**text))
        return false;
    for (*number = 0; is_digit(**text); ++*text) {
        *number = *number * 10 + (**text - '0');
        if (*number > max)
            return false;
    }
    return true;
}

static bool take_int(const char **text, int min, int max, int *number)
{
    int64_t value;

    if (!take_number(text, max, &value) || value < min)
        return false;
    *number = (int)value;
    return true;
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool take_clock(const char **text, int *seconds)
{
    int hours, minutes = 0, rest = 0, sign = take(text, '-') ? -1 : 1;

    if (sign > 0)
        take(text, '+');
    if (!take_int(text, 0, 167, &hours))
        return false;
    if (take(text, ':') && !take_int(text, 0, 59, &minutes))
        return false;
    if (take(text, ':') && !take_int(text, 0, 59, &rest))
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60 + rest);
    return true;
}

/* Letters, or anything between angle brackets. */
static bool take_name(const char **text)
{
    const char *begin = *text;

    if (take(text, '<')) {
        while (**text && **text != '>')
            ++*text;
        return take(text, '>');
    }
    while (is_letter(**text))
        ++*text;
    return *text - begin >= 3;
}

/* The three forms of POSIX: the nth weekday of a month, a day that leaves out
 * February 29, and a day that counts it. */
static bool take_day(const char **text, struct zone_day *day)
{
    *day = (struct zone_day){.seconds = 7200};
    if (take(text, 'M')) {
        day->kind = ZONE_DAY_OF_MONTH;
        if (!take_int(text, 1, 12, &day->month) || !take(text, '.') ||
            !take_int(text, 1, 5, &day->week) || !take(text, '.') ||
            !take_int(text, 0, 6, &day->weekday))
            return false;
    } else if (take(text, 'J')) {
        day->kind = ZONE_DAY_JULIAN;
        if (!take_int(text, 1, 365, &day->day))
            return false;
    } else {
        day->kind = ZONE_DAY_NUMBER;
        if (!take_int(text, 0, 365, &day->day))
            return false;
    }
    return !take(text, '/') || take_clock(text, &day->seconds);
}

/* POSIX counts offsets to the west, everyone else to the east: they are turned
 * around here and nowhere else. */
static bool take_rule(const char **text, struct zone *zone)
{
    if (!take_name(text) || !take_clock(text, &zone->offset))
        return false;
    zone->offset = -zone->offset;
    if (**text == '\0')
        return true;
    zone->has_other = true;
    zone->other_offset = zone->offset + 3600;
    if (!take_name(text))
        return false;
    if (**text != ',') {
        if (!take_clock(text, &zone->other_offset))
            return false;
        zone->other_offset = -zone->other_offset;
    }
    return take(text, ',') && take_day(text, &zone->start) && take(text, ',') &&
           take_day(text, &zone->end);
}

/* Changes come in the order of time, each once. */
static bool take_change(const char **text, struct zone *zone)
{
    int64_t from;
    int sign, offset;
    int n = zone->n_changes;

    if (n == ZONE_CHANGES_MAX || !take_number(text, INT64_C(8000000000), &from) || !take(text, '='))
        return false;
    sign = take(text, '-') ? -1 : 1;
    if (!take_int(text, 0, 26 * 3600, &offset) || !take(text, ' ') ||
        (n > 0 && from <= zone->changes[n - 1].from))
        return false;
    zone->changes[n].from = from;
    zone->changes[n].offset = sign * offset;
    zone->n_changes++;
    return true;
}

bool zone_read(const char *text, struct zone *zone)
{
    zone->n_changes = 0;
    zone->has_other = false;
    while (take(&text, '@'))
        if (!take_change(&text, zone))
            return false;
    return take_rule(&text, zone) && *text == '\0';
}

/* ---- the rule -------------------------------------------------------------------------------- */

static int64_t midnight(int year, int month, int day)
{
    struct wall_time time = {.year = year, .month = month, .day = day};

    return wall_time_seconds(&time);
}

/* By the wall clock. */
static int64_t wall_of_day(const struct zone_day *day, int year)
{
    switch (day->kind) {
    case ZONE_DAY_OF_MONTH: {
        int64_t first = midnight(year, day->month, 1);
        int ahead = (day->weekday + 6 - wall_time_weekday(first)) % 7; /* both from Monday */
        int number = 1 + ahead + (day->week - 1) * 7;
        if (number > month_days(year, day->month))
            number -= 7;
        return midnight(year, day->month, number) + day->seconds;
    }
    case ZONE_DAY_JULIAN: { /* never counts the leap day */
        int64_t leap = day->day >= 60 && month_days(year, 2) == 29;
        return midnight(year, 1, 1) + (day->day - 1 + leap) * CALENDAR_DAY + day->seconds;
    }
    case ZONE_DAY_NUMBER:
        return midnight(year, 1, 1) + day->day * CALENDAR_DAY + day->seconds;
    }
    __builtin_unreachable();
}

struct change {
    int64_t from;
    int offset;
};

/* Both changes of a year, in order. */
static void changes_of_year(const struct zone *zone, int year, struct change changes[2])
{
    struct change start = {wall_of_day(&zone->start, year) - zone->offset, zone->other_offset};
    struct change end = {wall_of_day(&zone->end, year) - zone->other_offset, zone->offset};
    bool starts_first = start.from < end.from;

    changes[0] = starts_first ? start : end;
    changes[1] = starts_first ? end : start;
}

/* ---- spans ----------------------------------------------------------------------------------- */

/* Takes in a change: those that come later in this order are later in time. A change to the same
 * offset is none: a rule whose other time lasts all year, as Ireland's could be written. */
static void add_change(struct zone_span *span, int64_t moment, const struct change *change)
{
    if (change->from <= moment) {
        if (change->offset == span->offset)
            return;
        span->begin = change->from;
        span->offset_before = span->offset;
        span->offset = change->offset;
    } else if (span->end == INT64_MAX && change->offset != span->offset) {
        span->end = change->from;
    }
}

/* The changes of a few years around the moment are enough: between two of them
 * lies at most a year. */
static void add_rule(const struct zone *zone, int64_t moment, int64_t after, struct zone_span *span)
{
    int year = wall_time_of(moment).year;

    for (int y = year - 2; y <= year + 2; y++) {
        struct change changes[2];
        changes_of_year(zone, y, changes);
        for (size_t i = 0; i < 2; i++)
            if (changes[i].from > after)
                add_change(span, moment, &changes[i]);
    }
}

/* What the rule says of a moment, where none of its changes is known to come before. */
static int rule_offset(const struct zone *zone, int64_t moment)
{
    struct zone_span span = {INT64_MIN, INT64_MAX, zone->offset, zone->offset};

    if (zone->has_other)
        add_rule(zone, moment, INT64_MIN, &span);
    return span.offset;
}

/* The stretch of time around a moment in which one offset holds, with the
 * offset before it. */
void zone_span(const struct zone *zone, int64_t moment, struct zone_span *span)
{
    int n = zone->n_changes;
    int64_t last = n > 0 ? zone->changes[n - 1].from : INT64_MIN;

    *span = (struct zone_span){INT64_MIN, INT64_MAX, zone->offset, zone->offset};
    if (n > 0 || zone->has_other)
        span->offset =
            rule_offset(zone, n > 0 ? zone->changes[0].from - 1 : moment - 1000 * CALENDAR_DAY);
    for (int i = 0; i < n; i++) {
        struct change change = {zone->changes[i].from, zone->changes[i].offset};
        add_change(span, moment, &change);
    }
    if (zone->has_other)
        add_rule(zone, moment, last, span);
}

int zone_offset(const struct zone *zone, int64_t moment)
{
    struct zone_span span;

    zone_span(zone, moment, &span);
    return span.offset;
}
