/*
 * GetManagedObjects, in steps. What is added, removed or changed while it is
 * being made is noted, and signalled to the caller again after the reply: a
 * client that caches sees every change again, behind the picture that it
 * changes.
 */
#include "bus/path.h"
#include "bus/objects.h"

#include "bus/bulk.h"
#include "bus/cursor.h"
#include "core/vocabulary/invariant.h"
#include "bus/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NEWS_MAX 65536 /* during one answer */

struct news {
    char *path;
    enum object_news what;
};

/* One answer in the making: supervisors, then children, then jobs. */
struct objects {
    char **supervisors; /* their objects, ended by NULL */
    size_t next_supervisor;
    struct cursor children;
    char **jobs;
    size_t next_job;
    struct news *news; /* since it began */
    size_t n_news, room;
    bool lost; /* more news than there is room for */
};

/* ---- one object ------------------------------------------------------------------------------ */

void objects_serve(struct service *service, enum object_class class, const struct object_kind *kind)
{
    INVARIANT(kind->vtable && kind->find);
    service->object_kinds[class] = kind;
}

static const struct object_kind *kind_of(const struct service *service, const char *path)
{
    for (size_t i = 0; i < OBJECT_CLASSES; i++) {
        const struct object_kind *kind = service->object_kinds[i];
        if (strncmp(path, kind->prefix, strlen(kind->prefix)) == 0)
            return kind;
    }
    return NULL;
}

static bool is_property(const sd_bus_vtable *entry)
{
    return entry->type == _SD_BUS_VTABLE_PROPERTY ||
           entry->type == _SD_BUS_VTABLE_WRITABLE_PROPERTY;
}

