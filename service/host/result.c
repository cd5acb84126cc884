/*
 * The output of a job: read from its pipe and kept in a file of the state
 * directory, outside of the loop. What has been read is also in memory, up to
 * 64 KiB, as it is a part of the job's end.
 */
#include "host/result.h"

#include "core/vocabulary/invariant.h"
#include "system/beside.h"
#include "system/number.h"
#include "host/output.h"
#include "system/own_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK         (64 * 1024)
#define ROOM          (JOB_OUTPUT_MAX + 1) /* one more, which says that there was more */
#define PATIENCE_USEC 30000000 /* the end of a job waits so long for a disk that does nothing */

/* Goes with the last that uses it. The loop alone counts. */
struct result_store {
    int folder;
    unsigned users;
    struct beside_queue *queue; /* one disk: one thing after the other */
    unsigned moves;             /* works that have come back */
};

/* What the works beside the loop use. It goes with the last of them, which may be long after its
 * result has gone. */
struct drain {
    struct result_store *store;
    unsigned users; /* the loop's */
    uint64_t job;
    int fd, file;
    size_t size;
    bool lost; /* the file could not take it */
};

enum task { TASK_MAKE, TASK_OPEN, TASK_CHUNK, TASK_END, TASK_READ, TASK_REMOVE, TASK_TIDY };

#define TASKS (TASK_END + 1) /* of a result */

struct result {
    struct drain *drain;
    sd_event *event;
    sd_event_source *source, *patience;
    struct work *pending[TASKS];
    struct result_hooks hooks;
    unsigned moves; /* of the store, when the patience began */
    bool truncated;
    size_t size; /* at most JOB_OUTPUT_MAX */
    char *data;
};

struct work {
    struct beside_work beside;
    enum task task;
    struct result_store *store;
    struct drain *drain;
    struct result *result; /* NULL: it has gone */
    uint64_t job;
    void (*came)(void *userdata, uint64_t job, const struct job_output *output); /* TASK_READ */
    void *userdata;
    uint64_t *known; /* TASK_TIDY */
    size_t n_known;
    bool ended;               /* no process can write any more */
    struct job_output output; /* what has come of it; the data is the work's */
};

/* ---- beside the loop: files ------------------------------------------------------------------ */

static void name_of(uint64_t job, char name[24])
{
    snprintf(name, 24, "%" PRIu64, job);
}

/* Where there is no file, or no room for it: one in memory. */
static void open_file(struct drain *drain, bool fresh)
{
    int folder = drain->store->folder;
    char name[24];

    name_of(drain->job, name);
    if (folder >= 0)
        drain->file = own_open(folder, name, O_RDWR | O_CREAT | (fresh ? O_TRUNC : 0), 0600);
    if (drain->file < 0)
        drain->file = memfd_create("proctor-result", MFD_CLOEXEC);
    off_t size = drain->file >= 0 ? lseek(drain->file, 0, SEEK_END) : -1;
    drain->lost = size < 0;
    drain->size = size > 0 ? (size_t)size : 0;
}

/* What the file has from there on. */
static void load(struct work *work, int file, size_t from, size_t size)
{
    struct job_output *output = &work->output;
    size_t end = size < JOB_OUTPUT_MAX ? size : JOB_OUTPUT_MAX;
    size_t wanted = end > from ? end - from : 0;
    char *data = wanted > 0 ? malloc(wanted) : NULL;

    for (ssize_t n = 1; data && n > 0 && output->size < wanted; output->size += (size_t)n) {
        n = pread(file, data + output->size, wanted - output->size, (off_t)(from + output->size));
        if (n < 0)
            n = 0;
    }
    output->data = data;
    output->truncated = output->truncated || size > JOB_OUTPUT_MAX || output->size < wanted;
}

/* After a restart. */
static void read_file(struct work *work)
{
    struct stat status;
    char name[24];

    name_of(work->job, name);
    int file = work->store->folder >= 0 ? own_open(work->store->folder, name, O_RDONLY, 0) : -1;
    if (file < 0)
        return;
    if (fstat(file, &status) == 0 && status.st_size > 0)
        load(work, file, 0, (size_t)status.st_size);
    close(file);
}

