/*
 * Name table: who owns a name on the bus, and who waits for it behind the owner.
 */
#pragma once

#include "bus/link.h"

enum {
    NAME_ALLOW_REPLACEMENT = 1,
    NAME_REPLACE_EXISTING = 2,
    NAME_DO_NOT_QUEUE = 4,
};

enum name_request {
    NAME_IS_OWNER = 1,
    NAME_IN_QUEUE = 2,
    NAME_EXISTS = 3,
    NAME_ALREADY_OWNER = 4,
};

enum name_release {
    NAME_RELEASED = 1,
    NAME_NON_EXISTENT = 2,
    NAME_NOT_OWNER = 3,
};

struct name_owner {
    struct name_owner *next; /* in the queue */
    struct link *link;
    uint32_t flags;
};

struct name {
    struct name *next; /* in the order in which they came up */
    char *text;
    struct name_owner *owners; /* the first one has it */
};

/* Called when the owner changes; NULL: there was, or is, none. */
struct name_table {
    struct name *first, **end;
    void (*changed)(void *userdata, const char *name, struct link *from, struct link *to);
    void *userdata;
};

/* NULL if no link owns the name or waits for it. */
struct name *name_find(const struct name_table *table, const char *text);
/* NULL: it is not owned. */
struct link *name_owner_of(const struct name_table *table, const char *text);
enum name_request name_request(struct name_table *table, struct link *link, const char *text,
                               uint32_t flags);
enum name_release name_release(struct name_table *table, struct link *link, const char *text);
/* Releases all, the unique name last. */
void name_release_all(struct name_table *table, struct link *link);
void name_table_clear(struct name_table *table);
