/*
 * Reopening: the next proctord begins a tree again that was shut down, or was about to be when the
 * one before died (docs/durability.md). A polite end is no more the end of history than a death is:
 * what was held stays held, what was counted stays counted, and what waited waits on.
 *
 * No child starts in the middle of it: each start is a timer that is due, so that the manifests can
 * be compared first.
 */
#pragma once

struct core;

void reopen_tree(struct core *core);
