/*
 * Process: the attempt of one child, as the kernel knows it, and what the parts of the host know of
 * each other. How far it is, its state says (process_state.h).
 *
 * While it is starting, it is on its way to its program (spawner.h), or what it needs for that is
 * waited for. While it is draining, others of the attempt are there (tree.h): the core has been
 * told, and says whether they are to be signalled or killed. When they are gone the completion is
 * reported.
 */
#pragma once

#include "system/account.h"
#include "host/aside.h"
#include "host/beat.h"
#include "host/before.h"
#include "host/census.h"
#include "core/model/child.h"
#include "host/ends.h"
#include "host/host.h"
#include "journal/journal.h"
#include "host/keep.h"
#include "host/notify.h"
#include "host/output.h"
#include "host/process_state.h"
#include "host/process_table.h"
#include "host/share.h"
#include "host/spawner.h"
#include "host/starts.h"
#include "host/tree.h"

/* A main process whose end is known, but not reported to the core yet: it was draining when the
 * program was replaced. */
struct gone {
    struct attempt_id id;
    struct completion completion;
    bool in_cgroup;
};

/* What only the program that started a process knows of its tree. */
struct kin {
    struct attempt_id id;
    pid_t group; /* number of the group that its handle is of; 0: it leads it, or has none */
    struct told told;
};

/* Starts that can fail at once without even the memory to say so one by one. */
#define HOST_LOST_MAX 64

/* What was asked of a start before it came to its program: it is done as soon as that is possible.
 */
enum call_off { NOT_CALLED_OFF, CALLED_OFF, CALLED_OFF_AT_ONCE };

struct process {
    struct host *host;
    struct child *child;
    enum process_state state;
    struct attempt_id id;
    pid_t leader; /* of its process group, while it is our child and not reaped; 0: not known */
    int group;    /* its pidfd; -1: it is the main process, or not known */
    bool leads;   /* the main process leads the group: MAINPID= has named no other */
    bool handed_over;
    pid_t old_group;      /* only to tell whether the main process that was named is in it */
    pid_t main_pid;       /* only to find it: what is done to it is done by its handle */
    int pidfd;            /* of the main process */
    struct tree tree;     /* of all its processes */
    unsigned checks_left; /* trees of errands that are not gone yet */
    bool watched;         /* its end is reported, by host->ends */
    sd_event_source *again_source; /* an adopted one that has ended is looked at again */
    unsigned looks;
    bool has_user;
    uid_t user; /* that the main process ran as, once it has ended */
    bool in_cgroup;
    bool adopted; /* not our child: its PID may be another's as soon as it has ended */
    bool aborted;
    uint64_t mark;      /* of its leaf, where that is its attempt's alone; 0: it is the child's */
    bool leaf_killed;   /* by cgroup.kill: newer kernels kill what is cloned into it after that */
    uint64_t oom_kills; /* of its leaf, over all attempts so far */
    bool leaf_used;     /* by an attempt before the present one, which has */
    uint64_t cpu_before_nsec; /* used so much of the processor */
    struct completion completion;
    uint64_t ended_moment; /* of the census, at which its end was known; 0: it is not */
    struct process *next_by_pid;

    /* What start() has asked for, until it is made and the core knows how it went. */
    enum call_off call_off;
    int result_error;
    char result_reason[FAILURE_REASON_MAX];
    struct process *next_result;
    struct account_lookup *lookup; /* its user is looked up */
    struct path_look *socket_look; /* at the paths of its sockets, before they are bound */
    struct path_look *check_look;  /* at the path that a health check connects to */
    struct launch *launch;         /* it is on its way to its program */
    bool executed;                 /* in its past: it came to its program, and was not reported */
    int unborn;                    /* pidfd of what an earlier proctord has sent on its way, and
                                      which never arrives; -1: there is none */
    sd_event_source *unborn_source;
    unsigned
        lacks; /* starts that failed for want of something of proctord's, one after the other */
    uint64_t lack_until_usec; /* it is tried again then; 0: nothing is lacking */

    struct process_note note;       /* how the journal has it */
    bool noted_anew;                /* which the journal does not have yet */
    int doubt_step;                 /* the same of a further signal of the stop; 0: none */
    bool doubt_cancel, doubt_abort; /* asked for before proctord died, and perhaps not done */
    int doubt_signal;               /* the same of a signal; 0: none */
    struct share notify_share;      /* over all attempts */
    unsigned mistakes_told;         /* bits of enum notify_key */
    struct beat beat;
    struct probe *probe; /* the health check that is under way */
    struct before_commands before;
    struct aside aside;
    bool end_waits;      /* its main process has ended, while the commands of its stop run */
    bool after_started;  /* the commands of after_start have been begun */
    bool reload_waits;   /* for them */
    bool after_done;     /* the commands of after_stop have been run */
    unsigned unenforced; /* enum unenforced: what the kernel does not let us limit */
    struct listeners *listeners;
    struct fd_store *store; /* NULL: it has never had one */
    bool store_full_told;
    struct result *result; /* of a job, while it runs */
    struct output *output;
};