/* With the getter of the vtable, so that the value is the same as from Get. */
static int append_property(sd_bus_message *m, const char *path, const struct object_kind *kind,
                           const sd_bus_vtable *entry, struct object *object)
{
    int r = append_open(m, 'e', "sv");

    if (r >= 0)
        r = append_word(m, entry->x.property.member);
    if (r >= 0)
        r = append_open(m, 'v', entry->x.property.signature);
    if (r >= 0)
        r = entry->x.property.get(sd_bus_message_get_bus(m), path, kind->interface,
                                  entry->x.property.member, m, object, NULL);
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

bool object_property_is_long(const char *name)
{
    return strcmp(name, "Manifest") == 0 || strcmp(name, "Output") == 0;
}

/* With a flag: only those that have it. */
static int append_properties(sd_bus_message *m, const char *path, const struct object_kind *kind,
                             struct object *object, uint64_t flag)
{
    const sd_bus_vtable *entry = kind->vtable();
    int r = append_open(m, 'a', "{sv}");

    for (; r >= 0 && entry->type != _SD_BUS_VTABLE_END; entry++)
        if (is_property(entry) && !object_property_is_long(entry->x.property.member) &&
            (entry->flags & flag) == flag)
            r = append_property(m, path, kind, entry, object);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* As sd-bus has them: those that each object has come first. */
static int append_interfaces(sd_bus_message *m, const char *path, const struct object_kind *kind,
                             struct object *object)
{
    int r = append_open(m, 'a', "{sa{sv}}");

    if (r >= 0)
        r = append_values(m, "{sa{sv}}{sa{sv}}{sa{sv}}", "org.freedesktop.DBus.Peer", 0,
                          "org.freedesktop.DBus.Introspectable", 0,
                          "org.freedesktop.DBus.Properties", 0);
    if (r >= 0)
        r = append_open(m, 'e', "sa{sv}");
    if (r >= 0)
        r = append_values(m, "s", kind->interface);
    if (r >= 0)
        r = append_properties(m, path, kind, object, 0);
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_object(sd_bus_message *m, const char *path, const struct object_kind *kind,
                         struct object *object)
{
    int r = append_open(m, 'e', "oa{sa{sv}}");

    if (r >= 0)
        r = append_values(m, "o", path);
    if (r >= 0)
        r = append_interfaces(m, path, kind, object);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int paths_of(struct service *service, enum object_class class, char ***paths)
{
    const struct object_kind *kind = service->object_kinds[class];
    return kind->enumerate(service->bus, kind->prefix, service, paths, NULL);
}

static int begin(struct service *service, sd_bus_message *m, void *data)
{
    struct objects *objects = data;
    int r = paths_of(service, OBJECT_SUPERVISORS, &objects->supervisors);

    if (r >= 0)
        r = cursor_begin(&objects->children, service->core);
    if (r >= 0)
        r = paths_of(service, OBJECT_JOBS, &objects->jobs);
    return r < 0 ? r : append_open(m, 'a', "{oa{sa{sv}}}");
}

/* One that has gone since is left out. */
static int append_by_path(struct service *service, sd_bus_message *m, const char *path,
                          enum object_class class)
{
    const struct object_kind *kind = service->object_kinds[class];
    void *object = NULL;
    int r = kind->find(service->bus, path, kind->interface, service, &object, NULL);

    return r > 0 ? append_object(m, path, kind, object) : r;
}

static int append_child(struct service *service, sd_bus_message *m, struct child *child)
{
    struct object object = {.service = service, .child = child};
    char *path = path_of_child(child->id);
    int r =
        path ? append_object(m, path, service->object_kinds[OBJECT_CHILDREN], &object) : -ENOMEM;

    free(path);
    return r;
}

/* Supervisors, then children, then jobs. */
static int step(struct service *service, sd_bus_message *m, void *data)
{
    struct objects *objects = data;
    const char *path = objects->supervisors[objects->next_supervisor];
    int r;

    if (path) {
        objects->next_supervisor++;
        r = append_by_path(service, m, path, OBJECT_SUPERVISORS);
        return r < 0 ? r : 1;
    }
    struct child *child = cursor_next(&objects->children, service->core);
    if (child) {
        r = append_child(service, m, child);
        return r < 0 ? r : 1;
    }
    path = objects->jobs[objects->next_job];
    if (!path)
        return 0;
    objects->next_job++;
    r = append_by_path(service, m, path, OBJECT_JOBS);
    return r < 0 ? r : 1;
}

static int end(struct service *service, sd_bus_message *m, void *data)
{
    const struct objects *objects = data;

    (void)service;
    return objects->lost ? -EAGAIN : sd_bus_message_close_container(m);
}

static void free_paths(char **paths)
{
    for (char **path = paths; path && *path; path++)
        free(*path);
    free(paths);
}

/* Also if the caller has gone. */
static void objects_release(void *data)
{
    struct objects *objects = data;

    free_paths(objects->supervisors);
    free_paths(objects->jobs);
    cursor_end(&objects->children);
    for (size_t i = 0; i < objects->n_news; i++)
        free(objects->news[i].path);
    free(objects->news);
    free(objects);
}

/* ---- what has happened meanwhile ------------------------------------------------------------- */

/* Bounded: if there is too much news, the caller gets an error and asks
 * again. */
static void note(void *userdata, void *data)
{
    const struct news *news = userdata;
    struct objects *objects = data;
    const struct news *last = objects->n_news > 0 ? &objects->news[objects->n_news - 1] : NULL;

    if (last && last->what == news->what && strcmp(last->path, news->path) == 0)
        return;
    if (objects->n_news == objects->room && objects->room < NEWS_MAX) {
        size_t room = objects->room > 0 ? objects->room * 2 : 64;
        struct news *larger = realloc(objects->news, room * sizeof(*larger));
        if (larger) {
            objects->news = larger;
            objects->room = room;
        }
    }
    char *path = objects->n_news < objects->room ? strdup(news->path) : NULL;
    if (!path)
        objects->lost = true;
    else
        objects->news[objects->n_news++] = (struct news){.path = path, .what = news->what};
}

static int append_invalidated(sd_bus_message *m, const struct object_kind *kind)
{
    const sd_bus_vtable *entry = kind->vtable();
    int r = append_open(m, 'a', "s");

    for (; r >= 0 && entry->type != _SD_BUS_VTABLE_END; entry++)
        if (is_property(entry) && entry->flags & SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION)
            r = append_values(m, "s", entry->x.property.member);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_changes(sd_bus_message *m, const char *path, const struct object_kind *kind,
                          struct object *object)
{
    int r = append_values(m, "s", kind->interface);

    if (r >= 0)
        r = append_properties(m, path, kind, object, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE);
    return r < 0 ? r : append_invalidated(m, kind);
}

static int append_gone(sd_bus_message *m, const char *path, const struct object_kind *kind)
{
    return append_values(m, "oas", path, 4, "org.freedesktop.DBus.Peer",
                         "org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Properties",
                         kind->interface);
}

/* The signal that everybody has had, as things are now. Nothing where something came after it. */
static int make_signal(struct service *service, const struct news *news, sd_bus_message **signal)
{
    static const char *const names[] = {
        [OBJECT_ADDED] = "InterfacesAdded",
        [OBJECT_REMOVED] = "InterfacesRemoved",
        [OBJECT_CHANGED] = "PropertiesChanged",
    };
    const struct object_kind *kind = kind_of(service, news->path);
    bool change = news->what == OBJECT_CHANGED, removal = news->what == OBJECT_REMOVED;
    void *object = NULL;
    int r =
        kind ? kind->find(service->bus, news->path, kind->interface, service, &object, NULL) : 0;

    if (r < 0 || !kind || removal == (object != NULL))
        return -ENOENT;
    r = sd_bus_message_new_signal(service->bus, signal, change ? news->path : PROCTOR_PATH,
                                  change ? "org.freedesktop.DBus.Properties"
                                         : "org.freedesktop.DBus.ObjectManager",
                                  names[news->what]);
    if (r < 0)
        return r;
    if (change)
        return append_changes(*signal, news->path, kind, object);
    if (removal)
        return append_gone(*signal, news->path, kind);
    r = append_values(*signal, "o", news->path);
    return r < 0 ? r : append_interfaces(*signal, news->path, kind, object);
}

static void sent(struct service *service, sd_bus_message *call, void *data)
{
    const struct objects *objects = data;

    for (size_t i = 0; i < objects->n_news; i++) {
        __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *signal = NULL;
        if (make_signal(service, &objects->news[i], &signal) >= 0)
            sd_bus_send_to(service->bus, signal, sd_bus_message_get_sender(call), NULL);
    }
}

void object_announce(struct service *service, const char *path)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *signal = NULL;

    if (make_signal(service, &(struct news){(char *)(uintptr_t)path, OBJECT_ADDED}, &signal) >= 0)
        sd_bus_send(service->bus, signal, NULL);
    objects_tell(service, path, OBJECT_ADDED);
}

/* ---- the call -------------------------------------------------------------------------------- */

static const struct bulk_maker maker = {
    .begin = begin, .step = step, .end = end, .sent = sent, .release = objects_release};

void objects_tell(struct service *service, const char *path, enum object_news news)
{
    struct news one = {.path = (char *)(uintptr_t)path, .what = news};

    bulks_visit(service->bulks, &maker, note, &one);
}

/* sd-bus would answer this itself, in one go. */
static int call_came(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    const char *path = sd_bus_message_get_path(m);

    if (!service->core || !path || strcmp(path, PROCTOR_PATH) != 0 ||
        !sd_bus_message_is_method_call(m, "org.freedesktop.DBus.ObjectManager",
                                       "GetManagedObjects") ||
        !sd_bus_message_has_signature(m, ""))
        return 0;
    struct objects *objects = calloc(1, sizeof(*objects));
    return objects ? bulk_answer(service, m, &maker, objects, error) : -ENOMEM;
}

int objects_watch(struct service *service, sd_bus *bus)
{
    return sd_bus_add_filter(bus, NULL, call_came, service);
}
