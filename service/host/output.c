#include "output.h"

#include "again.h"

#include "beside.h"
#include "disk_queue.h"
#include "journald_stream.h"
#include "log.h"
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define CHUNK         (64 * 1024)
#define DRAIN_CHUNKS  16      /* more than a pipe holds */
#define PATIENCE_USEC 2000000 /* a child waits so long for its disk, then what it says is lost */

/*
 * What the works beside the loop use: the reading end of the pipe and the file. It goes with the
 * last of them, which may be long after its output has gone.
 */
struct drain {
    int fd; /* of the pipe; -1: there is none yet */
    struct log_file *file;
};

enum task { TASK_CHUNK, TASK_ALL, TASK_TAKE, TASK_REOPEN, TASK_END };

#define TASKS (TASK_END + 1)

struct output {
    struct process_output settings;
    char *child_id;
    char *path;
    int pipe[2]; /* OUTPUT_FILE: read end, write end; -1 otherwise */
    bool has_file;
    sd_event_source *source, *patience;
    struct beside_queue *queue; /* its own, until it is known which disk the file lies on */
    struct disk_queue *disk;    /* then */
    struct drain *drain;
    struct work *pending[TASKS]; /* the work of each kind that has not been done yet */
    bool dropping;               /* the disk does not answer: what comes is read and dropped */
    uint64_t dropped;            /* bytes, that the next work tells of */
};

static uint64_t lost_bytes;

uint64_t output_lost_bytes(void)
{
    return lost_bytes;
}

/* ---- beside the loop ------------------------------------------------------------------------- */

struct work {
    struct beside_work beside;
    enum task task;
    struct drain *drain;
    struct output *output; /* NULL: it has gone */
    int file;              /* TASK_TAKE */
    uint64_t dropped;      /* before what this reads */
    uint64_t lost;         /* what came of it */
    const char *why;
    dev_t device; /* that the file lies on; 0: not known */
};

static bool move_chunk(struct work *work)
{
    static _Thread_local char buffer[CHUNK];
    struct drain *drain = work->drain;
    ssize_t n = read(drain->fd, buffer, sizeof(buffer));

    if (n > 0 || work->dropped > 0)
        log_file_write(drain->file, buffer, n > 0 ? (size_t)n : 0, work->dropped,
                       "the disk did not respond");
    work->dropped = 0;
    return n > 0;
}

