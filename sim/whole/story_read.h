/*
 * Story read: a scenario of the whole daemon, in YAML, in the language of docs/simulator.md: the
 * key `daemon` names it where others have `scenario`.
 */
#pragma once

#include "manifest/arena.h"
#include "manifest/manifest.h"
#include "whole/story.h"

/* What is read lives in the arena. Returns 0, -EINVAL with the error filled in, or -ENOMEM. */
int story_parse(const char *text, const char *path, struct arena *arena, struct story *story,
                struct manifest_error *error);
/* The same from a file; says what is wrong on stderr. */
int story_read(const char *path, struct arena *arena, struct story *story);
/* Whether the file is one of these: it has the key. */
bool story_is_in(const char *path);
