/*
 * The D-Bus object of a job.
 */
#include "bus/job_object.h"

#include "bus/authorisation.h"
#include "bus/caller.h"
#include "bus/history.h"
#include "bus/key.h"
#include "bus/options.h"
#include "bus/verbs.h"
#include "bus/wait.h"
#include "core/vocabulary/invariant.h"
#include "bus/job_encode.h"
#include "bus/job_metrics.h"
#include "system/number.h"
#include "bus/objects.h"
#include "bus/private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- paths ----------------------------------------------------------------------------------- */

static void path_of_job(const struct job *job, char path[JOB_PATH_MAX])
{
    snprintf(path, JOB_PATH_MAX, PROCTOR_JOBS "/%" PRIu64, job->id);
}

/* sd-bus asks this for every path below /job. One spelling per number: no
 * leading zeros. */
int job_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
             sd_bus_error *error)
{
    struct service *service = userdata;
    struct object *object = &service->found[OBJECT_JOBS];
    uint64_t id;

    (void)bus;
    (void)interface;
    (void)error;
    *found = NULL;
    *object = (struct object){.service = service};
    if (strncmp(path, PROCTOR_JOBS "/", strlen(PROCTOR_JOBS "/")) != 0)
        return 0;
    const char *number = path + strlen(PROCTOR_JOBS "/");
    if (*number != '0' && number_read(number, UINT64_MAX, &id) == 0)
        object->job = core_find_job(service->core, id);
    *found = object->job ? object : NULL;
    return *found ? 1 : 0;
}

/* For introspection. */
int job_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                  sd_bus_error *error)
{
    const struct service *service = userdata;
    char **list = calloc(JOBS_MAX + JOBS_KEPT + 2, sizeof(*list)), path[JOB_PATH_MAX];
    size_t n = 0;

    (void)bus;
    (void)prefix;
    (void)error;
    for (const struct job *job = core_first_job(service->core); list && job; job = job->next) {
        path_of_job(job, path);
        list[n] = strdup(path);
        if (!list[n])
            break;
        n++;
    }
    *nodes = list;
    return list ? 0 : -ENOMEM;
}

/* ---- what it tells --------------------------------------------------------------------------- */

#define PROPERTY(name, ...)                                                                        \
    static int name(sd_bus *bus, const char *path, const char *interface, const char *property,    \
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)                    \
    {                                                                                              \
        const struct object *object = userdata;                                                    \
        struct service *service = object->service;                                                 \
        const struct job *job = object->job;                                                       \
        (void)service;                                                                             \
        (void)bus;                                                                                 \
        (void)path;                                                                                \
        (void)interface;                                                                           \
        (void)property;                                                                            \
        (void)error;                                                                               \
        return __VA_ARGS__;                                                                        \
    }

PROPERTY(get_id, append_values(reply, "t", job->id))
PROPERTY(get_name, append_values(reply, "s", job->name))
PROPERTY(get_state, append_values(reply, "s", job_state_to_string(job->state)))
PROPERTY(get_result, append_values(reply, "s", job_result_to_string(job->result)))
PROPERTY(get_exit_code, append_values(reply, "i", job_exit_code(job)))
PROPERTY(get_wall, append_values(reply, "t", job_wall_usec(service, job)))
PROPERTY(get_cpu, append_values(reply, "t", job->cpu_usec))
PROPERTY(get_output, job_append_output(service, reply, job))
PROPERTY(get_truncated, append_values(reply, "b", job_is_truncated(job)))

/* ---- methods --------------------------------------------------------------------------------- */

static int method_wait(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const struct object *object = userdata;
    struct service *service = object->service;
    const struct job *job = object->job;
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;

    if (job->state != JOB_FINISHED)
        return wait_for_job(service, m, job) < 0
                   ? refuse_call(error, PROCTOR_ERROR "LimitExceeded", WAITERS_FULL)
                   : 1;
    int r = sd_bus_message_new_method_return(m, &reply);
    if (r >= 0)
        r = append_job(service, reply, job, false);
    return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const struct object *object = userdata;
    const struct job *job = object->job;

    if (!job->child || job->state == JOB_FINISHED)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "the job is finished: there is nothing to cancel");
    return verb_call(object->service, m, COMMAND_REMOVE, job->child->id, error);
}

/* Only finished jobs. */
static int method_forget(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const struct object *object = userdata;
    struct service *service = object->service;
    struct job *job = object->job;
    const struct caller *caller;
    struct options options;

    int r = command_prepare(service, m, &(struct permission){MAY_RUN_JOBS, "forget", job->name},
                            NULL, &caller, &options, error);
    if (r != 0)
        return r;
    if (job->state != JOB_FINISHED)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "the job is not finished: cancel it first");
    if (!options.dry_run)
        core_forget_job(service->core, job);
    return sd_bus_reply_method_return(m, NULL);
}

#define CONSTANT SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGE   SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

