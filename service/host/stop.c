/*
 * Signals for an attempt: the core's ports for a cancel, an escalation, an
 * abort, and for the verb Kill. While the journal is replayed, nothing is sent;
 * what the last input asked for is remembered as being in doubt.
 */
#include "host/stop.h"

#include "core/vocabulary/invariant.h"
#include "host/process.h"

#include <errno.h>

static struct process *process_running(struct child *child, struct attempt_id id)
{
    struct process *process = child->host;

    if (!process || !process_is_there(process) || process->id.attempt != id.attempt)
        return NULL;
    return process;
}

/* With `whole`, also what its main process has left. */
int host_kill(void *userdata, struct child *child, struct attempt_id id, int signal, bool whole)
{
    const struct host *host = userdata;
    struct process *process = process_running(child, id);

    if (host->past) {
        if (child->host)
            ((struct process *)child->host)->doubt_signal = host->last_input ? signal : 0;
        return 0;
    }
    INVARIANT(signal >= 0 && signal < NSIG);
    if (signal == SIGNAL_RELOAD_COMMANDS)
        return process ? process_run_reload(process) : -ESRCH;
    bool left = process && process_is_draining(process) && whole;
    if (!left && (!process || process->state != PROCESS_RUNNING))
        return -ESRCH;
    int r = 0;
    if (whole)
        process_signal_all(process, signal);
    else
        r = process_signal_main(process, signal);
    process_note(process); /* it is not to be sent again */
    return r;
}

static void send_stop(struct child *child, struct attempt_id id, int signal)
{
    struct process *process = process_running(child, id);

    INVARIANT(signal > 0 && signal < NSIG);
    if (!process || (process->state != PROCESS_RUNNING && !process_is_draining(process)))
        return;
    if (aside_runs(process, COMMANDS_STOP))
        aside_expire(process); /* its time is over; the signal comes now */
    process_stop(process, signal);
}

/* An attempt that has not started yet is called off instead. */
void host_cancel(void *userdata, struct child *child, struct attempt_id id)
{
    INVARIANT(child_is_sound(child));
    const struct host *host = userdata;
    struct process *process = child->host;

    if (host->past) {
        if (process)
            process->doubt_cancel = host->last_input;
        return;
    }
    if (process && process->state == PROCESS_QUEUED)
        process_call_off(process, false);
    else if (process && process_is_starting(process))
        process_stop_starting(process, false);
    else if (process && process_running(child, id))
        process_ask_to_stop(process);
}

void host_cancel_again(struct host *host, struct child *child)
{
    INVARIANT(child_is_sound(child));
    host_cancel(host, child, child_attempt_id(child));
}

/* One that has not come to its program has been ended by the cancel. */
void host_escalate(void *userdata, struct child *child, struct attempt_id id, int signal)
{
    INVARIANT(child_is_sound(child));
    const struct host *host = userdata;
    struct process *process = child->host;

    if (!process)
        return;
    if (host->past)
        process->doubt_step = host->last_input ? signal : 0;
    else
        send_stop(child, id, signal);
}

void host_escalate_again(struct host *host, struct child *child, int signal)
{
    INVARIANT(child_is_sound(child));
    host_escalate(host, child, child_attempt_id(child), signal);
}

/* The same for a kill. */
void host_abort(void *userdata, struct child *child, struct attempt_id id)
{
    INVARIANT(child_is_sound(child));
    const struct host *host = userdata;
    struct process *process = child->host;

    if (host->past) {
        if (process)
            process->doubt_abort = host->last_input;
        return;
    }
    process = process_running(child, id);
    if (process && (aside_runs(process, COMMANDS_STOP) || aside_runs(process, COMMANDS_AFTER_STOP)))
        aside_expire(process);
    if (process && process_is_starting(process))
        process_stop_starting(process, true);
    else if (process)
        process_abort(process);
    else if (child->host)
        process_call_off(child->host, true);
}
