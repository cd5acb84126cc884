/*
 * What declares: the methods of the Manager by which children come, and are changed.
 */
#pragma once

#include "bus/authorisation.h"
#include "bus/caller.h"
#include "bus/options.h"
#include "manifest/manifest.h"
#include "bus/private.h"

/* AddChild. Answers the call, or returns the refusal; the other methods here do
 * the same. */
int method_add_child(sd_bus_message *m, void *userdata, sd_bus_error *error);
int method_plan_add_child(sd_bus_message *m, void *userdata, sd_bus_error *error);
int method_replace_child(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* Reads `s manifest, s reason, a{sv} options`. Returns 1, or 2 where a key has answered the call
 * already, or what is to be returned. */
int declare_read_manifest(struct service *service, sd_bus_message *m,
                          const struct permission *permission, struct manifest **manifest,
                          const struct caller **caller, struct options *options,
                          const char **reason, sd_bus_error *error);

/* Answers what the core, or the reader, has refused. */
int declare_refuse(struct service *service, const struct caller *caller,
                   const struct manifest *manifest, const struct tree_declaration *tree, int r,
                   const struct declaration_problem *problem, sd_bus_error *error);
/* A manifest with an error: the message names line and column, and the refusal
 * is on record. */
int declare_refuse_manifest(struct service *service, const struct caller *caller,
                            const struct manifest_error *why, sd_bus_error *error);