const sd_bus_vtable job_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Wait", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", result), method_wait,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("s", reason, "a{sv}", options),
                            SD_BUS_RESULT("a{sv}", outcome), method_cancel,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Forget", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT,
                            method_forget, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Id", "t", get_id, 0, CONSTANT),
    SD_BUS_PROPERTY("Name", "s", get_name, 0, CONSTANT),
    SD_BUS_PROPERTY("State", "s", get_state, 0, CHANGE),
    SD_BUS_PROPERTY("Result", "s", get_result, 0, CHANGE),
    SD_BUS_PROPERTY("ExitCode", "i", get_exit_code, 0, CHANGE),
    SD_BUS_PROPERTY("WallUSec", "t", get_wall, 0, 0),
    SD_BUS_PROPERTY("CPUUSec", "t", get_cpu, 0, 0),
    SD_BUS_PROPERTY("Output", "ay", get_output, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
    SD_BUS_PROPERTY("OutputTruncated", "b", get_truncated, 0, 0),
    SD_BUS_VTABLE_END,
};

/* ---- events ---------------------------------------------------------------------------------- */

/* The core's output lives only as long as the event; this copy lives as long as
 * the object. */
static void keep_output(struct job *job, const struct job_output *output)
{
    struct kept_output *kept = malloc(sizeof(*kept) + output->size);

    if (!kept)
        return;
    free(job->observer);
    kept->told = true;
    kept->size = output->size;
    kept->truncated = output->truncated;
    if (kept->size > 0)
        memcpy(kept->data, output->data, kept->size);
    job->observer = kept;
}

void service_job_read(void *userdata, struct job *job, const struct job_output *output)
{
    (void)userdata;
    INVARIANT(job->state == JOB_FINISHED);
    keep_output(job, output);
}

/* Jobs are few words and come to their end once: their changes are reported as they come. */
void job_event(struct service *service, const struct event *event)
{
    struct job *job = event->child ? event->child->job : NULL;
    char path[JOB_PATH_MAX];

    if (!job)
        return;
    path_of_job(job, path);
    if (event->kind == EVENT_JOB_FINISHED) {
        INVARIANT(job->state == JOB_FINISHED);
        keep_output(job, &job->output);
        job_metrics_count(service->job_metrics, service->core, job);
    }
    if (!service->bus)
        return;
    if (event->kind == EVENT_JOB_QUEUED) {
        object_announce(service, path);
    } else if (event->kind == EVENT_CHILD_STARTING) {
        sd_bus_emit_properties_changed(service->bus, path, PROCTOR_INTERFACE "Job", "State", NULL);
        objects_tell(service, path, OBJECT_CHANGED);
    } else if (event->kind == EVENT_JOB_FINISHED) {
        job_show_all(service, job);
    }
}

void job_show_all(struct service *service, const struct job *job)
{
    char path[JOB_PATH_MAX];

    INVARIANT(job_is_sound(job));
    path_of_job(job, path);
    sd_bus_emit_properties_changed(service->bus, path, PROCTOR_INTERFACE "Job", "State", "Result",
                                   "ExitCode", NULL);
    objects_tell(service, path, OBJECT_CHANGED);
}

/* Once, until a caller reads what there is: a job that writes byte by byte floods no client. */
void service_job_output(void *userdata, struct job *job)
{
    struct service *service = userdata;
    char path[JOB_PATH_MAX];
    struct kept_output *output = job->observer;

    INVARIANT(job_is_sound(job));
    if (!output)
        job->observer = output = calloc(1, sizeof(*output));
    if (!output || output->told || !service->bus)
        return;
    output->told = true;
    path_of_job(job, path);
    sd_bus_emit_properties_changed(service->bus, path, PROCTOR_INTERFACE "Job", "Output", NULL);
}

/* Callers that wait for it get an answer. */
void job_forgotten(struct service *service, struct job *job)
{
    char path[JOB_PATH_MAX];

    INVARIANT(job_is_sound(job));
    service->jobs_forgotten++;
    path_of_job(job, path);
    if (service->bus) {
        sd_bus_emit_object_removed(service->bus, path);
        objects_tell(service, path, OBJECT_REMOVED);
    }
    waiters_job_gone(service, job);
    free(job->observer);
    job->observer = NULL;
}

/* ---- RunJob ---------------------------------------------------------------------------------- */

/* The path of the object; a dry run has none. */
int answer_job(struct service *service, sd_bus_message *m, const struct job *job,
               const struct options *options, uid_t uid)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    char path[JOB_PATH_MAX] = PROCTOR_JOBS;

    INVARIANT(!job || job_is_sound(job));
    if (job)
        path_of_job(job, path);
    int r = sd_bus_message_new_method_return(m, &reply);
    if (r >= 0)
        r = append_values(reply, "o", path);
    if (r >= 0)
        r = service_acknowledge(service, reply);
    if (r >= 0 && job)
        key_remember(service, options, uid, reply);
    return r < 0 ? r : 1;
}

/* ---- the interface --------------------------------------------------------------------------- */

static const sd_bus_vtable *vtable(void)
{
    return job_vtable;
}

void job_object_serve(struct service *service)
{
    static const struct object_kind kind = {PROCTOR_JOBS, PROCTOR_INTERFACE "Job", vtable, job_find,
                                            job_enumerate};

    objects_serve(service, OBJECT_JOBS, &kind);
}