static void remove_file(const struct work *work)
{
    char name[24];

    name_of(work->job, name);
    if (work->store->folder >= 0)
        unlinkat(work->store->folder, name, 0);
}

static int compare(const void *one, const void *other)
{
    const uint64_t *a = one, *b = other;
    return (*a > *b) - (*a < *b);
}

static bool is_known(const struct work *work, const char *name)
{
    uint64_t job;

    return number_read(name, UINT64_MAX, &job) == 0 &&
           bsearch(&job, work->known, work->n_known, sizeof(job), compare);
}

/* Files that belong to no job. */
static void tidy(const struct work *work)
{
    int folder = work->store->folder;
    int fd = folder >= 0 ? openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;

    if (!list) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(list));)
        if (entry->d_name[0] != '.' && !is_known(work, entry->d_name))
            unlinkat(folder, entry->d_name, 0);
    closedir(list);
}

/* ---- beside the loop: from the pipe ---------------------------------------------------------- */

/* For file systems that cannot splice, and for what is not kept. */
static ssize_t copy(struct drain *drain, size_t room)
{
    static _Thread_local char chunk[CHUNK];
    ssize_t n = read(drain->fd, chunk, sizeof(chunk));
    size_t kept = n > 0 && (size_t)n < room ? (size_t)n : n > 0 ? room : 0;

    if (kept > 0 && write(drain->file, chunk, kept) != (ssize_t)kept)
        drain->lost = true;
    else
        drain->size += kept;
    return n;
}

