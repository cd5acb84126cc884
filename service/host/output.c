/*
 * A child's output from its pipe to wherever it goes. The daemon reads nothing
 * itself: the pipe is handed to a process that writes (log_writer.c), and is
 * not listened to until that has finished. So a disk that hangs holds up
 * neither the daemon nor, for longer than two seconds, the child.
 */
#include "host/output.h"

#include "system/again.h"

#include "system/beside.h"
#include "system/clock.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/noun.h"
#include "core/vocabulary/text.h"
#include "host/disk_queue.h"
#include "host/log_lines.h"
#include "host/log_writer.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define CHUNK          (64 * 1024)
#define LOST_LINE_USEC 10000000 /* a line about what is lost, for each output, at most so often */
#define PATIENCE_USEC  2000000  /* a child waits so long for its disk, then what it says is lost */

/*
 * What the works beside the loop use: the reading end of the pipe, and what the writer has to know.
 * It goes with the last of them, which may be long after its output has gone.
 */
struct drain {
    unsigned users;  /* works, and the output */
    uint64_t number; /* of no other output of this program */
    int fd;          /* of the pipe; -1: there is none yet */
    char *target;    /* the path of its file, or the name before its lines */
};

struct output {
    struct process_output settings;
    char *child_id;
    char *path;
    int pipe[2]; /* an end that reads and writes, -1; without /proc: read end, write end; -1: none
                  */
    sd_event_source *source, *patience;
    enum log_place place;
    dev_t device;               /* that the file is on; 0: not known */
    struct beside_queue *queue; /* its own, until that is known */
    struct disk_queue *disk;    /* then */
    struct drain *drain;
    struct work *pending[LOG_TASKS]; /* the work of each kind that has not been done yet */
    bool dropping;                   /* the disk does not answer: what comes is read and dropped */
    uint64_t dropped;                /* bytes, that the next work tells of */
    uint64_t lost, told_usec;        /* bytes, since the line about it that was written then */
    char *words;                     /* LOG_WORDS_MAX bytes; NULL: nothing was written yet */
    size_t n_words;
    sd_event_source *words_source;       /* the end of waiting for the last ones */
    void (*words_known)(void *userdata); /* NULL: they are not waited for */
    void *words_userdata;
};

static uint64_t lost_bytes, outputs;

uint64_t output_lost_bytes(void)
{
    return lost_bytes;
}

/* ---- beside the loop ------------------------------------------------------------------------- */

struct work {
    struct beside_work beside;
    struct log_order order;
    struct drain *drain;
    struct output *output;           /* NULL: it has gone */
    struct outside_process *process; /* NULL: any */
    struct log_report report;        /* what came of it */
    bool died;                       /* a process over it */
};

