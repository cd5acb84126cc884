/*
 * A service unit's policy and surroundings as keys of a manifest.
 */
#include "convert/systemd_settings.h"

#include "core/model/process_spec.h"
#include "manifest/unit.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is(const struct setting *setting, const char *word)
{
    return setting && strcmp(setting->value, word) == 0;
}

static bool is_oneshot(const struct unit *unit)
{
    return is(unit->type, "oneshot") || (!unit->type && unit->start.count == 0);
}

/* Sets a key to a setting's value, if it is there. */
static void carry(struct unit *unit, const char *path, const struct setting *setting)
{
    const char *value = systemd_settings_value(unit, setting);

    if (value)
        draft_set(unit->draft, path, value, NULL);
}

static void carry_span(struct unit *unit, const char *path, const struct setting *setting)
{
    const char *span = systemd_settings_span(unit, setting, NULL);

    if (span)
        draft_set(unit->draft, path, span, NULL);
}

/* A whole number of a setting, or the fallback. */
static uint64_t number(struct unit *unit, const struct setting *setting, uint64_t most,
                       uint64_t fallback)
{
    uint64_t value = fallback;

    if (setting && *setting->value && unit_number(setting->value, most, &value) < 0) {
        systemd_settings_lose(unit, setting, "is no number that fits here");
        return fallback;
    }
    return value;
}

/* ---- start ----------------------------------------------------------------------------------- */

static void convert_forking(struct unit *unit)
{
    draft_set(unit->draft, "autostart", "false",
              "the program goes into the background (Type=forking): give it the option that keeps "
              "it in the foreground, then remove this line");
    if (unit->pid_file)
        systemd_settings_lose(unit, unit->pid_file, "the main process is the one that is started");
}

static void convert_start_timeout(struct unit *unit)
{
    const struct setting *timeout = unit->timeout_start ? unit->timeout_start : unit->timeout;

    if (timeout)
        carry_span(unit, "start_timeout", timeout);
    else
        draft_set(unit->draft, "start_timeout", is_oneshot(unit) ? "infinity" : "90s",
                  "systemd's default");
}

static void convert_type(struct unit *unit)
{
    if (is(unit->type, "forking"))
        convert_forking(unit);
    if (is(unit->type, "notify") || is(unit->type, "notify-reload")) {
        draft_set(unit->draft, "readiness", "explicit", NULL);
        convert_start_timeout(unit);
    }
    if (draft_has(unit->draft, "before") && !draft_has(unit->draft, "start_timeout"))
        convert_start_timeout(unit);
    if (is(unit->type, "notify-reload") && unit->reload_signal)
        carry(unit, "reload_signal", unit->reload_signal);
}

/* ---- restart --------------------------------------------------------------------------------- */

static void convert_restart(struct unit *unit)
{
    struct draft *draft = unit->draft;
    const struct setting *restart = unit->restart;

    if (is_oneshot(unit)) {
        draft_set(draft, "kind", "job", NULL);
        if (restart && !is(restart, "no"))
            draft_set(draft, "restart", "transient", NULL);
    } else if (!restart || is(restart, "no"))
        draft_set(draft, "restart", "temporary", restart ? NULL : "systemd's default: never");
    else if (is(restart, "always"))
        draft_set(draft, "kind", "service", NULL);
    else if (is(restart, "on-success"))
        draft_set(draft, "restart", "permanent",
                  conversion_format(unit->conversion, "also after failures; %s",
                                    systemd_settings_cite(unit, restart)));
    else if (is(restart, "on-failure"))
        draft_set(draft, "restart", "transient", NULL);
    else if (is(restart, "on-abnormal") || is(restart, "on-abort") || is(restart, "on-watchdog"))
        draft_set(draft, "restart", "transient",
                  conversion_format(unit->conversion, "also after exit codes other than 0; %s",
                                    systemd_settings_cite(unit, restart)));
    else {
        draft_set(draft, "restart", "temporary", "systemd's default: never");
        systemd_settings_lose(unit, restart, "is no policy");
    }
}

