/*
 * Number: the one reader of numbers that a person or a child wrote.
 *
 * A number is its digits and nothing else: no sign where none is asked for, no blank, no base that
 * a prefix chooses, and no value that silently becomes another one because it does not fit. A user
 * of "-1" or "4294967296" must never become root.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* All return 0 or -EINVAL, and write only on success. The whole text is the number. */
int number_read(const char *text, uint64_t max, uint64_t *number);
int number_read_octal(const char *text, uint64_t max, uint64_t *number);
int number_read_hex(const char *text, uint64_t *number);
int number_read_signed(const char *text, int64_t min, int64_t max, int64_t *number);

/* The digits that a text begins with; *text moves behind them. */
int number_take(const char **text, uint64_t *number);

/* A user or a group by its number: digits only, 0 to 4294967294. The last one of 32 bits means
 * "leave it as it is" to the kernel. */
#define NUMBER_ID_MAX UINT32_C(4294967294)
int number_read_id(const char *text, uint32_t *id);

/* Whether a text is digits from the first to the last: then it is a number, and never a name. */
bool number_is(const char *text);