/* Returns false at the end, and where nothing is there for the moment. */
static bool take_some(struct work *work)
{
    struct drain *drain = work->drain;
    size_t room = drain->lost || drain->size >= ROOM ? 0 : ROOM - drain->size;
    ssize_t n = -1;

    errno = EINVAL;
    if (room > 0)
        n = splice(drain->fd, NULL, drain->file, NULL, room < CHUNK ? room : CHUNK,
                   SPLICE_F_NONBLOCK);
    if (n > 0)
        drain->size += (size_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        n = copy(drain, room);
    work->ended = n == 0;
    return n > 0 || (n < 0 && errno == EINTR);
}

/* One portion, or everything up to the end. */
static void take(struct work *work, bool all)
{
    struct drain *drain = work->drain;
    size_t before = drain->size;

    while (drain->fd >= 0 && take_some(work) && all)
        ;
    work->output.truncated = drain->lost;
    load(work, drain->file, before, drain->size);
}

/* Outside of the loop: no structure of the loop is touched here. */
static void do_work(void *data)
{
    struct work *work = data;

    switch (work->task) {
    case TASK_MAKE:
    case TASK_OPEN:
        open_file(work->drain, work->task == TASK_MAKE);
        load(work, work->drain->file, 0, work->drain->size);
        break;
    case TASK_CHUNK:
    case TASK_END:
        take(work, work->task == TASK_END);
        break;
    case TASK_READ:
        read_file(work);
        break;
    case TASK_REMOVE:
        remove_file(work);
        break;
    case TASK_TIDY:
        tidy(work);
        break;
    }
}

/* ---- in the loop: works ---------------------------------------------------------------------- */

/* The queue keeps the order of what is done to one file. */
struct result_store *result_store_new(int folder)
{
    struct result_store *store = calloc(1, sizeof(*store));
    struct beside_queue *queue = beside_queue_new();

    if (!store || !queue) {
        free(store);
        beside_cancel(queue);
        if (folder >= 0)
            close(folder);
        return NULL;
    }
    *store = (struct result_store){.folder = folder, .users = 1, .queue = queue};
    return store;
}

static void leave_store(struct result_store *store)
{
    if (--store->users > 0)
        return;
    beside_close(store->folder);
    free(store);
}

void result_store_free(struct result_store *store)
{
    if (!store)
        return;
    beside_leave(store->queue);
    store->queue = NULL;
    leave_store(store);
}

/* Used from both sides; the last one closes it. */
static void leave_drain(struct drain *drain)
{
    if (!drain || --drain->users > 0)
        return;
    if (drain->fd >= 0)
        close(drain->fd);
    beside_close(drain->file);
    leave_store(drain->store);
    free(drain);
}

/* Everything that the work owned. */
static void release_work(void *data)
{
    struct work *work = data;

    leave_drain(work->drain);
    leave_store(work->store);
    free(work->known);
    free((void *)(uintptr_t)work->output.data);
    free(work);
}

/* Beyond the limit the output is cut, and that is told. */
static void add(struct result *result, const struct job_output *more)
{
    size_t room = JOB_OUTPUT_MAX - result->size, size = more->size < room ? more->size : room;
    char *data = size > 0 ? realloc(result->data, result->size + size) : NULL;

    result->truncated = result->truncated || more->truncated || (size > 0 && !data);
    if (!data)
        return;
    memcpy(data + result->size, more->data, size);
    result->data = data;
    result->size += size;
}

static void look_on(struct result *result, bool ended)
{
    if (ended)
        result->source = sd_event_source_disable_unref(result->source);
    else if (result->source)
        sd_event_source_set_enabled(result->source, SD_EVENT_ON);
}

/* The end comes last, since it may free the result. */
static void result_work_done(struct result *result, const struct work *work)
{
    result->pending[work->task] = NULL;
    add(result, &work->output);
    if (work->task == TASK_CHUNK)
        look_on(result, work->ended);
    if (work->task == TASK_CHUNK && work->output.size > 0)
        result->hooks.came(result->hooks.userdata);
    if (work->task == TASK_END) /* last of all: it may free the result */
        result->hooks.ended(result->hooks.userdata);
}

/* Back in the loop. */
static void work_done(void *data)
{
    const struct work *work = data;

    work->store->moves++;
    if (work->result)
        result_work_done(work->result, work);
    else if (work->came)
        work->came(work->userdata, work->job, &work->output);
}

static const char *const tasks[] = {
    "open a job's result", "open a job's result",   "write a job's result", "write a job's result",
    "read a job's result", "remove a job's result", "tidy jobs' results"};

/* The store lives as long as any work on it. */
static struct work *work_new(struct result_store *store, enum task task, uint64_t job)
{
    struct work *work = store->queue ? calloc(1, sizeof(*work)) : NULL;

    if (!work)
        return NULL;
    *work = (struct work){.beside = {.what = tasks[task],
                                     .work = do_work,
                                     .done = work_done,
                                     .release = release_work,
                                     .data = work},
                          .task = task,
                          .store = store,
                          .job = job};
    store->users++;
    return work;
}

/* The result may be freed while the work is done: the work has its own hold on
 * the pipe. */
static int begin(struct result *result, enum task task)
{
    struct drain *drain = result->drain;
    struct work *work = work_new(drain->store, task, drain->job);

    if (!work)
        return -ENOMEM;
    work->drain = drain;
    drain->users++;
    work->result = result;
    result->pending[task] = work;
    beside_do(drain->store->queue, &work->beside);
    return 0;
}

/* For jobs that finished before a restart. */
int result_read(struct result_store *store, uint64_t job,
                void (*came)(void *userdata, uint64_t job, const struct job_output *output),
                void *userdata)
{
    struct work *work = work_new(store, TASK_READ, job);

    INVARIANT(job > 0 && came);
    if (!work)
        return -ENOMEM;
    work->came = came;
    work->userdata = userdata;
    beside_do(store->queue, &work->beside);
    return 0;
}

void result_remove(struct result_store *store, uint64_t job)
{
    struct work *work = work_new(store, TASK_REMOVE, job);

    if (work)
        beside_do(store->queue, &work->beside);
}

/* The list of the known ones becomes the work's. */
void result_tidy(struct result_store *store, uint64_t *known, size_t n)
{
    struct work *work = work_new(store, TASK_TIDY, 0);

    if (!work) {
        free(known);
        return;
    }
    work->known = known;
    work->n_known = n;
    beside_do(store->queue, &work->beside);
}

/* ---- in the loop: a job that runs ------------------------------------------------------------ */

/* What is beyond the room is wanted by no file. Nothing beside the loop holds the pipe now. */
static void drop_some(struct result *result)
{
    static char nowhere[CHUNK];

    if (read(result->drain->fd, nowhere, sizeof(nowhere)) == 0)
        look_on(result, true);
}

/* Beyond the limit it is read and thrown away, so that the job does not
 * block. */
static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct result *result = userdata;

    (void)fd;
    (void)events;
    if (result->truncated) {
        drop_some(result);
        return 0;
    }
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (begin(result, TASK_CHUNK) < 0)
        sd_event_source_set_enabled(source, SD_EVENT_ON);
    return 0;
}

