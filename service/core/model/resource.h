/*
 * Resource: what a child may use as a whole. The names of its limits, and in a journal or a
 * checkpoint those that came after the first ones, and the processors that it may use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct archive;
struct process_spec;

#define RESOURCE_LIMITS 6

/* As in `limits`, of the bit i of enum unenforced. */
const char *resource_name(size_t i);

/* Whether a manifest gave one of them. */
bool resource_is_given(const struct process_spec *spec);

/* Limits of each process, of the child as a whole, and those of these that came later. */
void resource_archive_limits(struct archive *a, struct process_spec *spec);
void resource_archive_whole(struct archive *a, struct process_spec *spec);
void resource_archive_more(struct archive *a, struct process_spec *spec);

void resource_archive_affinity(struct archive *a, struct process_spec *spec);
