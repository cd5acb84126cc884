/*
 * What the parts of the bus know of each other. No file outside service/bus includes this but
 * tests/fuzz/arguments.c.
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

#define EVENT_LOG_SIZE  4096
#define SUBSCRIBERS_MAX 256
#define WAITERS_MAX     4096
#define KEYS_MAX        8192 /* idempotency keys that are remembered */
#define KEY_MAX         128  /* bytes of one */
#define HELD_MAX        1024 /* acknowledgements that wait for the disk: then changes are refused */
#define CALLER_SETS     128  /* senders whose credentials are remembered: so many times */
#define CALLER_WAYS     8
#define QUESTIONS_MAX   1024 /* calls for which polkit is asked */
#define EXPLANATION_MAX 1024

/* How long a call with `wait` waits: where its caller does not say, and at most. */
#define WAIT_DEFAULT_USEC (UINT64_C(3600) * 1000000)
#define WAIT_MOST_USEC    (UINT64_C(7) * 24 * 3600 * 1000000)

/* What one uid may have of it at the same time, unless it is root or proctord's own. */
#define QUESTIONS_PER_UID   32
#define SUBSCRIBERS_PER_UID 32
#define WAITERS_PER_UID     256
/* Of a call that cannot wait; what has been done all the same may be said behind it. */
#define WORDS_OF_(number) #number
#define WORDS_OF(number)  WORDS_OF_(number)
#define WAITERS_FULL                                                                               \
    "at most " WORDS_OF(WAITERS_MAX) " calls may wait, and " WORDS_OF(WAITERS_PER_UID) " of one "  \
                                                                                       "uid"
#define KEYS_PER_UID     128
#define JOBS_PER_UID     256 /* not finished */
#define CHILDREN_PER_UID 1000

#define CALLER_NAME_MAX 64 /* of a unique name, with its zero */

struct caller {
    char unique_name[CALLER_NAME_MAX];
    uid_t uid;
    pid_t pid;
    char text[REQUESTER_MAX + 1]; /* "alice (uid 1000)" */
    char origin[96];              /* "pid 17, busctl, :1.4" */
    uint64_t used;                /* for replacing the oldest */
};

/* The options that every mutating method takes. */
struct options {
    const char *requested_by;
    const char *key;
    uint64_t call; /* what the key belongs to; key_claim() fills it in */
    bool wait;
    uint64_t wait_usec; /* the longest; 0: the caller sets no limit */
    bool dry_run;
    bool restart;          /* only of what declares */
    uint64_t timeout_usec; /* only of a shutdown of the tree: for the whole; 0: none */
    char requester[REQUESTER_MAX + 1];
};

/* What polkit is asked about. */
struct permission {
    const char *action; /* one of those below */
    const char *verb;
    const char *child;  /* id or path; NULL: of the whole */
    const char *option; /* that only this has: `restart`, `timeout-usec`; NULL: none */
};

#define MAY_MANAGE      "org.proctor1.manage-children"
#define MAY_QUARANTINE  "org.proctor1.quarantine"
#define MAY_CHANGE_TREE "org.proctor1.change-tree"
#define MAY_RUN_JOBS    "org.proctor1.run-jobs"
#define MAY_SHUT_DOWN   "org.proctor1.shutdown"

extern const struct permission shutdown_permission; /* of the tree (verbs.c) */

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

struct held {
    sd_bus_message *reply;
    uint64_t mark; /* of the journal: what it acknowledges stands before it */
};

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
    uint64_t shown_usec; /* monotonic: when changes were shown last */
    uint64_t storm_usec; /* since when these are counted: */
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

/* caller.c: the caller. Every call that came over a bus is of a caller that is known
 * (stranger.h). */
void caller_learn(struct service *service, const char *name, uid_t uid, pid_t pid,
                  const char *user); /* NULL: it has no name */
bool caller_is_known(struct service *service, const char *name);
int caller_of(struct service *service, sd_bus_message *message, const struct caller **caller,
              sd_bus_error *error);
const struct caller *caller_known(struct service *service, sd_bus_message *message); /* or NULL */
/* Whether it is not to have more, having so many. For callers that are root, or proctord's own
 * user, only the limits of all together count. */
bool caller_has_its_share(const struct caller *caller, size_t has, size_t most);

/* authorisation.c: who may. authorise() returns 0 when the caller may, 1 when polkit has been asked
 * and the call will come again, or the refusal. */
bool uid_is_trusted(uid_t uid);
bool caller_is_trusted(const struct caller *caller);
int caller_must_be_trusted(const struct caller *caller, const char *what, sd_bus_error *error);
int authorise(struct service *service, sd_bus_message *m, const struct caller *caller,
              const struct permission *wanted, sd_bus_error *error);
