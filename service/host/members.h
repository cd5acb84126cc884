/*
 * Members: the processes in a leaf (cgroup.h) and in what they have made below it, one by one.
 *
 * The kernel lists numbers. Each is held by a handle first, and then it is looked whether it is
 * still in the leaf. Zombies are not listed.
 */
#pragma once

#include "host/cgroup_base.h"
#include "host/crowd.h"

/* All are waited for. */
void members_gather(const struct cgroup_base *base, const char *leaf, struct crowd *crowd);

/* SIGKILL: cgroup.kill passes over a process whose main thread has ended. Returns how many were
 * there. */
size_t members_kill(const struct cgroup_base *base, const char *leaf);
