/*
 * Hearing: what becomes of what children say on the notify socket. Which child it was, owner.c
 * finds out; a main process that is named is held before it is believed.
 */
#include "system/again.h"
#include "host/beat.h"
#include "host/claim.h"
#include "core/vocabulary/invariant.h"
#include "system/handle.h"
#include "log/log.h"
#include "host/owner.h"
#include "host/owner_user.h"
#include "host/process.h"
#include "host/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define ATTEMPT_INTERVAL_USEC 1000 /* each attempt: 1,000 messages a second, */
#define ATTEMPT_BURST         1000 /* and so many at once */

/* Without the kernel's pidfd the number could be another's by now: then at least the same user's.
 */
static int owner_of(void *userdata, const struct notify_sender *sender, struct owner *owner)
{
    uid_t uid;
    int r = owner_find(userdata, sender->pid, sender->pidfd, owner);

    if (r == 0 && sender->pidfd < 0 && (owner_user_of(sender->pid, &uid) < 0 || uid != sender->uid))
        return -EPERM;
    return r;
}

/* The process that the attempt continues as, held; or a negative errno. */
static int hold_main(struct host *host, pid_t pid, struct attempt_id id)
{
    struct owner owner;
    int pidfd = again_pidfd(pid);

    if (pidfd < 0)
        return pidfd;
    int r = owner_find(host, pid, pidfd, &owner);
    if (r == 0 && owner.id.slot == id.slot && owner.id.serial == id.serial &&
        owner.id.attempt == id.attempt && !handle_has_ended(pidfd))
        return pidfd;
    close(pidfd);
    return -EPERM;
}

/* MAINPID= is believed if the process belongs to the same attempt; it is held
 * by a descriptor before anything is changed. */
static bool take_main(struct host *host, struct process *process, const struct owner *owner,
                      pid_t pid)
{
    if (!process || process->state != PROCESS_RUNNING || process->id.attempt != owner->id.attempt)
        return false;
    if (pid == process->main_pid && !handle_is_reaped(process->pidfd))
        return true;
    int pidfd = hold_main(host, pid, owner->id);
    if (pidfd < 0)
        return false;
    process_change_main(process, pid, pidfd);
    return true;
}

/* Each key once for a child: a program makes its mistake each time. */
static void tell_mistake(struct process *process, const struct child *child, enum notify_key key,
                         const char *value)
{
    unsigned bit = 1U << key;

    if (!value || (process->mistakes_told & bit))
        return;
    process->mistakes_told |= bit;
    log_print(LOG_WARNING, "%s: %s%.64s%s is ignored: expected %s", child->id, notify_key_name(key),
              value, strlen(value) > 64 ? "..." : "", notify_key_expected(key));
}

static void tell_mistakes(struct process *process, const struct child *child,
                          const struct notify_asides *asides)
{
    for (int key = 0; key < NOTIFY_KEYS; key++)
        tell_mistake(process, child, (enum notify_key)key, asides->mistakes[key]);
}

static void tell_main(struct process *process, const struct child *child, uint32_t pid)
{
    char value[16];

    snprintf(value, sizeof(value), "%u", pid);
    tell_mistake(process, child, NOTIFY_KEY_MAIN_PID, value);
}

/* The core's time for the machine's; what has not come yet is now. */
static uint64_t moment_of(const struct host *host, uint64_t clock_usec, uint64_t now_usec)
{
    return era_time(&host->era, clock_usec < now_usec ? clock_usec : now_usec);
}

/* First the share (a child that floods is put off), then who may say what: a
 * command before the start does not speak for its program, and nobody for
 * another attempt. */
