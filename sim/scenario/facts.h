/*
 * Facts: what a scenario can say about a child and about the outcome of a command, by name. One
 * table for each; what is said and what is so are both numbers, and the table knows their words.
 */
#pragma once

#include "manifest/reader.h"
#include "world/world.h"

enum fact_type { FACT_NUMBER, FACT_FLAG, FACT_WORD, FACT_DURATION };

struct fact {
    const char *name;
    enum fact_type type;
    const char *(*to_string)(int value); /* FACT_WORD */
    int words;                           /* how many there are */
    uint64_t (*of_child)(struct world *world, const struct actor *actor);
    uint64_t (*of_outcome)(const struct outcome *outcome);
};

/* "This fact has this value", and where it is said. */
struct claim {
    const struct fact *fact;
    uint64_t value;
    size_t line, column;
};

#define CLAIMS_MAX 24

struct claims {
    const char *child; /* claims about a child: "" where it is about the tree alone */
    struct claim claims[CLAIMS_MAX];
    size_t count;
};

/* Reads a mapping of facts. Keys that `others` names are left to the caller, which may be NULL. */
int facts_read_child(struct reader *reader, const struct node *node, const char *const *others,
                     struct claims *claims);
int facts_read_outcome(struct reader *reader, const struct node *node, struct claims *claims);

/* The first claim that does not hold, or NULL; *is tells what is so instead, in static memory. */
const struct claim *facts_check_child(struct world *world, const struct claims *claims,
                                      const char **is);
const struct claim *facts_check_outcome(const struct claims *claims, const struct outcome *outcome,
                                        const char **is);

/* "status: ready", in static memory of its own. */
const char *facts_describe(const struct claim *claim);