static bool restarts(const struct unit *unit)
{
    return unit->restart && *unit->restart->value && !is(unit->restart, "no");
}

static void convert_limit(struct unit *unit)
{
    uint64_t interval = 10000000;
    const char *span = systemd_settings_span(unit, unit->limit_interval, &interval);
    uint64_t burst = number(unit, unit->limit_burst, UINT64_MAX, 5);

    if (!restarts(unit))
        return;
    burst = burst < 10000 ? burst : 10000;
    if (interval == 0 || burst == 0) {
        draft_set(unit->draft, "restart_limit.burst", "10000", "no limit in systemd");
        draft_set(unit->draft, "restart_limit.interval", "1s", NULL);
        return;
    }
    draft_set(unit->draft, "restart_limit.burst",
              conversion_format(unit->conversion, "%" PRIu64, burst - 1),
              burst > 1 ? "failures that are restarted; systemd counts starts, with the first"
                        : "never restarted; systemd does it when the interval is over");
    draft_set(unit->draft, "restart_limit.interval", span ? span : "10s", NULL);
    if (is(unit->restart, "always"))
        draft_set(unit->draft, "restart_limit.on_limit", "quarantine",
                  "given up, as systemd does; cool-down tries again later");
}

static void convert_action(struct unit *unit, const struct setting *action, const char *key)
{
    bool never = is(unit->restart, "always") && strcmp(key, "on_success") == 0;

    if (!action || !*action->value || is(action, "none"))
        return;
    if (never)
        systemd_settings_lose(unit, action, "with Restart=always, a success is restarted");
    else if (is(action, "exit") || is(action, "exit-force"))
        draft_set(unit->draft, key, "shutdown-tree", "proctord ends with the child's exit code");
    else
        systemd_settings_lose(unit, action, "acts on the machine, not on the tree");
}

static void convert_backoff(struct unit *unit)
{
    const char *first = systemd_settings_span(unit, unit->restart_sec, NULL);
    const char *most = systemd_settings_span(unit, unit->restart_max, NULL);

    if (!restarts(unit))
        return;
    first = first ? first : "100ms";
    draft_set(unit->draft, "backoff.initial", first, NULL);
    draft_set(unit->draft, "backoff.max", most ? most : first, NULL);
    draft_set(unit->draft, "backoff.jitter", "none", NULL);
    if (unit->prevent.count == 0)
        draft_clear(unit->draft, "fatal_exit_codes");
}

/* sysexits.h, as SuccessExitStatus= knows them. */
static const char *exit_code(struct unit *unit, const char *word)
{
    static const char *const names[] = {"USAGE",    "DATAERR",     "NOINPUT",  "NOUSER",
                                        "NOHOST",   "UNAVAILABLE", "SOFTWARE", "OSERR",
                                        "OSFILE",   "CANTCREAT",   "IOERR",    "TEMPFAIL",
                                        "PROTOCOL", "NOPERM",      "CONFIG"};
    uint64_t code;

    if (unit_number(word, 255, &code) == 0)
        return word;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], word) == 0)
            return conversion_format(unit->conversion, "%zu", 64 + i);
    return NULL;
}

static void convert_codes(struct unit *unit, const struct setting_list *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++) {
        struct words words = {};
        words_split(unit->conversion, WORDS_SYSTEMD, list->items[i]->value, &words);
        for (size_t k = 0; k < words.count; k++) {
            const char *code = exit_code(unit, words.items[k]);
            if (!code)
                systemd_settings_lose(unit, list->items[i], "only exit codes count, not signals");
            else if (strcmp(code, "0") != 0)
                draft_append(unit->draft, path, code);
        }
    }
}

/* ---- stop ------------------------------------------------------------------------------------ */

