/*
 * Zone file: the time zones of this machine, /usr/share/zoneinfo, as the text of a zone that a
 * declaration keeps (core/calendar/zone.h). Of the past nothing is kept; of what is to come the
 * rule, and what deviates from it.
 */
#pragma once

#include "core/calendar/zone.h"

/*
 * Reads the zone of a name ("Europe/Berlin", "UTC"), which may be a rule itself, or with NULL that
 * of this machine
 * (/etc/localtime; UTC if there is none). Returns 0, -ENOENT for a name that no zone has, -EBADMSG
 * for a file that is none, or another negative errno.
 */
int zone_file_read(const char *name, char text[ZONE_TEXT_MAX]);