static bool message_came(void *userdata, const struct owner *owner, uint64_t now_usec,
                         const struct notify_message *message, const struct notify_asides *asides)
{
    struct host *host = userdata;
    struct notify_message checked = *message;
    struct child *child = core_child_of(host->core, owner->id);
    struct process *process = child ? child->host : NULL;

    if (process &&
        !share_take(&process->notify_share, now_usec, ATTEMPT_INTERVAL_USEC, ATTEMPT_BURST))
        return false;
    host->counters.notify_messages++;
    if (process && process->state == PROCESS_PREPARING && process->id.attempt == owner->id.attempt)
        return true; /* of a command before the start, which does not speak for its program */
    if (process && aside_runs(process, COMMANDS_AFTER_STOP))
        return true; /* nor does one after it */
    if ((checked.flags & NOTIFY_MAIN_PID) &&
        !take_main(host, process, owner, (pid_t)checked.main_pid)) {
        checked.flags &= ~(unsigned)NOTIFY_MAIN_PID;
        host->counters.notify_refused++;
        if (process)
            tell_main(process, child, checked.main_pid);
    }
    if (process)
        tell_mistakes(process, child, asides);
    if (process && process->id.attempt == owner->id.attempt)
        store_remove(process, asides);
    if (process && asides->stores && !process->store)
        tell_mistake(process, child, NOTIFY_KEY_FDSTORE, "1");
    if (checked.reloading_usec > 0)
        checked.reloading_usec = moment_of(host, checked.reloading_usec, now_usec);
    if (process && process->state == PROCESS_RUNNING && process->id.attempt == owner->id.attempt)
        beat_reduce(process, now_usec, &checked);
    if (checked.flags)
        core_notify(host->core, owner->id, &checked);
    if (checked.flags && process)
        process_begin_after_start(process);
    return true;
}

/* sender: NULL asks for anybody. */
static bool stores(void *userdata, const struct notify_sender *sender)
{
    const struct host *host = userdata;
    struct owner owner;

    if (host->stores == 0 || !sender)
        return host->stores > 0;
    if (sender->pid <= 0 || owner_of(userdata, sender, &owner) < 0)
        return false;
    const struct child *child = core_child_of(host->core, owner.id);
    const struct process *process = child ? child->host : NULL;
    return process && process->store && process->id.attempt == owner.id.attempt &&
           child->config->declaration.process.fd_store_max > 0;
}

/* Only an attempt that runs can store something. */
static void descriptors_came(void *userdata, const struct owner *owner,
                             const struct notify_asides *asides, int *fds, size_t n)
{
    const struct host *host = userdata;
    const struct child *child = core_child_of(host->core, owner->id);
    struct process *process = child ? child->host : NULL;

    if (process && process->id.attempt == owner->id.attempt)
        store_take(process, asides, fds, n);
}

static void message_dropped(void *userdata)
{
    struct host *host = userdata;
    host->counters.notify_dropped++;
}

/*
 * A stranger's message changes nothing. One that names an attempt which is over is worth a line in
 * that child's record: something of it is still alive outside. Only root and the child's own user
 * are believed that much.
 */
static void message_refused(void *userdata, pid_t pid, uid_t uid,
                            const struct notify_message *message)
{
    struct host *host = userdata;
    struct attempt_id id;

    host->counters.notify_refused++;
    if (pid <= 0 || (uid != 0 && uid != geteuid()) || claim_hint(host, pid, CLAIM_OF_OURS, &id) < 0)
        return;
    struct child *child = core_child_of(host->core, id);
    if (child && child_attempt(child) != id.attempt && id.attempt <= child->attempts)
        core_notify(host->core, id, message);
}

/* The socket is the same before and after an upgrade, so that no message is
 * lost. */
int host_listen(struct host *host, const char *directory)
{
    struct notify_handler handler = {.userdata = host,
                                     .owner_of = owner_of,
                                     .message = message_came,
                                     .stores = stores,
                                     .descriptors = descriptors_came,
                                     .dropped = message_dropped,
                                     .refused = message_refused};

    if (asprintf(&host->notify_path, "%s/notify", directory) < 0)
        return -ENOMEM;
    int r = notify_socket_open(host->event, host->notify_path, keep_take(host->keep, NOTIFY_NAME),
                               &handler, &host->notify);
    if (r >= 0)
        keep_put(host->keep, NOTIFY_NAME, notify_socket_descriptor(host->notify));
    return r;
}
