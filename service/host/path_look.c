/*
 * Looking at the paths of sockets outside of the loop, before they are bound or
 * connected to: a path may lead over a mount that does not respond.
 */
#include "host/path_look.h"

#include "system/beside.h"
#include "system/outside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SOCKET_PATH_ROOM (sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1)

struct path_look {
    struct beside_work work;
    struct path_look **place; /* NULL: the owner has gone */
    void (*done)(void *userdata, int error);
    void *userdata;
    char *paths[PATH_LOOKS_MAX];
    size_t n;
    int error; /* of the look itself, not of the paths */
};

/* In the process: that there is an answer is enough: the one that asked meets an error again. */
static void look_at_paths(const struct outside_parcel *request, struct outside_parcel *answer)
{
    const char *at = request->data, *end = at + request->size;
    struct stat status;

    (void)answer;
    for (; at < end && memchr(at, '\0', (size_t)(end - at)); at += strlen(at) + 1)
        if (lstat(at, &status) < 0)
            continue;
}

const struct outside_job path_look_job = {OUTSIDE_LOOK, look_at_paths};

/* All paths of a child in one request. */
static void look(void *data)
{
    struct path_look *asked = data;
    char text[PATH_LOOKS_MAX * SOCKET_PATH_ROOM];
    struct outside_parcel request = {.data = text}, answer = {};

    for (size_t i = 0; i < asked->n; i++) {
        size_t size = strlen(asked->paths[i]) + 1;
        if (request.size + size > sizeof(text))
            break;
        memcpy(text + request.size, asked->paths[i], size);
        request.size += size;
    }
    asked->error = outside_make(&path_look_job, &request, &answer);
}

/* The one that asked may be gone by now. */
static void came_back(void *data)
{
    struct path_look *asked = data;
    void (*done)(void *userdata, int error) = asked->done;

    if (asked->place)
        *asked->place = NULL;
    asked->place = NULL;
    if (done)
        done(asked->userdata, asked->error);
}

/* Also if it was never made. */
static void release(void *data)
{
    struct path_look *asked = data;

    if (asked->place) /* it was never made */
        *asked->place = NULL;
    for (size_t i = 0; i < asked->n; i++)
        free(asked->paths[i]);
    free(asked);
}

/* One at a time per child: a second question waits for the same answer. */
int path_look_begin(struct path_look **place, const char *const *paths, size_t n,
                    void (*done)(void *userdata, int error), void *userdata)
{
    if (*place) {
        (*place)->done = done;
        (*place)->userdata = userdata;
        return 0;
    }
    struct path_look *fresh = calloc(1, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    fresh->done = done;
    fresh->userdata = userdata;
    for (; fresh->n < n && fresh->n < PATH_LOOKS_MAX; fresh->n++) {
        fresh->paths[fresh->n] = strdup(paths[fresh->n]);
        if (!fresh->paths[fresh->n]) {
            release(fresh);
            return -ENOMEM;
        }
    }
    fresh->place = place;
    fresh->work = (struct beside_work){.what = "look at the path of a socket",
                                       .work = look,
                                       .done = came_back,
                                       .release = release,
                                       .data = fresh,
                                       .may_be_left = true};
    *place = fresh;
    beside_do(NULL, &fresh->work);
    return 0;
}

void path_look_forget(struct path_look *asked)
{
    if (asked)
        asked->done = NULL;
}

void path_look_leave(struct path_look **place)
{
    if (!*place)
        return;
    path_look_forget(*place);
    (*place)->place = NULL;
    *place = NULL;
}
