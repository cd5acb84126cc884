#include "spawner.h"

#include "again.h"
#include "ends.h"
#include "handle.h"
#include "log.h"
#include "own_process.h"
#include "plan_send.h"
#include "spawner_process.h"
#include "starts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define READ_TRIES     4  /* at once, where what failed may go well the next time */
#define ROOM           16 /* plans that the spawner has not done with */
#define TICK_USEC      UINT64_C(10000)
#define SLOW_TICK_USEC UINT64_C(250000)
#define KILL_USEC      UINT64_C(1000000)
#define PAUSE_MIN_USEC UINT64_C(10000) /* between two spawners that came to nothing */
#define PAUSE_MAX_USEC UINT64_C(100000)
#define END_MSEC       1000

struct launch {
    struct spawner *spawner;
    struct launch *next, **link;
    int status;
    pid_t pid;                     /* 0: it does not exist, as far as is known */
    uint64_t sent_usec, kill_usec; /* kill_usec: when it is killed; 0: it is not */
    bool ended;                    /* its socket has ended; its child is waited for */
    struct birth_message last;
    int pidfd;
    dev_t log_device;
    sd_event_source *exit_source;
    launch_done done;
    void *userdata;
};

struct spawner {
    sd_event *event;
    struct ends *ends; /* of launches */
    struct starts *starts;
    uint64_t descriptors;
    pid_t pid;
    int pidfd, socket;
    uint64_t sent, done;      /* plans of this one, */
    uint64_t sent_usec[ROOM]; /* and when the last ones were sent */
    pid_t *ended;             /* killed, and not reaped yet */
    size_t n_ended;
    uint64_t pause_usec, not_before_usec, replacements;
    struct launch *launches;
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

/* ---- launches -------------------------------------------------------------------------------- */

static void unlink_launch(struct launch *launch)
{
    *launch->link = launch->next;
    if (launch->next)
        launch->next->link = launch->link;
}

static void close_status(struct launch *launch)
{
    if (launch->status >= 0)
        ends_forget(launch->spawner->ends, launch->status);
    close_one(&launch->status);
}

/* Its source first: a process that is being started beside has a copy of the descriptor until its
 * exec, so that the epoll would still report it, to a source that has gone. */
static void forget_pidfd(struct launch *launch)
{
    launch->exit_source = sd_event_source_disable_unref(launch->exit_source);
    close_one(&launch->pidfd);
}

void launch_forget(struct launch *launch)
{
    if (!launch)
        return;
    unlink_launch(launch);
    close_status(launch);
    forget_pidfd(launch);
    free(launch);
}

static void know_pid(struct launch *launch, uint32_t pid)
{
    if (launch->pid == 0)
        launch->pid = (pid_t)pid;
}

pid_t launch_pid(struct launch *launch)
{
    struct birth_message first;

    if (launch->pid == 0 && launch->status >= 0 &&
        recv(launch->status, &first, sizeof(first), MSG_PEEK | MSG_DONTWAIT) == sizeof(first))
        know_pid(launch, first.pid);
    return launch->pid;
}

int launch_descriptor(const struct launch *launch)
{
    return launch->status;
}

uint64_t launch_begun_usec(const struct launch *launch)
{
    return launch->sent_usec;
}

static void tell(struct launch *launch, const struct launch_outcome *outcome)
{
    launch_done done = launch->done;
    void *userdata = launch->userdata;
    struct spawner *spawner = launch->spawner;

    launch->pidfd = -1; /* it is the callee's by now */
    launch_forget(launch);
    done(userdata, outcome);
    if (spawner->full && spawner_has_room(spawner) && spawner->room) {
        spawner->full = false;
        spawner->room(spawner->userdata);
    }
}

static struct launch_outcome outcome_of(const struct launch *launch)
{
    return (struct launch_outcome){
        .step = launch->last.step < PLAN_STEPS ? (enum plan_step)launch->last.step : STEP_SPAWNER,
        .text = "",
        .pid = launch->pid,
        .pidfd = launch->pidfd,
        .log_device = launch->log_device};
}

bool launch_lacks_something(const struct launch_outcome *outcome)
{
    return outcome->again || outcome->step == STEP_SPAWNER || outcome->step == STEP_FORK ||
           (outcome->step == STEP_EXEC && outcome->error == -EAGAIN);
}

static void tell_lost(struct launch *launch)
{
    struct launch_outcome outcome = outcome_of(launch);

    outcome.error = -EAGAIN;
    outcome.again = true;
    tell(launch, &outcome);
}

/* The descriptor of the socket has just been given back: there is one for it. */
static void tell_success(struct launch *launch)
{
    if (launch->pidfd < 0)
        launch->pidfd = again_pidfd(launch->pid);
    launch->pidfd = launch->pidfd < 0 ? -1 : launch->pidfd;
    struct launch_outcome outcome = outcome_of(launch);
    tell(launch, &outcome);
}

static void tell_failure(struct launch *launch, const siginfo_t *info)
{
    char text[BIRTH_TEXT_MAX];
    struct launch_outcome outcome = outcome_of(launch);

    forget_pidfd(launch);
    outcome.pidfd = -1;
    snprintf(text, sizeof(text), "%.*s", BIRTH_TEXT_MAX - 1, launch->last.text);
    outcome.text = text;
    outcome.line = launch->last.line;
    outcome.error = launch->last.error > 0 ? -launch->last.error : -EIO;
    if (launch->last.word != BIRTH_FAILED) {
        outcome.error = -ECANCELED;
        if (info && info->si_code != CLD_EXITED)
            snprintf(text, sizeof(text), "killed by SIG%s before it executed its program",
                     sigabbrev_np(info->si_status) ? sigabbrev_np(info->si_status) : "?");
    }
    tell(launch, &outcome);
}

/* It has failed: that is reported when it is gone, so that nothing of it is in the way of the
 * next. */
static bool reap(struct launch *launch)
{
    siginfo_t info = {};

    if (waitid(P_PID, (id_t)launch->pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
        return false;
    tell_failure(launch, &info);
    return true;
}

bool launch_child_exited(struct launch *launch)
{
    return launch->ended ? reap(launch) : launch_look(launch);
}

static int child_exited(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    reap(userdata);
    return 0;
}

/* Where it cannot be watched, SIGCHLD tells of it. */
static void wait_for_child(struct launch *launch)
{
    if (reap(launch))
        return;
    if (launch->pidfd < 0)
        launch->pidfd = again_pidfd(launch->pid);
    if (launch->pidfd >= 0)
        sd_event_add_io(launch->spawner->event, &launch->exit_source, launch->pidfd, EPOLLIN,
                        child_exited, launch);
}

static void note(struct launch *launch, const struct birth_message *message)
{
    know_pid(launch, message->pid);
    if (message->word == BIRTH_FILE)
        memcpy(&launch->log_device, message->text, sizeof(launch->log_device));
    else
        launch->last = *message;
}

/* Returns 1, 0 at the end, or a negative errno. */
static int read_message(struct launch *launch)
{
    struct birth_message message;
    struct iovec data = {.iov_base = &message, .iov_len = sizeof(message)};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
    ssize_t n = recvmsg(launch->status, &header, MSG_DONTWAIT);

    if (n <= 0)
        return n < 0 ? -errno : 0;
    if (n == sizeof(message))
        note(launch, &message);
    return 1;
}

/* All that was said. False where it could not be read just now: what is not known to have been
 * said must not be taken for never said, as the plan would be sent again. */
static bool read_messages(struct launch *launch)
{
    int r, tries = 0;

    do
        r = read_message(launch);
    while (r > 0 || (r < 0 && ++tries < READ_TRIES));
    return r == 0 || r == -ECONNRESET;
}

/* The other end is closed: by the exec, or by a death. False if that has to be examined again: the
 * event comes again. */
static bool end_launch(struct launch *launch)
{
    if (!read_messages(launch))
        return false;
    close_status(launch);
    launch->ended = true;
    if (launch->last.word == BIRTH_EXECUTING)
        tell_success(launch);
    else if (launch->pid > 0)
        wait_for_child(launch);
    else if (launch->last.word == BIRTH_FAILED)
        tell_failure(launch, NULL);
    else
        tell_lost(launch);
    return true;
}

bool spawner_is_idle(const struct spawner *spawner)
{
    return !spawner->launches;
}

bool launch_look(struct launch *launch)
{
    struct pollfd look = {.fd = launch->status};

    if (launch->ended || poll(&look, 1, 0) <= 0 || !(look.revents & (POLLHUP | POLLERR)))
        return false;
    return end_launch(launch);
}

void launch_has_executed(struct launch *launch)
{
    if (!launch->ended)
        end_launch(launch);
}

static void ended(void *data)
{
    end_launch(data);
}

static int add_launch(struct spawner *spawner, int status, launch_done done, void *userdata,
                      struct launch **launch)
{
    struct launch *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    *fresh = (struct launch){.spawner = spawner,
                             .next = spawner->launches,
                             .link = &spawner->launches,
                             .status = status,
                             .sent_usec = now_usec(spawner),
                             .pidfd = -1,
                             .done = done,
                             .userdata = userdata};
    if (fresh->next)
        fresh->next->link = &fresh->next;
    spawner->launches = fresh;
    int r = ends_watch(spawner->ends, status, fresh);
    if (r < 0) {
        fresh->status = -1; /* the caller's again */
        launch_forget(fresh);
        return r;
    }
    *launch = fresh;
    return 0;
}

/* ---- time ------------------------------------------------------------------------------------ */

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

static void kill_child(struct launch *launch)
{
    if (launch_pid(launch) == 0)
        return;
    if (launch->pidfd < 0)
        launch->pidfd = again_pidfd(launch->pid);
    if (launch->pidfd >= 0)
        handle_signal(launch->pidfd, SIGKILL);
    else
        handle_signal_child(launch->pid, SIGKILL);
}

static bool is_ready_for_more(const struct spawner *spawner)
{
    return spawner->pid == 0 || spawner->sent - spawner->done < ROOM;
}

static int tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct spawner *spawner = userdata;
    uint64_t now = now_usec(spawner);
    bool more = false;

    (void)source;
    (void)usec;
    count_done(spawner);
    for (struct launch *launch = spawner->launches; launch; launch = launch->next) {
        if (launch->kill_usec > 0 && now >= launch->kill_usec)
            kill_child(launch);
        more |= launch->kill_usec > 0;
    }
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

void spawner_on_room(struct spawner *spawner, void (*room)(void *userdata), void *userdata)
{
    spawner->room = room;
    spawner->userdata = userdata;
}

void launch_kill(struct launch *launch)
{
    launch->kill_usec = 1;
    kill_child(launch);
    wake_at(launch->spawner, now_usec(launch->spawner) + SLOW_TICK_USEC);
}

void launch_kill_later(struct launch *launch)
{
    uint64_t at = now_usec(launch->spawner) + KILL_USEC;

    if (launch->kill_usec > 0)
        return;
    launch->kill_usec = at;
    wake_at(launch->spawner, at);
}

struct launch *launch_of_pid(struct spawner *spawner, pid_t pid)
{
    for (struct launch *launch = spawner->launches; launch; launch = launch->next)
        if (launch_pid(launch) == pid)
            return launch;
    return NULL;
}

/* ---- sending --------------------------------------------------------------------------------- */

static int send_launch(struct spawner *spawner, const struct plan *plan,
                       const struct launch_descriptors *descriptors, launch_done done,
                       void *userdata, struct launch **launch)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    int r = add_launch(spawner, ends[0], done, userdata, launch);
    if (r < 0)
        close(ends[0]);
    if (r >= 0)
        r = plan_send(spawner->socket, plan, descriptors, ends[1]);
    if (r < 0 && *launch) {
        launch_forget(*launch);
        *launch = NULL;
    }
    close(ends[1]);
    return r;
}

int launch_begin(struct spawner *spawner, const struct plan_source *source,
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

int launch_adopt(struct spawner *spawner, int status, launch_done done, void *userdata,
                 struct launch **launch)
{
    int r = add_launch(spawner, status, done, userdata, launch);

    if (r < 0) {
        close(status);
        return r;
    }
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

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
                              .socket = -1};
    int r = sd_event_add_time(event, &fresh->timer, CLOCK_MONOTONIC, 0, 1000, tick, fresh);
    if (r >= 0)
        r = sd_event_source_set_enabled(fresh->timer, SD_EVENT_OFF);
    if (r >= 0) /* only EPOLLHUP: what is said before is read then */
        r = ends_new(event, SD_EVENT_PRIORITY_NORMAL - 20, 0, ended, &fresh->ends);
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

void spawner_free(struct spawner *spawner)
{
    if (!spawner)
        return;
    while (spawner->launches)
        launch_forget(spawner->launches);
    end_process(spawner);
    sd_event_source_disable_unref(spawner->timer);
    ends_free(spawner->ends);
    sd_event_unref(spawner->event);
    free(spawner->ended);
    free(spawner);
}
