/*
 * Task: a process of the model, and its threads, as the kernel has them: numbers that wrap early,
 * sessions, groups, zombies, who is whose child, and who gets the orphans.
 *
 * A task does nothing by itself. Its runner (a real process behind the seam, or a model child)
 * calls here for each thing that it does, and is told by the ports of the table what is done to it.
 * A blocking call gives -EAGAIN: it is made again when anything has changed; asking is cheap.
 */
#pragma once

#include "kernel/chance.h"
#include "kernel/identity.h"
#include "kernel/signal_set.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TASK_NAME_MAX 15

struct cgroup;
struct cgroup_tree;
struct inode;
struct task;
struct task_table;

enum task_state {
    TASK_ALIVE,
    TASK_STOPPED, /* by a signal */
    TASK_ZOMBIE,
    TASK_REAPED, /* its number may be another's by now; there for those that hold it */
};

struct thread {
    struct thread *next;
    struct task *task;
    pid_t id;
    bool ended; /* the main thread stays until all have ended */
    char name[TASK_NAME_MAX + 1];
    signal_set blocked, pending;
    struct signal_queue *queue;
    void *runner; /* the caller's */
};

struct task {
    struct task_table *table;
    struct task *next; /* by their numbers */
    unsigned references;
    pid_t pid;
    uint64_t serial; /* no two tasks have the same */
    enum task_state state;
    struct thread *threads; /* the main thread first */
    struct task *parent;    /* NULL: of PID 1 */
    pid_t parent_thread;    /* the thread of it that made this one (/proc/PID/task/TID/children) */
    pid_t group, session;
    uint64_t group_serial; /* of the maker of the group: a number may be another group's later */
    bool subreaper, dumpable, has_executed;
    int death_signal; /* PR_SET_PDEATHSIG */
    int end_signal;   /* SIGCHLD */
    struct identity identity;
    uint64_t started_nsec; /* since boot */
    int main_code;         /* what the main thread ended with, while others go on */
    int status;            /* as wait(2) has it, once it has ended */
    int stop_signal;       /* why it is stopped */
    bool stop_told, continue_told;
    bool oom_killed, dumped_core;
    bool dumps_core; /* where a signal makes a core: RLIMIT_CORE is not 0 */
    bool stuck; /* in the kernel, as with a dead mount: not even SIGKILL ends it (task_set_stuck())
                 */
    int dying;  /* the signal that ends it: it does when it runs next (task_table_proceed()) */
    signal_set pending;
    struct signal_queue *queue;
    struct signal_action actions[SIGNALS];
    struct cgroup *cgroup;
    struct task *cgroup_next; /* in the same cgroup */
    struct inode *root;       /* of its paths: a reference */
    struct inode *folder;     /* where it works: a reference */
    struct inode *program;    /* a reference; may be NULL */
    mode_t umask;
    char *arguments, *environment; /* with a NUL behind each, as /proc has them */
    size_t arguments_size, environment_size;
    int oom_score_adj, nice;
    uint64_t cpu_nsec, memory_bytes;
    void *descriptors; /* the caller's */
    void *runner;      /* the caller's */
};

/* What is done to tasks; each may be NULL. */
struct task_ports {
    void *userdata;
    uint64_t (*now)(void *userdata); /* nanoseconds since boot */
    /* It has ended, and is a zombie or already reaped: close its descriptors. */
    void (*ended)(void *userdata, struct task *task);
    void (*thread_ended)(void *userdata, struct thread *thread);
    void (*stopped)(void *userdata, struct task *task); /* by a signal or by cgroup.freeze */
    void (*continued)(void *userdata, struct task *task);
    /* A signal is pending that one of its threads does not block: signal_take(). */
    void (*signalled)(void *userdata, struct task *task, int signal);
    /* Every signal that was sent, before anything comes of it; sender NULL: the kernel. */
    void (*sent)(void *userdata, const struct task *sender, const struct task *to, int signal);
    void (*freed)(void *userdata, struct task *task); /* nobody holds it any more */
};

