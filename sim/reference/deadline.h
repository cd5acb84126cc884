/*
 * Deadline: what becomes of a child when one of its deadlines passes.
 */
#pragma once

#include "reference/reference.h"

void reference_timer(struct ref *r);
