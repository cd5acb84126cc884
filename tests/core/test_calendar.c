/*
 * Calendar: some 3,000 drawn expressions mean what systemd 252 says they mean; a line of cron means
 * what crontab(5) says; clocks that change leave nothing out and do nothing twice; a leap day comes
 * every four years, but for 2100.
 */
#include "../named.h"
#include "core/calendar/timetable.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#define BERLIN    "CET-1CEST,M3.5.0,M10.5.0/3"
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"

static int64_t at(int year, int month, int day, int hour, int minute)
{
    struct wall_time time = {year, month, day, hour, minute, 0};

    return wall_time_seconds(&time);
}

/* Moments as a text: "03-29 01:00 03-30 00:30", in UTC. */
static char *moments(const char *expressions, const char *zone_text, int64_t after, int count)
{
    struct timetable timetable;
    struct zone zone;
    GString *text = g_string_new("");

    g_assert_cmpstr(timetable_read(expressions, &timetable), ==, NULL);
    g_assert_true(zone_read(zone_text, &zone));
    for (int i = 0; i < count && timetable_next(&timetable, &zone, after, &after); i++) {
        struct wall_time t = wall_time_of(after);
        g_string_append_printf(text, "%s%02d-%02d %02d:%02d", i ? " " : "", t.month, t.day, t.hour,
                               t.minute);
    }
    return g_string_free(text, FALSE);
}

#define EXPECT(expressions, zone, after, count, expected)                                          \
    do {                                                                                           \
        g_autofree char *text = moments(expressions, zone, after, count);                          \
        g_assert_cmpstr(text, ==, expected);                                                       \
    } while (0)

/* ---- systemd --------------------------------------------------------------------------------- */

static bool compare_row(const char *row)
{
    g_auto(GStrv) columns = g_strsplit(row, ";", 4);
    struct timetable timetable;
    struct zone zone;
    int64_t moment = g_ascii_strtoll(columns[0], NULL, 10);
    GString *got = g_string_new("");

    g_assert_true(zone_read(columns[1], &zone));
    if (timetable_read(columns[2], &timetable))
        g_string_assign(got, "invalid");
    for (int i = 0;
         got->str[0] != 'i' && i < 3 && timetable_next(&timetable, &zone, moment, &moment); i++)
        g_string_append_printf(got, "%s%" G_GINT64_FORMAT, i ? " " : "", moment);
    if (got->len == 0)
        g_string_assign(got, "never");
    if (strcmp(got->str, columns[3]) != 0)
        g_printerr("%s: systemd says %s, this %s\n", row, columns[3], got->str);
    bool agrees = strcmp(got->str, columns[3]) == 0;
    g_string_free(got, TRUE);
    return agrees;
}

