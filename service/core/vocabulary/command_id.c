/*
 * A command id as text: eight hexadecimal digits for the instance (a state directory), a dash, and
 * a number that grows. Ids of two machines, or of a directory that was lost, do not collide in a
 * common log.
 */
#include "core/vocabulary/command_id.h"

#include "core/vocabulary/text.h"

#include <errno.h>

#define INSTANCE_DIGITS 8

/* The number 0 is no command: its text is empty. */
void command_id_text(struct command_id id, char text[COMMAND_ID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char instance[INSTANCE_DIGITS + 1] = "";
    struct text out = text_in(text, COMMAND_ID_SIZE);

    if (id.number == 0)
        return;
    for (int i = INSTANCE_DIGITS; i-- > 0; id.instance >>= 4)
        instance[i] = digits[id.instance & 0xF];
    text_append(&out, instance);
    text_append(&out, "-");
    text_append_number(&out, id.number);
}

static int value_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Only what command_id_text() writes: no leading zeros, no blanks. An id has
 * one spelling, so that filters can compare texts. */
int command_id_parse(const char *text, struct command_id *id)
{
    *id = (struct command_id){};
    for (int i = 0; i < INSTANCE_DIGITS; i++, text++) {
        int value = value_of(*text);
        if (value < 0)
            return -EINVAL;
        id->instance = id->instance << 4 | (uint32_t)value;
    }
    if (*text++ != '-' || *text < '1' || *text > '9')
        return -EINVAL;
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (id->number > (UINT64_MAX - digit) / 10)
            return -EINVAL;
        id->number = id->number * 10 + digit;
    }
    return *text ? -EINVAL : 0;
}