static void convert_stop_signal(struct unit *unit)
{
    const char *signal = systemd_settings_value(unit, unit->kill_signal);

    for (size_t i = 0; i < unit->stop.count; i++) {
        const char *sent = systemd_exec_signal(unit, unit->stop.items[i]);
        if (sent && strcmp(sent, "SIGSTOP") != 0 && strcmp(sent, "SIGKILL") != 0)
            signal = sent;
        else
            systemd_exec_list(unit, "stop.commands", unit->stop.items[i]);
    }
    if (signal && strcmp(signal, "SIGTERM") != 0)
        draft_set(unit->draft, "stop.signal", signal, NULL);
}

static void convert_kill_mode(struct unit *unit)
{
    if (is(unit->kill_mode, "mixed")) {
        draft_set(unit->draft, "stop.kill_mode", "main", NULL);
        draft_set(unit->draft, "leftovers", "kill", NULL);
    } else if (is(unit->kill_mode, "process")) {
        draft_set(unit->draft, "stop.kill_mode", "main", NULL);
        draft_set(unit->draft, "leftovers", "keep", NULL);
    } else if (is(unit->kill_mode, "none"))
        systemd_settings_lose(unit, unit->kill_mode, "a child is stopped by a signal");
}

/* One that only sends a signal is that signal. */
static void convert_reload(struct unit *unit)
{
    const char *sent =
        unit->reload.count == 1 ? systemd_exec_signal(unit, unit->reload.items[0]) : NULL;

    if (sent && strcmp(sent, "SIGHUP") != 0)
        draft_set(unit->draft, "reload_signal", sent, NULL);
    for (size_t i = 0; !sent && i < unit->reload.count; i++)
        systemd_exec_list(unit, "reload", unit->reload.items[i]);
}

static void convert_stop(struct unit *unit)
{
    const struct setting *timeout = unit->timeout_stop ? unit->timeout_stop : unit->timeout;

    convert_stop_signal(unit);
    if (timeout)
        carry_span(unit, "stop.timeout", timeout);
    else if (!is_oneshot(unit))
        draft_set(unit->draft, "stop.timeout", "90s", "systemd's default");
    convert_kill_mode(unit);
    if (unit->send_sigkill && !systemd_settings_truth(unit->send_sigkill, true))
        draft_set(unit->draft, "stop.timeout_action", "report",
                  "a restart or a shutdown of the tree still kills");
    for (size_t i = 0; i < unit->start_post.count; i++)
        systemd_exec_list(unit, "after_start", unit->start_post.items[i]);
    for (size_t i = 0; i < unit->stop_post.count; i++)
        systemd_exec_list(unit, "after_stop", unit->stop_post.items[i]);
    convert_reload(unit);
}

static void convert_watchdog(struct unit *unit)
{
    uint64_t usec = 0;
    const char *span = systemd_settings_span(unit, unit->watchdog, &usec);

    if (!span || usec < 2000)
        return;
    draft_set(unit->draft, "heartbeat.interval",
              conversion_format(unit->conversion, "%" PRIu64 "ms", usec / 2000), NULL);
    draft_set(unit->draft, "heartbeat.stale_after", span, NULL);
    draft_set(unit->draft, "heartbeat.on_stale", "restart", NULL);
    draft_set(unit->draft, "heartbeat.required", "true", NULL);
}

/* ---- surroundings ---------------------------------------------------------------------------- */

static void convert_words(struct unit *unit, const struct setting_list *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++) {
        struct words words;
        systemd_settings_words(unit, list->items[i], list->items[i]->value, &words);
        for (size_t k = 0; k < words.count; k++)
            draft_append(unit->draft, path, words.items[k]);
    }
}

static void convert_identity(struct unit *unit)
{
    carry(unit, "user", unit->user);
    carry(unit, "unix_group", unit->group);
    convert_words(unit, &unit->groups, "supplementary_groups");
    if (unit->dynamic_user && systemd_settings_truth(unit->dynamic_user, false))
        systemd_settings_lose(unit, unit->dynamic_user,
                              "make a system user (adduser --system) and name it in `user`");
    if (!unit->privileges || !systemd_settings_truth(unit->privileges, false))
        draft_set(unit->draft, "no_new_privileges", "false",
                  unit->privileges ? NULL : "systemd's default; without this line it is safer");
    if (unit->umask)
        carry(unit, "umask", unit->umask);
    if (systemd_settings_truth(unit->sigpipe, true))
        draft_set(unit->draft, "ignore_sigpipe", "true",
                  unit->sigpipe ? NULL : "systemd's default");
}

