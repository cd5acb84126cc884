/*
 * Object paths: an id with each segment escaped as sd-bus does it.
 */
#include "bus/path.h"

#include "core/model/members.h"
#include "bus/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One segment as sd_bus_path_encode(3) writes it, which takes ten times as long. Returns where it
 * ends. */
static char *write_segment(char *at, const char *segment, size_t length)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)segment[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter || (i > 0 && c >= '0' && c <= '9')) {
            *at++ = (char)c;
        } else {
            *at++ = '_';
            *at++ = digits[c >> 4];
            *at++ = digits[c & 15];
        }
    }
    return at;
}

/* NULL: out of memory. */
static char *path_below(const char *prefix, const char *id)
{
    char *path = malloc(strlen(prefix) + 3 * strlen(id) + 2), *at = path;

    if (!path)
        return NULL;
    at = stpcpy(at, prefix);
    while (*id) {
        size_t length = strcspn(id, "/");
        *at++ = '/';
        at = write_segment(at, id, length);
        id += length + (id[length] == '/');
    }
    *at = '\0';
    return path;
}

char *path_of_child(const char *id)
{
    return path_below(PROCTOR_CHILDREN, id);
}

char *path_of_supervisor(const char *path)
{
    return path_below(PROCTOR_ROOT, path);
}

/* Bounded at every step: the path comes from a client. */
static bool append_segment(char *id, const char *label, size_t length)
{
    char path[3 * CHILD_SEGMENT_MAX + 8], *segment = NULL;

    if (length == 0 || length > 3 * CHILD_SEGMENT_MAX)
        return false;
    memcpy(path, "/x/", 3);
    memcpy(path + 3, label, length);
    path[3 + length] = '\0';
    if (sd_bus_path_decode(path, "/x", &segment) <= 0)
        return false;
    bool fits = strlen(id) + strlen(segment) + 1 <= CHILD_ID_MAX;
    if (fits) {
        if (*id)
            strcat(id, "/");
        strcat(id, segment);
    }
    free(segment);
    return fits;
}

/* Each object has one path: what decodes to the same id, as "below_2fweb" to "below/web", names
 * nothing. */
static bool is_the_path(const char *path, const char *prefix, const char *id)
{
    char *own = path_below(prefix, id);
    bool same = own && strcmp(own, path) == 0;

    free(own);
    return same;
}

/* The id that a path names below a prefix; false for a path that names none. */
static bool id_of_path(const char *path, const char *prefix, char id[CHILD_ID_MAX + 1])
{
    size_t length = strlen(prefix);

    id[0] = '\0';
    if (strncmp(path, prefix, length) != 0)
        return false;
    for (const char *label = path + length; *label == '/';) {
        size_t size = strcspn(++label, "/");
        if (!append_segment(id, label, size))
            return false;
        label += size;
    }
    return is_the_path(path, prefix, id);
}

struct child *child_of_path(const struct service *service, const char *path)
{
    char id[CHILD_ID_MAX + 1];

    if (!id_of_path(path, PROCTOR_CHILDREN, id) || !id[0])
        return NULL;
    return core_find(service->core, id);
}

/* The root is below its own path. */
int supervisor_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                    void **found, sd_bus_error *error)
{
    struct service *service = userdata;
    struct object *object = &service->found[OBJECT_SUPERVISORS];
    char name[CHILD_ID_MAX + 1];

    (void)bus;
    (void)interface;
    (void)error;
    *object = (struct object){.service = service};
    if (id_of_path(path, PROCTOR_ROOT, name))
        object->supervisor = core_find_supervisor(service->core, name);
    *found = object->supervisor ? object : NULL;
    return *found ? 1 : 0;
}

/* For introspection. */
int supervisor_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                         sd_bus_error *error)
{
    const struct service *service = userdata;
    char **list = calloc(SUPERVISORS_MAX + 2, sizeof(*list));
    size_t n = 0;

    (void)bus;
    (void)prefix;
    (void)error;
    for (const struct supervisor *s = core_first_supervisor(service->core); list && s;
         s = core_next_supervisor(s)) {
        list[n] = path_of_supervisor(s->path);
        if (!list[n++]) {
            while (n > 0)
                free(list[--n]);
            free(list);
            list = NULL;
        }
    }
    *nodes = list;
    return list ? 0 : -ENOMEM;
}

/* By its path. */
int child_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
               sd_bus_error *error)
{
    struct service *service = userdata;
    struct object *object = &service->found[OBJECT_CHILDREN];

    (void)bus;
    (void)interface;
    (void)error;
    *object = (struct object){.service = service, .child = child_of_path(service, path)};
    *found = object->child ? object : NULL;
    return *found ? 1 : 0;
}

/* All of them, or an error: a part would look complete. */
int child_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                    sd_bus_error *error)
{
    const struct service *service = userdata;
    char **list = calloc(core_count(service->core) + 1, sizeof(*list));
    size_t n = 0;

    (void)bus;
    (void)prefix;
    (void)error;
    if (!list)
        return -ENOMEM;
    for (struct child *child = core_first(service->core); child; child = core_next(child)) {
        list[n] = path_of_child(child->id);
        if (!list[n]) {
            while (n > 0)
                free(list[--n]);
            free(list);
            return -ENOMEM;
        }
        n++;
    }
    *nodes = list;
    return 0;
}
