/*
 * Names of months and weekdays, in English whatever the locale is: a manifest
 * means the same everywhere.
 */
#include "core/calendar/name.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool calendar_is_word(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

/* How many letters a text has in common with a name, from the beginning. */
static size_t common(const char *text, const char *name)
{
    size_t n = 0;

    while (name[n] && lower(text[n]) == lower(name[n]))
        n++;
    return n;
}

static bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

/* Three letters, or the whole name where it is allowed; nothing in between. */
static int take_name(const char **text, const char *const *names, int count, bool whole)
{
    for (int i = 0; i < count; i++) {
        size_t n = common(*text, names[i]);
        if (is_letter((*text)[n]) || (n != 3 && (!whole || n < 3 || names[i][n])))
            continue;
        *text += n;
        return i;
    }
    return -1;
}

int calendar_take_weekday(const char **text, bool whole)
{
    static const char *const names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};

    return take_name(text, names, 7, whole);
}

int calendar_take_month(const char **text)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    return take_name(text, names, 12, false);
}
