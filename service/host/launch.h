/*
 * Launch: a start under way, from the plan that was sent to the spawner until the program runs.
 *
 * A launch has a socket whose other end travels with the plan and is closed by the exec: its end
 * says that the program runs, or, together with what was said before, that it never will. A process
 * that dies on the way closes it, too, so that nothing is lost or doubled:
 *
 *     nothing was said          the plan was lost with the spawner: it is sent again
 *     the child exists          it was killed on its way, or has said what failed
 *     it is about to execute    it has executed, or was killed while it did
 *
 * What is read of a launch before its end is only looked at: a program that takes proctord's place
 * finds all of it again (spawner_adopt_launch()).
 */
#pragma once

#include "host/birth.h"
#include "host/plan.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct ends;
struct launch;

/* All that are under way. Its owner sets the last three. */
struct launches {
    sd_event *event;
    struct ends *ends;
    struct launch *first;
    struct launch *spare; /* with its sockets, so that the next start does not wait for them */
    int spare_other;
    void (*over)(void *userdata);                /* one is: there may be room for another */
    void (*wake)(void *userdata, uint64_t usec); /* launches_kill() is to be called then */
    void *userdata;
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

/* Returns 0 or a negative errno; launches_end() is called in both cases. */
int launches_begin(struct launches *launches, sd_event *event);
void launches_end(struct launches *launches);
/* The launch whose child has this PID, or NULL. */
struct launch *launches_find(const struct launches *launches, pid_t pid);
/* Kills the children whose time is over. Returns whether any is to be killed, now or later. */
bool launches_kill(struct launches *launches, uint64_t now);

/* One whose end is said at this socket. done() is called once, later, and the launch is gone then.
 * Returns 0, or a negative errno: then there is no launch, and the socket is the caller's. */
int launch_new(struct launches *launches, int status, launch_done done, void *userdata,
               struct launch **launch);
/* The same, of a socket pair of its own; the other end is the caller's. */
int launch_next(struct launches *launches, launch_done done, void *userdata, struct launch **launch,
                int *other);
/* Makes what launch_next() needs ahead. It may fail: then that is made when it is needed. */
void launches_prepare(struct launches *launches);
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

/* That child has ended. Returns false where that is not known for sure yet, as the spawner still
 * holds the other end of its socket: the launch ends later. */
bool launch_child_exited(struct launch *launch);