static void convert_capabilities(struct unit *unit)
{
    const struct setting_list *list =
        unit->ambient.count > 0 || unit->user ? &unit->ambient : &unit->capabilities;

    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->value[0] == '~') {
            systemd_settings_lose(unit, list->items[i],
                                  "list the capabilities that it keeps in `capabilities`");
            return;
        }
    convert_words(unit, list, "capabilities");
    if (list == &unit->ambient && unit->capabilities.count > 0 && unit->ambient.count == 0)
        draft_comment(unit->draft, "user", "a user other than root has no capabilities");
}

static void convert_environment(struct unit *unit)
{
    struct conversion *c = unit->conversion;

    for (size_t i = 0; i < unit->environment.count; i++) {
        const struct setting *setting = unit->environment.items[i];
        struct words words;
        systemd_settings_words(unit, setting, setting->value, &words);
        for (size_t k = 0; k < words.count; k++) {
            const char *equals = strchr(words.items[k], '=');
            if (equals)
                draft_map(unit->draft, "environment",
                          conversion_copy(c, words.items[k], (size_t)(equals - words.items[k])),
                          equals + 1);
            else
                systemd_settings_lose(unit, setting, "NAME=VALUE is expected");
        }
    }
    for (size_t i = 0; i < unit->files.count; i++) {
        const char *value = systemd_settings_value(unit, unit->files.items[i]);
        if (i == 0)
            draft_set(unit->draft, "environment_file", value, NULL);
        else
            systemd_settings_lose(unit, unit->files.items[i],
                                  "one environment file is read: put its lines into the first");
    }
}

static void convert_limits(struct unit *unit)
{
    struct conversion *c = unit->conversion;

    for (size_t i = 0; i < unit->limits.count; i++) {
        const struct setting *setting = unit->limits.items[i];
        char name[32];
        int limit;
        snprintf(name, sizeof(name), "%s", setting->key + strlen("Limit"));
        for (char *at = name; *at; at++)
            *at = (char)tolower((unsigned char)*at);
        if (unit_limit(name, &limit) == 0)
            draft_map(unit->draft, "limits", name, setting->value);
        else
            systemd_settings_lose(unit, setting, "is no limit that is known here");
    }
    const struct {
        const struct setting *setting;
        const char *name;
    } cgroup[] = {{unit->memory, "memory"},
                  {unit->memory_high, "memory_high"},
                  {unit->tasks, "pids"},
                  {unit->cpu_weight, "cpu_weight"},
                  {unit->io_weight, "io_weight"}};
    for (size_t i = 0; i < sizeof(cgroup) / sizeof(cgroup[0]); i++) {
        const struct setting *setting = cgroup[i].setting;
        if (!setting || !*setting->value || is(setting, "infinity"))
            continue;
        if (strchr(setting->value, '%') || is(setting, "idle"))
            systemd_settings_lose(unit, setting, "write it as a number into `limits`");
        else
            draft_map(unit->draft, "limits", cgroup[i].name, setting->value);
    }
    if (unit->cpu_shares && !unit->cpu_weight) {
        uint64_t weight = number(unit, unit->cpu_shares, 262144, 1024) * 100 / 1024;
        draft_map(unit->draft, "limits", "cpu_weight",
                  conversion_format(c, "%" PRIu64,
                                    weight < 1       ? UINT64_C(1)
                                    : weight > 10000 ? UINT64_C(10000)
                                                     : weight));
    }
}

/* 20% of one processor; systemd has it without the sign, too. */
static void convert_quota(struct unit *unit)
{
    const char *value = systemd_settings_value(unit, unit->cpu_quota);

    if (value)
        draft_map(unit->draft, "limits", "cpu_max", value);
}

