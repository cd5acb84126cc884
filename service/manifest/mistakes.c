/*
 * Mistakes are kept up to a number that a person reads at once, in the order in
 * which they were found; the others are only counted, so that a file with ten
 * thousand of them needs no memory for them.
 */
#include "manifest/mistakes.h"

#include "core/vocabulary/invariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t kept(const struct mistakes *mistakes)
{
    return mistakes->count < MISTAKES_MAX ? mistakes->count : MISTAKES_MAX;
}

void mistakes_note(struct mistakes *mistakes, const char *text)
{
    INVARIANT(mistakes && text);
    if (mistakes->count < MISTAKES_MAX)
        mistakes->texts[mistakes->count] = strdup(text);
    mistakes->count++;
}

const char *mistakes_text(const struct mistakes *mistakes, size_t i)
{
    INVARIANT(mistakes);
    if (i >= kept(mistakes))
        return NULL;
    return mistakes->texts[i] ? mistakes->texts[i] : "out of memory";
}

const char *mistakes_rest(const struct mistakes *mistakes, char *line, size_t size)
{
    INVARIANT(mistakes && line);
    size_t rest = mistakes->count - kept(mistakes);

    if (rest == 0)
        return NULL;
    snprintf(line, size, "%zu more %s not shown", rest, rest == 1 ? "mistake is" : "mistakes are");
    return line;
}

void mistakes_free(struct mistakes *mistakes)
{
    INVARIANT(mistakes);
    for (size_t i = 0; i < kept(mistakes); i++)
        free(mistakes->texts[i]);
    *mistakes = (struct mistakes){};
}
