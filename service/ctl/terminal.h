/*
 * Terminal: what proctorctl writes, for people.
 *
 * Texts come from everywhere: reasons, statuses, names of files, lines of logs, errors. On a
 * terminal an escape sequence in one of them would rename the window, hide lines or press keys; so
 * nothing raw from outside reaches a terminal. text_write() writes a text that belongs into a line,
 * with all that is not plain escaped visibly (\n, \x1b, \u202e), also into a file or a pipe: no
 * text can look like the line behind it. And where standard output or error is a terminal, all that
 * is written passes a guard that lets only lines through, whatever has written it; colours go by
 * terminal_paint(). Lines of logs go as they are, byte for byte, to what is no terminal.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Before anything is written. */
void terminal_guard(void);

/* Lets go of the terminal again: for a full screen. */
void terminal_release(void);

/* Returns 0, or -1 with a word on standard error where something could not be written: a full disk
 * is no success. To be called last. */
int terminal_close(void);

/* Whether something could not be written: one that follows without end ends then. */
bool terminal_failed(void);

/* An escape sequence of ours; "": none. */
void terminal_paint(FILE *out, const char *sequence);

/* What has passed the guard of another proctorctl already. */
void terminal_pass(FILE *out, const char *text, size_t size);

/* One line's text, escaped where it is not plain. */
void text_write(FILE *out, const char *text);

/* The same in quotes, with those in it escaped, too. */
void text_write_quoted(FILE *out, const char *text);

/* What text_write() writes; the caller frees it. "" without memory. */
char *text_shown(const char *text);
