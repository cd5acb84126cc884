/*
 * Objects: GetManagedObjects, all objects with all their properties.
 *
 * sd-bus can answer it by itself, but at one go, whatever it takes, and whatever comes of a message
 * that the bus does not take. So the call is answered here (bulk.h), with the same contents, before
 * sd-bus sees it.
 *
 * A client watches the signals and asks once for what is there. While its answer is made, things
 * change: what has changed, come or gone is signalled to all clients as always, and again to that
 * client alone, right behind its answer. So it ends up with what is true in any case.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

struct service;
struct supervisor;
struct child;
struct job;

enum object_class { OBJECT_SUPERVISORS, OBJECT_CHILDREN, OBJECT_JOBS, OBJECT_CLASSES };

/*
 * What sd-bus hands a handler: it has one pointer for it, and a handler needs two things. A service
 * has one of these for each class, which find() fills in right before the handler is called: a
 * handler takes out what it needs first, as it is filled in again as soon as anything is emitted.
 */
struct object {
    struct service *service;
    union {
        struct supervisor *supervisor;
        struct child *child;
        struct job *job;
    };
};

/* What the objects of one interface have in common; each interface says it of its own. */
struct object_kind {
    const char *prefix, *interface;
    const sd_bus_vtable *(*vtable)(void);
    sd_bus_object_find_t find;
    sd_bus_node_enumerator_t enumerate;
};

void objects_serve(struct service *service, enum object_class class,
                   const struct object_kind *kind);

/* Whether a property may be long (a manifest, a job's output): it is given for one object at a
 * time, by Get and GetAll, and is in no answer about all of them, nor in InterfacesAdded. */
bool object_property_is_long(const char *name);

/* InterfacesAdded. */
void object_announce(struct service *service, const char *path);

/* To be called before other filters are added: the last one is asked first. */
int objects_watch(struct service *service, sd_bus *bus);

/* Something about an object goes out to everybody: it has come, has gone, or has changed. */
enum object_news { OBJECT_ADDED, OBJECT_REMOVED, OBJECT_CHANGED };
void objects_tell(struct service *service, const char *path, enum object_news news);
