/*
 * Procfiles (Heroku, foreman, honcho): `NAME: COMMAND LINE` on a line each.
 *
 * The command is a shell's. PORT counts up from 5000 by 100, as foreman does; a file `.env` beside
 * the Procfile becomes the environment file.
 */
#pragma once

#include "convert/draft.h"

/* Returns 0, -EINVAL with the error, or -ENOMEM. */
int procfile_convert(struct conversion *conversion, const char *path);
