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

char *path_of_child(const char *id);
struct child *child_of_path(const struct service *service, const char *path);
int child_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
               sd_bus_error *error);
int child_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                    sd_bus_error *error);

char *path_of_supervisor(const char *path);
int supervisor_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                    void **found, sd_bus_error *error);
int supervisor_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                         sd_bus_error *error);