/* Of the kernel. */
struct task_profile {
    pid_t pid_max;       /* numbers wrap there, to 300 as Linux does, or 2 below that; 0: 32768 */
    bool group_by_pidfd; /* since Linux 6.9: PIDFD_SIGNAL_PROCESS_GROUP */
    bool no_pidfd;       /* ENOSYS */
    bool exit_info;      /* since 6.15: PIDFD_GET_INFO tells the status of one that was reaped */
    bool strict_environ; /* environ of one that has no memory: ESRCH instead of nothing */
    bool init_is_lazy;   /* PID 1 does not reap */
    unsigned max_tasks;  /* EAGAIN; 0: without limit */
    uint16_t late_death; /* per mille: what a signal ends continues until task_table_proceed() */
};

/* The ports are called when anything happens to a process; NULL: none are. */
struct task_table *task_table_new(const struct task_profile *profile,
                                  const struct task_ports *ports, struct chance *chance);
void task_table_free(struct task_table *table);
const struct task_profile *task_table_profile(const struct task_table *table);

/* PID 1. */
struct task *task_boot(struct task_table *table, struct cgroup *root, const char *name);

struct task_birth {
    bool of_parent;      /* CLONE_PARENT: a sibling */
    struct cgroup *into; /* CLONE_INTO_CGROUP; NULL: where its parent is */
    int end_signal;      /* 0: SIGCHLD */
};

/* Returns 0 or a negative errno. The child has one thread, which has thread's mask. It holds
 * nothing of parent's descriptors: these are the caller's. */
int task_fork(struct thread *parent, const struct task_birth *birth, struct task **child);
/* 0, or -EAGAIN without a free number or room in the cgroup. */
int task_add_thread(struct task *task, struct thread **thread);

/* One string after the other with a NUL behind each. The other threads are gone; handlers are the
 * default again. name: of /proc/PID/comm. */
void task_execute(struct thread *thread, const char *name, struct inode *program,
                  const char *arguments, size_t arguments_size, const char *environment,
                  size_t environment_size);

void task_exit(struct task *task, int code);                   /* exit_group(2) */
void task_die(struct task *task, int signal, bool dumps_core); /* by a signal */
void thread_exit(struct thread *thread, int code); /* the last one ends its task, with this code */

/* A process that is stuck in the kernel neither runs nor dies. */
void task_set_stuck(struct task *task, bool stuck);
/* It runs: it is neither stopped, frozen, stuck nor at its end. */
bool task_may_run(const struct task *task);
/* Those that a signal has ended, end. True: there were some. */
bool task_table_proceed(struct task_table *table);

/* All of them at once, and nobody is told. For a loss of power. */
void task_table_power_off(struct task_table *table);

/* Zombies are found, reaped ones are not. */
struct task *task_find(const struct task_table *table, pid_t pid);
struct thread *task_thread(const struct task *task, pid_t id); /* with an ended main thread */
struct thread *task_find_thread(const struct task_table *table, pid_t id);
/* In the order of their numbers. */
struct task *task_first(const struct task_table *table);
static inline bool task_is_alive(const struct task *task)
{
    return task->state == TASK_ALIVE || task->state == TASK_STOPPED;
}
size_t task_count(const struct task_table *table); /* alive */

/* The record stays after the process was waited for. */
struct task *task_hold(struct task *task);
void task_release(struct task *task);

/* All return 0 or a negative errno. */
int task_new_session(struct task *task, pid_t *session);
/* As setpgid(); 0 or -EINVAL, -ESRCH, -EPERM, -EACCES. */
int task_set_group(struct task *task, pid_t pid, pid_t group);
/* As getpgid(); 0 or -ESRCH. */
int task_get_group(const struct task *task, pid_t pid, pid_t *group);
/* As getsid(); 0 or -ESRCH. */
int task_get_session(const struct task *task, pid_t pid, pid_t *session);

/* Who gets the children of those that end: the nearest subreaper above, else PID 1. */
void task_set_subreaper(struct task *task, bool is_one);