static void do_work(void *data)
{
    struct work *work = data;
    const struct drain *drain = work->drain;

    work->died =
        !log_writer_order(work->process, &work->order, drain->target, drain->fd, &work->report);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void leave_drain(struct drain *drain)
{
    if (--drain->users > 0)
        return;
    close_if_open(drain->fd);
    free(drain->target);
    free(drain);
}

static void release_work(void *data)
{
    struct work *work = data;

    outside_process_leave(work->process);
    leave_drain(work->drain);
    free(work);
}

static bool goes_to_journald(const struct output *output)
{
    return output->settings.kind == OUTPUT_JOURNAL && access(LOG_LINES_JOURNALD, W_OK) == 0;
}

/* For people. */
static const char *target_of(const struct output *output)
{
    return output->path                       ? output->path
           : output->place == LOG_TO_JOURNALD ? "the journal"
                                              : "standard error";
}

static void print_lost(struct output *output, const char *why)
{
    log_print(LOG_WARNING, "%s: lost %" PRIu64 " %s of its output: %s: %s", output->child_id,
              output->lost, noun_of(output->lost, "byte"), target_of(output), why);
    output->lost = 0;
    output->told_usec = clock_now_usec();
}

/* At most one line a minute per child; the sum is in the metrics. */
static void tell_lost(struct output *output, const struct work *work)
{
    const struct log_report *report = &work->report;

    if (work->died)
        log_print(LOG_WARNING,
                  "%s: the process that writes its output has died: some may be missing in %s",
                  output->child_id, target_of(output));
    if (report->lost == 0)
        return;
    lost_bytes += report->lost;
    output->lost += report->lost;
    if (output->told_usec == 0 || clock_now_usec() - output->told_usec >= LOST_LINE_USEC)
        print_lost(output, report->why[0] ? report->why : "not written");
}

static bool is_idle(const struct output *output)
{
    for (int i = 0; i < LOG_TASKS; i++)
        if (output->pending[i])
            return false;
    return true;
}

static struct work *new_work(struct output *output, enum log_task task);

/* The process that wrote to the disk of before keeps its file no longer, or that disk would stay
 * busy. */
static bool let_go_of_file(struct output *output)
{
    struct work *work = new_work(output, LOG_REOPEN);

    if (!work)
        return false;
    work->order.keeps = false;
    work->output = NULL;
    beside_do(disk_queue_works(output->disk), &work->beside);
    return true;
}

/* With others whose files are there. Only while nothing is on its way, which has to stay in order.
 */
static void join_disk(struct output *output)
{
    struct disk_queue *old = output->disk, *fresh;

    if (output->device == 0 || !is_idle(output) ||
        (old && disk_queue_device(old) == output->device))
        return;
    fresh = disk_queue_join(output->device);
    if (!fresh)
        return;
    if (old && !let_go_of_file(output)) {
        disk_queue_leave(fresh);
        return;
    }
    disk_queue_leave(old);
    beside_leave(output->queue);
    output->queue = NULL;
    output->disk = fresh;
}

void output_know_disk(struct output *output, dev_t device)
{
    if (!output || !output->drain || device == 0)
        return;
    output->device = device;
    join_disk(output);
}

dev_t output_disk(const struct output *output)
{
    return output ? output->device : 0;
}

/* A hold of at most so many bytes for each child that writes. */
static void keep_words(struct output *output, const struct log_report *report)
{
    size_t old = LOG_WORDS_MAX - report->n_words;

    if (report->n_words == 0)
        return;
    if (!output->words)
        output->words = malloc(LOG_WORDS_MAX);
    if (!output->words)
        return;
    old = output->n_words < old ? output->n_words : old;
    memmove(output->words, output->words + output->n_words - old, old);
    memcpy(output->words + old, report->words, report->n_words);
    output->n_words = old + report->n_words;
}

/* The last line is known, or will not come. */
static void end_words(struct output *output)
{
    void (*known)(void *userdata) = output->words_known;

    if (!known)
        return;
    output->words_known = NULL;
    output->words_source = sd_event_source_disable_unref(output->words_source);
    known(output->words_userdata);
}

/* Back in the loop: what was lost, which disk it was, and the next portion. */
static void work_done(void *data)
{
    const struct work *work = data;
    struct output *output = work->output;

    if (!output) {
        lost_bytes += work->report.lost;
        return;
    }
    output->pending[work->order.task] = NULL;
    tell_lost(output, work);
    output_know_disk(output, work->report.device);
    keep_words(output, &work->report);
    if (work->order.task == LOG_ALL)
        end_words(output); /* the last that is done to it here: it may go */
    if (work->order.task != LOG_CHUNK)
        return;
    output->dropping = false;
    sd_event_source_set_enabled(output->patience, SD_EVENT_OFF);
    sd_event_source_set_enabled(output->source, SD_EVENT_ON);
}

/* NULL without memory. */
static struct work *new_work(struct output *output, enum log_task task)
{
    struct outside_process *process = output->disk ? disk_queue_process(output->disk) : NULL;
    struct work *work = calloc(1, sizeof(*work));

    if (!work)
        return NULL;
    output->drain->users++;
    *work = (struct work){.beside = {.what = "write a log file",
                                     .work = do_work,
                                     .done = work_done,
                                     .release = release_work,
                                     .data = work,
                                     .may_be_left = true},
                          .order = {.output = output->drain->number,
                                    .task = task,
                                    .place = output->place,
                                    .keeps = process != NULL,
                                    .max_size_bytes = output->settings.max_size_bytes,
                                    .keep = output->settings.keep},
                          .drain = output->drain,
                          .output = output,
                          .process = outside_process_use(process)};
    return work;
}

/* One of a kind at a time is enough: what the second would do, the first still will. Returns false
 * without memory. */
static bool begin(struct output *output, enum log_task task)
{
    struct work *work = output->pending[task] ? NULL : new_work(output, task);

    if (!work)
        return output->pending[task] != NULL;
    output->pending[task] = work;
    work->order.dropped = output->dropped;
    output->dropped = 0;
    beside_do(output->disk ? disk_queue_works(output->disk) : output->queue, &work->beside);
    return true;
}

/* ---- in the loop ----------------------------------------------------------------------------- */

/* While a work hangs, the child continues: what it says is not kept, but counted. */
static void drop_chunk(struct output *output)
{
    static char nowhere[CHUNK];
    ssize_t n = read(output->pipe[0], nowhere, sizeof(nowhere));

    if (n > 0)
        output->dropped += (uint64_t)n;
}

/* While it is being dropped, it is read here and thrown away, so that the child
 * does not block. */
static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct output *output = userdata;

    (void)fd;
    (void)events;
    if (output->dropping) {
        drop_chunk(output);
        return 0;
    }
    if (!begin(output, LOG_CHUNK))
        return 0; /* without memory: it stays readable, and nothing is lost */
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    sd_event_source_set_time_relative(output->patience, PATIENCE_USEC);
    sd_event_source_set_enabled(output->patience, SD_EVENT_ONESHOT);
    return 0;
}

