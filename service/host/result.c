#include "result.h"

#include "number.h"
#include "output.h"
#include "own_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 4096
#define ROOM  (JOB_OUTPUT_MAX + 1) /* one more, which says that there was more */

struct result {
    int fd, file;
    sd_event_source *source;
    size_t size;
    bool lost; /* the file could not take it */
    char *data;
    void (*came)(void *userdata);
    void *userdata;
};

/* ---- files ----------------------------------------------------------------------------------- */

static void name_of(uint64_t job, char name[24])
{
    snprintf(name, 24, "%" PRIu64, job);
}

int result_file(int folder, uint64_t job, bool fresh)
{
    char name[24];
    int file = -1;

    name_of(job, name);
    if (folder >= 0)
        file = own_open(folder, name, O_RDWR | O_CREAT | (fresh ? O_TRUNC : 0), 0600);
    if (file < 0)
        file = memfd_create("proctor-result", MFD_CLOEXEC);
    return file < 0 ? -errno : file;
}

static struct job_output load(int file, char *data, size_t size)
{
    struct job_output output = {.data = data, .truncated = size > JOB_OUTPUT_MAX};
    size_t wanted = size < JOB_OUTPUT_MAX ? size : JOB_OUTPUT_MAX;

    for (ssize_t n = 1; data && n > 0 && output.size < wanted; output.size += (size_t)n) {
        n = pread(file, data + output.size, wanted - output.size, (off_t)output.size);
        if (n < 0)
            n = 0;
    }
    output.truncated = output.truncated || output.size < wanted;
    return output;
}

struct job_output result_read(int folder, uint64_t job)
{
    struct job_output output = {};
    struct stat status;
    char name[24];

    name_of(job, name);
    int file = folder >= 0 ? own_open(folder, name, O_RDONLY, 0) : -1;
    if (file < 0)
        return output;
    if (fstat(file, &status) == 0 && status.st_size > 0)
        output = load(file, malloc(JOB_OUTPUT_MAX), (size_t)status.st_size);
    close(file);
    return output;
}

void result_remove(int folder, uint64_t job)
{
    char name[24];

    name_of(job, name);
    if (folder >= 0)
        unlinkat(folder, name, 0);
}

void result_tidy(int folder, bool (*is_known)(void *userdata, uint64_t job), void *userdata)
{
    int fd = folder >= 0 ? openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    uint64_t number;

    if (!list)
        return;
    for (struct dirent *entry; (entry = readdir(list));)
        if (entry->d_name[0] != '.' &&
            (number_read(entry->d_name, UINT64_MAX, &number) < 0 || !is_known(userdata, number)))
            unlinkat(folder, entry->d_name, 0);
    closedir(list);
}

/* ---- from the pipe --------------------------------------------------------------------------- */

/* For file systems that can not splice, and for what nobody keeps. */
static ssize_t copy(struct result *result, size_t room)
{
    char chunk[CHUNK];
    ssize_t n = read(result->fd, chunk, sizeof(chunk));
    size_t kept = n > 0 && (size_t)n < room ? (size_t)n : n > 0 ? room : 0;

    if (kept > 0 && write(result->file, chunk, kept) != (ssize_t)kept)
        result->lost = true;
    else
        result->size += kept;
    return n;
}

/* Returns false at the end, and where nothing is there for the moment. */
static bool take_some(struct result *result)
{
    size_t room = result->lost ? 0 : ROOM - result->size;
    ssize_t n = -1;

    errno = EINVAL;
    if (room > 0)
        n = splice(result->fd, NULL, result->file, NULL, room < CHUNK ? room : CHUNK,
                   SPLICE_F_NONBLOCK);
    if (n > 0)
        result->size += (size_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        n = copy(result, room);
    if (n == 0)
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

    take_some(result); /* one piece at a time: others want their turn, too */
    if (result->size > before)
        result->came(result->userdata);
    return 0;
}

static int watch(sd_event *event, void (*came)(void *userdata), void *userdata, int fd, int file,
                 struct result **result)
{
    struct result *fresh = calloc(1, sizeof(*fresh));
    off_t size = lseek(file, 0, SEEK_END);

    if (!fresh) {
        close(fd);
        close(file);
        return -ENOMEM;
    }
    fresh->fd = fd;
    fresh->file = file;
    fresh->size = size > 0 ? (size_t)size : 0;
    fresh->came = came;
    fresh->userdata = userdata;
    int r = fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    if (r == 0)
        r = sd_event_add_io(event, &fresh->source, fd, EPOLLIN, readable, fresh);
    if (r < 0) {
        result_free(fresh);
        return r;
    }
    *result = fresh;
    return 0;
}

int result_open(sd_event *event, void (*came)(void *userdata), void *userdata, int file,
                struct result **result, int *write_end)
{
    int pipe[2];

    if (pipe2(pipe, O_CLOEXEC) < 0) {
        close(file);
        return -errno;
    }
    int r = watch(event, came, userdata, pipe[0], file, result);
    if (r < 0) {
        close(pipe[1]);
        return r;
    }
    *write_end = pipe_keep_open(pipe[1]);
    return 0;
}

int result_adopt(sd_event *event, void (*came)(void *userdata), void *userdata, int fd, int file,
                 struct result **result)
{
    return watch(event, came, userdata, fd, file, result);
}

int result_descriptor(const struct result *result)
{
    return result->fd;
}

struct job_output result_so_far(struct result *result)
{
    if (!result->data)
        result->data = malloc(JOB_OUTPUT_MAX);
    struct job_output output = load(result->file, result->data, result->size);
    output.truncated = output.truncated || result->lost;
    return output;
}

struct job_output result_take(struct result *result)
{
    while (take_some(result))
        ;
    return result_so_far(result);
}

void result_free(struct result *result)
{
    if (!result)
        return;
    sd_event_source_disable_unref(result->source);
    close(result->fd);
    close(result->file);
    free(result->data);
    free(result);
}
