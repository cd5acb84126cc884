#include "system/outside.h"

#include "system/own_process.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES     2
#define IDLE_MAX  2     /* that wait for more, */
#define IDLE_MSEC 10000 /* so long */
#define KNOWN_MAX 512   /* processes that have not been reaped */
#define NAME      "proctor-outside"
#define SOCKET    3

struct helper {
    pid_t pid;
    int socket;
};

/* All of it belongs to the holder of the lock, which is never held over a call that can wait. */
static struct {
    pthread_mutex_t lock;
    bool begun;
    struct helper idle[IDLE_MAX];
    size_t n_idle;
    pid_t known[KNOWN_MAX];
    size_t n_known;
    unsigned starting;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- parcels --------------------------------------------------------------------------------- */

union control {
    char bytes[CMSG_SPACE(OUTSIDE_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

static int send_parcel(int socket, uint32_t number, const struct outside_parcel *parcel)
{
    struct iovec data[] = {{&number, sizeof(number)}, {parcel->data, parcel->size}};
    union control control = {};
    struct msghdr header = {.msg_iov = data, .msg_iovlen = 2};

    if (parcel->n_fds > 0) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(parcel->n_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(parcel->n_fds * sizeof(int)),
                              .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), parcel->fds, parcel->n_fds * sizeof(int));
    }
    ssize_t n;
    do
        n = sendmsg(socket, &header, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static void take_descriptors(struct msghdr *header, struct outside_parcel *parcel)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(header);

    parcel->n_fds = 0;
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return;
    parcel->n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(parcel->fds, CMSG_DATA(c), parcel->n_fds * sizeof(int));
}

static void close_descriptors(struct outside_parcel *parcel)
{
    for (size_t i = 0; i < parcel->n_fds; i++)
        close(parcel->fds[i]);
    parcel->n_fds = 0;
}

/* Returns 1, 0 where the other side has gone, or a negative errno. */
static int receive_parcel(int socket, uint32_t *number, struct outside_parcel *parcel)
{
    struct iovec data[] = {{number, sizeof(*number)}, {parcel->data, parcel->room}};
    union control control;
    struct msghdr header = {.msg_iov = data,
                            .msg_iovlen = 2,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t n;

    do
        n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : 0;
    take_descriptors(&header, parcel);
    if ((size_t)n < sizeof(*number) || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        close_descriptors(parcel);
        return header.msg_flags & MSG_CTRUNC ? -EMFILE : -EBADMSG;
    }
    parcel->size = (size_t)n - sizeof(*number);
    return 1;
}

/* ---- the pool -------------------------------------------------------------------------------- */

void outside_begin(void)
{
    pool.begun = true;
}

/* One that cannot be noted is reaped as an orphan is. */
static void note_started(pid_t pid)
{
    pthread_mutex_lock(&pool.lock);
    pool.starting--;
    if (pid > 0 && pool.n_known < KNOWN_MAX)
        pool.known[pool.n_known++] = pid;
    pthread_mutex_unlock(&pool.lock);
}

int outside_exited(pid_t pid)
{
    siginfo_t info;

    pthread_mutex_lock(&pool.lock);
    int r = pool.starting > 0 ? -EAGAIN : 0;
    for (size_t i = 0; i < pool.n_known && r <= 0; i++)
        if (pool.known[i] == pid) {
            pool.known[i] = pool.known[--pool.n_known];
            r = 1;
        }
    pthread_mutex_unlock(&pool.lock);
    if (r == 1)
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
    return r;
}

static int start(struct helper *helper)
{
    int ends[2];
    pid_t pid = 0;
    int r = own_process_sockets(ends);

    if (r == 0)
        r = own_process_begin(OUTSIDE_OPTION, NULL, &ends[1], 1, &pid);
    note_started(r == 0 ? pid : 0);
    if (ends[1] >= 0)
        close(ends[1]);
    if (r < 0 && ends[0] >= 0)
        close(ends[0]);
    *helper = (struct helper){.pid = pid, .socket = ends[0]};
    return r;
}

/* fresh: not one that may have ended meanwhile. */
static int take(bool fresh, struct helper *helper)
{
    pthread_mutex_lock(&pool.lock);
    bool found = !fresh && pool.n_idle > 0;
    if (found)
        *helper = pool.idle[--pool.n_idle];
    else
        pool.starting++;
    pthread_mutex_unlock(&pool.lock);
    return found ? 0 : start(helper);
}

static void give_back(const struct helper *helper)
{
    pthread_mutex_lock(&pool.lock);
    bool kept = pool.n_idle < IDLE_MAX;
    if (kept)
        pool.idle[pool.n_idle++] = *helper;
    pthread_mutex_unlock(&pool.lock);
    if (!kept)
        close(helper->socket);
}

/* ---- calls ----------------------------------------------------------------------------------- */

struct outside_process {
    struct helper helper; /* its socket is -1 where there is none */
    unsigned users;
};

static int take_for(struct outside_process *process, bool fresh, struct helper *helper)
{
    if (!process || process->helper.socket < 0)
        return take(fresh, helper);
    *helper = process->helper;
    return 0;
}

static void keep(struct outside_process *process, const struct helper *helper)
{
    if (process)
        process->helper = *helper;
    else
        give_back(helper);
}

static void lose(struct outside_process *process, const struct helper *helper)
{
    close(helper->socket);
    if (process)
        process->helper.socket = -1;
}

static int try(struct outside_process *process, const struct outside_job *job,
               const struct outside_parcel *request, struct outside_parcel *answer, bool fresh,
               bool *begun)
{
    struct helper helper;
    uint32_t number;
    int r = take_for(process, fresh, &helper);

    if (r < 0)
        return r;
    r = send_parcel(helper.socket, job->number, request);
    *begun = *begun || r == 0; /* else it had ended before, as one does that has nothing to do */
    if (r == 0)
        r = receive_parcel(helper.socket, &number, answer);
    if (r > 0) {
        keep(process, &helper);
        return 0;
    }
    lose(process, &helper);
    return r < 0 ? r : -EPIPE;
}

int outside_ask(struct outside_process *process, const struct outside_job *job,
                const struct outside_parcel *request, struct outside_parcel *answer)
{
    bool begun = false;
    int r = -ENOSYS;

    for (int i = 0; pool.begun && i < TRIES; i++) {
        answer->size = answer->n_fds = 0;
        bool died = begun;
        r = try(process, job, request, answer, i > 0, &begun);
        if (r == 0)
            return died;
        if (r == -EMFILE)
            return r; /* what has been opened does not fit into our table */
    }
    answer->size = answer->n_fds = 0;
    return begun ? -EIO : r;
}

int outside_make(const struct outside_job *job, const struct outside_parcel *request,
                 struct outside_parcel *answer)
{
    int r = outside_ask(NULL, job, request, answer);

    if (r == -EIO || r == -EMFILE)
        return r;
    if (r < 0)
        job->handle(request, answer);
    return 0;
}

struct outside_process *outside_process_new(void)
{
    struct outside_process *process = calloc(1, sizeof(*process));

    if (process)
        *process = (struct outside_process){.helper.socket = -1, .users = 1};
    return process;
}

struct outside_process *outside_process_use(struct outside_process *process)
{
    if (process)
        process->users++;
    return process;
}

void outside_process_leave(struct outside_process *process)
{
    if (!process || --process->users > 0)
        return;
    if (process->helper.socket >= 0)
        close(process->helper.socket);
    free(process);
}

/* ---- the process ----------------------------------------------------------------------------- */

static const struct outside_job *job_of(const struct outside_job *jobs, size_t n, uint32_t number)
{
    for (size_t i = 0; i < n; i++)
        if (jobs[i].number == number)
            return &jobs[i];
    return NULL;
}

/* Returns false where there is nothing more to do. */
static bool serve(const struct outside_job *jobs, size_t n, struct outside_parcel *request,
                  struct outside_parcel *answer, bool *stays)
{
    struct pollfd more = {.fd = SOCKET, .events = POLLIN};
    uint32_t number;

    if (poll(&more, 1, *stays ? -1 : IDLE_MSEC) <= 0 ||
        receive_parcel(SOCKET, &number, request) <= 0)
        return false;
    const struct outside_job *job = job_of(jobs, n, number);
    answer->size = answer->n_fds = 0;
    if (job)
        job->handle(request, answer);
    *stays = *stays || (job && job->stays);
    close_descriptors(request);
    int r = send_parcel(SOCKET, number, answer);
    close_descriptors(answer);
    return job && r == 0;
}

int outside_run(const struct outside_job *jobs, size_t n)
{
    static char in[OUTSIDE_SIZE_MAX], out[OUTSIDE_SIZE_MAX];
    struct outside_parcel request = {.data = in, .room = sizeof(in)},
                          answer = {.data = out, .room = sizeof(out)};

    prctl(PR_SET_NAME, NAME);
    syscall(SYS_close_range, SOCKET + 1, ~0U, 0);
    bool stays = false;
    while (serve(jobs, n, &request, &answer, &stays))
        ;
    return EXIT_SUCCESS;
}
