/*
 * Own process: this program, started a second time beside us for one purpose, with an option that
 * names it. It gets nothing of ours: /dev/null at 0, 1 and 2, the descriptors that are named from 3
 * on, every signal blocked, a session of its own, and of the environment what the dynamic linker
 * and sanitizers need.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define OWN_DESCRIPTORS_MAX 2 /* what is handed to it must have higher numbers than it gets */
#define OWN_DESCRIPTOR_MIN  (3 + OWN_DESCRIPTORS_MAX)

/* argument: behind the option. Returns 0 or a negative errno. */
int own_process_begin(const char *option, const char *argument, const int *descriptors, size_t n,
                      pid_t *pid);

/* A pair of SOCK_SEQPACKET sockets with numbers that may be handed to it. Returns 0 or a negative
 * errno, and then those that are open are the caller's to close; others are -1. */
int own_process_sockets(int ends[2]);