/* The writer has had its time: from now on output is dropped until it comes
 * back. */
static int out_of_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct output *output = userdata;

    (void)source;
    (void)usec;
    output->dropping = true;
    log_print(LOG_WARNING, "%s: %s does not accept its output: what it writes now is lost",
              output->child_id, target_of(output));
    sd_event_source_set_enabled(output->source, SD_EVENT_ON);
    return 0;
}

static int out_of_time_for_words(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    end_words(userdata);
    return 0;
}

/* Before the work for it begins. */
static bool has_words_to_come(const struct output *output)
{
    int size = 0;

    return !output->dropping && ((ioctl(output->pipe[0], FIONREAD, &size) == 0 && size > 0) ||
                                 output->pending[LOG_CHUNK] || output->pending[LOG_ALL]);
}

/* The reason of a failure ends with the last line, so the end of an attempt
 * waits a little for it. */
bool output_end_attempt(struct output *output, void (*done)(void *userdata), void *userdata)
{
    if (!output || !output->drain)
        return false;
    bool waits = has_words_to_come(output);
    if (!begin(output, LOG_ALL) || !waits || output->words_known)
        return false;
    if (sd_event_add_time_relative(sd_event_source_get_event(output->source), &output->words_source,
                                   CLOCK_MONOTONIC, OUTPUT_WORDS_USEC, 1000, out_of_time_for_words,
                                   output) < 0)
        return false;
    output->words_known = done;
    output->words_userdata = userdata;
    return true;
}

/* Of a long line, its beginning, if that is still known. */
void output_last_words(const struct output *output, char words[LAST_WORDS_MAX + 1])
{
    size_t end = output ? output->n_words : 0, begin;

    while (end > 0 && strchr("\r\n\t ", output->words[end - 1]))
        end--;
    begin = end;
    while (begin > 0 && output->words[begin - 1] != '\n')
        begin--;
    size_t size = end - begin < LAST_WORDS_MAX ? end - begin : LAST_WORDS_MAX;
    if (size > 0)
        memcpy(words, output->words + begin, size);
    words[size] = '\0';
    text_make_line(words);
}

void output_reopen(struct output *output)
{
    if (output && output->drain)
        begin(output, LOG_REOPEN);
}

const char *output_wanted_file(const struct output *output)
{
    return output && output->settings.kind == OUTPUT_FILE && output->device == 0 ? output->path
                                                                                 : NULL;
}

/* Opened for both directions, the pipe does not report its end when the last
 * child closes it: the next attempt uses it again. */
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

static int open_another(int fd, int flags)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int another = open(path, flags | O_CLOEXEC);
    return another < 0 ? -errno : another;
}

/* One descriptor is enough, from which those of the attempts are opened: it does not wait, while
 * theirs behave as any pipe. Takes read_end over where it can. */
