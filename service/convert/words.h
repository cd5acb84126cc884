/*
 * Words: command lines of other supervisors, split as those split them, and quoted for a shell.
 */
#pragma once

#include "convert/draft.h"

enum words_dialect {
    WORDS_SYSTEMD, /* systemd.service(5), "Command lines": quotes, C escapes everywhere */
    WORDS_SHELL,   /* Python's shlex, as supervisord and Compose: quotes, no expansion */
};

struct words {
    const char **items;
    size_t count;
};

/* Splits a line. Returns 0; -EINVAL where a quote is not closed; -ENOMEM. */
int words_split(struct conversion *conversion, enum words_dialect dialect, const char *line,
                struct words *words);

/* Appends one word; false without memory. */
bool words_add(struct conversion *conversion, struct words *words, const char *word);

/* A word that a shell reads as it is. */
const char *words_quote(struct conversion *conversion, const char *word);

/*
 * The words as a command for a shell that does with variables what systemd would: ${NAME} is
 * replaced within a word, $NAME as a word of its own is split (the shell runs with -f), $$ is $.
 * *expands: there was one.
 */
const char *words_to_shell(struct conversion *conversion, const struct words *words, bool *expands);
