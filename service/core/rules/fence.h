/*
 * Fence: the target of a restart starts only after the completion report of the old attempt
 * (semantics.md, Restart). The record carries one pending restart at most; everything else that
 * wants a restart meanwhile joins it.
 */
#pragma once

#include <stdint.h>

struct child;
struct core;

/* Puts a restart behind the fence that has no attempt of its own to wait for, only its siblings'.
 */
void fence_ready(struct core *core, struct child *child, uint64_t cause, const char *command);
void fence_withdraw(struct core *core, struct child *child, uint64_t cause, const char *command);
