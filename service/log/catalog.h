/*
 * Catalog: what the log has of each kind of event (event_table.def): the message id by which
 * policy/proctor.catalog explains it (journalctl -x; sd-id128(3)), its level, and whether it
 * belongs to the audit, which is written whatever the log level says.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>

/* 32 hexadecimal digits. They never change. */
const char *catalog_message_id(enum event_kind kind);

/* At which of syslog(3)'s levels it is logged. */
int catalog_level(enum event_kind kind);

bool catalog_is_audited(enum event_kind kind);
