/*
 * Catalog: what journald is told of each kind of event: the message id by which
 * policy/proctor.catalog explains it (journalctl -x; sd-id128(3)), and whether it belongs to the
 * audit, which is told whatever the log level says.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>

/* 32 hexadecimal digits. They never change. */
const char *catalog_message_id(enum event_kind kind);

bool catalog_is_audited(enum event_kind kind);