struct host {
    sd_event *event;
    struct core *core;
    struct cgroup_base cgroups;
    char *notify_path;
    struct notify_socket *notify;
    int listener;  /* for metrics, to be handed over; -1: none */
    size_t stores; /* children that may give descriptors */
    struct ends *ends;
    sd_event_source *child_source; /* SIGCHLD */
    sd_event_source *timer;
    sd_event_source *wall_source; /* the wall clock was set */
    bool due;                     /* its moment has come already */
    sd_event_source *settle_source;
    sd_event_source *retry_source; /* looks again at draining process groups and at processes
                                    * without a watch */
    bool unwatched;                /* a process runs whose end would not be reported */
    struct process **by_pid;       /* hash of main_pid */
    size_t by_pid_size, by_pid_count;
    size_t n_handed_over;   /* processes whose main process does not lead their group */
    struct tree *trees;     /* whose first process is gone, or that are being killed */
    struct tree *next_tree; /* to be looked at, while all are */
    struct census *census;
    struct errand *errands;
    struct journal *journal;
    struct era era; /* the core's time and the machine's clock */
    struct keep *keep;
    struct starts *starts;
    struct spawner *spawner;
    sd_event_source *lack_source; /* tries again what proctord lacked something for */
    bool settling;
    bool unreaped; /* a child has ended of which it is not known yet whether it had been started */
    struct result_store *result_store;
    size_t results_unread; /* of jobs that were finished under an earlier proctord */
    struct gone *gone;     /* handed over */
    size_t n_gone;
    struct kin *kin; /* the same */
    size_t n_kin;
    bool leaves;     /* it goes, and the processes stay */
    bool past;       /* the core lives through what was before proctord died, */
    bool last_input; /* and has come to its end */
    struct process *results, **results_tail;
    struct attempt_id lost[HOST_LOST_MAX]; /* starts that failed for want of memory */
    size_t n_lost;
    int null;
    unsigned burst; /* ends and starts handled */
    void (*answer)(void *userdata);
    void *answer_userdata;
    void (*clock_was_set)(void *userdata);
    void *clock_userdata;
    /* The files below process.c report it. */
    void (*check_gone)(struct process *process); /* the tree of an errand, at last */
    void (*before_over)(struct process *process, bool passed);
    void (*check_over)(struct process *process); /* the core knows the answer */
    void (*aside_over)(struct process *process, enum child_commands kind, bool passed, bool again);
    void (*result_ended)(void *process); /* the end of its result has come */
    void (*result_came)(void *userdata, struct job *job);
    void (*result_read)(void *userdata, struct job *job, const struct job_output *output);
    void *result_userdata;
    pid_t spared; /* see host_spare() */
    void (*spared_ended)(void *userdata);
    void *spared_userdata;
    struct host_counters counters;
};

/* start.c */
void host_start(void *userdata, struct child *child, struct attempt_id id); /* the core's port */
struct process *process_for(struct host *host, struct child *child);
void process_keep(const struct process *process);
void process_unkeep(const struct process *process);
int process_adopt_launch(struct process *process, int status);
void process_start_again(struct process *process);
void process_before_over(struct process *process, bool passed);
void process_commands_over(struct process *process, enum child_commands kind, bool passed,
                           bool again);
void process_call_off(struct process *process, bool at_once);
void process_stop_starting(struct process *process, bool at_once);
void process_forget_start(struct process *process);
int host_prepare_starts(struct host *host, uint64_t descriptors);

/* hearing.c */
#define NOTIFY_NAME   "proctor.notify"  /* of the socket, in the store */
#define LISTENER_NAME "proctor.metrics" /* and of that for metrics, from the service manager */
int host_listen(struct host *host, const char *directory);

/* process.c */
int process_started(pid_t pid, uint64_t *ticks);
int process_is_unborn(pid_t pid);
void process_is_gone(struct process *process, const struct completion *completion);
void process_main_exited(struct process *process);
void process_result_ended(void *userdata);        /* the end of its result has come */
void process_check_gone(struct process *process); /* the tree of an errand, at last */
/* It is asked to stop: by its commands first, if it has any. */
void process_ask_to_stop(struct process *process);
void process_aside_over(struct process *process, enum child_commands kind, bool passed, bool again);
void process_begin_after_stop(struct process *process);
/* It may have become ready: the commands of after_start are run then, once. */
void process_begin_after_start(struct process *process);
int process_run_reload(struct process *process);
void process_forget_group(struct process *process);
/* A child of ours is about to be reaped: its number names no process from now on. */
void process_forget_leader(struct host *host, pid_t pid);
int process_signal_main(const struct process *process, int signal); /* 0 or a negative errno */
/* Every process that is there, whether the main process is or not. */
void process_signal_all(struct process *process, int signal);
/* A signal of its stop: to the main process, and to all others where they are meant, too; each has
 * it once. */
void process_stop(struct process *process, int signal);
void process_note(struct process *process); /* in the journal, as it is */
void process_abort(struct process *process);
/* pidfd: of the process, which is known to belong to the attempt; taken over. */
void process_change_main(struct process *process, pid_t pid, int pidfd);

/* job_results.c */
int host_open_results(struct host *host, const char *folder); /* in the state folder; may be NULL */
void host_tidy_results(const struct host *host);
int process_open_result(struct process *process, int *write_end);
/* fd: the reading end, taken over; -1: it is gone. Returns 0 or a negative errno. */
int process_adopt_result(struct process *process, int fd);
/* No process is left that could write: whether its end is to be reported by process_result_ended(),
 * when all that it wrote is where its result is kept. */
bool process_waits_for_result(struct process *process);
void process_take_result(struct process *process, struct completion *completion);

/* sweep.c */
/* Kills what an earlier proctord has started and no attempt that continues can account for: the
 * journal may lack the last moments. Waits until it is gone, two seconds or so at most. */
void strays_sweep(struct host *host);