/* The pipe belongs to the drain from here on, also on an error. */
static struct drain *drain_new(struct result_store *store, uint64_t job, int fd)
{
    struct drain *drain = calloc(1, sizeof(*drain));

    if (!drain) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    *drain = (struct drain){.store = store, .users = 1, .job = job, .fd = fd, .file = -1};
    store->users++;
    return drain;
}

/* Nothing to watch after a restart that has lost the pipe. */
static int watch(struct result *result)
{
    int fd = result->drain->fd;

    if (fd < 0)
        return 0;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return sd_event_add_io(result->event, &result->source, fd, EPOLLIN, readable, result);
}

/* Reading begins at once. */
static int make(sd_event *event, const struct result_hooks *hooks, struct drain *drain,
                enum task task, struct result **result)
{
    struct result *fresh = drain ? calloc(1, sizeof(*fresh)) : NULL;

    if (!fresh) {
        leave_drain(drain);
        return -ENOMEM;
    }
    fresh->drain = drain;
    fresh->event = event;
    fresh->hooks = *hooks;
    fresh->truncated = drain->fd < 0;
    int r = watch(fresh);
    if (r >= 0)
        r = begin(fresh, task);
    if (r < 0) {
        result_free(fresh);
        return r;
    }
    *result = fresh;
    return 0;
}

/* The write end goes to the child, and stays open between its attempts. */
int result_open(sd_event *event, const struct result_hooks *hooks, struct result_store *store,
                uint64_t job, struct result **result, int *write_end)
{
    int pipe[2];

    if (pipe2(pipe, O_CLOEXEC) < 0)
        return -errno;
    int r = make(event, hooks, drain_new(store, job, pipe[0]), TASK_MAKE, result);
    if (r < 0) {
        close(pipe[1]);
        return r;
    }
    *write_end = pipe_keep_open(pipe[1]);
    return 0;
}

int result_adopt(sd_event *event, const struct result_hooks *hooks, struct result_store *store,
                 uint64_t job, int fd, struct result **result)
{
    return make(event, hooks, drain_new(store, job, fd), TASK_OPEN, result);
}

int result_descriptor(const struct result *result)
{
    return result->drain->fd;
}

struct job_output result_so_far(const struct result *result)
{
    return (struct job_output){
        .data = result->data, .size = result->size, .truncated = result->truncated};
}

static void detach(struct result *result)
{
    for (int i = 0; i < TASKS; i++) {
        if (result->pending[i])
            result->pending[i]->result = NULL;
        result->pending[i] = NULL;
    }
}

/* A disk that is only slow is waited for. */
static int out_of_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct result *result = userdata;

    (void)usec;
    if (result->moves != result->drain->store->moves) {
        result->moves = result->drain->store->moves;
        sd_event_source_set_time_relative(source, PATIENCE_USEC);
        sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
    }
    detach(result);
    result->truncated = true;
    result->hooks.ended(result->hooks.userdata);
    return 0;
}

int result_end(struct result *result)
{
    result->source = sd_event_source_disable_unref(result->source);
    result->moves = result->drain->store->moves;
    int r = sd_event_add_time_relative(result->event, &result->patience, CLOCK_MONOTONIC,
                                       PATIENCE_USEC, 0, out_of_patience, result);
    return r < 0 ? r : begin(result, TASK_END);
}

/* Work in progress ends by itself. */
void result_free(struct result *result)
{
    if (!result)
        return;
    detach(result);
    sd_event_source_disable_unref(result->source);
    sd_event_source_disable_unref(result->patience);
    leave_drain(result->drain);
    free(result->data);
    free(result);
}
