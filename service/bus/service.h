/*
 * Service: the tree on D-Bus. docs and introspection/ tell the interface; this is its wiring.
 *
 * The service reads the core's records to answer, and gives it commands; it never decides. It
 * keeps what the bus needs beside the core: the last 4,096 events, the subscribers, the callers
 * that wait for a command's effect, the answers that an idempotency key may ask for again, and for
 * each child a small copy of what was last shown, so that one signal a loop turn says exactly what
 * changed.
 */
#pragma once

#include "core/core.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define PROCTOR_BUS_NAME  "org.proctor1"
#define PROCTOR_PATH      "/org/proctor1"
#define PROCTOR_CHILDREN  "/org/proctor1/child"
#define PROCTOR_ROOT      "/org/proctor1/supervisor/root"
#define PROCTOR_JOBS      "/org/proctor1/job"
#define PROCTOR_INTERFACE "org.proctor1."
#define PROCTOR_ERROR     "org.proctor1.Error."

struct service;

enum service_bus { SERVICE_SYSTEM_BUS, SERVICE_USER_BUS, SERVICE_BUS_ADDRESS };

struct audit_note;
struct audit_walk;
struct journal_trace;
struct manifest_changes;
struct manifest_set;
struct manifest_reload;

/* What the service needs from the rest of the daemon. All are called with `userdata`. */
struct service_hooks {
    void *userdata;
    int (*find_pid)(void *userdata, pid_t pid, struct attempt_id *id);
    unsigned (*unenforced)(const struct child *child); /* enum unenforced */
    void (*usage)(void *userdata, const struct child *child, uint64_t *cpu_nsec,
                  uint64_t *memory_bytes);
    /* The journal: whether an acknowledgement has to wait until the mark of its time is past; why
     * nothing is written, or NULL; a walk through the audit, or NULL; a trace, made by
     * trace_make() as a descriptor that the caller closes. */
    bool (*syncs)(void *userdata);
    uint64_t (*mark)(void *userdata);
    bool (*is_past)(void *userdata, uint64_t mark);
    const char *(*unwritten)(void *userdata);
    const char *(*durability)(void *userdata);
    bool (*recovered)(void *userdata);
    struct audit_walk *(*audit)(void *userdata, uint64_t since_usec);
    /* Goes through it; called from a thread beside the loop. */
    void (*audit_run)(struct audit_walk *walk,
                      bool (*visit)(void *visit_data, const struct audit_note *note,
                                    const uint8_t *frame, size_t size),
                      void *visit_data);
    void (*audit_free)(struct audit_walk *walk);
    int (*trace)(void *userdata, struct journal_trace **trace);
    int (*trace_make)(struct journal_trace *trace); /* from a thread beside the loop */
    void (*trace_free)(struct journal_trace *trace);
    struct job_output (*result)(void *userdata,
                                const struct job *job); /* of one that runs, up to now */
    /* What CLOCK_MONOTONIC read at a moment of the core's; 0: the machine was not up yet. */
    uint64_t (*clock)(void *userdata, uint64_t moment_usec);
    void (*settle)(void *userdata); /* after each input that the service gives the core */
    /* Reads the manifests beside the loop, and calls `done` later; the set is valid until it
     * returns; why: where r is negative. Returns 0 or a negative errno, and then `done` is never
     * called. */
    int (*load)(void *userdata, bool dry_run,
                void (*done)(void *data, int r, const struct manifest_set *set, const char *why),
                void *data);
    int (*reload)(void *userdata, const struct manifest_set *set,
                  const struct manifest_reload *what, struct manifest_changes *changes,
                  struct error *error);
    /* Looks beside the loop whether the program on disk can take this one's place, and calls `done`
     * later: 0 and what it calls itself, or a negative errno and why it cannot. Returns 0 or a
     * negative errno, and then `done` is never called. */
    int (*check_program)(void *userdata,
                         void (*done)(void *data, int r, const char *version, const char *why),
                         void *data);
    /* Replaces it, after that: nothing has happened when this returns. If nothing comes of it the
     * callers that wait for it get an error (service_stay()). */
    int (*reexecute)(void *userdata, const char *requester, const char *reason,
                     struct error *error);
    void (*counters)(void *userdata, uint64_t *notify_messages, uint64_t *notify_refused,
                     uint64_t *notify_dropped, uint64_t *orphans_reaped,
                     uint64_t *leftovers_killed);
    uint64_t (*output_lost)(void); /* bytes of children's output */
    /* Starts that had to wait for what proctord lacked, and spawners that were replaced. */
    void (*starts)(void *userdata, uint64_t *delayed, uint64_t *spawners);
};

