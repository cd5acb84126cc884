/*
 * Systemd settings: what a unit file says, sorted by what becomes of it. For systemd_unit.c and its
 * neighbours only.
 *
 * One table says of each setting whether its last value counts, whether it is a list that an empty
 * value clears, or why it is lost.
 */
#pragma once

#include "convert/source.h"
#include "convert/words.h"

#include <stdint.h>

#define SETTINGS_MAX 512 /* items of one list */

struct setting_list {
    const struct setting *items[SETTINGS_MAX];
    size_t count;
};

/* A unit of which a draft is made. */
struct unit {
    struct conversion *conversion;
    struct draft *draft;
    const char *file;
    const char *name;           /* with its suffix: web@blue.service */
    const char *prefix;         /* web */
    const char *instance;       /* blue, or "" */
    const char *plain_instance; /* with its escapes undone: a-b is a/b */
    bool template;              /* that has no instance */
    struct setting *settings;
    struct unit *next;

    /* the last value of each, or NULL */
    const struct setting *success_action, *failure_action, *description, *limit_burst,
        *limit_interval, *type, *restart, *restart_sec, *restart_max, *timeout, *timeout_start,
        *timeout_stop, *run_timeout, *watchdog, *kill_mode, *kill_signal, *send_sigkill, *user,
        *group, *dynamic_user, *directory, *umask, *privileges, *nice, *oom, *sigpipe, *fd_store,
        *output, *error, *memory, *memory_high, *tasks, *cpu_weight, *cpu_quota, *cpu_shares,
        *io_weight, *instance_default, *remain, *pid_file, *accept, *service, *mode, *fd_name,
        *reload_signal, *protect_system, *protect_home, *private_tmp, *private_devices,
        *private_network, *directory_mode, *persistent, *random_delay;
    struct setting_list after, before, requires, conflicts, start, start_pre, start_post, stop,
        stop_post, reload, success, prevent, groups, capabilities, ambient, environment, files,
        limits, affinity, calls, read_write, read_only, inaccessible, runtime, streams, datagrams,
        elapses, calendars, sockets;
};

/* Sorts the settings of the unit into it, and notes what is lost. kind: "Service", "Socket" or
 * "Timer". Returns 0 or -E2BIG with the error. */
int systemd_settings_sort(struct unit *unit, const char *kind);

/* A value with its specifiers (%n, %i, %t, ...) replaced; one that is not known is noted. */
const char *systemd_settings_expand(struct unit *unit, const struct setting *setting,
                                    const char *value);

/* The value of a setting that may be missing, expanded; NULL: missing, or empty. */
const char *systemd_settings_value(struct unit *unit, const struct setting *setting);

/* yes, true, on, 1; otherwise no, false, off, 0; the default for what is neither, or missing. */
bool systemd_settings_truth(const struct setting *setting, bool missing);

/* "file:line: Key=value", as comments name it. */
const char *systemd_settings_cite(struct unit *unit, const struct setting *setting);

/* The words of a value, each with its specifiers replaced, as systemd does it: first split, then
 * replaced. Returns 0 or -EINVAL, with the setting noted as lost. */
int systemd_settings_words(struct unit *unit, const struct setting *setting, const char *value,
                           struct words *words);

/* Says that a setting is lost. */
void systemd_settings_lose(struct unit *unit, const struct setting *setting, const char *why);

/* A time span ("5min 20s", "90", "infinity") as a duration of ours; NULL: it is none. Infinity and
 * 0 are "0". */
const char *systemd_settings_span(struct unit *unit, const struct setting *setting, uint64_t *usec);

/* What the commands of a unit come to: exec, and what is run before it. */
void systemd_exec_convert(struct unit *unit);

/* Appends the commands of a setting to the list of commands at a path. */
void systemd_exec_list(struct unit *unit, const char *path, const struct setting *setting);

/* A signal that a command line such as "kill -HUP $MAINPID" sends to the main process; NULL: it
 * does something else.
 */
const char *systemd_exec_signal(struct unit *unit, const struct setting *setting);

/* What of its sandbox is carried over. */
void systemd_sandbox_convert(struct unit *unit);

/* How the service starts, restarts and stops; what it is given. */
void systemd_service_convert(struct unit *unit);