static void do_work(void *data)
{
    struct work *work = data;
    struct drain *drain = work->drain;

    switch (work->task) {
    case TASK_CHUNK:
        move_chunk(work); /* one chunk a turn: a loud child must not starve the others */
        break;
    case TASK_ALL:
    case TASK_END:
        for (int i = 0; drain->fd >= 0 && i < DRAIN_CHUNKS && move_chunk(work); i++)
            ;
        break;
    case TASK_TAKE:
        log_file_take(drain->file, work->file);
        work->file = -1;
        break;
    case TASK_REOPEN:
        log_file_reopen(drain->file);
        break;
    }
    work->lost = log_file_lost(drain->file, &work->why);
    work->device = log_file_device(drain->file);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void free_drain(void *data)
{
    struct drain *drain = data;

    close_if_open(drain->fd);
    log_file_free(drain->file);
    free(drain);
}

static void release_work(void *data)
{
    struct work *work = data;

    if (work->file >= 0)
        close(work->file);
    if (work->task == TASK_END) {
        close_if_open(work->drain->fd);
        work->drain->fd = -1;
        free_drain(work->drain);
    }
    free(work);
}

static void tell_lost(const struct output *output, const struct work *work)
{
    if (work->lost == 0)
        return;
    lost_bytes += work->lost;
    log_print(LOG_WARNING, "%s: %" PRIu64 " bytes of its output are lost: %s: %s", output->child_id,
              work->lost, output->path, work->why ? work->why : "not written");
}

static bool is_idle(const struct output *output)
{
    for (int i = 0; i < TASKS; i++)
        if (output->pending[i])
            return false;
    return true;
}

/* With others whose files lie there. Only while nothing is on its way, which has to stay in order.
 */
static void join_disk(struct output *output, dev_t device)
{
    if (output->disk || device == 0 || !is_idle(output))
        return;
    output->disk = disk_queue_join(device);
    if (!output->disk)
        return;
    beside_leave(output->queue);
    output->queue = NULL;
}

static void work_done(void *data)
{
    const struct work *work = data;
    struct output *output = work->output;

    if (!output) {
        lost_bytes += work->lost;
        return;
    }
    output->pending[work->task] = NULL;
    tell_lost(output, work);
    join_disk(output, work->device);
    if (work->task != TASK_CHUNK)
        return;
    output->dropping = false;
    sd_event_source_set_enabled(output->patience, SD_EVENT_OFF);
    sd_event_source_set_enabled(output->source, SD_EVENT_ON);
}

/* One of a kind at a time is enough: what the second would do, the first still will. Returns false
 * without memory. */
static bool begin(struct output *output, enum task task, int file)
{
    static const char *const names[] = {"write a log file", "write a log file", "open a log file",
                                        "open a log file", "close a log file"};
    struct work *work;

    if (output->pending[task])
        return true;
    work = calloc(1, sizeof(*work));
    if (!work)
        return false;
    output->pending[task] = work;
    *work = (struct work){.beside = {.what = names[task],
                                     .work = do_work,
                                     .done = work_done,
                                     .release = release_work,
                                     .data = work},
                          .task = task,
                          .drain = output->drain,
                          .output = output,
                          .file = file,
                          .dropped = output->dropped};
    output->dropped = 0;
    beside_do(output->disk ? disk_queue_works(output->disk) : output->queue, &work->beside);
    return true;
}

/* ---- in the loop ----------------------------------------------------------------------------- */

/* While a work hangs, the child goes on: what it says is not kept, but counted. */
static void drop_chunk(struct output *output)
{
    static char nowhere[CHUNK];
    ssize_t n = read(output->pipe[0], nowhere, sizeof(nowhere));

    if (n > 0)
        output->dropped += (uint64_t)n;
}

static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct output *output = userdata;

    (void)fd;
    (void)events;
    if (output->dropping) {
        drop_chunk(output);
        return 0;
    }
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    sd_event_source_set_time_relative(output->patience, PATIENCE_USEC);
    sd_event_source_set_enabled(output->patience, SD_EVENT_ONESHOT);
    if (!begin(output, TASK_CHUNK, -1))
        sd_event_source_set_enabled(source, SD_EVENT_ON);
    return 0;
}

static int out_of_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct output *output = userdata;

    (void)source;
    (void)usec;
    output->dropping = true;
    log_print(LOG_WARNING, "%s: %s does not accept its output: what it writes now is lost",
              output->child_id, output->path);
    sd_event_source_set_enabled(output->source, SD_EVENT_ON);
    return 0;
}

void output_drain(struct output *output)
{
    if (output && output->pipe[0] >= 0)
        begin(output, TASK_ALL, -1);
}

void output_reopen(struct output *output)
{
    if (output && output->drain)
        begin(output, TASK_REOPEN, -1);
}

const char *output_wanted_file(const struct output *output)
{
    return output->settings.kind == OUTPUT_FILE && !output->has_file ? output->path : NULL;
}

void output_take_file(struct output *output, int fd)
{
    if (!output || output->has_file || !begin(output, TASK_TAKE, fd))
        close(fd);
    else
        output->has_file = true;
}

int pipe_keep_open(int write_end)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", write_end);
    int both = open(path, O_RDWR | O_CLOEXEC);
    if (both < 0)
        return write_end; /* without /proc: it ends with proctord */
    close(write_end);
    return both;
}

