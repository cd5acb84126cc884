#include "host/log_writer.h"

#include "core/vocabulary/invariant.h"
#include "host/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define CHUNK      (64 * 1024)
#define ALL_CHUNKS 16 /* more than a pipe holds */
#define TURN_TRIES 20 /* for one that has been left behind, */
#define TURN_NSEC  10000000
#define BUCKETS    1024

/* ---- files that are kept ----------------------------------------------------------------------
 */

struct kept {
    struct kept *next;
    uint64_t output;
    struct log_file *file;
    bool has_waited; /* for its turn at the pipe, in vain: not again */
};

/* The lock is for threads of a program that has no process outside. Each file is used by one. */
static struct kept *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct kept **place_of(uint64_t output)
{
    struct kept **place = &buckets[output % BUCKETS];

    while (*place && (*place)->output != output)
        place = &(*place)->next;
    return place;
}

static struct kept *kept_new(const struct log_order *order, const char *path)
{
    struct kept *kept = calloc(1, sizeof(*kept));

    if (!kept)
        return NULL;
    kept->output = order->output;
    kept->file = log_file_new(path, order->max_size_bytes, order->keep);
    if (kept->file)
        return kept;
    free(kept);
    return NULL;
}

/* NULL without memory. */
static struct kept *take(const struct log_order *order, const char *path)
{
    pthread_mutex_lock(&lock);
    struct kept **place = place_of(order->output), *kept = *place;
    if (kept)
        *place = kept->next;
    pthread_mutex_unlock(&lock);
    return kept ? kept : kept_new(order, path);
}

static void put_back(struct kept *kept)
{
    pthread_mutex_lock(&lock);
    struct kept **place = place_of(kept->output);
    kept->next = *place;
    *place = kept;
    pthread_mutex_unlock(&lock);
}

static void forget(struct kept *kept)
{
    log_file_free(kept->file);
    free(kept);
}

/* ---- the pipe ---------------------------------------------------------------------------------
 */

/* The lock belongs to this opening of the pipe, even if it is shared: gone when that is closed. The
 * child could hold it, too, and would then hold up itself, once. */
static int wait_for_turn(struct kept *kept, int pipe)
{
    const struct timespec moment = {.tv_nsec = TURN_NSEC};
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0 && !kept->has_waited; i++) {
        kept->has_waited = i == TURN_TRIES;
        nanosleep(&moment, NULL);
    }
    return fd;
}

static bool move_chunk(struct log_file *file, int pipe, uint64_t *dropped)
{
    static _Thread_local char buffer[CHUNK];
    ssize_t n = read(pipe, buffer, sizeof(buffer));

    if (n > 0 || *dropped > 0)
        log_file_write(file, buffer, n > 0 ? (size_t)n : 0, *dropped, "the disk did not respond");
    *dropped = 0;
    return n > 0;
}

static void move(struct kept *kept, const struct log_order *order, int pipe)
{
    uint64_t dropped = order->dropped;
    int turn = wait_for_turn(kept, pipe);

    for (int i = 0; i < (order->task == LOG_CHUNK ? 1 : ALL_CHUNKS); i++)
        if (!move_chunk(kept->file, pipe, &dropped))
            break;
    if (turn >= 0)
        close(turn);
}

/* ---- orders -----------------------------------------------------------------------------------
 */

static void carry_out(const struct log_order *order, const char *path, int pipe,
                      struct log_report *report)
{
    struct kept *kept = take(order, path);
    const char *why;

    if (!kept)
        return;
    if (order->task == LOG_REOPEN)
        log_file_reopen(kept->file);
    else if (pipe >= 0)
        move(kept, order, pipe);
    report->lost = log_file_lost(kept->file, &why);
    snprintf(report->why, sizeof(report->why), "%s", why ? why : "");
    report->device = log_file_device(kept->file);
    if (order->keeps && order->task != LOG_END)
        put_back(kept);
    else
        forget(kept);
}

static void handle(const struct outside_parcel *request, struct outside_parcel *answer)
{
    const char *path = (const char *)request->data + sizeof(struct log_order);
    struct log_order order;
    struct log_report report = {};

    if (request->size <= sizeof(order) || path[request->size - sizeof(order) - 1] != '\0')
        return;
    memcpy(&order, request->data, sizeof(order));
    carry_out(&order, path, request->n_fds > 0 ? request->fds[0] : -1, &report);
    memcpy(answer->data, &report, sizeof(report));
    answer->size = sizeof(report);
}

const struct outside_job log_writer_job = {OUTSIDE_LOG, handle, .stays = true};

bool log_writer_order(struct outside_process *process, const struct log_order *order,
                      const char *path, int pipe, struct log_report *report)
{
    char text[sizeof(*order) + PATH_MAX];
    struct log_order here = *order;
    struct outside_parcel answer = {.data = report, .room = sizeof(*report)},
                          request = {.data = text, .fds = {pipe}, .n_fds = pipe >= 0};

    INVARIANT(path && report);
    *report = (struct log_report){};
    memcpy(text, order, sizeof(*order));
    request.size = sizeof(*order) + strlen(path) + 1;
    if (request.size > sizeof(text)) /* with it no child has come to its program */
        return true;
    memcpy(text + sizeof(*order), path, strlen(path) + 1);
    int r = outside_ask(process, &log_writer_job, &request, &answer);
    if (r >= 0 || r == -EIO)
        return r == 0;
    here.keeps = r == -ENOSYS; /* no other process ever has it */
    carry_out(&here, path, pipe, report);
    return true;
}
