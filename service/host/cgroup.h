/*
 * Control groups: one leaf for each child, used by one attempt after the other. It is empty
 * whenever an attempt begins (an attempt is over only then), so that a process in it belongs to the
 * present attempt, and to no other. It stays over a restart: making one costs a tenth of a start.
 * Only where it was emptied by cgroup.kill it goes: on newer kernels (seen on 6.18) a process
 * cloned into a cgroup that was killed once is killed at birth.
 *
 * An attempt whose leftovers are to be kept has a leaf of its own, with a mark that no other ever
 * has: what it leaves stays in there, and no attempt after it, nor the end of proctord, touches it.
 * Health checks run in leaves below that of the attempt, one for each.
 *
 * The leaves are below `BASE`, a folder of this instance in the cgroup that proctord itself was
 * started in (cgroup v2; on a hybrid machine the v2 part). Where none is writable there is no
 * base: children are then kept together by their process group and the subreaper. See cgroups(7).
 */
#pragma once

#include "host/cgroup_base.h"
#include "core/core.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Finds and makes the base. instance tells instances of proctord apart. Leaves that a dead
 * instance left are killed and removed first, unless they are to be kept. Returns 0, or a negative
 * errno and a base with fd -1.
 */
int cgroup_base_open(struct cgroup_base *base, const char *instance, bool keep);

/* Kills and removes the leaves that are not used, except marked ones. */
void cgroup_base_tidy(const struct cgroup_base *base,
                      bool (*is_used)(void *userdata, const struct attempt_id *id), void *userdata);

/* Kills and removes whatever is left, but for marked leaves, and the base itself; with keep, only
 * what is empty. */
void cgroup_base_close(struct cgroup_base *base, bool keep);

/* The leaf's name for a child: readable, and slot, serial and mark can be parsed back from it.
 * mark: 0, or a number that no other attempt has. */
void cgroup_leaf_name(const char *child_id, struct attempt_id id, uint64_t mark,
                      char name[CGROUP_LEAF_MAX]);

/* That of a health check, below it. */
void cgroup_check_name(const char *leaf, uint32_t check, char name[CGROUP_LEAF_MAX]);

/* Kills and removes the leaves of health checks below a leaf: the processes that asked have
 * gone. */
void cgroup_checks_sweep(const struct cgroup_base *base, const char *leaf);

/* Removes the marked leaves that are empty. */
void cgroup_marked_tidy(const struct cgroup_base *base);

/* Makes the leaf; returns its descriptor (the caller closes it) or a negative errno. */
int cgroup_leaf_make(const struct cgroup_base *base, const char *name);

/* Those that a spec asks for. */
unsigned cgroup_limits_of(const struct process_spec *spec);

/*
 * Puts the limits of a spec on a leaf, and asks for the controllers that this needs: the kernel has
 * them only if the owner of the cgroup above has delegated them (Delegate=yes of systemd), and only
 * below a cgroup without processes: proctord moves into a leaf of its own for that. Returns those
 * that could not be set.
 */
unsigned cgroup_leaf_limit(struct cgroup_base *base, int leaf, const struct process_spec *spec);

/* Whether no process is in it, or below it. */
bool cgroup_leaf_empty(const struct cgroup_base *base, const char *name);
/* The same; the descriptor that it was read from is the caller's to close, -1: there is none. */
bool cgroup_leaf_look(const struct cgroup_base *base, const char *name, int *fd);

/* Removes an empty leaf and what its processes made below it. -EBUSY: there are processes. */
int cgroup_leaf_remove(const struct cgroup_base *base, const char *name);

/* SIGKILL to all processes in it, at once where the kernel can (cgroup.kill). */
int cgroup_leaf_kill(const struct cgroup_base *base, const char *name);

/* Undoes cgroup.freeze, also of the first few hundred cgroups that its processes made below it. */
void cgroup_leaf_thaw(const struct cgroup_base *base, const char *name);

/* Descriptor that polls EPOLLPRI when the leaf's population changes, or a negative errno. */
int cgroup_leaf_watch(const struct cgroup_base *base, const char *name);

/* How often the kernel's OOM killer has struck in it (0 where it cannot be known). */
uint64_t cgroup_leaf_oom_kills(const struct cgroup_base *base, const char *name);

/* CPU time, or with memory, 0 where the kernel keeps no account. */
uint64_t cgroup_leaf_cpu(const struct cgroup_base *base, const char *name);
void cgroup_leaf_usage(const struct cgroup_base *base, const char *name, uint64_t *cpu_nsec,
                       uint64_t *memory_bytes);

/* The child (slot and serial) in whose leaf a process is, and the leaf's mark. Returns 0, -ENOENT
 * where it is in none, -ESRCH. */
int cgroup_child_of(const struct cgroup_base *base, pid_t pid, struct attempt_id *id,
                    uint64_t *mark);
