/*
 * Origins: which drop-ins lie over a manifest, and which keys each of them sets, as the files are
 * now. They are read where proctorctl runs; what cannot be read is left to `check`.
 */
#pragma once

#include "ctl/json.h"

/* "# FILE: key, key" for each, as comments of YAML. */
void origins_print(const char *manifest_path);

/* [{"file": FILE, "keys": [...]}] */
void origins_answer(struct json *json, const char *manifest_path);
