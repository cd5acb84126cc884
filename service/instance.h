/*
 * Instance: the folders of one proctord and the lock that keeps a second one out of them.
 */
#pragma once

#include "core/vocabulary/error.h"

/* Locks a folder; what: "state" or "runtime". Returns the descriptor that holds the lock, -EAGAIN
 * when another proctord has it, or another negative errno; the error names the folder. */
int instance_lock(const char *directory, const char *what, struct error *error);

/* In a state folder that is locked: moves aside what stands in the place of one of its files and
 * is something else (aside.h), and says so. Returns 0 or a negative errno. */
int instance_clear_state(const char *directory, void (*moved)(const char *path));

/* A short name that is the same for the same state folder. */
void instance_name(const char *state_directory, char name[16]);
