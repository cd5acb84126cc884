#include "path_look.h"

#include "beside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct path_look {
    struct beside_work work;
    struct path_look **place; /* NULL: the owner has gone */
    void (*done)(void *userdata);
    void *userdata;
    char *paths[PATH_LOOKS_MAX];
    size_t n;
};

static void look(void *data)
{
    struct path_look *asked = data;
    struct stat status;

    for (size_t i = 0; i < asked->n; i++)
        if (lstat(asked->paths[i], &status) < 0)
            continue; /* whoever asked meets the error again; that there is an answer is enough */
}

static void came_back(void *data)
{
    struct path_look *asked = data;
    void (*done)(void *userdata) = asked->done;

    if (asked->place)
        *asked->place = NULL;
    asked->place = NULL;
    if (done)
        done(asked->userdata);
}

static void release(void *data)
{
    struct path_look *asked = data;

    if (asked->place) /* it was never made */
        *asked->place = NULL;
    for (size_t i = 0; i < asked->n; i++)
        free(asked->paths[i]);
    free(asked);
}

int path_look_begin(struct path_look **place, const char *const *paths, size_t n,
                    void (*done)(void *userdata), void *userdata)
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
                                       .data = fresh};
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
