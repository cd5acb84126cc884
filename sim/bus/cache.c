/*
 * A client's copy of all properties, kept current by nothing but signals:
 * PropertiesChanged, InterfacesAdded and InterfacesRemoved. At rest it must
 * equal what GetManagedObjects reports; a property that changed without a
 * signal shows as a difference.
 *
 * Keys are "path interface name", values are texts (see value.h); a property
 * that was invalidated has no value until it is read again.
 */
#include "bus/cache.h"

#include "bus/grammar.h"
#include "bus/value.h"
#include "core/vocabulary/invariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define MANAGER    "org.freedesktop.DBus.ObjectManager"

#define FLICKER_USEC 2

/* Changes of these are told by no signal, as the interface says (dbus.md). */
static const char *const without_signal[] = {
    "Sequence",      "Groups",   "FailuresUsed",    "FailuresRemaining",
    "WallUSec",      "CPUUSec",  "OutputTruncated", "CPUUsageNSec",
    "MemoryCurrent", "Manifest", "Explanation",
};

/* ---- the table ------------------------------------------------------------------------------- */

/* Where the property is, or where it belongs. The hash is FNV-1a: only its
 * spread matters, not its strength. */
static struct cached_property **find(const struct cache *cache, const char *key)
{
    uint32_t hash = 2166136261u;
    struct cached_property *const *at;