void questions_archive(struct service *service, struct archive *archive);
void questions_free(struct service *service);

/* options.c: the last argument of mutating methods */
int options_read(sd_bus_message *message, const struct caller *caller, const char *its_own,
                 struct options *options, sd_bus_error *error);
int reason_check(const char *reason, sd_bus_error *error);
/* The next argument, a text: what sd-bus does not take for one is refused, with its name. */
int argument_read(sd_bus_message *m, const char *name, const char **text, sd_bus_error *error);

/* path.c: ids and object paths */
char *path_of_child(const char *id);
struct child *child_of_path(const struct service *service, const char *path);
int child_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
               sd_bus_error *error);
int child_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                    sd_bus_error *error);

char *path_of_supervisor(const char *path);
int supervisor_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                    void **found, sd_bus_error *error);
int supervisor_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                         sd_bus_error *error);

/* job_object.c: /org/proctor1/job/17 */
#define JOB_PATH_MAX 48
int job_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **found,
             sd_bus_error *error);
int job_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***nodes,
                  sd_bus_error *error);

/* encode.c: a{sv} and the like */
int append_text(sd_bus_message *m, const char *key, const char *value);
int append_number(sd_bus_message *m, const char *key, uint64_t value);
int append_u32(sd_bus_message *m, const char *key, uint32_t value);
int append_signed(sd_bus_message *m, const char *key, int32_t value);
int append_flag(sd_bus_message *m, const char *key, bool value);
int append_outcome(const struct service *service, sd_bus_message *m, const struct outcome *outcome);
/* waits_for: what the child still waits for when the time is up (late), or in vain; NULL: nothing.
 */
int append_awaited_outcome(const struct service *service, sd_bus_message *m,
                           const struct outcome *outcome, const struct child *child,
                           const char *waits_for, bool late);
int append_outcomes(const struct service *service, sd_bus_message *m,
                    const struct outcome *outcomes, size_t count);
int append_event(const struct service *service, sd_bus_message *m, const struct event *event,
                 const char *child);
/* Of an answer whose command has been carried out: says so where it cannot be made, or is larger
 * than a bus takes. bytes: what was counted. Returns 0, or what a handler returns. */
int answer_is_sendable(sd_bus_message *call, int r, size_t bytes);
int append_reexecution(sd_bus_message *m, const char *version);
int append_shutdown(const struct service *service, sd_bus_message *m, bool dry_run, bool idempotent,
                    bool late);
void command_text(const struct service *service, uint64_t number, char text[COMMAND_ID_SIZE]);
int append_field(sd_bus_message *m, const struct event_field *field);

/* verbs.c: one command, from either interface. command_prepare() reads the options and finds out
 * the caller, whether it may, and why; it returns 1 when there is nothing more to do: an
 * idempotency key has answered the call already, or it will come again (authorise()). */
int command_prepare(struct service *service, sd_bus_message *m, const struct permission *permission,
                    const char *reason, const struct caller **caller, struct options *options,
                    sd_bus_error *error);
int verb_call(struct service *service, sd_bus_message *m, enum command_verb verb, const char *id,
              sd_bus_error *error);

/* A dry run that has found nothing to refuse, of a command that is not one of a child or scope. */
void tell_dry_run(struct service *service, const char *command, const char *requester,
                  const char *reason);
void shutdown_order(struct service *service, const struct options *options, const char *reason);
int kill_call(struct service *service, sd_bus_message *m, const char *id, sd_bus_error *error);

int scope_call(struct service *service, sd_bus_message *m, enum command_verb verb, const char *path,
               sd_bus_error *error);

/* manager.c, child_object.c, supervisor_object.c: the interfaces */
extern const sd_bus_vtable manager_vtable[];
const sd_bus_vtable *child_vtable(void);
void child_object_serve(struct service *service);
bool child_has_failed(const struct child *child); /* as NFailed counts it */
int child_append_properties(struct service *service, sd_bus_message *m, struct child *child);
/* Of a child that is announced now; of one that has changed; of one of which nothing is known. */
void child_show_from_now(struct service *service, struct child *child);
void child_show_changes(struct service *service, struct child *child);
void child_show_all(struct service *service, struct child *child);
void child_forget_shown(struct service *service, struct child *child);
extern const sd_bus_vtable supervisor_vtable[];
void supervisor_object_serve(struct service *service);
void supervisor_show_changes(struct service *service, struct supervisor *supervisor);
void supervisor_forget_shown(struct service *service, struct supervisor *supervisor);
extern const sd_bus_vtable job_vtable[];
void job_object_serve(struct service *service);
void job_event(struct service *service, const struct event *event);
void job_show_all(struct service *service, const struct job *job);
void job_forgotten(struct service *service, struct job *job);
int answer_job(struct service *service, sd_bus_message *m, const struct job *job,
               const struct options *options, uid_t uid);
