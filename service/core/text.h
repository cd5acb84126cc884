/*
 * Text in a fixed buffer: the core's way to put a sentence together without stdio and without
 * memory of its own. What does not fit is cut at the end; the text is always terminated.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct text {
    char *buffer;
    size_t size;
    size_t length;
};

/* Starts an empty text in buffer, which holds size bytes (at least 1) and stays the caller's. */
struct text text_in(char *buffer, size_t size);

void text_append(struct text *text, const char *string);
void text_append_number(struct text *text, uint64_t number);

/* Replaces in place what is not UTF-8 and the code points that Unicode reserves (U+FFFE, U+FDD0 and
 * their like) by '?', and control characters but for line ends by a space. Text that was cut
 * somewhere, or comes from a process, can then go out over D-Bus. It never becomes longer. */
void text_make_utf8(char *text);

/* Copies string into buffer, cut at a UTF-8 boundary when it is too long. NULL copies as "". */
void text_copy(char *buffer, size_t size, const char *string);
