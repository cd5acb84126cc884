/*
 * Text in a fixed buffer: the core's way to put a sentence together without stdio and without
 * memory of its own. What does not fit is cut at the end; the text is always terminated.
 *
 * And what a text is made of. A text from outside (a process, a caller, a file's name) may hold
 * anything: bytes that are no UTF-8, for which D-Bus throws away the whole message; an escape
 * sequence, a line end or a change of direction, with which it says on a terminal or in a log what
 * it is not. One function here says what each character is; every door and every way out asks it.
 */
#pragma once

#include <stdbool.h>
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

/* From harmless to impossible. */
enum text_class {
    TEXT_PLAIN,
    TEXT_BLANK,   /* a line end or a tab: belongs into a text of several lines only */
    TEXT_CONTROL, /* acts on the terminal or on the text around it: C0, C1, U+2028, bidi */
    TEXT_INVALID, /* not UTF-8, or a code point that sd-bus refuses (U+FFFE, U+FDD0, ...) */
};

/* What begins the text, which is not empty. Returns its length in bytes: 1, with that byte as code,
 * where it is not UTF-8. */
size_t text_next(const char *text, enum text_class *class, uint32_t *code);

/* Whether all of it is of this class or of a more harmless one. */
bool text_is_at_most(const char *text, enum text_class most);

/* Replace what D-Bus does not carry, and what acts on a terminal, in place; the text gets no
 * longer. As one line (line ends and tabs become blanks), or with its lines. */
void text_make_line(char *text);
void text_make_lines(char *text);

/* Copies string into buffer, cut at a UTF-8 boundary when it is too long. NULL copies as "". */
void text_copy(char *buffer, size_t size, const char *string);
