/*
 * Mistakes: what is wrong with manifests, as "FILE:LINE:COLUMN: message", in the order in which it
 * was found. As many are kept as a person reads at once; the rest is counted.
 */
#pragma once

#include <stddef.h>

#define MISTAKES_MAX 100 /* that are kept */

struct mistakes {
    size_t count; /* also those that are not kept */
    char *texts[MISTAKES_MAX];
};

/* Keeps a copy of the text; without memory it is only counted. */
void mistakes_note(struct mistakes *mistakes, const char *text);

/* One after the other, NULL behind those that are kept. */
const char *mistakes_text(const struct mistakes *mistakes, size_t i);

/* The text's last line, such as "12 more mistakes are not shown"; NULL: all are kept. */
const char *mistakes_rest(const struct mistakes *mistakes, char *line, size_t size);

void mistakes_free(struct mistakes *mistakes);
