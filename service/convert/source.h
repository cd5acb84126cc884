/*
 * Source: a file that is to be converted, in memory: regular, at most SOURCE_MAX bytes, UTF-8.
 *
 * And its settings, where it is one of the many dialects of `Key=value` under `[Section]`: unit
 * files of systemd, and supervisord.conf.
 */
#pragma once

#include "convert/draft.h"

#define SOURCE_MAX (1024 * 1024) /* bytes */

struct setting {
    const char *section; /* without brackets; "" before the first */
    const char *key;
    const char *value; /* without blanks around it, lines joined */
    struct place place;
    struct setting *next;
};

enum settings_dialect {
    SETTINGS_UNIT,        /* a backslash continues a line; comments: # and ; */
    SETTINGS_SUPERVISORD, /* indented lines continue a value; " ;" begins a comment in a line */
};

/* Reads a file, text in the arena. Returns 0, or -EINVAL with the conversion's error, or -ENOMEM.
 */
int source_read(struct conversion *conversion, const char *path, const char **text);

/* The settings of a text, in their order, appended to the list. Returns 0, -EINVAL with the error
 * (a line that is no setting), or -ENOMEM. */
int source_settings(struct conversion *conversion, enum settings_dialect dialect, const char *file,
                    const char *text, struct setting **list);

/* The last value of a key; NULL: it is not there. */
const struct setting *source_setting(const struct setting *list, const char *section,
                                     const char *key);

/* The last part of a path. */
const char *source_base(const char *path);

/* Whether a text ends so; the part before it is then `length` bytes long. */
bool source_ends(const char *text, const char *end, size_t *length);
