/*
 * Times on the command line: how long ago, a clock time, a date, or a word.
 */
#include "ctl/since.h"

#include "manifest/unit.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define DAY_SECONDS 86400

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The last midnight, or that of so many days before. */
static struct tm midnight(int days_ago)
{
    time_t now = (time_t)(now_usec() / 1000000) - (time_t)days_ago * DAY_SECONDS;
    struct tm day = {};

    localtime_r(&now, &day);
    day.tm_hour = day.tm_min = day.tm_sec = 0;
    day.tm_isdst = -1;
    return day;
}

/* The day that strptime(3) has read is one that there is: it takes a 31st of February, too. */
static bool exists(const struct tm *moment)
{
    struct tm same = *moment;
    return mktime(&same) != (time_t)-1 && same.tm_mday == moment->tm_mday;
}

/* A time of the clock, in one of the ways it is written; thousandths, as the audit prints them, are
 * taken and dropped. */
static int read_clock(const char *text, struct tm *moment)
{
    static const char *const forms[] = {"%H:%M:%S",          "%H:%M",          "%Y-%m-%d %H:%M:%S",
                                        "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"};

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm read = midnight(0);
        const char *end = strptime(text, forms[i], &read);
        if (end && *end == '.' && strchr(forms[i], 'S'))
            end += 1 + strspn(end + 1, "0123456789");
        if (end && !*end && exists(&read)) {
            *moment = read;
            return 0;
        }
    }
    return -EINVAL;
}

/* A duration is tried first; "14:30" is none. */
int since_read(const char *text, uint64_t *realtime_usec)
{
    struct tm moment;
    uint64_t ago;
    int r = 0;

    assert(text && realtime_usec);
    if (strcmp(text, "now") == 0)
        text = "0";
    if (unit_duration(text, &ago) == 0) {
        uint64_t now = now_usec();
        *realtime_usec = ago < now ? now - ago : 0;
        return 0;
    }
    if (strcmp(text, "today") == 0)
        moment = midnight(0);
    else if (strcmp(text, "yesterday") == 0)
        moment = midnight(1);
    else
        r = read_clock(text, &moment);
    time_t seconds = r < 0 ? -1 : mktime(&moment);
    if (seconds < 0)
        return -EINVAL;
    *realtime_usec = (uint64_t)seconds * 1000000;
    return 0;
}
