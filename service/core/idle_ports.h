/*
 * Idle ports: of a core that nothing happens to and that makes nothing happen. It has memory, and
 * its clock stands still. A set of manifests is tried in such a core, a checkpoint is read into
 * one, and a program replaces the ports that it wants to watch.
 *
 * They are no part of the core's library, which calls nothing of the system's.
 */
#pragma once

#include "core/core.h"

#include <stdlib.h>

static inline uint64_t idle_now(void *userdata)
{
    (void)userdata;
    return 1;
}

static inline void *idle_allocate(void *userdata, size_t size)
{
    (void)userdata;
    return calloc(1, size);
}

static inline void idle_release(void *userdata, void *memory)
{
    (void)userdata;
    free(memory);
}

static inline void idle_attempt(void *userdata, struct child *child, struct attempt_id id)
{
    (void)userdata;
    (void)child;
    (void)id;
}

static inline void idle_escalate(void *userdata, struct child *child, struct attempt_id id,
                                 int signal)
{
    (void)userdata;
    (void)child;
    (void)id;
    (void)signal;
}

static inline void idle_check(void *userdata, struct child *child, struct attempt_id id,
                              uint32_t number)
{
    (void)userdata;
    (void)child;
    (void)id;
    (void)number;
}

static inline int idle_kill(void *userdata, struct child *child, struct attempt_id id, int signal,
                            bool whole)
{
    (void)userdata;
    (void)child;
    (void)id;
    (void)signal;
    (void)whole;
    return 0;
}

static inline void idle_forget(void *userdata, struct child *child)
{
    (void)userdata;
    (void)child;
}

static inline void idle_set_timer(void *userdata, uint64_t deadline_usec)
{
    (void)userdata;
    (void)deadline_usec;
}

static inline void idle_event(void *sink, const struct event *event)
{
    (void)sink;
    (void)event;
}

static inline struct core_ports core_ports_idle(void)
{
    return (struct core_ports){.monotonic = idle_now,
                               .realtime = idle_now,
                               .allocate = idle_allocate,
                               .release = idle_release,
                               .start = idle_attempt,
                               .cancel = idle_attempt,
                               .abort = idle_attempt,
                               .escalate = idle_escalate,
                               .check = idle_check,
                               .check_end = idle_attempt,
                               .kill = idle_kill,
                               .forget = idle_forget,
                               .set_timer = idle_set_timer,
                               .event = idle_event};
}
