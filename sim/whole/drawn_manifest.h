/*
 * Drawn manifest: the children of a story that is drawn: what their programs do, which keys their
 * manifests have, and how the same children are declared another time, for a reload.
 */
#pragma once

#include "whole/story.h"

/* Fills the manifest, the changed one and the actors of a story that has none. */
void drawn_manifest(struct schedule *schedule, struct story *story);
