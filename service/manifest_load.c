/*
 * Reading the manifests outside of the loop, since they may lie on a mount that
 * hangs. Reads are made one after the other; one that makes no progress is
 * given up, and if several hang, no further one is begun.
 */
#include "manifest_load.h"

#include "system/beside.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOOK_USEC 250000
#define WAIT_USEC 10000

struct load {
    struct beside_work work;
    struct load *next;
    struct manifest_loads *loads; /* NULL: nothing waits for it any more */
    const char *const *paths;
    size_t count;
    bool optional;
    manifest_loaded done;
    void *data;
    struct manifest_progress progress;
    struct manifest_set *set;
    struct error error;
    int r;
    bool begun, late;
};

struct manifest_loads {
    const char *const *paths;
    size_t count;
    bool optional;
    struct load *first, *late; /* first: the one that is under way, then those that wait */
    size_t waiting, stuck;
    unsigned steps;      /* of the one that is under way, when it was looked at last, */
    uint64_t since_usec; /* and when it took the last one */
    sd_event_source *patience, *refusal;
};

static void begin_first(struct manifest_loads *loads);

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- beside the loop ------------------------------------------------------------------------- */

static void load_work(void *data)
{
    struct load *load = data;

    load->r = manifest_set_load(load->paths, load->count, load->optional, &load->progress,
                                &load->set, &load->error);
    if (load->r == 0)
        manifest_set_prepare(load->set);
}

/* ---- in the loop ----------------------------------------------------------------------------- */

static void free_load(void *data)
{
    struct load *load = data;

    manifest_set_free(load->set);
    malloc_trim(0);
    pthread_mutex_destroy(&load->progress.lock);
    free(load);
}

static struct load *take_first(struct manifest_loads *loads)
{
    struct load *load = loads->first;

    loads->first = load->next;
    loads->waiting--;
    load->next = NULL;
    sd_event_source_set_enabled(loads->patience, SD_EVENT_OFF);
    return load;
}

static void forget_late(struct manifest_loads *loads, const struct load *load)
{
    struct load **link = &loads->late;

    while (*link != load)
        link = &(*link)->next;
    *link = load->next;
    loads->stuck--;
}

/* One that was given up earlier is only freed. */
static void came_back(void *data)
{
    struct load *load = data;
    struct manifest_loads *loads = load->loads;

    if (!loads)
        return;
    if (load->late) {
        forget_late(loads, load);
        return;
    }
    take_first(loads);
    load->loads = NULL;
    load->done(load->data, load->r, load->set, load->error.text);
    begin_first(loads);
}

static void look_soon(const struct manifest_loads *loads)
{
    sd_event_source_set_time_relative(loads->patience, LOOK_USEC);
    sd_event_source_set_enabled(loads->patience, SD_EVENT_ONESHOT);
}

static bool goes_on(struct manifest_loads *loads, unsigned steps)
{
    if (steps != loads->steps)
        loads->since_usec = now_usec();
    loads->steps = steps;
    return now_usec() - loads->since_usec < MANIFEST_PATIENCE_USEC;
}

/* As long as it makes progress, it may take any time. */
static int out_of_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct manifest_loads *loads = userdata;
    char path[MANIFEST_PROGRESS_MAX];
    char why[MANIFEST_PROGRESS_MAX + 64];

    (void)source;
    (void)usec;
    unsigned steps = manifest_progress_read(&loads->first->progress, path);
    if (goes_on(loads, steps)) {
        look_soon(loads);
        return 0;
    }
    struct load *load = take_first(loads);
    snprintf(why, sizeof(why), "%s: does not respond", path[0] ? path : "the manifests");
    load->late = true;
    load->next = loads->late;
    loads->late = load;
    loads->stuck++;
    load->done(load->data, -ETIMEDOUT, NULL, why);
    begin_first(loads);
    return 0;
}

