/*
 * Cache: what a client knows of proctord's objects when it believes what it is told, as GDBus'
 * proxies do: all properties once, then PropertiesChanged, InterfacesAdded and InterfacesRemoved.
 * When all is quiet, the cache of a client that has listened and a fresh one must be equal.
 */
#pragma once

#include "bus/bus_message.h"

#define CACHE_BUCKETS 512

struct cached_property {
    struct cached_property *next;
    char *key;   /* "PATH INTERFACE NAME" */
    char *value; /* NULL: invalidated */
};

struct cache {
    struct cached_property *buckets[CACHE_BUCKETS];
    uint32_t n_properties;
    uint64_t n_changes; /* values that a signal has changed */
};

void cache_clear(struct cache *cache);
/* The answer to GetManagedObjects. */
void cache_load_objects(struct cache *cache, const struct bus_message *answer);
/* The answer to GetAll. */
void cache_load_all(struct cache *cache, const char *path, const char *interface,
                    const struct bus_message *answer);
void cache_apply(struct cache *cache, const struct bus_message *signal);
/* The value of a property of the object that says by `Id` that it is this one, without quotes.
 * False: it is not known. */
bool cache_find(const struct cache *cache, const char *interface, const char *id, const char *name,
                char *value, size_t size);
/* Returns whether both know the same; else text says where they differ first. Properties without
 * a signal of change are left out. */
bool cache_equals(const struct cache *listened, const struct cache *fresh, char *text, size_t size);
