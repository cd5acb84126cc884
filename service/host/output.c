#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define CHUNK (64 * 1024)

struct output {
    struct process_output settings;
    char *child_id;
    char *path;
    int pipe[2]; /* OUTPUT_FILE: read end, write end; -1 otherwise */
    int file;
    uint64_t size;
    sd_event_source *source;
};

static int open_file(struct output *output)
{
    struct stat status;

    output->file = open(output->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (output->file < 0)
        return -errno;
    output->size = fstat(output->file, &status) == 0 ? (uint64_t)status.st_size : 0;
    return 0;
}

/* FILE becomes FILE.1, FILE.1 becomes FILE.2 and so on; the last one goes. */
static void rotate(struct output *output)
{
    char from[4096], to[4096];

    for (uint32_t i = output->settings.keep; i > 0; i--) {
        if (i == 1)
            snprintf(from, sizeof(from), "%s", output->path);
        else
            snprintf(from, sizeof(from), "%s.%u", output->path, i - 1);
        snprintf(to, sizeof(to), "%s.%u", output->path, i);
        rename(from, to);
    }
    if (output->settings.keep == 0)
        unlink(output->path);
    close(output->file);
    if (open_file(output) < 0)
        output->file = -1;
}

/* How much of the data goes into the present file: whole lines that fit, 0 where none does. A line
 * that is longer than a whole file goes into one of its own. */
static size_t portion(const struct output *output, const char *data, size_t length)
{
    uint64_t max = output->settings.max_size_bytes;
    uint64_t room = max > output->size ? max - output->size : 0;
    const char *end;

    if (length <= room)
        return length;
    end = room > 0 ? memrchr(data, '\n', (size_t)room) : NULL;
    if (!end && output->size > 0)
        return 0;
    if (!end)
        end = memchr(data, '\n', length);
    return end ? (size_t)(end - data) + 1 : length;
}

static bool write_all(struct output *output, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(output->file, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false; /* disk full: what is said meanwhile is lost, supervision goes on */
        output->size += (uint64_t)n;
        data += n;
        length -= (size_t)n;
    }
    return true;
}

static void write_out(struct output *output, const char *data, size_t length)
{
    while (length > 0) {
        if (output->file < 0 && open_file(output) < 0)
            return; /* the folder went away */
        size_t part = portion(output, data, length);
        if (part == 0) {
            rotate(output);
            if (output->file < 0)
                continue;
            if (output->size > 0)
                part = length; /* it can not be rotated: rather too large than lost */
        }
        if (!write_all(output, data, part))
            return;
        data += part;
        length -= part;
    }
}

static bool transfer(struct output *output)
{
    static char buffer[CHUNK];
    ssize_t n = read(output->pipe[0], buffer, sizeof(buffer));

    if (n > 0)
        write_out(output, buffer, (size_t)n);
    return n > 0;
}

static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    transfer(userdata); /* one chunk a turn: a loud child must not starve the others */
    return 0;
}

void output_drain(struct output *output)
{
    if (!output || output->pipe[0] < 0)
        return;
    for (int i = 0; i < 16 && transfer(output); i++)
        ;
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

static int open_pipe(struct output *output, sd_event *event, int read_end)
{
    char path[64];
    int r = open_file(output);
    if (r < 0)
        return r;
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
    if (fcntl(output->pipe[0], F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    r = sd_event_add_io(event, &output->source, output->pipe[0], EPOLLIN, readable, output);
    if (r >= 0)
        r = sd_event_source_set_priority(output->source, SD_EVENT_PRIORITY_IDLE);
    return r;
}

static int make(sd_event *event, const struct process_output *settings, const char *child_id,
                int read_end, struct output **output)
{
    struct output *fresh = calloc(1, sizeof(*fresh));
    int r = 0;

    if (!fresh)
        return -ENOMEM;
    *fresh = (struct output){.settings = *settings, .pipe = {-1, -1}, .file = -1};
    fresh->child_id = strdup(child_id);
    fresh->path = settings->path ? strdup(settings->path) : NULL;
    if (!fresh->child_id || (settings->path && !fresh->path))
        r = -ENOMEM;
    if (r == 0 && settings->kind == OUTPUT_FILE)
        r = open_pipe(fresh, event, read_end);
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

int output_descriptor(const struct output *output)
{
    return output->settings.kind == OUTPUT_FILE ? output->pipe[0] : -1;
}

int output_adopt(sd_event *event, const struct process_output *settings, const char *child_id,
                 int fd, struct output **output)
{
    return make(event, settings, child_id, fd, output);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void output_free(struct output *output)
{
    if (!output)
        return;
    output_drain(output);
    sd_event_source_disable_unref(output->source);
    close_if_open(output->pipe[0]);
    close_if_open(output->pipe[1]);
    close_if_open(output->file);
    free(output->child_id);
    free(output->path);
    free(output);
}

static int duplicate(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : copy;
}

static int open_journal(const struct output *output)
{
    if (access("/run/systemd/journal/stdout", W_OK) == 0) {
        int fd = sd_journal_stream_fd(output->child_id, LOG_INFO, 1);
        if (fd >= 0)
            return fd;
    }
    return duplicate(STDERR_FILENO);
}

int output_open(struct output *output)
{
    switch (output->settings.kind) {
    case OUTPUT_JOURNAL:
        return open_journal(output);
    case OUTPUT_INHERIT:
        return duplicate(STDERR_FILENO);
    case OUTPUT_FILE:
        return duplicate(output->pipe[1]);
    case OUTPUT_NULL: {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    }
    return -EINVAL;
}
