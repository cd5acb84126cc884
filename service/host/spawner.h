/*
 * Spawner: a small process that proctord starts first of all, and that makes its children.
 *
 * A start can wait for a disk, a mount or the child's own user for as long as they like. So
 * proctord does not make its children itself: it sends a plan (plan.h) and the descriptors for it
 * to the spawner, which clones a child of proctord's (CLONE_PARENT) that does the rest (birth.h).
 * The spawner has nothing of proctord's memory and none of its descriptors in reach of a child.
 *
 * Nothing waits for an answer: what becomes of a plan, its launch says (launch.h). The spawner says
 * a word when it has done with a plan; where it does not in SPAWNER_PATIENCE_USEC (it may be
 * stopped, or starved) it is killed, and there is another one. Only so many plans are sent before
 * it has done with them.
 */
#pragma once

#include "host/launch.h"
#include "host/plan.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define SPAWNER_PATIENCE_USEC UINT64_C(2000000)

struct spawner;
struct starts;

/* descriptors: the soft limit that children get. Returns 0 or -ENOMEM. */
int spawner_new(sd_event *event, struct starts *starts, uint64_t descriptors,
                struct spawner **spawner);
/* Ends the process, too. */
void spawner_free(struct spawner *spawner);

/* Starts the process where there is none. Returns 0; -EAGAIN where it is too early for another try;
 * a negative errno. */
int spawner_begin(struct spawner *spawner);

/* 0: there is none just now. */
pid_t spawner_pid(const struct spawner *spawner);
/* A child of ours of this PID has ended: true where it was a spawner, which is reaped by this. */
bool spawner_exited(struct spawner *spawner, pid_t pid);
uint64_t spawner_replacements(const struct spawner *spawner);

/* No launch is under way. */
bool spawner_is_idle(const struct spawner *spawner);
/* Whether it makes sense to send one more; else room() is called when it does. */
bool spawner_has_room(struct spawner *spawner);
void spawner_on_room(struct spawner *spawner, void (*room)(void *userdata), void *userdata);

struct launch_descriptors {
    int input, output;
    int cgroup; /* -1: none */
    const int *sockets;
};

/* done() is called once, later, and the launch is gone then. Returns 0, or a negative errno without
 * a launch. The descriptors stay the caller's. */
int spawner_launch(struct spawner *spawner, const struct plan_source *source,
                   const struct launch_descriptors *descriptors, launch_done done, void *userdata,
                   struct launch **launch);
/* One that another program has begun. The descriptor is taken over. */
int spawner_adopt_launch(struct spawner *spawner, int status, launch_done done, void *userdata,
                         struct launch **launch);

/* The launch whose child has this PID, or NULL. */
struct launch *spawner_launch_of_pid(struct spawner *spawner, pid_t pid);