static int open_pipe(struct output *output, int read_end)
{
    int ends[2] = {read_end, -1};

    if (read_end < 0 && pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int both = open_another(ends[0], O_RDWR | O_NONBLOCK);
    if (both < 0) { /* without /proc */
        output->pipe[0] = ends[0];
        output->pipe[1] = ends[1];
        return ends[1] < 0 ? both : fcntl(output->pipe[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    }
    close(ends[0]);
    close_if_open(ends[1]);
    output->pipe[0] = both;
    return 0;
}

/* The disks that there are have smaller numbers. */
static dev_t queue_of(enum log_place place)
{
    return place == LOG_TO_FILE ? 0 : ~(dev_t)0 - place;
}

/* Where it is written: on a queue of its own disk. */
static int open_drain(struct output *output)
{
    const char *target = output->path ? output->path : output->child_id;

    output->queue = beside_queue_new();
    output->drain = calloc(1, sizeof(*output->drain));
    if (!output->queue || !output->drain)
        return -ENOMEM;
    *output->drain = (struct drain){
        .users = 1, .number = ++outputs, .fd = output->pipe[0], .target = strdup(target)};
    output_know_disk(output, queue_of(output->place));
    return output->drain->target ? 0 : -ENOMEM;
}

/* At idle priority: output comes after everything that is supervision. */
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

static int open_piped(struct output *output, sd_event *event, int read_end)
{
    int r = open_pipe(output, read_end);

    if (r == 0)
        r = open_drain(output);
    return r < 0 ? r : watch(output, event);
}

/* Lines without a name are better than none. */
static bool may_do_without_pipe(const struct output *output, int error)
{
    return output->place == LOG_TO_STREAM && (error == -EMFILE || error == -ENFILE) &&
           output->pipe[0] < 0;
}

/* An output without a pipe (`null`, `raw`) needs nothing but its settings. */
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
    fresh->place = settings->kind == OUTPUT_FILE ? LOG_TO_FILE
                   : goes_to_journald(fresh)     ? LOG_TO_JOURNALD
                                                 : LOG_TO_STREAM;
    if (!fresh->child_id || (settings->path && !fresh->path))
        r = -ENOMEM;
    if (r == 0 && output_has_pipe(settings))
        r = open_piped(fresh, event, read_end);
    if (may_do_without_pipe(fresh, r))
        r = 0;
    if (r < 0) {
        output_free(fresh);
        return r;
    }
    *output = fresh;
    return 0;
}

/* The others pass a descriptor straight on. */
bool output_has_pipe(const struct process_output *settings)
{
    INVARIANT(settings);
    switch (settings->kind) {
    case OUTPUT_JOURNAL:
    case OUTPUT_INHERIT:
    case OUTPUT_FILE:
        return true;
    case OUTPUT_NULL:
    case OUTPUT_RAW:
        break;
    }
    return false;
}

int output_new(sd_event *event, const struct process_output *settings, const char *child_id,
               struct output **output)
{
    INVARIANT(settings && child_id);
    return make(event, settings, child_id, -1, output);
}

bool output_is(const struct output *output, const struct process_output *settings)
{
    INVARIANT(settings);
    return output->settings.kind == settings->kind &&
           output->settings.max_size_bytes == settings->max_size_bytes &&
           output->settings.keep == settings->keep &&
           strcmp(output->path ? output->path : "", settings->path ? settings->path : "") == 0;
}

int output_descriptor(const struct output *output)
{
    return output->pipe[0];
}

/* With the pipe of an earlier program; the disk is known from its note. */
int output_adopt(sd_event *event, const struct process_output *settings, const char *child_id,
                 int fd, dev_t device, struct output **output)
{
    int r = make(event, settings, child_id, fd, output);

    INVARIANT(settings && child_id);
    if (r == 0)
        output_know_disk(*output, device);
    return r;
}

/* The reading end goes with the last work, which takes what is still in the pipe. */
static void free_reading_side(struct output *output)
{
    struct drain *drain = output->drain;

    if (drain && drain->target && begin(output, LOG_END)) {
        leave_drain(drain);
        for (int i = 0; i < LOG_TASKS; i++)
            if (output->pending[i])
                output->pending[i]->output = NULL;
        beside_leave(output->queue);
        disk_queue_leave(output->disk);
        return;
    }
    beside_cancel(output->queue);
    disk_queue_leave(output->disk);
    if (drain)
        leave_drain(drain);
    else
        close_if_open(output->pipe[0]);
}

/* What was lost and not logged yet is logged now. */
void output_free(struct output *output)
{
    if (!output)
        return;
    sd_event_source_disable_unref(output->source);
    sd_event_source_disable_unref(output->patience);
    sd_event_source_disable_unref(output->words_source);
    if (output->lost > 0)
        print_lost(output, "since the last such line");
    free_reading_side(output);
    close_if_open(output->pipe[1]);
    free(output->child_id);
    free(output->words);
    free(output->path);
    free(output);
}

/* Where it goes may have changed since: journald can come and go. */
static int open_end(struct output *output)
{
    if (output->pipe[0] < 0)
        return again_copy(STDERR_FILENO, 3);
    if (output->place != LOG_TO_FILE)
        output->place = goes_to_journald(output) ? LOG_TO_JOURNALD : LOG_TO_STREAM;
    else
        output_reopen(output); /* an attempt finds a file where its path says */
    return output->pipe[1] < 0 ? open_another(output->pipe[0], O_RDWR)
                               : again_copy(output->pipe[1], 3);
}

/* The end that the child gets. */
int output_open(struct output *output)
{
    output->n_words = 0; /* they were another attempt's */
    switch (output->settings.kind) {
    case OUTPUT_JOURNAL:
    case OUTPUT_INHERIT:
    case OUTPUT_FILE:
        return open_end(output);
    case OUTPUT_RAW:
        return again_copy(STDERR_FILENO, 3);
    case OUTPUT_NULL:
        break; /* everything that is thrown away goes through one descriptor of the host's */
    }
    return -EINVAL;
}
