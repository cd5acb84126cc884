/*
 * Convert: files of other supervisors, made into manifests of ours.
 *
 * The kind of a file follows from its name: units of systemd by their suffix, `Procfile`,
 * `supervisord.conf` and other *.conf and *.ini files of Supervisor, Compose files and layers of
 * Pebble by what their YAML says, a folder with a `run` file by runit, s6 or s6-rc. All files of a
 * call belong together: sockets and timers find their services, and dependencies become ids.
 */
#pragma once

#include "convert/draft.h"

#define CONVERT_FILES_MAX 4096

/*
 * Converts files. Returns 0; -EINVAL with the conversion's error, "FILE:LINE: message", where a
 * file cannot be read or is of no known kind; -E2BIG; -ENOMEM. The paths have to live as long as
 * the conversion, which the caller frees with conversion_free() in any case.
 */
int convert_files(struct conversion *conversion, const char *const *paths, size_t count);
