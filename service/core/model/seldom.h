/*
 * Seldom: what most children never have - the reason of a hold, a failure, a status text, a row of
 * a shutdown report. It is allocated with the slots of the children, for many at once, one array
 * for each kind of thing: memory that is zero and that nobody writes costs nothing, since the
 * kernel backs it with pages only when it is first written. So code that sets one of these uses
 * seldom_put(), which writes only what differs.
 *
 * Each is a pointer in the record of the child, valid from the moment it has its slot.
 */
#pragma once

#include "core/model/child.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* All of one child, for putting it back as it was. */
struct seldom_copy {
    struct failure failure;
    struct last_exit last_exit;
    struct child_shutdown shutdown;
    struct stale_report last_stale;
    struct operation_words words;
    struct status_text status_text;
};

/* Memory for `slots` slots in all; a negative errno, and then nothing has changed. */
int seldom_reserve(struct core *core, uint32_t slots);

/* The places of the child that has got its slot; all is zero. */
void seldom_give(struct core *core, struct child *child);

void seldom_save(const struct child *child, struct seldom_copy *copy);
void seldom_restore(struct child *child, const struct seldom_copy *copy);

void seldom_free(struct core *core);

static inline void seldom_put(void *place, const void *value, size_t size)
{
    if (memcmp(place, value, size) != 0)
        memcpy(place, value, size);
}