    for (const char *c = key; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    at = &cache->buckets[hash % CACHE_BUCKETS];
    while (*at && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    return (struct cached_property **)at;
}

/* Takes value over; NULL: it is known no more. */
static bool put(struct cache *cache, const char *key, char *value)
{
    struct cached_property **at = find(cache, key), *property = *at;

    if (!property) {
        property = calloc(1, sizeof(*property));
        INVARIANT(property);
        property->key = strdup(key);
        INVARIANT(property->key);
        *at = property;
        cache->n_properties++;
    }
    bool changes = !property->value || !value || strcmp(property->value, value) != 0;
    free(property->value);
    property->value = value;
    return changes;
}

static void drop(struct cache *cache, struct cached_property **at)
{
    struct cached_property *property = *at;

    *at = property->next;
    free(property->key);
    free(property->value);
    free(property);
    cache->n_properties--;
}

/* All whose key begins so. */
static void drop_all(struct cache *cache, const char *beginning)
{
    for (size_t i = 0; i < CACHE_BUCKETS; i++)
        for (struct cached_property **at = &cache->buckets[i]; *at;)
            if (strncmp((*at)->key, beginning, strlen(beginning)) == 0)
                drop(cache, at);
            else
                at = &(*at)->next;
}

void cache_clear(struct cache *cache)
{
    drop_all(cache, "");
}

/* ---- reading --------------------------------------------------------------------------------- */

/* An a{sv} of one interface. Returns how many values are others than before. */
static uint64_t read_properties(struct cache *cache, struct wire_reader *reader, const char *path,
                                const char *interface)
{
    char key[2 * NAME_LENGTH_MAX];
    size_t end = wire_read_array(reader, 8);
    uint64_t changes = 0;

    while (reader->at < end && !reader->failed) {
        wire_skip_padding(reader, 8);
        snprintf(key, sizeof(key), "%s %s %s", path, interface, wire_read_string(reader));
        changes += put(cache, key, value_text(reader, "v"));
    }
    return changes;
}

/* An a{sa{sv}} of one object. */
static void read_interfaces(struct cache *cache, struct wire_reader *reader, const char *path)
{
    size_t end = wire_read_array(reader, 8);

    while (reader->at < end && !reader->failed) {
        wire_skip_padding(reader, 8);
        const char *interface = wire_read_string(reader);
        read_properties(cache, reader, path, interface);
    }
}

void cache_load_objects(struct cache *cache, const struct bus_message *answer)
{
    struct wire_reader reader = bus_message_read(answer);
    size_t end = wire_read_array(&reader, 8);

    while (reader.at < end && !reader.failed) {
        wire_skip_padding(&reader, 8);
        const char *path = wire_read_string(&reader);
        read_interfaces(cache, &reader, path);
    }
}

void cache_load_all(struct cache *cache, const char *path, const char *interface,
                    const struct bus_message *answer)
{
    struct wire_reader reader = bus_message_read(answer);

    read_properties(cache, &reader, path, interface);
}

/* ---- signals --------------------------------------------------------------------------------- */

/* Changed values are taken from the signal; names in its second list are
 * invalidated, and kept without a value. */
static void take_changed(struct cache *cache, const struct bus_message *signal)
{
    char key[2 * NAME_LENGTH_MAX];
    struct wire_reader reader = bus_message_read(signal);
    const char *interface = wire_read_string(&reader);

    cache->n_changes += read_properties(cache, &reader, signal->path, interface);
    size_t end = wire_read_array(&reader, 4);
    while (reader.at < end && !reader.failed) {
        snprintf(key, sizeof(key), "%s %s %s", signal->path, interface, wire_read_string(&reader));
        put(cache, key, NULL);
    }
}

/* Drops all properties of the interfaces that the signal names at this
 * object. */
static void take_removed(struct cache *cache, const struct bus_message *signal)
{
    char beginning[2 * NAME_LENGTH_MAX];
    struct wire_reader reader = bus_message_read(signal);
    const char *path = wire_read_string(&reader);
    size_t end = wire_read_array(&reader, 4);

    while (reader.at < end && !reader.failed) {
        snprintf(beginning, sizeof(beginning), "%s %s ", path, wire_read_string(&reader));
        drop_all(cache, beginning);
    }
}

static bool is(const struct bus_message *signal, const char *interface, const char *member,
               const char *signature)
{
    return strcmp(signal->interface, interface) == 0 && strcmp(signal->member, member) == 0 &&
           signal->signature && strcmp(signal->signature, signature) == 0;
}

void cache_apply(struct cache *cache, const struct bus_message *signal)
{
    struct wire_reader reader = bus_message_read(signal);

    if (is(signal, PROPERTIES, "PropertiesChanged", "sa{sv}as"))
        take_changed(cache, signal);
    else if (is(signal, MANAGER, "InterfacesAdded", "oa{sa{sv}}"))
        read_interfaces(cache, &reader, wire_read_string(&reader));
    else if (is(signal, MANAGER, "InterfacesRemoved", "oas"))
        take_removed(cache, signal);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* The key of the object's Id; NULL: there is no such object. */
static const char *key_of_id(const struct cache *cache, const char *interface, const char *id)
{
    char end[NAME_LENGTH_MAX], quoted[NAME_LENGTH_MAX];

    snprintf(end, sizeof(end), " %s Id", interface);
    snprintf(quoted, sizeof(quoted), "\"%s\"", id);
    for (size_t i = 0; i < CACHE_BUCKETS; i++)
        for (const struct cached_property *own = cache->buckets[i]; own; own = own->next) {
            const char *at = strstr(own->key, end);
            if (at && at[strlen(end)] == '\0' && own->value && strcmp(own->value, quoted) == 0)
                return own->key;
        }
    return NULL;
}

/* Finds a property of the object whose "Id" is `id`, without knowing its path,
 * as a person would look. A text is returned without its quotation marks. */
bool cache_find(const struct cache *cache, const char *interface, const char *id, const char *name,
                char *value, size_t size)
{
    char key[2 * NAME_LENGTH_MAX];
    const char *of_id = key_of_id(cache, interface, id);

    if (!of_id)
        return false;
    snprintf(key, sizeof(key), "%.*s %s %s", (int)strcspn(of_id, " "), of_id, interface, name);
    const struct cached_property *property = *find(cache, key);
    if (!property || !property->value)
        return false;
    bool quoted = property->value[0] == '"';
    snprintf(value, size, "%.*s", (int)(strlen(property->value) - (quoted ? 2 : 0)),
             property->value + quoted);
    return true;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool is_told(const char *key)
{
    const char *name = strrchr(key, ' ') + 1;

    for (size_t i = 0; i < sizeof(without_signal) / sizeof(without_signal[0]); i++)
        if (strcmp(without_signal[i], name) == 0)
            return false;
    return true;
}

/* The moment of a deadline is made of two clocks that are not read in the same moment. */
static bool flickers(const struct cached_property *one, const struct cached_property *other)
{
    const char *end = strrchr(one->key, ' ') + 1;
    size_t length = strlen(end);
    uint64_t a = strtoull(one->value, NULL, 10), b = strtoull(other->value, NULL, 10);

    return length > 4 && strcmp(end + length - 4, "USec") == 0 && a != 0 && b != 0 &&
           (a > b ? a - b : b - a) <= FLICKER_USEC;
}

/* Each that is known here must be the same there. */
static bool is_part_of(const struct cache *part, const struct cache *whole, const char *words,
                       char *text, size_t size)
{
    for (size_t i = 0; i < CACHE_BUCKETS; i++)
        for (const struct cached_property *own = part->buckets[i]; own; own = own->next) {
            const struct cached_property *other = *find(whole, own->key);
            if (!is_told(own->key) || (other && (!own->value || !other->value)))
                continue;
            if (other && (strcmp(own->value, other->value) == 0 || flickers(own, other)))
                continue;
            snprintf(text, size, words, own->key, own->value ? own->value : "invalid",
                     other ? other->value : "not there");
            return false;
        }
    return true;
}

bool cache_equals(const struct cache *listened, const struct cache *fresh, char *text, size_t size)
{
    return is_part_of(listened, fresh, "%.150s is %.100s to a client that listens, and now %.100s",
                      text, size) &&
           is_part_of(fresh, listened, "%.150s is now %.100s, and %.100s to a client that listens",
                      text, size);
}
