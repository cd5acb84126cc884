/*
 * The spawner is a small process that makes all children, so that the daemon
 * never forks: a fork of the daemon would copy its page tables, and stop its
 * threads. Orders go over a socket; how many have been carried out is in shared
 * memory. A spawner that does not carry out its orders in time is replaced, and
 * nothing is lost: each birth answers on a socket of its own.
 */
#include "host/spawner.h"

#include "system/again.h"
#include "system/handle.h"
#include "log/log.h"
#include "system/own_process.h"
#include "host/plan_send.h"
#include "host/spawner_process.h"
#include "host/starts.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define ROOM           16 /* plans that the spawner has not done with */
#define TICK_USEC      UINT64_C(10000)
#define SLOW_TICK_USEC UINT64_C(250000)
#define PAUSE_MIN_USEC UINT64_C(10000) /* between two spawners that came to nothing */
#define PAUSE_MAX_USEC UINT64_C(100000)
#define END_MSEC       1000

struct spawner {
    sd_event *event;
    struct starts *starts;
    uint64_t descriptors;
    pid_t pid;
    int pidfd, socket;
    uint64_t sent, done;      /* plans of this one, */
    uint64_t sent_usec[ROOM]; /* and when the last ones were sent */
    pid_t *ended;             /* killed, and not reaped yet */
    size_t n_ended;
    uint64_t pause_usec, not_before_usec, replacements;
    struct launches launches;
    sd_event_source *timer;
    bool full;
    void (*room)(void *userdata);
    void *userdata;
};

static uint64_t now_usec(const struct spawner *spawner)
{
    uint64_t now;

    sd_event_now(spawner->event, CLOCK_MONOTONIC, &now);
    return now;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- the process ----------------------------------------------------------------------------- */

static int execute(const struct spawner *spawner, int socket, pid_t *pid)
{
    int descriptors[] = {[SPAWNER_SOCKET - 3] = socket,
                         [SPAWNER_STARTS - 3] = starts_descriptor(spawner->starts)};
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, spawner->descriptors);
    return own_process_begin(SPAWNER_OPTION, number, descriptors, 2, pid);
}

/* Our own program again, under another name. */
static int begin(struct spawner *spawner)
{
    int ends[2] = {-1, -1};
    pid_t pid = 0;
    int r = own_process_sockets(ends);

    if (r == 0)
        r = execute(spawner, ends[1], &pid);
    close_one(&ends[1]);
    if (r < 0) {
        close_one(&ends[0]);
        return r;
    }
    spawner->pid = pid;
    spawner->pidfd = again_pidfd(pid);
    spawner->socket = ends[0];
    spawner->sent = spawner->done = 0;
    return 0;
}

int spawner_begin(struct spawner *spawner)
{
    if (spawner->pid > 0)
        return 0;
    if (now_usec(spawner) < spawner->not_before_usec)
        return -EAGAIN;
    return begin(spawner);
}

static void remember_to_reap(struct spawner *spawner, pid_t pid)
{
    pid_t *larger = realloc(spawner->ended, (spawner->n_ended + 1) * sizeof(pid_t));

    if (!larger)
        return; /* then it is reaped as an orphan is */
    spawner->ended = larger;
    spawner->ended[spawner->n_ended++] = pid;
}

/* One that comes to nothing again and again must not keep the machine busy, nor fill the log. */
static void pause_after(struct spawner *spawner, const char *why)
{
    if (spawner->done > 0 || spawner->pause_usec == 0)
        log_print(LOG_WARNING, "the spawner %s: starting another one", why);
    uint64_t pause = spawner->done > 0 ? 0 : 2 * spawner->pause_usec + PAUSE_MIN_USEC;

    spawner->pause_usec = pause < PAUSE_MAX_USEC ? pause : PAUSE_MAX_USEC;
    spawner->not_before_usec = now_usec(spawner) + spawner->pause_usec;
    spawner->replacements++;
}

static void kill_process(struct spawner *spawner)
{
    handle_signal_child(spawner->pid, SIGKILL);
    remember_to_reap(spawner, spawner->pid);
    close_one(&spawner->socket);
    close_one(&spawner->pidfd);
    spawner->pid = 0;
}

