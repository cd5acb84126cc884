/*
 * Environment file: the dialect of systemd's EnvironmentFile= (systemd.exec(5)), where NAME=VALUE
 * stands on a line, with comments, quotes over several lines and continuations.
 *
 *   # or ; at the beginning of a line: a comment, which a backslash at its end does not continue
 *   blanks around a name and around a value that is not quoted do not belong to them
 *   \ outside of quotes: the next character as it is; before the end of a line: the line continues
 *   '...': as it is; "...": with \" \\ \` \$ and \ before the end of a line, any other \ stays a
 *   later variable of the same name wins (for the caller to see to)
 *
 * Where systemd drops a line with a word in its log (`export A=1`, a name that is none, a text
 * without "="), or takes an open quote for a closed one, the file is refused here: a value that is
 * silently another one is worse than no start. A byte order mark at the beginning is skipped.
 *
 * The parser works in place and allocates nothing, so that a process between fork and exec can use
 * it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ENVIRONMENT_FILE_MAX     (1024 * 1024) /* bytes of a file */
#define ENVIRONMENT_VARIABLE_MAX (128 * 1024)  /* bytes of one with its zero: as the kernel */

/* A name that says which attempt a process is, what it is to report to, or what it was given:
 * only proctord sets those. */
bool environment_is_own(const char *name);

struct environment_problem {
    size_t line;     /* from 1 */
    const char *why; /* lives as long as the program */
};

/*
 * Parses `text`, which is changed: it has length bytes and one more that can be written. take gets
 * each "NAME=VALUE", within the text; what it returns below 0 ends the parsing and is returned.
 * Returns 0, or -EINVAL with *problem.
 */
int environment_file_parse(char *text, size_t length, int (*take)(void *userdata, char *variable),
                           void *userdata, struct environment_problem *problem);
