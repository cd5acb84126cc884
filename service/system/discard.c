/*
 * Getting rid of descriptors whose closing may hang, in a thread that is
 * interrupted from time to time.
 */
#include "system/discard.h"

#include "system/beside.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define POKE_NSEC 1000000

struct discard {
    struct beside_work work;
    int socket;
    void (*done)(void *userdata, struct discarded *discarded);
    void *userdata;
    struct discarded discarded;
};

static void poked(int signal)
{
    (void)signal;
}

/* SIGURG is used for nothing else. Without SA_RESTART: what waits is to end. */
static void prepare(void)
{
    static bool prepared;
    struct sigaction action = {.sa_handler = poked};

    sigemptyset(&action.sa_mask);
    if (!prepared)
        sigaction(SIGURG, &action, NULL);
    prepared = true;
}

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Room for the credentials, and not for a single descriptor. */
static void receive(struct discard *discard)
{
    struct discarded *discarded = &discard->discarded;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {.iov_base = discarded->text, .iov_len = DATAGRAM_MAX};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    struct ucred credentials = {};

    discarded->size = recvmsg(discard->socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (discarded->size < 0)
        return;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
        memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
    discarded->pid = credentials.pid;
    discarded->uid = credentials.uid;
    discarded->text[discarded->size] = '\0';
    if ((header.msg_flags & MSG_TRUNC) || memchr(discarded->text, '\0', (size_t)discarded->size))
        discarded->size = -1;
}

/* A signal ends a call that hangs. */
static void be_poked(struct discard *discard, void (*call)(struct discard *discard))
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG};
    struct itimerspec each = {.it_interval.tv_nsec = POKE_NSEC, .it_value.tv_nsec = POKE_NSEC};
    sigset_t poke, before;
    timer_t timer;

    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    bool has_timer = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
    sigemptyset(&poke);
    sigaddset(&poke, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &poke, &before);
    if (has_timer)
        timer_settime(timer, 0, &each, NULL);
    call(discard);
    if (has_timer)
        timer_delete(timer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void work(void *data)
{
    struct discard *discard = data;
    uint64_t begin = now_usec();

    be_poked(discard, receive);
    discard->discarded.took_usec = now_usec() - begin;
}

static void done(void *data)
{
    struct discard *discard = data;
    discard->done(discard->userdata, &discard->discarded);
}

/* One message of a socket, with its descriptors. */
int discard_next(struct beside_queue *queue, int socket,
                 void (*callback)(void *userdata, struct discarded *discarded), void *userdata)
{
    struct discard *discard = calloc(1, sizeof(*discard));

    if (!discard)
        return -ENOMEM;
    prepare();
    *discard = (struct discard){.work = {.what = "drop descriptors of the notify socket",
                                         .work = work,
                                         .done = done,
                                         .release = free,
                                         .data = discard},
                                .socket = socket,
                                .done = callback,
                                .userdata = userdata};
    beside_do(queue, &discard->work);
    return 0;
}

static void close_socket(struct discard *discard)
{
    close(discard->socket);
}

static void work_on_close(void *data)
{
    be_poked(data, close_socket);
}

/* A socket with what is queued in it. */
void discard_close(int socket)
{
    struct discard *discard = socket >= 0 ? calloc(1, sizeof(*discard)) : NULL;

    if (!discard) {
        beside_close(socket);
        return;
    }
    prepare();
    *discard = (struct discard){
        .work = {.what = "close a socket", .work = work_on_close, .release = free, .data = discard},
        .socket = socket};
    beside_do(NULL, &discard->work);
}

void discard_refuse(int socket, bool refused)
{
    int passes = !refused;

    setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &passes, sizeof(passes));
}
