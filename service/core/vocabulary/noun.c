/*
 * One child, two children: the plural forms of the few nouns that proctor
 * counts.
 */
#include "core/vocabulary/noun.h"

#include <stddef.h>
#include <string.h>

static const struct noun {
    const char *singular, *plural;
} nouns[] = {
    {"byte", "bytes"},       {"child", "children"},   {"descriptor", "descriptors"},
    {"exit", "exits"},       {"failure", "failures"}, {"host", "hosts"},
    {"job", "jobs"},         {"line", "lines"},       {"process", "processes"},
    {"restart", "restarts"}, {"start", "starts"},
};

const char *noun_of(uint64_t count, const char *singular)
{
    for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++)
        if (strcmp(nouns[i].singular, singular) == 0)
            return count == 1 ? nouns[i].singular : nouns[i].plural;
    return singular;
}
