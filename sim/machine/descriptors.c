/*
 * The table of descriptors of a process: the lowest free number is always taken
 * next, as POSIX demands and as programs rely on.
 */
#include "machine/descriptors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEP 64

struct descriptors *descriptors_new(size_t limit)
{
    struct descriptors *table = calloc(1, sizeof(*table));

    if (table)
        table->limit = limit;
    return table;
}

/* For fork. Both tables refer to the same descriptions. */
struct descriptors *descriptors_copy(const struct descriptors *table)
{
    struct descriptors *copy = descriptors_new(table->limit);

    if (!copy)
        return NULL;
    copy->list = calloc(table->room, sizeof(*copy->list));
    copy->room = copy->list ? table->room : 0;
    for (size_t i = 0; i < copy->room; i++) {
        copy->list[i] = table->list[i];
        if (copy->list[i].description)
            description_hold(copy->list[i].description);
    }
    return copy;
}

void descriptors_free(struct descriptors *table)
{
    if (!table)
        return;
    descriptors_close_range(table, 0, (unsigned)table->room);
    free(table->list);
    free(table);
}

/* Grows the table in steps, with empty places. */
static int make_room(struct descriptors *table, size_t number)
{
    size_t room = (number / STEP + 1) * STEP;

    if (number < table->room)
        return 0;
    struct descriptor *larger = realloc(table->list, room * sizeof(*larger));
    if (!larger)
        return -ENOMEM;
    memset(larger + table->room, 0, (room - table->room) * sizeof(*larger));
    table->list = larger;
    table->room = room;
    return 0;
}

/* Takes over the description, even if it fails, so that callers need no
 * clean-up. */
int descriptors_add(struct descriptors *table, struct description *description, int from,
                    bool close_on_exec)
{
    size_t number = (size_t)from;
    int r = description ? 0 : -ENOMEM;

    while (number < table->room && table->list[number].description)
        number++;
    if (r == 0 && (from < 0 || number >= table->limit))
        r = from < 0 || (size_t)from >= table->limit ? -EINVAL : -EMFILE;
    if (r == 0)
        r = make_room(table, number);
    if (r < 0) {
        description_release(description);
        return r;
    }
    table->list[number] = (struct descriptor){description, close_on_exec};
    return (int)number;
}

/* Puts it at this number, as dup2() does, and closes what was there. */
int descriptors_set(struct descriptors *table, int number, struct description *description,
                    bool close_on_exec)
{
    int r = number < 0 || (size_t)number >= table->limit ? -EBADF : 0;

    if (r == 0)
        r = make_room(table, (size_t)number);
    if (r < 0) {
        description_release(description);
        return r;
    }
    struct description *before = table->list[number].description;
    table->list[number] = (struct descriptor){description, close_on_exec};
    description_release(before);
    return number;
}

struct description *descriptors_get(const struct descriptors *table, int number)
{
    return number >= 0 && (size_t)number < table->room ? table->list[number].description : NULL;
}

int descriptors_close(struct descriptors *table, int number)
{
    struct description *description = descriptors_get(table, number);

    if (!description)
        return -EBADF;
    table->list[number] = (struct descriptor){};
    description_release(description);
    return 0;
}

void descriptors_close_range(struct descriptors *table, unsigned first, unsigned last)
{
    for (size_t i = first; i < table->room && i <= last; i++)
        if (table->list[i].description)
            descriptors_close(table, (int)i);
}

void descriptors_execute(struct descriptors *table)
{
    for (size_t i = 0; i < table->room; i++)
        if (table->list[i].description && table->list[i].close_on_exec)
            descriptors_close(table, (int)i);
}

size_t descriptors_count(const struct descriptors *table)
{
    size_t n = 0;

    for (size_t i = 0; i < table->room; i++)
        n += table->list[i].description != NULL;
    return n;
}
