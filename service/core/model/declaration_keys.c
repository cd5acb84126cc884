/*
 * Which keys differ between two declarations, as a set of bits. Everything that
 * asks what a change costs asks this set.
 */
#include "core/model/declaration_keys.h"

#include "core/core.h"
#include "core/model/archive.h"
#include "core/model/declaration.h"

#include <errno.h>
#include <string.h>

#define ROOM_MIN 1024

uint64_t declaration_keys_of(enum key_class class)
{
    uint64_t keys = 0;

    for (int key = 0; key < DECLARATION_KEYS; key++)
        if (declaration_key_class((enum declaration_key)key) == class)
            keys |= KEY_BIT(key);
    return keys;
}

/* Some keys are a part of another one's row, such as a directory's mode; they
 * are listed with the key that stands for them. */
enum declaration_key declaration_key_find(const char *name)
{
    static const struct {
        const char *name;
        enum declaration_key key;
    } without_fields[] = {{"arguments", KEY_EXEC},
                          {"primary", KEY_REQUIRES},
                          {"supervisor", KEY_NAME},
                          {"runtime_directory_mode", KEY_RUNTIME_DIRECTORY},
                          {"state_directory_mode", KEY_STATE_DIRECTORY},
                          {"logs_directory_mode", KEY_LOGS_DIRECTORY},
                          {"cache_directory_mode", KEY_CACHE_DIRECTORY}};

    for (size_t i = 0; i < sizeof(without_fields) / sizeof(without_fields[0]); i++)
        if (strcmp(without_fields[i].name, name) == 0)
            return without_fields[i].key;
    for (int key = 0; key < DECLARATION_KEYS; key++)
        if (strcmp(declaration_key_name((enum declaration_key)key), name) == 0)
            return (enum declaration_key)key;
    return DECLARATION_KEYS;
}

/* Doubles, so that the number of allocations is small, and uses the core's own
 * allocator: the core takes memory from nowhere else. */
static bool make_room(struct archive *a, size_t size)
{
    const struct core_ports *ports = a->userdata;
    size_t room = a->size > 0 ? a->size : ROOM_MIN;

    while (room < size)
        room *= 2;
    uint8_t *larger = ports->allocate(ports->userdata, room);
    if (!larger)
        return false;
    if (a->data) {
        memcpy(larger, a->data, a->used);
        ports->release(ports->userdata, a->data);
    }
    a->data = larger;
    a->size = room;
    return true;
}

/* Whether two texts of the same length have been written one behind the other, and differ. */
static bool halves_differ(const struct archive *a, size_t half)
{
    return a->used != 2 * half || (half > 0 && memcmp(a->data, a->data + half, half) != 0);
}

/* Mostly nothing differs, and one look at all of it says so. */
static bool any_differs(struct archive *a, struct child_declaration *before,
                        struct child_declaration *after)
{
    declaration_keys_write(a, before);
    size_t half = a->used;
    declaration_keys_write(a, after);
    return halves_differ(a, half);
}

/* The key's bit, or 0. */
static uint64_t difference(struct archive *a, struct child_declaration *before,
                           struct child_declaration *after, size_t row)
{
    a->used = 0;
    enum declaration_key key = declaration_row_write(a, before, row);
    size_t half = a->used;
    declaration_row_write(a, after, row);
    return halves_differ(a, half) ? KEY_BIT(key) : 0;
}

/* First as a whole: most declarations of a reload have not changed, and one
 * comparison is enough for them. */
int declaration_compare(const struct core_ports *ports, const struct child_declaration *before,
                        const struct child_declaration *after, uint64_t *keys)
{
    struct archive a = {.grow = make_room, .userdata = (void *)(uintptr_t)ports};
    struct child_declaration copies[] = {*before, *after}; /* of what is only read */
    bool any = any_differs(&a, &copies[0], &copies[1]);

    *keys = 0;
    for (size_t row = 0; any && row < declaration_rows() && !a.failed; row++)
        *keys |= difference(&a, &copies[0], &copies[1], row);
    if (a.data)
        ports->release(ports->userdata, a.data);
    return a.failed ? -ENOMEM : 0;
}
