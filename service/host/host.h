/*
 * Host: Linux behind the core's ports. Starts processes, signals them, finds out how they ended and
 * when the last of them is gone, keeps the clock and the one timer, and listens on the notify
 * socket.
 *
 * An attempt is complete when its main process has been reaped and no other process of it is left:
 * leftovers are waited for, and signalled or killed as the core says (tree.h). With cgroups the
 * kernel tells of the attempt's leaf; without, there are the process group and the orphans that the
 * subreaper has inherited.
 */
#pragma once

#include "host/cgroup.h"
#include "core/core.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct handover;
struct host;

struct host_settings {
    const char *runtime_directory; /* exists; the notify socket is in it */
    const char *state_directory;   /* exists; NULL: nothing is kept there */
    uint64_t descriptors; /* the soft limit that proctord was started with, and children get */
    const char *instance; /* tells instances of proctord apart */
    bool use_cgroups;
    bool store_descriptors;    /* in the service manager's store: keep.h */
    struct handover *handover; /* of the program that was here before; NULL: none */
    bool keep_processes;       /* of a proctord that died: they are going to be adopted */
};

/* Counters that say what was refused, for metrics. */
struct host_counters {
    uint64_t notify_refused;
    uint64_t notify_messages;
    uint64_t notify_dropped; /* beyond a share */
    uint64_t orphans_reaped;
    uint64_t leftovers_killed;
    uint64_t starts_delayed; /* for want of what proctord lacked itself */
    uint64_t spawners_replaced;
};

/* Returns 0 or a negative errno. Without a writable cgroup2 it continues without cgroups. */
int host_new(sd_event *event, const struct host_settings *settings, struct host **host);

/* Where the tree has not been shut down its processes stay, for the next proctord to adopt. */
void host_free(struct host *host);

/* Fills in the clock, memory and executor ports; the sink stays the caller's. */
void host_ports(struct host *host, struct core_ports *ports);
void host_attach(struct host *host, struct core *core);
void host_detach(struct host *host); /* before it goes away */

/* Hands the core what its own calls have found out since (spawn results). */
void host_settle(struct host *host);

/* Lets others be answered in the middle of a storm of ends and starts: called now and then. */
void host_on_burst(struct host *host, void (*answer)(void *userdata), void *userdata);

/* The wall clock was set: what is shown by it is another moment now. */
void host_on_clock(struct host *host, void (*was_set)(void *userdata), void *userdata);

/* Says that more of a job's result has come; and what has come up to now of a job that runs. */
void host_on_result(struct host *host, void (*came)(void *userdata, struct job *job),
                    void *userdata);
struct job_output host_result(struct host *host, const struct job *job);

/* Of jobs that were finished under an earlier proctord: each is handed over when its file has been
 * read, which is beside the loop; the userdata is that of host_on_result(). */
void host_read_results(struct host *host, void (*was_read)(void *userdata, struct job *job,
                                                           const struct job_output *output));
size_t host_results_unread(const struct host *host);               /* that are waited for */
void host_forget_result(struct host *host, const struct job *job); /* with the job */

/* The socket of IP for metrics: as the program before this one or the service manager has handed it
 * over, or a negative errno; and the one that is to be handed over, until then (-1: none). */
int host_take_listener(struct host *host);
void host_keep_listener(struct host *host, int fd);

/* The core's inputs, and the processes that are started, are written there from now on. */
struct journal;
void host_keep_journal(struct host *host, struct journal *journal);

/* What the machine's monotonic clock read at a moment of the core's; 0: the machine was not up. */
uint64_t host_clock(const struct host *host, uint64_t moment_usec);

/* What the program that takes this one's place has to have: its host reads it at its beginning. */
void host_hand_over(struct host *host, struct handover *handover);

bool host_has_cgroups(const struct host *host);
const struct host_counters *host_counters(struct host *host);

/* The child whose process this is, grandchildren too. Returns 0, -ENOENT or -ESRCH. */
int host_find_pid(struct host *host, pid_t pid, struct attempt_id *id);

/* CPU time and memory of a child's processes, 0 where there are none or no account is kept. */
void host_usage(struct host *host, const struct child *child, uint64_t *cpu_nsec,
                uint64_t *memory_bytes);

/* Limits of a child's running attempt that could not be set: enum unenforced. */
unsigned host_unenforced(const struct child *child);

/* Looks again at the path of each child's output file before the next write to it. */
void host_reopen_outputs(struct host *host);

/* A process of proctord's own (its bus) is no orphan; `ended` is called when it has been reaped. */
void host_spare(struct host *host, pid_t pid, void (*ended)(void *userdata), void *userdata);