pid_t spawner_pid(const struct spawner *spawner)
{
    return spawner->pid;
}

uint64_t spawner_replacements(const struct spawner *spawner)
{
    return spawner->replacements;
}

static bool was_killed(struct spawner *spawner, pid_t pid)
{
    for (size_t i = 0; i < spawner->n_ended; i++)
        if (spawner->ended[i] == pid) {
            spawner->ended[i] = spawner->ended[--spawner->n_ended];
            return true;
        }
    return false;
}

/* Also one that was replaced and has ended only now. */
bool spawner_exited(struct spawner *spawner, pid_t pid)
{
    siginfo_t info = {};
    char why[48];
    bool present = pid == spawner->pid;

    if (!present && !was_killed(spawner, pid))
        return false;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
    if (present) {
        snprintf(why, sizeof(why),
                 info.si_code == CLD_EXITED ? "has ended with code %d" : "was killed by signal %d",
                 info.si_status);
        pause_after(spawner, why);
        close_one(&spawner->socket);
        close_one(&spawner->pidfd);
        spawner->pid = 0;
    }
    return true;
}

bool spawner_is_idle(const struct spawner *spawner)
{
    return !spawner->launches.first;
}

/* ---- time ------------------------------------------------------------------------------------ */

/* The earlier of the two moments. */
static void wake_at(struct spawner *spawner, uint64_t usec)
{
    uint64_t armed;
    int on = SD_EVENT_OFF;

    sd_event_source_get_enabled(spawner->timer, &on);
    if (on != SD_EVENT_OFF && sd_event_source_get_time(spawner->timer, &armed) >= 0 &&
        armed <= usec)
        return;
    sd_event_source_set_time(spawner->timer, usec);
    sd_event_source_set_enabled(spawner->timer, SD_EVENT_ONESHOT);
}

/* It says of each plan when it has done with it: that is read when it matters. */
static void count_done(struct spawner *spawner)
{
    char word;

    while (spawner->socket >= 0 && spawner->done < spawner->sent &&
           recv(spawner->socket, &word, sizeof(word), MSG_DONTWAIT) > 0) {
        spawner->done++;
        spawner->pause_usec = 0;
    }
}

static bool is_overdue(const struct spawner *spawner, uint64_t now)
{
    return spawner->pid > 0 && spawner->done < spawner->sent &&
           now >= spawner->sent_usec[spawner->done % ROOM] + SPAWNER_PATIENCE_USEC;
}

static bool is_ready_for_more(const struct spawner *spawner)
{
    return spawner->pid == 0 || spawner->sent - spawner->done < ROOM;
}

/* Looks whether the spawner works: it is replaced if the oldest order is
 * overdue. */
static int tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct spawner *spawner = userdata;
    uint64_t now = now_usec(spawner);

    (void)source;
    (void)usec;
    count_done(spawner);
    bool more = launches_kill(&spawner->launches, now);
    if (is_overdue(spawner, now)) {
        pause_after(spawner, "does not respond");
        kill_process(spawner);
    }
    if (spawner->full && is_ready_for_more(spawner) && spawner->room) {
        spawner->full = false;
        spawner->room(spawner->userdata);
    }
    if (more || spawner->full || spawner->done < spawner->sent)
        wake_at(spawner, now + (spawner->full ? TICK_USEC : SLOW_TICK_USEC));
    return 0;
}

/* The number of orders in progress is bounded: beyond that the starts wait
 * here, where they can be withdrawn. */
bool spawner_has_room(struct spawner *spawner)
{
    if (!is_ready_for_more(spawner))
        count_done(spawner);
    if (is_ready_for_more(spawner))
        return true;
    spawner->full = true;
    wake_at(spawner, now_usec(spawner) + TICK_USEC);
    return false;
}

static void launch_is_over(void *userdata)
{
    struct spawner *spawner = userdata;

    if (spawner->full && spawner_has_room(spawner) && spawner->room) {
        spawner->full = false;
        spawner->room(spawner->userdata);
    }
}

static void wake_for_launch(void *userdata, uint64_t usec)
{
    wake_at(userdata, usec);
}

