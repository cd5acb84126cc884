/*
 * Story steps: what happens in a scenario of the whole daemon, and what must be so, read into
 * moments.
 */
#pragma once

#include "manifest/reader.h"
#include "whole/story.h"

int story_steps_read(struct reader *reader, const struct node *node, void *target);
