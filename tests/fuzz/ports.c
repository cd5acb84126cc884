#include "ports.h"

#include <stdlib.h>

static uint64_t now(void *userdata)
{
    (void)userdata;
    return UINT64_C(1) << 40;
}

static void *allocate(void *userdata, size_t size)
{
    (void)userdata;
    return calloc(1, size);
}

static void release(void *userdata, void *memory)
{
    (void)userdata;
    free(memory);
}

static void ignore_child(void *userdata, struct child *child)
{
    (void)userdata;
    (void)child;
}

static void ignore(void *userdata, struct child *child, struct attempt_id id)
{
    (void)userdata;
    (void)child;
    (void)id;
}

static int ignore_kill(void *userdata, struct child *child, struct attempt_id id, int signal,
                       bool whole)
{
    (void)userdata;
    (void)child;
    (void)id;
    (void)signal;
    (void)whole;
    return 0;
}

static void ignore_check(void *userdata, struct child *child, struct attempt_id id, uint32_t number)
{
    (void)userdata;
    (void)child;
    (void)id;
    (void)number;
}

static void ignore_timer(void *userdata, uint64_t deadline_usec)
{
    (void)userdata;
    (void)deadline_usec;
}

static void ignore_event(void *userdata, const struct event *event)
{
    (void)userdata;
    (void)event;
}

static void ignore_supervisor(void *userdata, struct supervisor *supervisor)
{
    (void)userdata;
    (void)supervisor;
}

static void ignore_job(void *userdata, struct job *job)
{
    (void)userdata;
    (void)job;
}

static void ignore_signal(void *userdata, struct child *child, struct attempt_id id, int signal)
{
    (void)userdata;
    (void)child;
    (void)id;
    (void)signal;
}

struct core_ports ports_of_nobody(void)
{
    return (struct core_ports){.monotonic = now,
                               .realtime = now,
                               .allocate = allocate,
                               .release = release,
                               .start = ignore,
                               .cancel = ignore,
                               .abort = ignore,
                               .escalate = ignore_signal,
                               .check = ignore_check,
                               .check_end = ignore,
                               .kill = ignore_kill,
                               .forget = ignore_child,
                               .forget_supervisor = ignore_supervisor,
                               .forget_job = ignore_job,
                               .set_timer = ignore_timer,
                               .event = ignore_event};
}
