/*
 * org.proctor1.Job: bounded one-shot work, from its acceptance until it is forgotten by command.
 */
#pragma once

#include <sys/types.h>
#include <systemd/sd-bus.h>

struct event;
struct job;
struct options;
struct service;

#define JOB_PATH_MAX 48
/* For sd-bus: 1 and the job behind the path, or 0. */
int job_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
             sd_bus_error *error);
int job_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                  sd_bus_error *error);

extern const sd_bus_vtable job_vtable[];
/* Registers the interface with a new connection. */
void job_object_serve(struct service *service);
/* Announces what an event changes of a job, and keeps the output of one that
 * has finished. */
void job_event(struct service *service, const struct event *event);
/* Announces every property that can change. */
void job_show_all(struct service *service, const struct job *job);
/* The record goes: its object is removed, and callers that wait for it get an
 * answer. */
void job_forgotten(struct service *service, struct job *job);
/* Answers RunJob with the path of the job, and keeps the answer for its
 * idempotency key. job: NULL after a dry run. */
int answer_job(struct service *service, sd_bus_message *m, const struct job *job,
               const struct options *options, uid_t uid);
