/*
 * Fact: what can be seen from outside: of a child its processes and what was sent to them, of
 * proctord its descriptors and what it has written, and what the bus says of either.
 */
#pragma once

#include "whole/whole.h"

/* Whether the claim holds of the child, or of proctord where that is NULL; value: what is so. */
bool fact_holds(struct whole *whole, const char *child, const struct story_claim *claim,
                char *value, size_t size);
/* "restart_count" as the bus has it: "RestartCount". */
void fact_name_of_bus(const char *fact, char *name, size_t size);
/* That proctord has open; 0: it is not there. */
size_t fact_descriptors(const struct whole *whole);
/* Without those that lead to its own helpers. */
size_t fact_descriptors_at_rest(const struct whole *whole);
