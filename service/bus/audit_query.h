/*
 * Audit query: QueryAudit, from the segments of the journal.
 *
 * They are read beside the loop, whatever the disk does; what is meant is kept as it stands in the
 * journal, as much as fits into an answer, which is then encoded in slices (bulk.h). The time that
 * the thread took is charged, too.
 */
#pragma once

#include <systemd/sd-bus.h>

#define AUDIT_MAX 10000 /* lines in one answer */

int method_query_audit(sd_bus_message *m, void *userdata, sd_bus_error *error);
