/*
 * Configuration of Supervisor: [program:NAME] becomes a child, or several with numprocs; the
 * programs of a [group:NAME] get a supervisor; files that [include] names are read with it.
 *
 * Facts: http://supervisord.org/configuration.html, of Supervisor 4.
 */
#pragma once

#include "convert/draft.h"

#define SUPERVISORD_NUMPROCS_MAX 1000

/* Returns 0, -EINVAL with the error, or -ENOMEM. */
int supervisord_convert(struct conversion *conversion, const char *path);
