/*
 * Client: the connection of proctorctl, and how it prints.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#define NAME    "org.proctor1"
#define PATH    "/org/proctor1"
#define MANAGER "org.proctor1.Manager"
#define CHILD   "org.proctor1.Child"

/* Exit codes (cli.md). */
enum exit_code {
    CTL_DONE = 0,
    CTL_ERROR = 1, /* no daemon, no bus, wrong usage */
    CTL_REJECTED = 3,
    CTL_FAILED = 4,
    CTL_NO_SUCH_CHILD = 5,
    CTL_NOT_ALLOWED = 6,
    CTL_TIMED_OUT = 7, /* what was begun continues */
};

enum json_mode { JSON_OFF, JSON_SHORT, JSON_PRETTY };

enum document_form { DOCUMENT_ONE, DOCUMENT_LIST, DOCUMENT_LINES };

struct place_of_bus;

struct client {
    sd_bus *bus;
    const struct place_of_bus *place; /* where the bus is, or the buses (connect.h) */
    const char *host;                 /* that the bus is on; NULL: this one */
    enum json_mode json;
    bool legend;
    bool quiet;
    bool colour;
    const char *requested_by;
    bool help; /* is asked for, instead of the command */
    /* of the command */
    const char *reason;
    bool wait;
    bool within;           /* that was given: */
    uint64_t within_usec;  /* of shutdown; 0: no bound */
    uint64_t timeout_usec; /* of --wait; 0: none was given, UINT64_MAX: no limit */
    bool dry_run;
    bool restart; /* of reload and add: for the keys that wait */
    bool replace; /* of add */
    bool follow;
    uint64_t since_usec; /* of the clock, since 1970; 0: from the beginning */
    uint64_t after;      /* sequence of an event */
    bool failed;         /* of list */
    const char *by;
    const char *command_id;
    const char *output;
    const char *state; /* of wait */
    const char *kind;
    const char *lines; /* -n, as it was given */
    char **arguments;
    int n_arguments;
    /* of what it says as JSON (document.h) */
    enum document_form form;
    size_t answers;
    char *answer; /* the one that is being written */
    size_t answer_size;
    bool lines_among_others; /* lines of a log stand among what we say ourselves */
    const char *subject;     /* the child that it is about; NULL: none */
};

/* Prints the error and what to do next, and answers with it where JSON is asked for; returns the
 * exit code that belongs to it. */
int client_error(struct client *client, const sd_bus_error *error, int r);

/* The same where it is no error of the bus. Returns CTL_ERROR. */
int client_fail(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A word on standard error, which is no error. */
void client_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a person may have meant, behind an error; frees the text. NULL: nothing. */
void client_hint(char *text);

struct mistakes;

/* "file:line:column: message", one a line, as compilers have it: without our name before it.
 * Returns CTL_ERROR, or r where there is no mistake. */
int client_show_mistakes(struct client *client, const struct mistakes *mistakes, int r);

/* The filters that were given, as the a{sv} that queries end in. child: instead of the arguments.
 */
int client_append_filter(const struct client *client, sd_bus_message *call, const char *child);

/* Each command returns an exit code. */
int command_list(struct client *client);
int command_tree(struct client *client);
int command_status(struct client *client);
int command_verb(struct client *client, const char *method);
int command_add(struct client *client);
int command_run(struct client *client);
int command_jobs(struct client *client);
int command_timers(struct client *client);
int command_kill(struct client *client);
int command_shutdown(struct client *client);
int command_reload(struct client *client);
int command_reexec(struct client *client);
int command_events(struct client *client);
int command_metrics(struct client *client);
int command_audit(struct client *client);
int command_trace(struct client *client);
int command_check(struct client *client);   /* without a bus */
int command_convert(struct client *client); /* without a bus, too */
int command_is_active(struct client *client);
int command_is_failed(struct client *client);
int command_show(struct client *client);
int command_cat(struct client *client);
int command_edit(struct client *client);
int command_log(struct client *client);
int command_top(struct client *client);
int command_wait(struct client *client);

/* The last events of a child, as a story. */
int events_show_last(struct client *client, const char *id, size_t count, FILE *out);
void log_show_last(struct client *client, const char *id,
                   const char *path); /* where there are any */

/* The object of a child; returns an exit code, and says what is wrong. The caller frees it. */
int client_child_path(struct client *client, const char *id, char **path);

/* The text of a file, - for standard input; NULL, and it has been said what is wrong. The caller
 * frees it. */
char *client_read_manifest(struct client *client, const char *path);

/* Starts a method call; appends the reason and the options that were given. */
int client_call(struct client *client, const char *path, const char *interface, const char *method,
                sd_bus_message **call);
int client_append_reason(struct client *client, sd_bus_message *call);

/* Makes a call that may wait. proctord answers when the time is up; where it does not, the call
 * ends a little later. */
int client_wait(struct client *client, sd_bus_message *call, sd_bus_error *error,
                sd_bus_message **reply);

/* Whether an answer, a{sv}, came because the time was up. */
bool client_timed_out(sd_bus_message *reply);
