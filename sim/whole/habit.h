/*
 * Habit: what a model child does: the steps of its program (world/model.h) as a task of the
 * machine, with its signals, descriptors and messages. It has no runner: it acts when it is due.
 */
#pragma once

#include "machine/machine.h"
#include "world/model.h"

#define HABIT_STEPS     12
#define HABIT_PATH_MAX  64
#define HABIT_FORKS     2
#define HABIT_CHILD_MAX 48

/* Steps that only a process of this world has: */
enum habit_step {
    HABIT_SAYS = 100,   /* a message to its NOTIFY_SOCKET, as it is */
    HABIT_CLAIMS,       /* its environment names another child from here on */
    HABIT_NEW_SESSION,  /* setsid(2) */
    HABIT_HANDS_OVER,   /* MAINPID= of the process that it has left */
    HABIT_MAIN_ENDS,    /* its main thread ends, another works on */
    HABIT_PRINTS,       /* so many numbered lines */
    HABIT_EXITS_EITHER, /* with 0 or 1, as the schedule chooses */
};

/* What runs when the path is executed. */
struct player {
    char path[HABIT_PATH_MAX];
    char child[HABIT_CHILD_MAX]; /* the id of the child that it is of, if it is one */
    struct step steps[HABIT_STEPS], left_steps[HABIT_STEPS]; /* left: of what it forks */
    size_t n_steps, n_left_steps;
    struct traits traits;
    uint64_t grace_nsec;      /* of its manifest: from the stop signal to SIGKILL at the earliest */
    bool kills_left;          /* `leftovers: kill` */
    bool is_child;            /* of the manifest: at most one attempt of it works */
    bool is_before, is_check; /* a command before the start of a child, or a check of it */
};

struct habit {
    struct habit *next;
    struct task *task; /* a reference */
    const struct player *actor;
    size_t step;
    uint64_t due_nsec;     /* MACHINE_NEVER: it waits for a signal */
    uint64_t asked_nsec;   /* when a stop signal was sent to it first, heard or not */
    uint64_t told_nsec;    /* when it got its stop signal first; 0: it has not */
    bool is_main, is_over; /* over: ended */
    bool waits_for_cancel;
    uint64_t launch; /* which exec it comes of */
    uint64_t lines;  /* that it has printed */
};

struct habits {
    struct machine *machine;
    struct habit *list;
    uint64_t launches;
};

/* Of the environment of a task, or NULL. */
const char *habit_variable(const struct task *task, const char *name);
/* A task has executed the actor's program. NULL: there is no memory. */
struct habit *habits_begin(struct habits *habits, struct task *task, const struct player *actor);
/* All that is due. */
void habits_act(struct habits *habits);
uint64_t habits_next(const struct habits *habits);
void habits_signalled(struct habits *habits, struct task *task);
void habits_ended(struct habits *habits, const struct task *task);
void habits_free(struct habits *habits);
struct habit *habits_find(const struct habits *habits, const struct task *task); /* or NULL */
size_t habits_alive(const struct habits *habits, const struct player *actor);    /* NULL: of all */
