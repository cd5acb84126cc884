/*
 * Unit files of systemd as manifests: services, with the drop-ins beside them, and what sockets and
 * timers say of a service that is converted with them.
 *
 * What systemd does by default and proctor does not is written out, so that the child lives under
 * the rules it was made for: 90 s to stop, SIGPIPE ignored, set-user-ID programs allowed. A command
 * line with variables becomes a line for /bin/sh, which replaces itself with the program.
 *
 * Facts: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5) of systemd 252.
 */
#pragma once

#include "convert/draft.h"

/* Whether the name of a file is that of a unit, of whatever type. */
bool systemd_unit_is(const char *path);

/* Converts one unit file. Returns 0, -EINVAL with the error, or -ENOMEM. */
int systemd_unit_convert(struct conversion *conversion, const char *path);

/* When all files are there: sockets and timers go to their services, dependencies to their ids. */
int systemd_unit_finish(struct conversion *conversion);
