/*
 * Layers of Pebble: its services become children, its checks their health checks.
 *
 * Facts: https://documentation.ubuntu.com/pebble, "Layer specification".
 */
#pragma once

#include "convert/yaml_value.h"

/* Whether a YAML file is a layer: its services say `override`, or it has checks. */
bool pebble_is(const struct node *root);

/* Returns 0, -EINVAL with the error, or -ENOMEM. */
int pebble_convert(const struct yaml_file *file, const struct node *root);