void manager_show_changes(struct service *service);

/* explanation.c */
void explain(const struct service *service, const struct child *child, char *buffer, size_t size);

/* event_log.c: the last events, for QueryEvents */
int event_log_new(struct event_log **log);
void event_log_free(struct event_log *log);
void event_log_add(struct event_log *log, const struct event *event);
struct event_filter;
int event_filter_read(sd_bus_message *m, struct event_filter **filter, sd_bus_error *error);
void event_filter_free(struct event_filter *filter);
void event_filter_archive(struct event_filter **filter, struct archive *archive);
void event_log_visit(const struct service *service, uint64_t after,
                     void (*visit)(void *userdata, const struct event *event, const char *child),
                     void *userdata);
bool event_filter_matches(const struct event_filter *filter, enum event_kind kind,
                          const char *child, struct command_id cause);
/* Answers the call, now or later; the filter is freed. */
int event_log_query(struct service *service, sd_bus_message *call, uint64_t after, uint32_t max,
                    struct event_filter *filter, sd_bus_error *error);

/* subscription.c */
int subscribe(struct service *service, sd_bus_message *m, sd_bus_error *error);
int unsubscribe(struct service *service, sd_bus_message *m, sd_bus_error *error);
void subscribers_send(struct service *service, const struct event *event);
void subscribers_free(struct service *service);
void subscribers_archive(struct service *service, struct archive *archive);
void subscribers_let_go(struct service *service);
void subscribers_track(struct service *service);

/* service.c: all objects, on a bus. */
int service_register(struct service *service, sd_bus *bus);

/* inherit.c: continues with the connection of the program that was here before. The descriptor is
 * the bus's from then on; where it fails it is not touched. */
int bus_inherit(int fd, const char *unique_name, sd_bus **bus);

/* message.c: the values of a sealed message, or into one that is not. Returns 0 or a negative
 * errno, and then the archive has failed. */
int message_archive(struct archive *archive, sd_bus_message *m);
/* A whole call; read, it comes in on that bus as it came in before. The same errors. */
int call_write(struct archive *archive, sd_bus_message *call);
int call_read(struct archive *archive, sd_bus *bus);

/* wait.c: answers that come when the effect is complete, or the time is up. wait_usec: of the
 * options. */
int wait_for_child(struct service *service, sd_bus_message *m, enum command_verb verb,
                   struct child *child, const struct outcome *outcome, uint64_t wait_usec);
/* The call is handled again when the record of the child has gone. */
int wait_until_gone(struct service *service, sd_bus_message *m, const struct child *child,
                    sd_bus_message_handler_t again, uint64_t wait_usec);
int wait_for_start(struct service *service, sd_bus_message *m, struct child *child,
                   uint64_t wait_usec);
/* Each member's outcome is that of its moment; the answer comes when all are complete. */
int wait_for_scope(struct service *service, sd_bus_message *m, enum command_verb verb,
                   const struct outcome *outcomes, size_t count, uint64_t wait_usec);
int wait_for_job(struct service *service, sd_bus_message *m, const struct job *job);
void waiters_job_gone(struct service *service, const struct job *job);
int wait_for_shutdown(struct service *service, sd_bus_message *m, bool idempotent,
                      uint64_t wait_usec);
int wait_for_reexecution(struct service *service, sd_bus_message *m);
void waiters_refuse_reexecution(struct service *service, const char *why);
void waiters_archive(struct service *service, struct archive *archive);
void waiters_look(struct service *service);
void waiters_child_gone(struct service *service, struct child *child);
void waiters_free(struct service *service);

/* key.c: idempotency keys */
int keys_new(struct keys **keys);
void keys_free(struct keys *keys);
void keys_archive(struct service *service, struct archive *archive);
/* 1 when the call was answered from memory; 0 when it is to be carried out; or the refusal. */
int key_claim(struct service *service, sd_bus_message *m, struct options *options,
              const struct caller *caller, sd_bus_error *error);
/* For a call that has waited since key_claim(): another one with its key may have been answered. */
bool key_answers(struct service *service, sd_bus_message *m, const struct options *options,
                 uid_t uid);
void key_remember(struct service *service, const struct options *options, uid_t uid,
                  sd_bus_message *reply);

/* history.c: the journal */
int service_acknowledge(struct service *service, sd_bus_message *reply);
int journal_check(struct service *service, sd_bus_error *error);
void held_send(struct service *service);
void held_free(struct service *service);
