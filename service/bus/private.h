/*
 * The state that the parts of the bus share: one struct service, whose members belong each to one
 * part. Only that part changes them; what others may ask of it stands in its own header. No file
 * outside service/bus includes this but tests.
 */
#pragma once

#include "core/model/archive.h"
#include "core/model/child.h"
#include "core/vocabulary/command_id.h"
#include "manifest/manifest.h"
#include "bus/objects.h"
#include "bus/outgoing.h"
#include "bus/pace.h"
#include "bus/service.h"
#include "bus/caller.h"

struct waiter;
struct question;
struct connection;
struct reexecution;
struct strangers;
struct user_names;
struct subscriber;
struct event_log;
struct keys;
struct pace;
struct traces;
struct bulks;

/* Of the child that was looked at last, and the turn of the loop in which it was; serial 0: none.
 */
struct usage {
    uint64_t cpu_nsec, memory, turn;
    uint32_t serial;
};

struct service {
    sd_event *event;
    sd_bus *bus; /* NULL while there is none on which we have our name */
    struct service_settings settings;
    char *address;
    struct service_hooks hooks;
    struct core *core;
    sd_event_source *turn; /* after each loop turn */
    struct connection *connection;
    struct service_bus_hooks bus_hooks;
    sd_event_source *show_later;
    uint64_t shown_usec;   /* monotonic: when changes were shown last */
    uint64_t changed_usec; /* since when one waits to be shown; 0: none does */
    uint64_t storm_usec;   /* since when these are counted: */
    size_t storm_changes;
    struct caller callers[CALLER_SETS][CALLER_WAYS]; /* by their names' hash */
    uint64_t caller_clock;
    struct event_log *log;
    struct subscriber *subscribers;
    size_t n_subscribers;
    struct question *questions;
    uint64_t last_question;
    struct waiter *waiters;
    size_t n_waiters;
    sd_event_source *wait_ends; /* when the first of their deadlines passes */
    struct keys *keys;
    struct pace *pace;
    struct strangers *strangers;
    struct reexecution *reexecutions; /* that look at the program on disk first */
    struct reload *reloads;           /* that wait for the manifests */
    struct user_names *user_names;
    struct traces *traces;
    struct bulks *bulks;
    const struct object_kind *object_kinds[OBJECT_CLASSES];
    struct object found[OBJECT_CLASSES]; /* what a handler is called for */
    struct held *held;                   /* answers to what is not durable yet, the oldest first */
    size_t n_held, held_room;
    uint32_t instance; /* of command ids */
    uint64_t started_usec;
    uint64_t events_by_kind[EVENT_KINDS];
    struct job_metrics *job_metrics;
    uint64_t jobs_forgotten;
    char shutdown_requester[REQUESTER_MAX + 1];
    char shutdown_reason[REASON_MAX + 1];
    bool shutdown_reported;
    int inherited; /* descriptor of the connection that was handed over; -1 */
    char inherited_name[64];
    uint64_t inherited_sequence; /* of the last event that the program before has sent */
    bool took_over;              /* from a program that was here before: its callers are answered */
    void (*shutdown_done)(void *userdata);
    void *shutdown_userdata;
    uint32_t shown_active, shown_failed, shown_count;
    struct usage usage;
    bool failed_changed; /* since: they are counted again */
    enum shutdown_phase shown_phase;
};

/* All objects, on a bus. */
int service_register(struct service *service, sd_bus *bus);
