/*
 * Spawner: a small process that proctord starts first of all, and that makes its children.
 *
 * A start can wait for a disk, a mount or the child's own user for as long as they like. So
 * proctord does not make its children itself: it sends a plan (plan.h) and the descriptors for it
 * to the spawner, which clones a child of proctord's (CLONE_PARENT) that does the rest (birth.h).
 * The spawner has nothing of proctord's memory and none of its descriptors in reach of a child.
 *
 * A start under way is a launch. It has a socket whose other end travels with the plan and is
 * closed by the exec: its end says that the program runs, or, together with what was said before,
 * that it never will. A process that dies on the way closes it, too, so that nothing is lost or
 * doubled:
 *
 *     nothing was said          the plan was lost with the spawner: it is sent again
 *     the child exists          it was killed on its way, or has said what failed
 *     it is about to execute    it has executed, or was killed while it did
 *
 * Nothing waits for an answer. The spawner says a word when it has done with a plan; where it does
 * not in SPAWNER_PATIENCE_USEC (it may be stopped, or starved) it is killed, and there is another
 * one. Only so many plans are sent before it has done with them.
 *
 * What is read of a launch before its end is only looked at: a program that takes proctord's place
 * finds all of it again (launch_adopt()).
 */
#pragma once

#include "birth.h"
#include "plan.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define SPAWNER_PATIENCE_USEC UINT64_C(2000000)

struct launch;
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

struct launch_outcome {
    int error;  /* negative errno; 0: the program runs */
    bool again; /* it never came to the spawner, or not through it */
    enum plan_step step;
    const char *text; /* "" or more than the errno says */
    unsigned line;    /* of the environment file, or 0 */
    pid_t pid;
    int pidfd;        /* the callee's; -1: it could not be opened just now */
    dev_t log_device; /* of the disk with the log that the child has opened; 0: none */
};

/* Whether it came to nothing for want of something that is not the program's: of proctord's, or of
 * its user's, where others of that user have all the processes that it may have (RLIMIT_NPROC). */
bool launch_lacks_something(const struct launch_outcome *outcome);

typedef void (*launch_done)(void *userdata, const struct launch_outcome *outcome);

/* done() is called once, later, and the launch is gone then. Returns 0, or a negative errno without
 * a launch. The descriptors stay the caller's. */
int launch_begin(struct spawner *spawner, const struct plan_source *source,
                 const struct launch_descriptors *descriptors, launch_done done, void *userdata,
                 struct launch **launch);
/* One that another program has begun. The descriptor is taken over. */
int launch_adopt(struct spawner *spawner, int status, launch_done done, void *userdata,
                 struct launch **launch);
int launch_descriptor(const struct launch *launch);

/* It is wanted no more: where it has not come to its program it ends. */
void launch_forget(struct launch *launch);

/* Looks whether it has ended by now; then done() has been called. */
bool launch_look(struct launch *launch);
/* The child has been seen to run its program; only the spawner still holds the socket. */
void launch_has_executed(struct launch *launch);
/* 0: it is not known, or does not exist yet. */
pid_t launch_pid(struct launch *launch);
uint64_t launch_begun_usec(const struct launch *launch);
/* Kills the child on its way, as soon as it exists. */
void launch_kill(struct launch *launch);
/* The same in a second, where it has not come to its program by then. */
void launch_kill_later(struct launch *launch);

/* The launch whose child has this PID, or NULL. */
struct launch *launch_of_pid(struct spawner *spawner, pid_t pid);
/* That child has ended. Returns false where that is not known for sure yet, as the spawner still
 * holds the other end of its socket: the launch ends later. */
bool launch_child_exited(struct launch *launch);
