/*
 * How far two words are apart.
 */
#include "manifest/near.h"

#include <assert.h>
#include <string.h>

#define WORD_ROOM 32
#define FAR       99

/* Levenshtein, with one row of the table. */
size_t near_distance(const char *a, const char *b)
{
    assert(a && b);
    size_t row[WORD_ROOM], n = strlen(b);

    if (n >= WORD_ROOM || strlen(a) >= WORD_ROOM)
        return FAR;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t change = corner + (a[i] != b[j]);
            size_t best = row[j] < row[j + 1] ? row[j] : row[j + 1];
            corner = row[j + 1];
            row[j + 1] = best + 1 < change ? best + 1 : change;
        }
    }
    return row[n];
}
