/*
 * The process that writes output, and the orders it takes. It holds nothing
 * that could not be lost: if it dies, the daemon starts another one, which
 * opens the file again.
 */
#include "host/log_writer.h"

#include "core/vocabulary/invariant.h"
#include "host/log_file.h"
#include "host/log_lines.h"

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
    struct log_file *file;   /* one of the two */
    struct log_lines *lines; /* is NULL */
    bool has_waited;         /* for its turn at the pipe, in vain: not again */
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

/* A file or a stream, by the order. */
static struct kept *kept_new(const struct log_order *order, const char *path)
{
    struct kept *kept = calloc(1, sizeof(*kept));

    if (!kept)
        return NULL;
    kept->output = order->output;
    if (order->place == LOG_TO_FILE)
        kept->file = log_file_new(path, order->max_size_bytes, order->keep);
    else
        kept->lines = log_lines_new(path);
    if (kept->file || kept->lines)
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
    if (kept->file)
        log_file_free(kept->file);
    if (kept->lines)
        log_lines_free(kept->lines);
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

/* Writes what was read to where it belongs. */
static void put(struct kept *kept, int stream, const char *data, size_t length, uint64_t dropped)
{
    struct log_lines_order lines = {.stream = stream,
                                    .missing = dropped,
                                    .why = stream < 0 ? "journald did not respond"
                                                      : "standard error was not read"};

    if (kept->file)
        log_file_write(kept->file, data, length, dropped, "the disk did not respond");
    else
        log_lines_write(kept->lines, &lines, data, length);
}

static void note_words(struct log_report *report, const char *data, size_t length)
{
    size_t most = sizeof(report->words), new = length < most ? length : most;
    size_t old = report->n_words < most - new ? report->n_words : most - new;

    memmove(report->words, report->words + report->n_words - old, old);
    memcpy(report->words + old, data + length - new, new);
    report->n_words = (uint32_t)(old + new);
}

/* From the pipe to the place; the last line is kept for the reason of a
 * failure. */
static bool move_chunk(struct kept *kept, int pipe, int stream, uint64_t *dropped,
                       struct log_report *report)
{
    static _Thread_local char buffer[CHUNK];
    ssize_t n = read(pipe, buffer, sizeof(buffer));

    if (n > 0 || *dropped > 0)
        put(kept, stream, buffer, n > 0 ? (size_t)n : 0, *dropped);
    *dropped = 0;
    if (n > 0)
        note_words(report, buffer, (size_t)n);
    return n > 0;
}

/* The attempt has ended, and with it the line that it has begun. */
static void end_lines(struct kept *kept, int stream)
{
    const struct log_lines_order end = {.stream = stream, .end = true};

    if (kept->lines)
        log_lines_write(kept->lines, &end, "", 0);
}

/* The lock makes writers of one file take turns, as an upgrade may have two of
 * them for a moment. */
static void move(struct kept *kept, const struct log_order *order, int pipe, int stream,
                 struct log_report *report)
{
    uint64_t dropped = order->dropped;
    int turn = wait_for_turn(kept, pipe);

    for (int i = 0; i < (order->task == LOG_CHUNK ? 1 : ALL_CHUNKS); i++)
        if (!move_chunk(kept, pipe, stream, &dropped, report))
            break;
    if (order->task != LOG_CHUNK || !order->keeps)
        end_lines(kept, stream);
    if (turn >= 0)
        close(turn);
}

/* ---- orders -----------------------------------------------------------------------------------
 */

static uint64_t lost_of(struct kept *kept, const char **why)
{
    return kept->file ? log_file_lost(kept->file, why) : log_lines_lost(kept->lines, why);
}

/* One order, and its report: how much was lost, and why. */
static void carry_out(const struct log_order *order, const char *target, int pipe, int stream,
                      struct log_report *report)
{
    struct kept *kept = take(order, target);
    const char *why;

    if (!kept)
        return;
    if (order->task == LOG_REOPEN && kept->file)
        log_file_reopen(kept->file);
    else if (order->task != LOG_REOPEN && pipe >= 0)
        move(kept, order, pipe, order->place == LOG_TO_STREAM ? stream : -1, report);
    report->lost = lost_of(kept, &why);
    snprintf(report->why, sizeof(report->why), "%s", why ? why : "");
    report->device = kept->file ? log_file_device(kept->file) : 0;
    if (order->keeps && order->task != LOG_END)
        put_back(kept);
    else
        forget(kept);
}

/* The order is checked, because it comes from another process. */
static void handle(const struct outside_parcel *request, struct outside_parcel *answer)
{
    const char *target = (const char *)request->data + sizeof(struct log_order);
    struct log_order order;
    struct log_report report = {};

    if (request->size <= sizeof(order) || target[request->size - sizeof(order) - 1] != '\0')
        return;
    memcpy(&order, request->data, sizeof(order));
    carry_out(&order, target, request->n_fds > 0 ? request->fds[0] : -1,
              request->n_fds > 1 ? request->fds[1] : STDERR_FILENO, &report);
    memcpy(answer->data, &report, sizeof(report));
    answer->size = sizeof(report);
}

const struct outside_job log_writer_job = {OUTSIDE_LOG, handle, .stays = true};

/* Asks the process beside; if there is none (it cannot be started), writes
 * here. Returns false if it has died over it. */
bool log_writer_order(struct outside_process *process, const struct log_order *order,
                      const char *target, int pipe, struct log_report *report)
{
    char text[sizeof(*order) + PATH_MAX];
    struct log_order here = *order;
    struct outside_parcel answer = {.data = report, .room = sizeof(*report)},
                          request = {.data = text,
                                     .fds = {pipe, STDERR_FILENO},
                                     .n_fds = pipe < 0                        ? 0
                                              : order->place == LOG_TO_STREAM ? 2
                                                                              : 1};

    INVARIANT(target && report);
    *report = (struct log_report){};
    memcpy(text, order, sizeof(*order));
    request.size = sizeof(*order) + strlen(target) + 1;
    if (request.size > sizeof(text)) /* with it no child has come to its program */
        return true;
    memcpy(text + sizeof(*order), target, strlen(target) + 1);
    int r = outside_ask(process, &log_writer_job, &request, &answer);
    if (r >= 0 || r == -EIO)
        return r == 0;
    here.keeps = r == -ENOSYS; /* no other process ever has it */
    carry_out(&here, target, pipe, STDERR_FILENO, report);
    return true;
}
