/*
 * Process: what simulated processes do, by their programs (model.h): they are born, say things,
 * hear what they are told, or do not, leave others behind, and end.
 */
#pragma once

#include "world/world.h"

/* The one setter of its state. */
void process_become(struct process *process, enum process_state state);

/* Begins the process of this attempt, or lets its start fail. */
void process_start(struct world *world, struct actor *actor, struct attempt_id id);
void process_proceed(struct world *world, struct actor *actor, struct process *process);
void process_beat(struct world *world, struct actor *actor, struct process *process);
void process_end(struct world *world, struct actor *actor, struct process *process, bool dies);
void process_power_off(struct world *world); /* none is there any more, and that is not reported */

/* For scenarios: a process of a child that waits for this name continues. False: none waits. */
bool world_fire(struct world *world, const char *name);
/* The main process of the active attempt ends now. False: there is none. */
bool world_end_process(struct world *world, struct actor *actor, struct completion completion);
void world_release_reports(struct world *world, struct actor *actor);
unsigned world_processes(const struct actor *actor); /* alive, by the executor's count */
struct process *world_process(struct actor *actor, uint64_t attempt);

/* It ends after so long; dies: its main process does. */
void process_queue_end(struct world *world, struct actor *actor, const struct process *process,
                       bool dies, uint64_t delay);
/* The process hears the request to stop, and does what its traits say. */
void process_obey_cancel(struct world *world, struct actor *actor, struct process *process);
/* The process is killed, at once or as late as its traits say. */
void process_obey_abort(struct world *world, struct actor *actor, struct process *process);
void process_run_reload(struct world *world, struct actor *actor, const struct process *process);
void process_take_reload(struct world *world, struct actor *actor, struct process *process);
