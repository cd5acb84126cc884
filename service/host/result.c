#include "result.h"

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CHUNK 4096

struct result {
    int fd;
    sd_event_source *source;
    char *data;
    size_t size, room;
    bool truncated;
    void (*came)(void *userdata);
    void *userdata;
};

static void keep(struct result *result, const char *data, size_t size)
{
    size_t left = JOB_OUTPUT_MAX - result->size;

    result->truncated = result->truncated || size > left;
    size = size < left ? size : left;
    if (result->size + size > result->room) {
        size_t room = result->room > 0 ? result->room * 2 : CHUNK;
        while (room < result->size + size)
            room *= 2;
        char *larger = realloc(result->data, room);
        if (!larger) {
            result->truncated = true;
            return;
        }
        result->data = larger;
        result->room = room;
    }
    if (size > 0)
        memcpy(result->data + result->size, data, size);
    result->size += size;
}

/* Returns false at the end, and where nothing is there for the moment. */
static bool read_some(struct result *result)
{
    char chunk[CHUNK];
    ssize_t n = read(result->fd, chunk, sizeof(chunk));

    if (n > 0)
        keep(result, chunk, (size_t)n);
    else if (n == 0)
        result->source = sd_event_source_disable_unref(result->source);
    return n > 0 || (n < 0 && errno == EINTR);
}

static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    struct result *result = userdata;
    size_t before = result->size;

    read_some(result); /* one piece at a time: others want their turn, too */
    if (result->size > before)
        result->came(result->userdata);
    return 0;
}

static int watch(sd_event *event, void (*came)(void *userdata), void *userdata, int fd,
                 struct result **result)
{
    struct result *fresh = calloc(1, sizeof(*fresh));

    if (!fresh) {
        close(fd);
        return -ENOMEM;
    }
    fresh->fd = fd;
    fresh->came = came;
    fresh->userdata = userdata;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    int r = sd_event_add_io(event, &fresh->source, fd, EPOLLIN, readable, fresh);
    if (r < 0) {
        result_free(fresh);
        return r;
    }
    *result = fresh;
    return 0;
}

int result_open(sd_event *event, void (*came)(void *userdata), void *userdata,
                struct result **result, int *write_end)
{
    int pipe[2];

    if (pipe2(pipe, O_CLOEXEC) < 0)
        return -errno;
    int r = watch(event, came, userdata, pipe[0], result);
    if (r < 0) {
        close(pipe[1]);
        return r;
    }
    *write_end = pipe_keep_open(pipe[1]);
    return 0;
}

int result_adopt(sd_event *event, void (*came)(void *userdata), void *userdata, int fd,
                 struct result **result)
{
    int r = watch(event, came, userdata, fd, result);

    if (r == 0)
        (*result)->truncated = true;
    return r;
}

struct job_output result_take(struct result *result)
{
    while (read_some(result))
        ;
    return result_so_far(result);
}

struct job_output result_so_far(const struct result *result)
{
    return (struct job_output){
        .data = result->data, .size = result->size, .truncated = result->truncated};
}

void result_free(struct result *result)
{
    if (!result)
        return;
    sd_event_source_disable_unref(result->source);
    close(result->fd);
    free(result->data);
    free(result);
}
