/*
 * A schedule: a list of expressions and a time zone. The next run is the
 * earliest of all. Around changes of the offset, wall clocks skip or repeat an
 * hour, so the search goes span by span: a span is a stretch of time with one
 * offset.
 */
#include "core/calendar/timetable.h"

#include "core/calendar/calendar_read.h"
#include "core/calendar/cron_read.h"

#include <string.h>

#define EXPRESSION_MAX 255
#define SPANS_MAX      (2 * CALENDAR_YEARS + ZONE_CHANGES_MAX)

/* ---- reading --------------------------------------------------------------------------------- */

/* Five words are cron's, anything else is an expression of systemd. */
static size_t count_words(const char *text)
{
    size_t words = 0;
    bool within = false;

    for (; *text; text++) {
        bool blank = *text == ' ' || *text == '\t';
        words += !blank && !within;
        within = !blank;
    }
    return words;
}

/* One line of the list. A cron line may take two places. */
static const char *read_one(const char *text, struct timetable *timetable)
{
    size_t room = TIMETABLE_PARTS_MAX - timetable->n_parts;
    struct calendar *part = &timetable->parts[timetable->n_parts];
    const char *wrong;
    size_t made = 1;

    if (room < 2)
        return "there are too many expressions";
    if (text[0] == '@' && (text[1] < '0' || text[1] > '9'))
        wrong = cron_read_word(text + 1, part);
    else if (count_words(text) == 5)
        wrong = cron_read(text, part, &made);
    else
        wrong = calendar_read(text, part);
    if (!wrong)
        timetable->n_parts += made;
    return wrong;
}

/* Line by line, so that an error names the line. */
const char *timetable_read(const char *text, struct timetable *timetable)
{
    timetable->n_parts = 0;
    while (true) {
        char one[EXPRESSION_MAX + 1];
        const char *end = strchr(text, '\n');
        size_t length = end ? (size_t)(end - text) : strlen(text);
        if (length == 0)
            return "an expression is empty";
        if (length > EXPRESSION_MAX)
            return "an expression is longer than 255 characters";
        memcpy(one, text, length);
        one[length] = '\0';
        const char *wrong = read_one(one, timetable);
        if (wrong || !end)
            return wrong;
        text = end + 1;
    }
}

/* ---- the next time --------------------------------------------------------------------------- */

static bool keeps_pace(const struct calendar *calendar)
{
    return calendar->hours == CALENDAR_ALL_HOURS;
}

/* Whether it is due at the beginning of a span because of what that has left out. */
static bool is_made_up_for(const struct calendar *calendar, const struct zone_span *span)
{
    int64_t wall;

    return !keeps_pace(calendar) && span->offset > span->offset_before &&
           calendar_next(calendar, span->begin + span->offset_before, &wall) &&
           wall < span->begin + span->offset;
}

/* The first wall-clock time of a span that counts: what it shows again does not. */
static int64_t first_wall(const struct calendar *calendar, const struct zone_span *span,
                          int64_t from)
{
    int64_t wall = from + span->offset;
    bool repeats = span->begin != INT64_MIN && span->offset < span->offset_before;

    if (!keeps_pace(calendar) && repeats && wall < span->begin + span->offset_before)
        wall = span->begin + span->offset_before;
    return wall;
}

/* The number of spans is bounded: an expression that fits never is found out by
 * the calendar, not here. */
static bool part_next(const struct calendar *calendar, const struct zone *zone, int64_t after,
                      int64_t *next)
{
    int64_t from = after + 1, wall;

    for (int i = 0; i < SPANS_MAX; i++) {
        struct zone_span span;
        zone_span(zone, from, &span);
        if (span.begin == from && is_made_up_for(calendar, &span)) {
            *next = from;
            return true;
        }
        if (!calendar_next(calendar, first_wall(calendar, &span, from), &wall))
            return false;
        if (span.end == INT64_MAX || wall - span.offset < span.end) {
            *next = wall - span.offset;
            return true;
        }
        from = span.end;
    }
    return false;
}

/* The earliest of all parts, or none. */
bool timetable_next(const struct timetable *timetable, const struct zone *zone, int64_t after,
                    int64_t *next)
{
    bool found = false;

    for (size_t i = 0; i < timetable->n_parts; i++) {
        int64_t moment;
        if (part_next(&timetable->parts[i], zone, after, &moment) && (!found || moment < *next)) {
            *next = moment;
            found = true;
        }
    }
    return found;
}