static void it_agrees_with_systemd(void)
{
    g_autofree char *text = NULL;
    int rows = 0, wrong = 0;

    g_assert_true(g_file_get_contents(g_getenv("CALENDAR_TABLE"), &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line && **line; line++, rows++)
        wrong += !compare_row(*line);
    g_assert_cmpint(rows, >, 3000);
    g_assert_cmpint(wrong, ==, 0);
}

static void nothing_comes_before_it_is_due(void)
{
    EXPECT("Mon..Fri 07:30", ZONE_UTC, at(2026, 1, 2, 7, 29), 3,
           "01-02 07:30 01-05 07:30 01-06 07:30");
    EXPECT("Mon..Fri 07:30", ZONE_UTC, at(2026, 1, 2, 7, 30), 1, "01-05 07:30");
    EXPECT("Sat 09:00\nSun 10:00\n09:30", ZONE_UTC, at(2026, 1, 2, 10, 0), 4,
           "01-03 09:00 01-03 09:30 01-04 09:30 01-04 10:00");
}

/* ---- cron ------------------------------------------------------------------------------------ */

static void a_line_of_cron(void)
{
    EXPECT("30 7 * * 1-5", ZONE_UTC, at(2026, 1, 1, 8, 0), 2, "01-02 07:30 01-05 07:30");
    EXPECT("*/20 3 * * *", ZONE_UTC, at(2026, 1, 1, 3, 0), 3,
           "01-01 03:20 01-01 03:40 01-02 03:00");
    EXPECT("0 0-23/12 * jan,mar *", ZONE_UTC, at(2026, 1, 31, 0, 0), 2, "01-31 12:00 03-01 00:00");
    EXPECT("5 4 * * sun", ZONE_UTC, at(2026, 1, 1, 0, 0), 1, "01-04 04:05");
    EXPECT("5 4 * * 7", ZONE_UTC, at(2026, 1, 1, 0, 0), 1, "01-04 04:05");
    EXPECT("5 4 * * 0", ZONE_UTC, at(2026, 1, 1, 0, 0), 1, "01-04 04:05");
    EXPECT("0 0 * * 5-7", ZONE_UTC, at(2026, 1, 1, 0, 0), 4,
           "01-02 00:00 01-03 00:00 01-04 00:00 01-09 00:00");
    EXPECT("@daily", ZONE_UTC, at(2026, 1, 1, 0, 0), 1, "01-02 00:00");
    EXPECT("@weekly", ZONE_UTC, at(2026, 1, 1, 0, 0), 1, "01-04 00:00");
    EXPECT("weekly", ZONE_UTC, at(2026, 1, 1, 0, 0), 1, "01-05 00:00");
    EXPECT("@midnight", ZONE_UTC, at(2026, 1, 1, 0, 0), 1, "01-02 00:00");
}

/* "If both fields are restricted, the command runs when either field matches." */
static void days_of_cron_are_joined(void)
{
    EXPECT("0 4 1,15 * 5", ZONE_UTC, at(2026, 1, 1, 5, 0), 5,
           "01-02 04:00 01-09 04:00 01-15 04:00 01-16 04:00 01-23 04:00");
    EXPECT("0 4 */15 * 5", ZONE_UTC, at(2026, 1, 1, 5, 0), 2, "01-16 04:00 05-01 04:00");
}

static void what_is_wrong_is_named(void)
{
    static const struct {
        const char *text, *wrong;
    } cases[] = {
        {"Mon..Fri 7:60", "a minute is 0 to 59"},
        {"25:00", "an hour is 0 to 23"},
        {"*-13-01", "a month is 1 to 12"},
        {"Fri..Mon 8:00", "a range of weekdays goes from Monday towards Sunday; write Sat,Sun,Mon"},
        {"08:00 Europe/Berlin", "something follows the time; a time zone is the key time_zone"},
        {"*:*:0.5", "a fraction of a second is not taken"},
        {"*:*/5", "a step after * needs a beginning: 0/15, or 1/2 for days and months"},
        {"60 7 * * *", "a minute is 0 to 59"},
        {"0 7 * * 8", "a day of the week is 0 to 7, or sun to sat"},
        {"0 7 0 * *", "a day of the month is 1 to 31"},
        {"0 7 * 13 *", "a month is 1 to 12, or jan to dec"},
        {"0/5 7 * * *", "a step needs a range or *: 0-59/15, not 0/15"},
        {"@reboot", "@reboot is no time: a job without a schedule runs when the tree starts"},
        {"@fortnightly", "this word is none of @hourly, @daily, @weekly, @monthly and @yearly"},
        {"", "an expression is empty"},
        {"tomorrow", "a number is missing"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct timetable timetable;
        g_assert_cmpstr(timetable_read(cases[i].text, &timetable), ==, cases[i].wrong);
    }
}

static void there_is_a_most(void)
{
    GString *text = g_string_new("0 1 1 1 1");
    struct timetable timetable;

    for (size_t n = 2; n <= TIMETABLE_PARTS_MAX / 2; n++)
        g_string_append(text, "\n0 1 1 1 1");
    g_assert_cmpstr(timetable_read(text->str, &timetable), ==, NULL);
    g_assert_cmpuint(timetable.n_parts, ==, TIMETABLE_PARTS_MAX);
    g_string_append(text, "\n0 1 1 1 1");
    g_assert_cmpstr(timetable_read(text->str, &timetable), ==, "there are too many expressions");
    g_string_free(text, TRUE);

    g_autofree char *longest = g_strnfill(255, ' ');
    memcpy(longest, "Mon", 3);
    memcpy(longest + 250, "08:00", 5);
    g_assert_cmpstr(timetable_read(longest, &timetable), ==, NULL);
    g_autofree char *longer = g_strconcat(longest, "0", NULL);
    g_assert_cmpstr(timetable_read(longer, &timetable), ==,
                    "an expression is longer than 255 characters");
}

/* ---- clocks that change ---------------------------------------------------------------------- */

/* At 02:00 on 2026-03-29 it is 03:00 in Berlin: 01:00 in UTC. */
static void an_hour_is_left_out(void)
{
    EXPECT("02:30", BERLIN, at(2026, 3, 28, 0, 0), 3, "03-28 01:30 03-29 01:00 03-30 00:30");
    EXPECT("30 2 * * *", BERLIN, at(2026, 3, 28, 2, 0), 2, "03-29 01:00 03-30 00:30");
    EXPECT("02,03:00", BERLIN, at(2026, 3, 29, 0, 0), 2, "03-29 01:00 03-30 00:00");
    EXPECT("02:10,50", BERLIN, at(2026, 3, 29, 0, 0), 2, "03-29 01:00 03-30 00:10");
    EXPECT("*:30", BERLIN, at(2026, 3, 29, 0, 0), 3, "03-29 00:30 03-29 01:30 03-29 02:30");
    EXPECT("01:59:59", BERLIN, at(2026, 3, 29, 0, 0), 1, "03-29 00:59");
    EXPECT("03:00", BERLIN, at(2026, 3, 28, 12, 0), 2, "03-29 01:00 03-30 01:00");
}

/* At 03:00 on 2026-10-25 it is 02:00 again: 01:00 in UTC. */
static void an_hour_comes_twice(void)
{
    EXPECT("02:30", BERLIN, at(2026, 10, 24, 12, 0), 2, "10-25 00:30 10-26 01:30");
    EXPECT("30 2 * * *", BERLIN, at(2026, 10, 25, 0, 30), 1, "10-26 01:30");
    EXPECT("*:30", BERLIN, at(2026, 10, 25, 0, 0), 3, "10-25 00:30 10-25 01:30 10-25 02:30");
    EXPECT("02,03:00", BERLIN, at(2026, 10, 24, 12, 0), 3, "10-25 00:00 10-25 02:00 10-26 01:00");
}

static void half_an_hour_is_enough(void)
{
    EXPECT("02:15", LORD_HOWE, at(2026, 10, 3, 0, 0), 2, "10-03 15:30 10-04 15:15");
    EXPECT("01:45", LORD_HOWE, at(2026, 4, 4, 0, 0), 2, "04-04 14:45 04-05 15:15");
}

static void zones_without_a_rule(void)
{
    const char *zone = "@1774000000=3600 @1775000000=0 <+01>-1";
    struct zone read;

    g_assert_true(zone_read(zone, &read));
    g_assert_cmpint(zone_offset(&read, 1773999999), ==, 3600);
    g_assert_cmpint(zone_offset(&read, 1774000000), ==, 3600);
    g_assert_cmpint(zone_offset(&read, 1775000000), ==, 0);
    g_assert_cmpint(zone_offset(&read, 1999999999), ==, 0);
}

static void no_zone(void)
{
    static const char *const wrong[] = {"",
                                        "UTC",
                                        "Europe/Berlin",
                                        "CET-1CEST",
                                        "C-1",
                                        "CET-200",
                                        "CET-1CEST,M13.5.0,M10.5.0",
                                        "UTC0 ",
                                        "@5=3600UTC0",
                                        "@5=3600 @5=0 UTC0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "<+01-1"};
    struct zone zone;

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
        g_assert_false(zone_read(wrong[i], &zone));
}

static void leap_days(void)
{
    struct timetable timetable;
    struct zone zone;
    int64_t moment = at(2092, 3, 1, 0, 0);

    g_assert_cmpstr(timetable_read("*-02-29", &timetable), ==, NULL);
    g_assert_true(zone_read(ZONE_UTC, &zone));
    g_assert_true(timetable_next(&timetable, &zone, moment, &moment));
    g_assert_cmpint(moment, ==, at(2096, 2, 29, 0, 0));
    g_assert_true(timetable_next(&timetable, &zone, moment, &moment));
    g_assert_cmpint(moment, ==, at(2104, 2, 29, 0, 0));
    EXPECT("*-02~01 12:00", ZONE_UTC, at(2027, 1, 1, 0, 0), 2, "02-28 12:00 02-29 12:00");
}

static void it_ends_where_nothing_is_left(void)
{
    EXPECT("*-02-30", ZONE_UTC, at(2026, 1, 1, 0, 0), 1, "");
    EXPECT("*-02-30 02:00", BERLIN, at(2026, 1, 1, 0, 0), 1, "");
    EXPECT("2026-01-01", ZONE_UTC, at(2026, 1, 1, 0, 0), 1, "");
    EXPECT("daily", ZONE_UTC, at(2199, 12, 31, 0, 0), 1, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/calendar", it_agrees_with_systemd);
    TEST("/calendar", nothing_comes_before_it_is_due);
    TEST("/calendar", a_line_of_cron);
    TEST("/calendar", days_of_cron_are_joined);
    TEST("/calendar", what_is_wrong_is_named);
    TEST("/calendar", there_is_a_most);
    TEST("/calendar", an_hour_is_left_out);
    TEST("/calendar", an_hour_comes_twice);
    TEST("/calendar", half_an_hour_is_enough);
    TEST("/calendar", zones_without_a_rule);
    TEST("/calendar", no_zone);
    TEST("/calendar", leap_days);
    TEST("/calendar", it_ends_where_nothing_is_left);
    return g_test_run();
}
