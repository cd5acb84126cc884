/*
 * Names and their owners. Each name has a queue of links that want it; the
 * first is the owner. When an owner leaves, the next one becomes owner, and
 * everybody is informed through `changed`.
 */
#include "bus/name_table.h"

#include "core/vocabulary/invariant.h"

#include <stdlib.h>
#include <string.h>

struct name *name_find(const struct name_table *table, const char *text)
{
    for (struct name *name = table->first; name; name = name->next)
        if (strcmp(name->text, text) == 0)
            return name;
    return NULL;
}

struct link *name_owner_of(const struct name_table *table, const char *text)
{
    struct name *name = name_find(table, text);

    return name ? name->owners->link : NULL;
}

/* Names stay in the order of their first request, which ListNames reports. */
static struct name *add_name(struct name_table *table, const char *text)
{
    struct name *name = calloc(1, sizeof(*name));

    INVARIANT(name);
    name->text = strdup(text);
    INVARIANT(name->text);
    if (!table->first)
        table->end = &table->first;
    *table->end = name;
    table->end = &name->next;
    return name;
}

/* A name without owners ceases to exist. */
static void remove_name(struct name_table *table, struct name *name)
{
    struct name **at = &table->first;

    while (*at != name)
        at = &(*at)->next;
    *at = name->next;
    if (!*at)
        table->end = at;
    free(name->text);
    free(name);
}

/* ---- the queue ------------------------------------------------------------------------------- */

static struct name_owner **place_of(struct name *name, const struct link *link)
{
    struct name_owner **place = &name->owners;

    while (*place && (*place)->link != link)
        place = &(*place)->next;
    return place;
}

static struct name_owner *take_out(struct name *name, struct link *link)
{
    struct name_owner **place = place_of(name, link), *owner = *place;

    if (owner) {
        *place = owner->next;
        link->n_names--;
    }
    return owner;
}

static void put_in(struct name_owner **place, struct name_owner *owner)
{
    owner->next = *place;
    *place = owner;
    owner->link->n_names++;
}

/* One that may replace others stands right behind the owner. */
static void enqueue(struct name *name, struct link *link, uint32_t flags)
{
    struct name_owner **place = place_of(name, link), *owner = *place;

    if (owner && !(flags & NAME_REPLACE_EXISTING)) {
        owner->flags = flags;
        return;
    }
    owner = owner ? take_out(name, link) : calloc(1, sizeof(*owner));
    INVARIANT(owner);
    owner->link = link;
    owner->flags = flags;
    if (name->owners && (flags & NAME_REPLACE_EXISTING))
        place = &name->owners->next;
    else
        place = place_of(name, NULL);
    put_in(place, owner);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* The next one in the queue becomes the owner. */
static void replace_owner(struct name_table *table, struct name *name)
{
    struct name_owner *old = name->owners, *fresh = old->next;

    name->owners = fresh;
    if (old->flags & NAME_DO_NOT_QUEUE) {
        old->link->n_names--;
        table->changed(table->userdata, name->text, old->link, fresh->link);
        free(old);
        return;
    }
    old->next = fresh->next;
    fresh->next = old;
    table->changed(table->userdata, name->text, old->link, fresh->link);
}

/* The result is the number of the specification. An owner that allowed
 * replacement goes to the second place of the queue, unless it asked not to be
 * queued. */
enum name_request name_request(struct name_table *table, struct link *link, const char *text,
                               uint32_t flags)
{
    struct name *name = name_find(table, text);

    if (!name) {
        name = add_name(table, text);
        enqueue(name, link, flags);
        table->changed(table->userdata, text, NULL, link);
        return NAME_IS_OWNER;
    }
    if (name->owners->link == link) {
        name->owners->flags = flags;
        return NAME_ALREADY_OWNER;
    }
    bool may_replace =
        (flags & NAME_REPLACE_EXISTING) && (name->owners->flags & NAME_ALLOW_REPLACEMENT);
    if (!may_replace && (flags & NAME_DO_NOT_QUEUE)) {
        free(take_out(name, link));
        return NAME_EXISTS;
    }
    enqueue(name, link, flags);
    if (!may_replace)
        return NAME_IN_QUEUE;
    replace_owner(table, name);
    return NAME_IS_OWNER;
}

static void remove_owner(struct name_table *table, struct name *name, struct link *link)
{
    bool had_it = name->owners->link == link;

    free(take_out(name, link));
    if (had_it)
        table->changed(table->userdata, name->text, link, name->owners ? name->owners->link : NULL);
    if (!name->owners)
        remove_name(table, name);
}

enum name_release name_release(struct name_table *table, struct link *link, const char *text)
{
    struct name *name = name_find(table, text);

    if (!name)
        return NAME_NON_EXISTENT;
    if (!*place_of(name, link))
        return NAME_NOT_OWNER;
    remove_owner(table, name, link);
    return NAME_RELEASED;
}

/* The last one of the table that link has, or waits for. */
static struct name *last_name_of(const struct name_table *table, const struct link *link)
{
    struct name *last = NULL;

    for (struct name *name = table->first; name; name = name->next)
        if (*place_of(name, link))
            last = name;
    return last;
}

void name_release_all(struct name_table *table, struct link *link)
{
    for (struct name *name; (name = last_name_of(table, link));)
        remove_owner(table, name, link);
}

void name_table_clear(struct name_table *table)
{
    while (table->first) {
        struct name *name = table->first;
        while (name->owners)
            free(take_out(name, name->owners->link));
        remove_name(table, name);
    }
}
