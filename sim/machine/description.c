/*
 * Open descriptions: what descriptors refer to, of whichever kind. They are
 * counted, and released with the last descriptor.
 */
#include "machine/description.h"

#include <stdlib.h>

static uint64_t numbers;
static size_t alive;
static void (*on_end)(const struct description *description);

void description_on_end(void (*tell)(const struct description *description))
{
    on_end = tell;
}

struct description *description_new(const struct description_kind *kind, void *object, int flags)
{
    struct description *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return NULL;
    *fresh = (struct description){
        .kind = kind, .references = 1, .flags = flags, .number = ++numbers, .object = object};
    alive++;
    return fresh;
}

struct description *description_hold(struct description *description)
{
    description->references++;
    return description;
}

void description_release(struct description *description)
{
    if (!description || --description->references > 0)
        return;
    if (on_end)
        on_end(description);
    description->kind->release(description);
    free(description);
    alive--;
}

size_t description_count(void)
{
    return alive;
}

void description_restart_numbers(void)
{
    numbers = 0;
}
