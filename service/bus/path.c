#include "private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Each segment is escaped as sd_bus_path_encode(3) does. NULL: out of memory. */
char *path_of_child(const char *id)
{
    char *path = strdup(PROCTOR_CHILDREN);

    while (path && *id) {
        char segment[CHILD_SEGMENT_MAX + 1], *longer = NULL;
        size_t length = strcspn(id, "/");
        memcpy(segment, id, length);
        segment[length] = '\0';
        if (sd_bus_path_encode(path, segment, &longer) < 0)
            longer = NULL;
        free(path);
        path = longer;
        id += length + (id[length] == '/');
    }
    return path;
}

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

struct child *child_of_path(const struct service *service, const char *path)
{
    char id[CHILD_ID_MAX + 1] = "";
    size_t prefix = strlen(PROCTOR_CHILDREN);

    if (strncmp(path, PROCTOR_CHILDREN "/", prefix + 1) != 0)
        return NULL;
    for (const char *label = path + prefix; *label == '/';) {
        size_t length = strcspn(++label, "/");
        if (!append_segment(id, label, length))
            return NULL;
        label += length;
    }
    return core_find(service->core, id);
}

int child_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
               sd_bus_error *error)
{
    (void)bus;
    (void)interface;
    (void)error;
    *found = child_of_path(userdata, path);
    return *found ? 1 : 0;
}

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