void spawner_on_room(struct spawner *spawner, void (*room)(void *userdata), void *userdata)
{
    spawner->room = room;
    spawner->userdata = userdata;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* The other end of the socket goes with the order, and is closed here: only the
 * child has it then. */
static int send_launch(struct spawner *spawner, const struct plan *plan,
                       const struct launch_descriptors *descriptors, launch_done done,
                       void *userdata, struct launch **launch)
{
    int other;
    int r = launch_next(&spawner->launches, done, userdata, launch, &other);

    if (r < 0)
        return r;
    r = plan_send(spawner->socket, plan, descriptors, other);
    if (r < 0) {
        launch_forget(*launch);
        *launch = NULL;
    }
    close(other);
    launches_prepare(&spawner->launches);
    return r;
}

/* EAGAIN: later. A spawner that has just died is replaced, and the order is
 * given again. */
int spawner_launch(struct spawner *spawner, const struct plan_source *source,
                   const struct launch_descriptors *descriptors, launch_done done, void *userdata,
                   struct launch **launch)
{
    struct plan *plan;

    *launch = NULL;
    if (!spawner_has_room(spawner))
        return -EAGAIN;
    int r = spawner_begin(spawner);
    if (r == 0)
        r = plan_make(source, &plan);
    if (r < 0)
        return r;
    r = send_launch(spawner, plan, descriptors, done, userdata, launch);
    free(plan);
    if (r == -EPIPE || r == -ECONNRESET) { /* it has died just now; SIGCHLD tells of it */
        pause_after(spawner, "has died");
        kill_process(spawner);
        return -EAGAIN;
    }
    if (r == 0) {
        spawner->sent_usec[spawner->sent++ % ROOM] = now_usec(spawner);
        wake_at(spawner, now_usec(spawner) + SLOW_TICK_USEC);
    }
    return r;
}

/* A birth of before an upgrade reports to us. */
int spawner_adopt_launch(struct spawner *spawner, int status, launch_done done, void *userdata,
                         struct launch **launch)
{
    int r = launch_new(&spawner->launches, status, done, userdata, launch);

    if (r < 0) {
        close(status);
        return r;
    }
    return 0;
}

struct launch *spawner_launch_of_pid(struct spawner *spawner, pid_t pid)
{
    return launches_find(&spawner->launches, pid);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* The process is started with the first order. */
int spawner_new(sd_event *event, struct starts *starts, uint64_t descriptors,
                struct spawner **spawner)
{
    struct spawner *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    *fresh = (struct spawner){.event = sd_event_ref(event),
                              .starts = starts,
                              .descriptors = descriptors,
                              .pidfd = -1,
                              .socket = -1,
                              .launches = {.over = launch_is_over, .wake = wake_for_launch}};
    fresh->launches.userdata = fresh;
    int r = sd_event_add_time(event, &fresh->timer, CLOCK_MONOTONIC, 0, 1000, tick, fresh);
    if (r >= 0)
        r = sd_event_source_set_enabled(fresh->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = launches_begin(&fresh->launches, event);
    if (r < 0) {
        spawner_free(fresh);
        return r;
    }
    *spawner = fresh;
    return 0;
}

/* It ends by itself when its socket does; one that is stopped does not. */
static void end_process(struct spawner *spawner)
{
    struct pollfd exit = {.fd = spawner->pidfd, .events = POLLIN};
    siginfo_t info;

    close_one(&spawner->socket);
    if (spawner->pid == 0)
        return;
    if (poll(&exit, 1, END_MSEC) <= 0 && spawner->pidfd >= 0) {
        handle_signal(spawner->pidfd, SIGKILL);
        poll(&exit, 1, END_MSEC);
    }
    waitid(P_PID, (id_t)spawner->pid, &info, WEXITED | WNOHANG);
    close_one(&spawner->pidfd);
}

/* Children are not concerned: they are the daemon's children, not the
 * spawner's. */
void spawner_free(struct spawner *spawner)
{
    if (!spawner)
        return;
    launches_end(&spawner->launches);
    end_process(spawner);
    sd_event_source_disable_unref(spawner->timer);
    sd_event_unref(spawner->event);
    free(spawner->ended);
    free(spawner);
}
