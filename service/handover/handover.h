/*
 * Handover: what a program gives to the one that takes its place in the same process (execve(2)).
 * Its children stay its children and its descriptors stay open; which is which, and what only its
 * memory knew, stands in a memory file that goes over with them. The new program walks through the
 * same archive in the same order. The idea: systemd's daemon-reexec, nginx's upgrade.
 *
 * What is handed over twice, or by a program that had another layout, is not believed: the new
 * program then starts as if the old one had died.
 */
#pragma once

#include "core/model/archive.h"

#define HANDOVER_VERSION 5 /* to be counted on where the walk changes */

struct handover;

/* One to write into. Returns 0 or -ENOMEM. */
int handover_new(struct handover **handover);

/* What this program was given: 1; 0 where it was started in the ordinary way; -EBADMSG, -ENOMEM.
 * What is started later does not inherit it. */
int handover_inherit(struct handover **handover);

void handover_free(struct handover *handover);

/* To be walked through. NULL for a NULL handover. */
struct archive *handover_archive(struct handover *handover);

/* One descriptor, or -1. It stays the caller's; the new program gets it with the same number, and
 * closed by its next exec as all others. */
void handover_descriptor(struct handover *handover, int *fd);

/* Replaces the program. Returns only if that failed, with a negative errno: nothing has changed. */
int handover_execute(struct handover *handover, const char *program, char *const arguments[]);

/* For the new program, if it cannot start with what was handed over: executes it again with the
 * same state, since the error may be transient. Like handover_execute(); -ELOOP after three such
 * retries. */
int handover_repeat(struct handover *handover, const char *program, char *const arguments[]);