/* Those that did not answer still do not: no further thread is given to them. */
static int refuse(sd_event_source *source, void *userdata)
{
    struct manifest_loads *loads = userdata;
    char path[MANIFEST_PROGRESS_MAX], why[MANIFEST_PROGRESS_MAX + 64];

    (void)source;
    if (!loads->first || !loads->late)
        return 0;
    struct load *load = take_first(loads);
    manifest_progress_read(&loads->late->progress, path);
    snprintf(why, sizeof(why), "%s: still does not respond", path);
    load->done(load->data, -ETIMEDOUT, NULL, why);
    free_load(load);
    begin_first(loads);
    return 0;
}

/* A thread that hangs is never joined: their number is bounded. */
static void begin_first(struct manifest_loads *loads)
{
    struct load *load = loads->first;

    if (!load || load->begun)
        return;
    if (loads->stuck >= MANIFEST_STUCK_MAX) {
        sd_event_source_set_enabled(loads->refusal, SD_EVENT_ONESHOT);
        return;
    }
    load->begun = true;
    loads->since_usec = now_usec();
    loads->steps = 0;
    look_soon(loads);
    beside_do(NULL, &load->work);
}

/* Answered by `done` in the loop, never within this call. */
int manifest_load(struct manifest_loads *loads, manifest_loaded done, void *data)
{
    if (loads->waiting >= MANIFEST_LOADS_MAX)
        return -EBUSY;
    struct load *fresh = calloc(1, sizeof(*fresh)), **end = &loads->first;
    if (!fresh)
        return -ENOMEM;
    *fresh = (struct load){.work = {.what = "read the manifests",
                                    .work = load_work,
                                    .done = came_back,
                                    .release = free_load,
                                    .data = fresh,
                                    .may_be_left = true},
                           .loads = loads,
                           .paths = loads->paths,
                           .count = loads->count,
                           .optional = loads->optional,
                           .done = done,
                           .data = data};
    pthread_mutex_init(&fresh->progress.lock, NULL);
    while (*end)
        end = &(*end)->next;
    *end = fresh;
    if (loads->waiting++ == 0)
        begin_first(loads);
    return 0;
}

void manifest_loads_wait(const struct manifest_loads *loads, uint64_t limit_usec)
{
    for (uint64_t end = now_usec() + limit_usec; loads->first && now_usec() < end;)
        beside_run(WAIT_USEC);
}

/* ---- their life ------------------------------------------------------------------------------ */

/* The paths belong to the caller, and live as long as the program. */
int manifest_loads_new(sd_event *event, const char *const *paths, size_t count, bool optional,
                       struct manifest_loads **loads)
{
    struct manifest_loads *fresh = calloc(1, sizeof(*fresh));
    int r = fresh ? 0 : -ENOMEM;

    if (r == 0) {
        fresh->paths = paths;
        fresh->count = count;
        fresh->optional = optional;
        r = sd_event_add_time(event, &fresh->patience, CLOCK_MONOTONIC, 0, 0, out_of_patience,
                              fresh);
    }
    if (r >= 0)
        r = sd_event_source_set_enabled(fresh->patience, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_defer(event, &fresh->refusal, refuse, fresh);
    if (r >= 0)
        r = sd_event_source_set_enabled(fresh->refusal, SD_EVENT_OFF);
    if (r < 0) {
        manifest_loads_free(fresh);
        return r;
    }
    *loads = fresh;
    return 0;
}

/* Those that hang free themselves, should they ever return. */
void manifest_loads_free(struct manifest_loads *loads)
{
    if (!loads)
        return;
    for (struct load *load = loads->late; load; load = load->next)
        load->loads = NULL;
    if (loads->first && loads->first->begun)
        take_first(loads)->loads = NULL;
    while (loads->first)
        free_load(take_first(loads));
    sd_event_source_disable_unref(loads->patience);
    sd_event_source_disable_unref(loads->refusal);
    free(loads);
}
