/*
 * Expressions as in crontab(5), turned into calendars. Cron joins its two
 * fields of days with `or` if both are restricted, which one calendar cannot
 * express: that becomes two.
 */
#include "core/calendar/cron_read.h"

#include "core/calendar/calendar_read.h"
#include "core/calendar/name.h"

#include <string.h>

struct cron_field {
    int min, max;
    const char *wrong;
    int (*take_name)(const char **text); /* NULL: numbers only */
};

static int take_month(const char **text)
{
    int month = calendar_take_month(text);

    return month < 0 ? -1 : month + 1;
}

/* Cron's week begins on Sunday. */
static int take_weekday(const char **text)
{
    int day = calendar_take_weekday(text, false);

    return day < 0 ? -1 : (day + 1) % 7;
}

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct cron_field fields[FIELDS] = {
    [MINUTE] = {0, 59, "a minute is 0 to 59", NULL},
    [HOUR] = {0, 23, "an hour is 0 to 23", NULL},
    [DAY] = {1, 31, "a day of the month is 1 to 31", NULL},
    [MONTH] = {1, 12, "a month is 1 to 12, or jan to dec", take_month},
    [WEEKDAY] = {0, 7, "a day of the week is 0 to 7, or sun to sat", take_weekday},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A number, or a name if the field has names. */
static bool take_value(const char **text, const struct cron_field *field, int *value)
{
    if (!is_digit(**text)) {
        *value = field->take_name ? field->take_name(text) : -1;
        return *value >= 0;
    }
    for (*value = 0; is_digit(**text) && *value < 1000; ++*text)
        *value = *value * 10 + (**text - '0');
    return *value >= field->min && *value <= field->max;
}

static bool take(const char **text, char c)
{
    if (**text != c)
        return false;
    ++*text;
    return true;
}

static bool take_step(const char **text, const struct cron_field *field, int *step)
{
    for (*step = 0; is_digit(**text) && *step < 1000; ++*text)
        *step = *step * 10 + (**text - '0');
    return *step > 0 && *step <= field->max;
}

/* `*`, a value or a range, with or without a step. */
static const char *read_range(const char **text, const struct cron_field *field, uint64_t *bits)
{
    int from = field->min, to = field->max, step = 1;
    bool open = take(text, '*');

    if (!open) {
        if (!take_value(text, field, &from))
            return field->wrong;
        to = from;
        if ((open = take(text, '-')) && !take_value(text, field, &to))
            return field->wrong;
    }
    if (to < from)
        return "a range ends before it begins";
    if (take(text, '/')) {
        if (!open)
            return "a step needs a range or *: 0-59/15, not 0/15";
        if (!take_step(text, field, &step))
            return "a step is at least 1, and not more than the largest value";
    }
    for (int value = from; value <= to; value += step)
        *bits |= UINT64_C(1) << value;
    return NULL;
}

/* A list of ranges with steps, as bits. */
static const char *read_field(const char **text, const struct cron_field *field, uint64_t *bits)
{
    const char *wrong;

    *bits = 0;
    do
        wrong = read_range(text, field, bits);
    while (!wrong && take(text, ','));
    if (!wrong && **text && !is_blank(**text))
        wrong = field->wrong;
    while (is_blank(**text))
        ++*text;
    return wrong;
}

/* From Sunday, which is 0 and 7, to Monday. */
static uint8_t weekdays_of(uint64_t bits)
{
    uint64_t days = bits | bits >> 7;

    return (uint8_t)((days >> 1 & 0x3f) | (days & 1) << 6);
}

static void fill(const uint64_t bits[FIELDS], struct calendar *calendar)
{
    calendar_every_midnight(calendar);
    calendar->minutes = bits[MINUTE];
    calendar->hours = (uint32_t)bits[HOUR];
    calendar->days = (uint32_t)bits[DAY];
    calendar->months = (uint16_t)bits[MONTH];
    calendar->weekdays = weekdays_of(bits[WEEKDAY]);
}

/* `restricts` is cron's own definition: a field that begins with `*` restricts
 * nothing, also with a step. */
const char *cron_read(const char *text, struct calendar *calendars, size_t *made)
{
    uint64_t bits[FIELDS];
    bool restricts[FIELDS];

    while (is_blank(*text))
        text++;
    for (int i = 0; i < FIELDS; i++) {
        restricts[i] = *text != '*';
        const char *wrong = read_field(&text, &fields[i], &bits[i]);
        if (wrong)
            return wrong;
    }
    fill(bits, &calendars[0]);
    *made = 1;
    if (restricts[DAY] && restricts[WEEKDAY]) {
        *made = 2;
        calendars[1] = calendars[0];
        calendars[0].weekdays = CALENDAR_ALL_WEEKDAYS;
        calendars[1].days = CALENDAR_ALL_DAYS;
    }
    return NULL;
}

/* @reboot is no time, and says what to do instead. */
const char *cron_read_word(const char *text, struct calendar *calendar)
{
    if (calendar_is_word(text, "reboot"))
        return "@reboot is no time: a job without a schedule runs when the tree starts";
    if (calendar_is_word(text, "midnight"))
        text = "daily";
    if (!calendar_read_word(text, calendar))
        return "this word is none of @hourly, @daily, @weekly, @monthly and @yearly";
    if (calendar_is_word(text, "weekly"))
        calendar->weekdays = 1 << 6; /* cron's week begins on Sunday */
    return NULL;
}
