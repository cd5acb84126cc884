/*
 * Compose files: each service becomes a child that runs its command on this machine.
 *
 * There are no images here: what a service runs has to be installed, and a service that names no
 * command gets a child without a program. Ports, volumes and networks of containers are lost.
 *
 * Facts: the Compose Specification, https://compose-spec.io.
 */
#pragma once

#include "convert/yaml_value.h"

/* services: the mapping of that name. Returns 0, -EINVAL with the error, or -ENOMEM. */
int compose_convert(const struct yaml_file *file, const struct node *services);
