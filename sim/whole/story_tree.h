/*
 * Story tree: the tree of a scenario as a manifest that proctord reads, and as the programs that
 * its children execute: `model` and `left` become an `exec` of a path under /sim.
 */
#pragma once

#include "manifest/reader.h"
#include "whole/story.h"

/* manifest: of STORY_MANIFEST bytes. Programs that are there already keep what they do. Returns 0,
 * -EINVAL with the error filled in, or -ENOMEM. */
int story_tree_read(struct reader *reader, const struct node *node, struct story *story,
                    char *manifest);
/* A list of programs that children execute besides: for checks. */
int story_tree_read_programs(struct reader *reader, const struct node *node, void *target);
