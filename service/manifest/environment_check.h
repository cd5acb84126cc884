/*
 * Environment check: whether the environment files that children name can be read as such, for
 * `check`, before a start finds out.
 */
#pragma once

#include "core/model/declaration.h"
#include "core/vocabulary/error.h"

/* Returns 0, also where the file is not there or not for our eyes; -EINVAL with "FILE:LINE:
 * message", or -ENOMEM. */
int environment_check(const struct child_declaration *declaration, struct error *error);