static int open_pipe(struct output *output, int read_end)
{
    char path[64];

    if (read_end >= 0) {
        output->pipe[0] = read_end;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", read_end);
        output->pipe[1] = open(path, O_RDWR | O_CLOEXEC);
        if (output->pipe[1] < 0)
            return -errno;
    } else if (pipe2(output->pipe, O_CLOEXEC) < 0) {
        return -errno;
    } else {
        output->pipe[1] = pipe_keep_open(output->pipe[1]);
    }
    /* Only our end must not wait: the child's end behaves as any pipe. */
    return fcntl(output->pipe[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int open_drain(struct output *output)
{
    const struct process_output *settings = &output->settings;

    output->queue = beside_queue_new();
    output->drain = calloc(1, sizeof(*output->drain));
    if (!output->queue || !output->drain)
        return -ENOMEM;
    output->drain->fd = output->pipe[0];
    output->drain->file = log_file_new(output->path, settings->max_size_bytes, settings->keep);
    return output->drain->file ? 0 : -ENOMEM;
}

static int watch(struct output *output, sd_event *event)
{
    int r = sd_event_add_time_relative(event, &output->patience, CLOCK_MONOTONIC, PATIENCE_USEC, 0,
                                       out_of_patience, output);

    if (r >= 0)
        r = sd_event_source_set_enabled(output->patience, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_io(event, &output->source, output->pipe[0], EPOLLIN, readable, output);
    if (r >= 0)
        r = sd_event_source_set_priority(output->source, SD_EVENT_PRIORITY_IDLE);
    return r;
}

static int open_file_output(struct output *output, sd_event *event, int read_end)
{
    int r = open_pipe(output, read_end);

    if (r == 0)
        r = open_drain(output);
    return r < 0 ? r : watch(output, event);
}

static int make(sd_event *event, const struct process_output *settings, const char *child_id,
                int read_end, struct output **output)
{
    struct output *fresh = calloc(1, sizeof(*fresh));
    int r = 0;

    if (!fresh)
        return -ENOMEM;
    *fresh = (struct output){.settings = *settings, .pipe = {-1, -1}};
    fresh->child_id = strdup(child_id);
    fresh->path = settings->path ? strdup(settings->path) : NULL;
    if (!fresh->child_id || (settings->path && !fresh->path))
        r = -ENOMEM;
    if (r == 0 && settings->kind == OUTPUT_FILE)
        r = open_file_output(fresh, event, read_end);
    if (r < 0) {
        output_free(fresh);
        return r;
    }
    *output = fresh;
    return 0;
}

int output_new(sd_event *event, const struct process_output *settings, const char *child_id,
               struct output **output)
{
    return make(event, settings, child_id, -1, output);
}

bool output_is(const struct output *output, const struct process_output *settings)
{
    return output->settings.kind == settings->kind &&
           output->settings.max_size_bytes == settings->max_size_bytes &&
           output->settings.keep == settings->keep &&
           strcmp(output->path ? output->path : "", settings->path ? settings->path : "") == 0;
}

int output_descriptor(const struct output *output)
{
    return output->settings.kind == OUTPUT_FILE ? output->pipe[0] : -1;
}

int output_adopt(sd_event *event, const struct process_output *settings, const char *child_id,
                 int fd, struct output **output)
{
    return make(event, settings, child_id, fd, output);
}

/* The reading end goes with the last work, which takes what is still in the pipe. */
static void free_reading_side(struct output *output)
{
    struct drain *drain = output->drain;

    if (drain && drain->file && begin(output, TASK_END, -1)) {
        for (int i = 0; i < TASKS; i++)
            if (output->pending[i])
                output->pending[i]->output = NULL;
        beside_leave(output->queue);
        disk_queue_leave(output->disk);
        return;
    }
    close_if_open(output->pipe[0]);
    beside_cancel(output->queue);
    if (drain && !drain->file)
        free(drain);
}

void output_free(struct output *output)
{
    if (!output)
        return;
    sd_event_source_disable_unref(output->source);
    sd_event_source_disable_unref(output->patience);
    free_reading_side(output);
    close_if_open(output->pipe[1]);
    free(output->child_id);
    free(output->path);
    free(output);
}

static int open_journal(const struct output *output)
{
    if (access("/run/systemd/journal/stdout", W_OK) == 0) {
        int fd = journal_stream_open(output->child_id, LOG_INFO);
        if (fd >= 0)
            return fd;
    }
    return again_copy(STDERR_FILENO, 3);
}

int output_open(struct output *output)
{
    switch (output->settings.kind) {
    case OUTPUT_JOURNAL:
        return open_journal(output);
    case OUTPUT_INHERIT:
        return again_copy(STDERR_FILENO, 3);
    case OUTPUT_FILE:
        output_reopen(output); /* an attempt finds a file where its path says */
        return again_copy(output->pipe[1], 3);
    case OUTPUT_NULL: {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    }
    return -EINVAL;
}