struct handover;

struct service_settings {
    enum service_bus bus;
    const char *address;       /* SERVICE_BUS_ADDRESS */
    struct handover *handover; /* of the program that was here before; NULL: none */
    bool accept_unwritten;     /* changes are made although the journal cannot be written */
    bool metrics_of_children;  /* child ids as labels */
    bool watch_bus;            /* it is ours: one that hangs is found out without a call */
};

/* Returns 0 or a negative errno. The core is given later, as its sink needs the service first. */
int service_new(sd_event *event, const struct service_settings *settings,
                const struct service_hooks *hooks, struct service **service);
/* Closes the connection, and frees everything. NULL is allowed. */
void service_free(struct service *service);
/* From now on the service can answer. */
void service_attach(struct service *service, struct core *core);
void service_detach(struct service *service); /* before it goes away */

/* Which history's commands these are (command_id.h), once that is known. */
void service_name_commands(struct service *service, uint32_t instance);

/* A mark of the journal may be past: answers that wait for it go out. */
void service_journal_moved(struct service *service);

/* The wall clock was set: deadlines are told again as moments of it; userdata is the service. */
void service_clock_was_set(void *userdata);

/* The property Durability has changed. */
void service_durability_changed(struct service *service);

/* Begins to connect, and takes the name; continues to try for as long as the service lives, and
 * waits for nothing (connection.h). A connection that was handed over is there when this
 * returns. */
void service_connect(struct service *service);

/* What is said of the bus, each time that it happens. */
struct service_bus_hooks {
    void *userdata;
    void (*came)(void *userdata);     /* there is one on which we have our name */
    void (*troubled)(void *userdata); /* there is none, for another reason than before */
    void (*silent)(void *userdata);   /* one is given up that does not answer */
};

/* To be called before service_connect(). The hooks are copied. */
void service_on_bus(struct service *service, const struct service_bus_hooks *hooks);

enum service_reach {
    SERVICE_ASKS,   /* nothing is known yet */
    SERVICE_ABSENT, /* it is tried again */
    SERVICE_TAKEN,  /* another one has the name; it is asked for again */
    SERVICE_UP
};
enum service_reach service_reach(const struct service *service, const char **trouble);

/*
 * The connection, the waiting callers and the subscribers pass to the program that takes this one's
 * place. service_begin_handover() calls `ready` when the others may be called, right after that
 * turn of the loop and before another source is looked at; or with the errno for which they may
 * not; -ENOTCONN: without a bus they may. service_prepare_handover() answers all that has come by
 * now, and leaves nothing read by half; service_hand_over() writes. Both return 0 or a negative
 * errno; -EAGAIN: something has not been sent yet, and all is to be begun again. service_new()
 * reads the connection, and service_take_over(), after service_connect(), the rest. service_stay():
 * nothing came of it after all, and the callers that asked for it get `why`.
 */
int service_begin_handover(struct service *service, void (*ready)(void *userdata, int r),
                           void *userdata);
int service_prepare_handover(struct service *service);
int service_hand_over(struct service *service, struct handover *handover);
void service_take_over(struct service *service, struct handover *handover);
void service_stay(struct service *service, const char *why);

/* The core's sink. userdata is the service. */
void service_event(void *userdata, const struct event *event);

/* The core's port of the same name: the supervisor's object goes away. */
void service_forget_supervisor(void *userdata, struct supervisor *supervisor);

/* The same of a job's object. */
void service_forget_job(void *userdata, struct job *job);

/* The result of a job that was finished under an earlier proctord. userdata is the service. */
void service_job_read(void *userdata, struct job *job, const struct job_output *output);

/* More of a job's result has come. userdata is the service. */
void service_job_output(void *userdata, struct job *job);

/* Answers some of the calls that wait, outside of the loop's order. */
void service_answer(void *userdata);

/* Sends what is due now: used before the daemon ends. */
void service_flush(struct service *service);

/* Called once the shutdown of the tree is complete and its answers are sent. */
void service_on_shutdown(struct service *service, void (*done)(void *userdata), void *userdata);
