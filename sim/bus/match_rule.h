/*
 * Match rule: which broadcasts a client wants to have, as AddMatch takes it.
 */
#pragma once

#include "bus/bus_message.h"

#define MATCH_ARGUMENT_MAX 63
#define MATCH_RULE_MAX     1024 /* bytes of its text */

struct match_argument {
    uint8_t number;
    enum match_how { MATCH_EXACTLY, MATCH_PATH, MATCH_NAMESPACE } how;
    char *value;
    struct match_argument *next; /* in the order of their numbers */
};

struct match_rule {
    uint8_t type; /* 0: any */
    bool path_is_namespace, eavesdrop;
    char *sender, *path, *interface, *member, *destination;
    struct match_argument *arguments;
};

/* text: at most MATCH_RULE_MAX bytes. Returns NULL, with the reason in error, if it is no rule. */
struct match_rule *match_rule_parse(const char *text, char *error, size_t size);
/* NULL is allowed. */
void match_rule_free(struct match_rule *rule);
/* Whether both let the same messages through, written in whatever order. */
bool match_rule_equals(const struct match_rule *a, const struct match_rule *b);
/* Everything but the sender, of which only the broker knows the names. */
bool match_rule_fits(const struct match_rule *rule, const struct bus_message *message);
