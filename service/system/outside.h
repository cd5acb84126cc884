/*
 * Outside: calls on paths of others, made by a process that can be left behind.
 *
 * A path that a person wrote may lead to a mount that does not answer. A process that walks it then
 * hangs in the kernel where no signal ends it; a thread that hangs there keeps a killed proctord as
 * a zombie, with its locks, its name on the bus and its sockets, and the next one does not come up;
 * execve(2) waits for it, too. So the threads beside the loop (beside.h) do not walk such paths:
 * they send what is to be done to a process that has nothing of proctord's but a socket to it, and
 * wait for the answer, which any signal that kills them ends. `ps` shows it as "proctor-outside".
 *
 * A process does one call at a time and is used again; one that hangs keeps the thread that asked,
 * and others are started for the rest. A few wait for more, for a while. They end when proctord
 * does, or when what they hang in comes back.
 *
 * A caller that asks for one thing after the other may keep a process of its own, which keeps what
 * it has opened.
 *
 * A process that dies over a call has perhaps done it: the call is retried once, by another one. If
 * that dies too, there is no answer: a killer of both would find the caller in the same place.
 * Only if no process can be started, and before outside_begin(), the caller makes the call itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define OUTSIDE_OPTION   "--outside"
#define OUTSIDE_SIZE_MAX (96u << 10) /* bytes of a request or an answer */
#define OUTSIDE_FDS_MAX  2

struct outside_parcel {
    void *data;
    size_t size, room; /* room: for an answer; OUTSIDE_SIZE_MAX in the process */
    int fds[OUTSIDE_FDS_MAX];
    size_t n_fds;
};

/* Numbers that both sides know. */
enum outside_number { OUTSIDE_LOOK, OUTSIDE_UNLINK, OUTSIDE_LIST, OUTSIDE_READ, OUTSIDE_LOG };

/* Descriptors of the request are closed by the caller; those of the answer are its own. */
typedef void (*outside_handler)(const struct outside_parcel *request,
                                struct outside_parcel *answer);

struct outside_job {
    enum outside_number number;
    outside_handler handle;
    bool stays; /* the process keeps something from one call to the next: it waits without end */
};

struct outside_process; /* that a caller keeps */

/* From now on there are processes. */
void outside_begin(void);

/* In a thread beside the loop. The data of both are the caller's, and so are descriptors of the
 * answer. Returns 0, -EIO if two processes have died over it, or -EMFILE if we have no descriptor
 * for its answer. */
int outside_make(const struct outside_job *job, const struct outside_parcel *request,
                 struct outside_parcel *answer);

/* One to keep; it is begun by the first call, and again where it has died. NULL without memory. Its
 * users are counted; the last one ends it. Both are the loop's. */
struct outside_process *outside_process_new(void);
struct outside_process *outside_process_use(struct outside_process *process);
void outside_process_leave(struct outside_process *process); /* NULL is allowed */

/* The same by that process, in one thread at a time; NULL: by any. Returns 1 if a process has died
 * over it, 0, -EIO if two have, or another negative errno if none can be started: nothing has been
 * done then. */
int outside_ask(struct outside_process *process, const struct outside_job *job,
                const struct outside_parcel *request, struct outside_parcel *answer);

/* A child of ours of this PID has ended. 1: it was such a process, and is reaped; 0: it was not;
 * -EAGAIN: one is being started, and it is not known yet. Called by the loop. */
int outside_exited(pid_t pid);

/* The process: what `proctord --outside` does. Returns the exit code. */
int outside_run(const struct outside_job *jobs, size_t n);
