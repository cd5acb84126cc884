/*
 * Others: the threads beside proctord's loop and the processes of its own, followed from their
 * first breath: the spawner, processes outside (service/system/outside.h), and children on their
 * way, from the clone to the exec of their program. What is nobody's of these goes its own way.
 */
#pragma once

#include <sys/types.h>
#include <sys/user.h>

enum others {
    OTHERS_NOBODY,
    OTHERS_THREAD,
    OTHERS_SPAWNER,
    OTHERS_OUTSIDE,
    OTHERS_BIRTH,
};

/* "threads", "spawner", "outside", "births"; OTHERS_NOBODY: it is none of them. */
enum others others_by_name(const char *name);

/* Returns 0, or -1: it stops in a moment. */
int others_seize(pid_t command);

/* The command was seized, and has stopped. meet() is called where one of those wanted is
 * at the entry of a system call; the tracing ends where it returns not 0, or with the command. */
void others_trace(pid_t command, enum others wanted,
                  int (*meet)(pid_t pid, struct user_regs_struct *registers));