/* "0 2-3" and "0,2-3" are the same there, and an empty value forgets the ones before. */
static void convert_affinity(struct unit *unit)
{
    struct conversion *c = unit->draft->conversion;
    const char *all = "";

    for (size_t i = 0; i < unit->affinity.count; i++) {
        const char *value = unit->affinity.items[i]->value;
        if (strspn(value, "0123456789-, ") != strlen(value)) {
            systemd_settings_lose(unit, unit->affinity.items[i], "write numbers as 0-3,5");
            return;
        }
        for (value += strspn(value, ", "); *value; value += strspn(value, ", ")) {
            size_t length = strcspn(value, ", ");
            all = conversion_format(c, "%s%s%.*s", all, *all ? "," : "", (int)length, value);
            value += length;
        }
    }
    if (*all)
        draft_set(unit->draft, "cpu_affinity", all, NULL);
}

static void convert_output(struct unit *unit)
{
    const char *value = systemd_settings_value(unit, unit->output);
    const char *path = value ? strchr(value, ':') : NULL;

    if (!value)
        return;
    if (strcmp(value, "null") == 0 || strcmp(value, "inherit") == 0)
        draft_set(unit->draft, "stdout", value, NULL);
    else if (path && path[1] == '/') {
        draft_set(unit->draft, "stdout.file", path + 1, NULL);
        draft_comment(unit->draft, "stdout.file", "is rotated at 10M, see max_size and keep");
    } else if (strncmp(value, "journal", 7) != 0 && strncmp(value, "syslog", 6) != 0)
        systemd_settings_lose(unit, unit->output, "goes to the journal");
    if (unit->error && unit->error->value[0] && !is(unit->error, "inherit") &&
        strcmp(unit->error->value, unit->output->value) != 0)
        systemd_settings_lose(unit, unit->error, "goes where standard output goes");
}

static void convert_fd_store(struct unit *unit)
{
    uint64_t most = number(unit, unit->fd_store, UINT64_MAX, 0);

    if (most > 0)
        draft_set(unit->draft, "fd_store_max",
                  conversion_format(unit->conversion, "%" PRIu64,
                                    most < FD_STORE_MAX ? most : FD_STORE_MAX),
                  most > FD_STORE_MAX
                      ? conversion_format(unit->conversion, "the most that is possible; %s",
                                          systemd_settings_cite(unit, unit->fd_store))
                      : NULL);
}

static void convert_directory(struct unit *unit)
{
    const char *value = systemd_settings_value(unit, unit->directory);

    if (!value)
        return;
    if (*value == '-') {
        draft_set(unit->draft, "working_directory", value + 1, "has to exist");
        return;
    }
    if (*value == '/')
        draft_set(unit->draft, "working_directory", value, NULL);
    else
        systemd_settings_lose(unit, unit->directory, "write the absolute path");
}

void systemd_service_convert(struct unit *unit)
{
    assert(unit && unit->draft);
    convert_restart(unit);
    systemd_exec_convert(unit);
    convert_type(unit);
    carry_span(unit, "run_timeout", unit->run_timeout);
    convert_limit(unit);
    convert_action(unit, unit->success_action, "on_success");
    convert_action(unit, unit->failure_action, "on_give_up");
    convert_backoff(unit);
    convert_codes(unit, &unit->success, "success_exit_codes");
    convert_codes(unit, &unit->prevent, "fatal_exit_codes");
    convert_stop(unit);
    convert_watchdog(unit);
    convert_identity(unit);
    convert_capabilities(unit);
    systemd_sandbox_convert(unit);
    convert_environment(unit);
    convert_directory(unit);
    convert_limits(unit);
    convert_quota(unit);
    carry(unit, "nice", unit->nice);
    carry(unit, "oom_score_adj", unit->oom);
    convert_affinity(unit);
    convert_fd_store(unit);
    convert_output(unit);
}
