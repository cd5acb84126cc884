/*
 * What is known about each kind of event, from one table (event_table.def).
 */
#include "log/catalog.h"

#include <stddef.h>
#include <syslog.h>

#define AUDITED     true
#define NOT_AUDITED false

static const struct {
    const char *message_id;
    int level;
    bool audited;
} kinds[] = {
#define EVENT(kind, number, word, id, level, audited, needs, sentence, when)                       \
    [kind] = {id, level, audited},
#include "core/vocabulary/event_table.def"
#undef EVENT
};

const char *catalog_message_id(enum event_kind kind)
{
    return kinds[kind].message_id;
}

int catalog_level(enum event_kind kind)
{
    return kinds[kind].level;
}

bool catalog_is_audited(enum event_kind kind)
{
    return kinds[kind].audited;
}
