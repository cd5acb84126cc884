/*
 * Numbers, strictly: digits only, within bounds, to the end of the text.
 */
#include "system/number.h"

#include <errno.h>
#include <string.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* Overflow is an error, not a wrap. */
static int take(const char **text, unsigned base, uint64_t *number)
{
    const char *at = *text;
    uint64_t value = 0;

    for (unsigned d; (d = (unsigned)digit(*at)) < base; at++)
        if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, d, &value))
            return -EINVAL;
    if (at == *text)
        return -EINVAL;
    *number = value;
    *text = at;
    return 0;
}

static int read_whole(const char *text, unsigned base, uint64_t max, uint64_t *number)
{
    uint64_t value;

    if (take(&text, base, &value) < 0 || *text != '\0' || value > max)
        return -EINVAL;
    *number = value;
    return 0;
}

int number_take(const char **text, uint64_t *number)
{
    return take(text, 10, number);
}

int number_read(const char *text, uint64_t max, uint64_t *number)
{
    return read_whole(text, 10, max, number);
}

int number_read_octal(const char *text, uint64_t max, uint64_t *number)
{
    return read_whole(text, 8, max, number);
}

int number_read_hex(const char *text, uint64_t *number)
{
    return read_whole(text, 16, UINT64_MAX, number);
}

/* With an optional minus. */
int number_read_signed(const char *text, int64_t min, int64_t max, int64_t *number)
{
    uint64_t value;
    int64_t signed_value;

    if (number_read(text + (*text == '-'), INT64_MAX, &value) < 0)
        return -EINVAL;
    signed_value = *text == '-' ? -(int64_t)value : (int64_t)value;
    if (signed_value < min || signed_value > max)
        return -EINVAL;
    *number = signed_value;
    return 0;
}

int number_read_id(const char *text, uint32_t *id)
{
    uint64_t value;

    if (number_read(text, NUMBER_ID_MAX, &value) < 0)
        return -EINVAL;
    *id = (uint32_t)value;
    return 0;
}

bool number_is(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}
