/*
 * Signals: what each of them means to proctord. There is one table, and it has all signals: those
 * that mean something, those that mean nothing and are logged, and those that the kernel may end it
 * with. No signal that can be caught ends proctord and leaves its children behind without a word.
 *
 * SIGHUP has two meanings. Sent by a process it reads the manifests again. Where proctord was
 * started at a terminal that is gone by now it is the end of the session: the tree is shut down,
 * unless SIGHUP was ignored when it was started, as nohup(1) does.
 */
#pragma once

#include <systemd/sd-event.h>

struct signal_hooks {
    void *userdata;
    void (*end)(void *userdata, const char *signal); /* the tree is to be shut down, or hurried */
    void (*reload)(void *userdata);
    void (*reexecute)(void *userdata);
};

/* Before anything else. The event loop takes a signal from the kernel before it is dispatched: if
 * a re-execution came between the two, the new program would never hear of it. */
#define SIGNALS_PRIORITY (SD_EVENT_PRIORITY_IMPORTANT - 1)

struct signals;

/* Whatever this process was started with: what it ignores and blocks is known from here on. To be
 * called before there are threads, and once. */
void signals_prepare(void);

/* Returns 0 or a negative errno. The hooks are copied. */
int signals_listen(sd_event *event, const struct signal_hooks *hooks, struct signals **signals);
void signals_free(struct signals *signals);
