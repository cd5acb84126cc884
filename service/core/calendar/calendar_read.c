/*
 * Expressions as in systemd.time(7). Each function takes what it reads from the
 * text and returns NULL, or what is wrong as a sentence for the person who
 * wrote it; the place is known to the caller.
 */
#include "core/calendar/calendar_read.h"

#include "core/calendar/name.h"

#include <stddef.h>
#include <string.h>

/* ---- one field ------------------------------------------------------------------------------- */

/* A field while it is read: which values it may have, and where a value goes that is in it. */
struct field {
    int min, max;
    const char *wrong; /* what to say of a value out of range */
    bool from_end;     /* of the month: a step leads towards its end */
    void (*add)(struct calendar *calendar, int value);
};

static void add_year(struct calendar *calendar, int value)
{
    calendar_add_year(calendar, value);
}

static void add_month(struct calendar *calendar, int value)
{
    calendar->months |= (uint16_t)(1U << value);
}

static void add_day(struct calendar *calendar, int value)
{
    calendar->days |= UINT32_C(1) << value;
}

static void add_hour(struct calendar *calendar, int value)
{
    calendar->hours |= UINT32_C(1) << value;
}

static void add_minute(struct calendar *calendar, int value)
{
    calendar->minutes |= UINT64_C(1) << value;
}

static void add_second(struct calendar *calendar, int value)
{
    calendar->seconds |= UINT64_C(1) << value;
}

static const struct field year_field = {CALENDAR_FIRST_YEAR, CALENDAR_LAST_YEAR,
                                        "a year is 1970 to 2199", false, add_year};
static const struct field month_field = {1, 12, "a month is 1 to 12", false, add_month};
static const struct field day_field = {1, 31, "a day is 1 to 31", false, add_day};
static const struct field last_day_field = {1, 28, "a day from the end of the month is 1 to 28",
                                            true, add_day};
static const struct field hour_field = {0, 23, "an hour is 0 to 23", false, add_hour};
static const struct field minute_field = {0, 59, "a minute is 0 to 59", false, add_minute};
static const struct field second_field = {0, 59, "a second is 0 to 59", false, add_second};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take(const char **text, const char *mark)
{
    size_t length = strlen(mark);

    if (strncmp(*text, mark, length) != 0)
        return false;
    *text += length;
    return true;
}

/* Four digits are enough for a year. */
static const char *take_number(const char **text, int *number)
{
    if (!is_digit(**text))
        return "a number is missing";
    for (*number = 0; is_digit(**text); ++*text) {
        *number = *number * 10 + (**text - '0');
        if (*number > 9999)
            return "a number is too large";
    }
    return NULL;
}

/* Two digits are enough for a year. */
static int whole_year(const struct field *field, int value)
{
    if (field->min != CALENDAR_FIRST_YEAR || value > 99)
        return value;
    return value + (value < 70 ? 2000 : 1900);
}

/* VALUE, VALUE..VALUE, either with /STEP */
static const char *read_range(const char **text, const struct field *field,
                              struct calendar *calendar)
{
    int start, stop, step = 1;
    bool ranges = false, steps = false;
    const char *wrong = take_number(text, &start);

    start = stop = wrong ? 0 : whole_year(field, start);
    if (!wrong && (ranges = take(text, "..")))
        wrong = take_number(text, &stop);
    stop = ranges && !wrong ? whole_year(field, stop) : stop;
    if (!wrong && (steps = take(text, "/")))
        wrong = take_number(text, &step);
    if (wrong)
        return wrong;
    if (start < field->min || start > field->max || stop > field->max)
        return field->wrong;
    if (stop < start)
        return "a range ends before it begins";
    if (step == 0 || step > field->max - field->min)
        return "a step is at least 1, and less than what it steps through";
    if (steps && !ranges) {
        stop = field->from_end ? field->min : field->max;
        if (field->from_end ? start - step < stop : start + step > stop)
            return "a step leads beyond the last value at once";
    }
    if (stop < start) /* from the end of the month: towards it */
        for (int value = start; value >= stop; value -= step)
            field->add(calendar, value);
    for (int value = start; value <= stop; value += step)
        field->add(calendar, value);
    return NULL;
}

/* A list of ranges, or `*`. A step after `*` is refused, as it would not say where it begins. */
static const char *read_field(const char **text, const struct field *field,
                              struct calendar *calendar)
{
    const char *wrong = NULL;

    if (take(text, "*")) {
        int step = 1;
        if (take(text, "/"))
            return "a step after * needs a beginning: 0/15, or 1/2 for days and months";
        for (int value = field->min; value <= field->max; value += step)
            field->add(calendar, value);
        return NULL;
    }
    do
        wrong = read_range(text, field, calendar);
    while (!wrong && take(text, ","));
    return wrong;
}

/* ---- weekdays -------------------------------------------------------------------------------- */

/* Weekdays stand before the date, with a blank after them. Without any, all
 * days fit. */
static const char *read_weekdays(const char **text, struct calendar *calendar)
{
    const char *at = *text;
    int from = calendar_take_weekday(&at, true);

    if (from < 0)
        return NULL;
    calendar->weekdays = 0;
    while (true) {
        int to = from;
        if (take(&at, "..") || take(&at, "-"))
            to = calendar_take_weekday(&at, true);
        if (to < 0)
            return "a weekday is missing after a range";
        if (to < from)
            return "a range of weekdays goes from Monday towards Sunday; write Sat,Sun,Mon";
        for (int day = from; day <= to; day++)
            calendar->weekdays |= (uint8_t)(1U << day);
        if (!take(&at, ",") || *at == ' ' || *at == '\0')
            break;
        from = calendar_take_weekday(&at, true);
        if (from < 0)
            return "this is no weekday";
    }
    if (*at != ' ' && *at != '\0')
        return "a blank belongs between weekdays and what follows";
    while (*at == ' ')
        at++;
    *text = at;
    return NULL;
}

