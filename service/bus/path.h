/*
 * Paths: the object path of a child or supervisor, and which one is meant by a path.
 *
 * Each segment of an id is encoded for itself, so that the objects form the same tree as the ids.
 * A path that is not in the one form that we write is nobody's: two paths of one child would be two
 * objects to a client that caches.
 */
#pragma once

#include <systemd/sd-bus.h>

struct child;
struct service;

/* The caller frees it; NULL without memory. */
char *path_of_child(const char *id);
/* NULL if no child has this path. */
struct child *child_of_path(const struct service *service, const char *path);
/* For sd-bus: 1 and the object behind the path, or 0. */
int child_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
               sd_bus_error *error);
/* For sd-bus: the paths of all children, or an error: a part of them would look
 * complete. */
int child_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                    sd_bus_error *error);

/* The same for supervisors, by their paths in the tree. */
char *path_of_supervisor(const char *path);
int supervisor_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                    void **found, sd_bus_error *error);
int supervisor_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                         sd_bus_error *error);
