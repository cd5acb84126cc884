/*
 * Service folders of runit, s6 and s6-rc: a folder with a `run` file.
 *
 * `run` stays the program, in its folder as the working directory. A folder of folders is converted
 * with all that are services in it.
 *
 * Facts: runsv(8); https://skarnet.org/software/s6/servicedir.html; s6-rc-compile(8).
 */
#pragma once

#include "convert/draft.h"

/* Returns 0, -EINVAL with the error, or -ENOMEM. */
int run_folder_convert(struct conversion *conversion, const char *path);