/* ---- dates and times ------------------------------------------------------------------------- */

static bool ends(const char *text)
{
    return *text == ' ' || *text == '\0';
}

/* The part before the first blank has no colon. */
static bool is_date(const char *text)
{
    bool dashes = false;

    for (; !ends(text); text++) {
        if (*text == ':')
            return false;
        dashes = dashes || *text == '-' || *text == '~';
    }
    return dashes;
}

/* How many fields a date has. */
static int count_fields(const char *text)
{
    int fields = 1;

    for (; !ends(text); text++)
        fields += *text == '-' || *text == '~';
    return fields;
}

/* A day from the beginning of the month, or with `~` from its end. */
static const char *read_day(const char **text, struct calendar *calendar)
{
    calendar->days = 0;
    if (take(text, "-"))
        return read_field(text, &day_field, calendar);
    if (!take(text, "~"))
        return "a day is missing after the month";
    calendar->days_from_end = **text != '*';
    return read_field(text, calendar->days_from_end ? &last_day_field : &day_field, calendar);
}

/* Year-month-day or month-day; without a year, every year fits. */
static const char *read_date(const char **text, struct calendar *calendar)
{
    const char *wrong = NULL;
    int fields = count_fields(*text);

    if (fields > 3)
        return "a date is year-month-day or month-day";
    if (fields == 3) {
        memset(calendar->years, 0, sizeof(calendar->years));
        wrong = read_field(text, &year_field, calendar);
        if (!wrong && !take(text, "-"))
            wrong = "a month is missing after the year";
    }
    calendar->months = 0;
    if (!wrong)
        wrong = read_field(text, &month_field, calendar);
    if (!wrong)
        wrong = read_day(text, calendar);
    if (!wrong && !ends(*text))
        wrong = "this is no date";
    while (*(*text) == ' ')
        ++*text;
    return wrong;
}

/* Seconds are 0 if they are not given: an expression without them means once a
 * minute, not sixty times. */
static const char *read_time(const char *text, struct calendar *calendar)
{
    const char *wrong;

    calendar->hours = 0;
    calendar->minutes = 0;
    wrong = read_field(&text, &hour_field, calendar);
    if (!wrong && !take(&text, ":"))
        wrong = "this is no time: it is hour:minute or hour:minute:second";
    if (!wrong)
        wrong = read_field(&text, &minute_field, calendar);
    if (!wrong && take(&text, ":")) {
        calendar->seconds = 0;
        wrong = read_field(&text, &second_field, calendar);
    }
    if (!wrong && *text == '.')
        wrong = "a fraction of a second is not taken";
    if (!wrong && *text != '\0')
        wrong = "something follows the time; a time zone is the key time_zone";
    return wrong;
}

/* One single moment: every field has exactly one value. */
static void set_moment(struct calendar *calendar, int64_t seconds)
{
    struct wall_time time = wall_time_of(seconds);

    memset(calendar, 0, sizeof(*calendar));
    calendar->weekdays = CALENDAR_ALL_WEEKDAYS;
    add_year(calendar, time.year);
    add_month(calendar, time.month);
    add_day(calendar, time.day);
    add_hour(calendar, time.hour);
    add_minute(calendar, time.minute);
    add_second(calendar, time.second);
}

/* ---- words ----------------------------------------------------------------------------------- */

static const struct {
    const char *word, *meaning;
} words[] = {
    {"minutely", "*-*-* *:*:00"},
    {"hourly", "*-*-* *:00:00"},
    {"daily", "*-*-* 00:00:00"},
    {"weekly", "Mon *-*-* 00:00:00"},
    {"monthly", "*-*-01 00:00:00"},
    {"yearly", "*-01-01 00:00:00"},
    {"annually", "*-01-01 00:00:00"},
    {"anually", "*-01-01 00:00:00"},
    {"quarterly", "*-01,04,07,10-01 00:00:00"},
    {"semiannually", "*-01,07-01 00:00:00"},
    {"semi-annually", "*-01,07-01 00:00:00"},
    {"biannually", "*-01,07-01 00:00:00"},
    {"bi-annually", "*-01,07-01 00:00:00"},
};

/* All three parts are optional, but not all at the same time. */
static const char *read_parts(const char *text, struct calendar *calendar)
{
    const char *begin = text;

    calendar_every_midnight(calendar);
    const char *wrong = read_weekdays(&text, calendar);
    if (!wrong && is_date(text))
        wrong = read_date(&text, calendar);
    if (wrong)
        return wrong;
    if (*text == '\0')
        return text == begin ? "an expression is empty" : NULL;
    return read_time(text, calendar);
}

bool calendar_read_word(const char *text, struct calendar *calendar)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (calendar_is_word(text, words[i].word))
            return read_parts(words[i].meaning, calendar) == NULL;
    return false;
}

/* `@` and seconds since 1970, in UTC. */
static const char *read_moment(const char *text, struct calendar *calendar)
{
    int64_t seconds = 0;

    for (; is_digit(*text); text++) {
        seconds = seconds * 10 + (*text - '0');
        if (seconds > INT64_C(7258118399)) /* the end of 2199 */
            return "a moment lies after the year 2199";
    }
    if (*text != '\0')
        return "a moment is @ and its seconds since 1970";
    set_moment(calendar, seconds);
    return NULL;
}

const char *calendar_read(const char *text, struct calendar *calendar)
{
    if (*text == '@')
        return read_moment(text + 1, calendar);
    if (calendar_read_word(text, calendar))
        return NULL;
    return read_parts(text, calendar);
}
