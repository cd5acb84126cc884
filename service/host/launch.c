/*
 * A launch is one order to the spawner, and the socket on which its birth
 * reports. The child itself holds the other end, close-on-exec: when it closes
 * without a word, the program has been executed. So the answer comes from the
 * child, even if the spawner dies in between.
 */
#include "host/launch.h"

#include "system/again.h"
#include "host/ends.h"
#include "system/handle.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_TRIES 4 /* at once, where what failed may go well the next time */
#define KILL_USEC  UINT64_C(1000000)
#define AGAIN_USEC UINT64_C(250000) /* between two kills of a child that may not exist yet */

struct launch {
    struct launches *launches;
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

static uint64_t now_usec(const struct launches *launches)
{
    uint64_t now;

    sd_event_now(launches->event, CLOCK_MONOTONIC, &now);
    return now;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void unlink_launch(struct launch *launch)
{
    *launch->link = launch->next;
    if (launch->next)
        launch->next->link = launch->link;
}

static void close_status(struct launch *launch)
{
    if (launch->status >= 0)
        ends_forget(launch->launches->ends, launch->status);
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

/* The launch is forgotten first: the callee may start the next one. */
static void tell(struct launch *launch, const struct launch_outcome *outcome)
{
    launch_done done = launch->done;
    void *userdata = launch->userdata;
    struct launches *launches = launch->launches;

    launch->pidfd = -1; /* it is the callee's by now */
    launch_forget(launch);
    done(userdata, outcome);
    launches->over(launches->userdata);
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

/* What the birth has said, or what can be said about it: that it was killed,
 * and by which signal. */
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
        sd_event_add_io(launch->launches->event, &launch->exit_source, launch->pidfd, EPOLLIN,
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

/* Its socket is watched. The launch has no owner yet. */
static int make_launch(struct launches *launches, int status, struct launch **launch)
{
    struct launch *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    *fresh = (struct launch){.launches = launches, .status = status, .pidfd = -1};
    int r = ends_watch(launches->ends, status, fresh);
    if (r < 0)
        free(fresh);
    else
        *launch = fresh;
    return r;
}

static void begin_launch(struct launch *launch, launch_done done, void *userdata)
{
    struct launches *launches = launch->launches;

    launch->next = launches->first;
    launch->link = &launches->first;
    if (launch->next)
        launch->next->link = &launch->next;
    launches->first = launch;
    launch->sent_usec = now_usec(launches);
    launch->done = done;
    launch->userdata = userdata;
}

int launch_new(struct launches *launches, int status, launch_done done, void *userdata,
               struct launch **launch)
{
    int r = make_launch(launches, status, launch);

    if (r == 0)
        begin_launch(*launch, done, userdata);
    return r;
}

static int make_pair(struct launches *launches, struct launch **launch, int *other)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    int r = make_launch(launches, ends[0], launch);
    if (r < 0) {
        close(ends[0]);
        close(ends[1]);
        return r;
    }
    *other = ends[1];
    return 0;
}

int launch_next(struct launches *launches, launch_done done, void *userdata, struct launch **launch,
                int *other)
{
    if (launches->spare) {
        *launch = launches->spare;
        *other = launches->spare_other;
        launches->spare = NULL;
    } else {
        int r = make_pair(launches, launch, other);
        if (r < 0)
            return r;
    }
    begin_launch(*launch, done, userdata);
    return 0;
}

void launches_prepare(struct launches *launches)
{
    if (!launches->spare && make_pair(launches, &launches->spare, &launches->spare_other) < 0)
        launches->spare = NULL;
}

static void forget_spare(struct launches *launches)
{
    if (!launches->spare)
        return;
    close_status(launches->spare);
    close(launches->spare_other);
    free(launches->spare);
    launches->spare = NULL;
}

/* By its descriptor if there is one. */
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

void launch_kill(struct launch *launch)
{
    launch->kill_usec = 1;
    kill_child(launch);
    launch->launches->wake(launch->launches->userdata, now_usec(launch->launches) + AGAIN_USEC);
}

void launch_kill_later(struct launch *launch)
{
    uint64_t at = now_usec(launch->launches) + KILL_USEC;

    if (launch->kill_usec > 0)
        return;
    launch->kill_usec = at;
    launch->launches->wake(launch->launches->userdata, at);
}

struct launch *launches_find(const struct launches *launches, pid_t pid)
{
    for (struct launch *launch = launches->first; launch; launch = launch->next)
        if (launch_pid(launch) == pid)
            return launch;
    return NULL;
}

static void ended(void *data)
{
    end_launch(data);
}

int launches_begin(struct launches *launches, sd_event *event)
{
    launches->event = event;
    /* only EPOLLHUP: what is said before is read then */
    return ends_new(event, SD_EVENT_PRIORITY_NORMAL - 20, 0, ended, &launches->ends);
}

void launches_end(struct launches *launches)
{
    while (launches->first)
        launch_forget(launches->first);
    forget_spare(launches);
    ends_free(launches->ends);
}

/* A birth whose start was called off is killed as soon as its PID is known, and
 * again until it has gone. */
bool launches_kill(struct launches *launches, uint64_t now)
{
    bool more = false;

    for (struct launch *launch = launches->first; launch; launch = launch->next) {
        if (launch->kill_usec > 0 && now >= launch->kill_usec)
            kill_child(launch);
        more |= launch->kill_usec > 0;
    }
    return more;
}
