/*
 * Cycle: whether a child would wait for itself. The error tells the way round.
 */
#pragma once

#include <stddef.h>

struct child;
struct declaration_problem;

int cycle_look(struct child **children, size_t count, struct declaration_problem *problem);
