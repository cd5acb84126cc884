/*
 * The settings of units, one row each: kept, listed item by item, skipped
 * because it says nothing about running a service, or lost, with the reason
 * that people read. A name that ends with "*" stands for all that begin like
 * this; the first row that fits decides, so the rows of single settings come
 * before it. The tables of docs/convert.md are made by converting real units
 * (tests/convert/survey.py).
 */
#include "convert/systemd_settings.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SANDBOX   "`sandbox` has no part for it: run the program by bwrap(1) where it matters"
#define CONDITION "is not checked before a start"
#define BIND      "a restart or stop of that unit does not reach this child; put both under a supervisor"
#define ACCOUNT   "usage is always accounted"
#define NO_JOB    "no unit is started by this; follow `proctorctl events -f` instead"
#define CGROUP    "`limits` has memory, memory_high, pids, cpu_weight, cpu_max and io_weight only"
#define LOGGING   "lines carry the name of the child"

enum taking { KEEP, LIST, SKIP, LOSE };

struct row {
    const char *section, *key; /* a * at its end: all keys that begin so */
    enum taking taking;
    size_t offset;
    const char *why;
};

#define KEPT(section, key, field)                                                                  \
    {                                                                                              \
        section, key, KEEP, offsetof(struct unit, field), NULL                                     \
    }
#define LISTED(section, key, field)                                                                \
    {                                                                                              \
        section, key, LIST, offsetof(struct unit, field), NULL                                     \
    }
#define LOST(section, key, why)                                                                    \
    {                                                                                              \
        section, key, LOSE, 0, why                                                                 \
    }
#define SKIPPED(section, key)                                                                      \
    {                                                                                              \
        section, key, SKIP, 0, NULL                                                                \
    }

static const struct row rows[] = {
    KEPT("Unit", "Description", description),
    SKIPPED("Unit", "Documentation"),
    LISTED("Unit", "After", after),
    LISTED("Unit", "Before", before),
    LISTED("Unit", "Requires", requires),
    LISTED("Unit", "Requisite", requires),
    LISTED("Unit", "BindsTo", requires),
    SKIPPED("Unit", "Wants"), /* each child is started anyway */
    LOST("Unit", "PartOf", BIND),
    LOST("Unit", "Upholds", BIND),
    LOST("Unit", "PropagatesReloadTo", BIND),
    LOST("Unit", "ReloadPropagatedFrom", BIND),
    LOST("Unit", "PropagatesStopTo", BIND),
    LOST("Unit", "JoinsNamespaceOf", SANDBOX),
    KEPT("Unit", "SuccessAction", success_action),
    KEPT("Unit", "FailureAction", failure_action),
    LOST("Unit", "OnFailure", NO_JOB),
    LOST("Unit", "OnSuccess", NO_JOB),
    LOST("Unit", "Condition*", CONDITION),
    LOST("Unit", "Assert*", CONDITION),
    LOST("Unit", "RequiresMountsFor", "proctord is started when the mounts it needs are there"),
    KEPT("Unit", "StartLimitIntervalSec", limit_interval),
    KEPT("Unit", "StartLimitInterval", limit_interval),
    KEPT("Unit", "StartLimitBurst", limit_burst),
    SKIPPED("Unit", "DefaultDependencies"),
    SKIPPED("Unit", "RefuseManual*"),
    SKIPPED("Unit", "IgnoreOnIsolate"),
    SKIPPED("Unit", "SourcePath"),
    SKIPPED("Unit", "CollectMode"),
    LISTED("Unit", "Conflicts", conflicts),
    KEPT("Install", "DefaultInstance", instance_default),
    SKIPPED("Install", "*"),
    KEPT("Service", "StartLimitInterval", limit_interval),
    KEPT("Service", "StartLimitIntervalSec", limit_interval),
    KEPT("Service", "StartLimitBurst", limit_burst),
    KEPT("Service", "Type", type),
    KEPT("Service", "RemainAfterExit", remain),
    KEPT("Service", "PIDFile", pid_file),
    SKIPPED("Service", "GuessMainPID"),
    LOST("Service", "BusName", "readiness by a name on the bus is not known: it is ready at once"),
    LISTED("Service", "ExecStart", start),
    LISTED("Service", "ExecStartPre", start_pre),
    LISTED("Service", "ExecStartPost", start_post),
    LISTED("Service", "ExecStopPost", stop_post),
    LOST("Service", "ExecCondition", CONDITION),
    LISTED("Service", "ExecStop", stop),
    LISTED("Service", "ExecReload", reload),
    KEPT("Service", "ReloadSignal", reload_signal),
    KEPT("Service", "Restart", restart),
    KEPT("Service", "RestartSec", restart_sec),
    KEPT("Service", "RestartMaxDelaySec", restart_max),
    SKIPPED("Service", "RestartSteps"),
    LOST("Service", "RestartForceExitStatus", "see the policy `restart`"),
    KEPT("Service", "TimeoutSec", timeout),
    KEPT("Service", "TimeoutStartSec", timeout_start),
    KEPT("Service", "TimeoutStopSec", timeout_stop),
    LOST("Service", "TimeoutAbortSec", "a child that is not alive any more is stopped as always"),
    LOST("Service", "TimeoutStartFailureMode", "a start that takes too long is stopped as always"),
    LOST("Service", "TimeoutStopFailureMode", "what is left after the time is killed"),
    KEPT("Service", "RuntimeMaxSec", run_timeout),
    KEPT("Service", "WatchdogSec", watchdog),
    LOST("Service", "WatchdogSignal", "a child that is not alive any more is stopped as always"),
    LOST("Service", "NotifyAccess", "messages count from each process of the child"),
    LISTED("Service", "SuccessExitStatus", success),
    LISTED("Service", "RestartPreventExitStatus", prevent),
    SKIPPED("Service", "RootDirectoryStartOnly"),
    LOST("Service", "PermissionsStartOnly", "commands before the start run as the child's user"),
    SKIPPED("Service", "NonBlocking"),
    LISTED("Service", "Sockets", sockets),
    KEPT("Service", "FileDescriptorStoreMax", fd_store),
    LOST("Service", "OOMPolicy", "the exit counts like any other"),
    LOST("Service", "USBFunction*", "is not known here"),
    KEPT("Service", "KillMode", kill_mode),
    KEPT("Service", "KillSignal", kill_signal),
    LOST("Service", "RestartKillSignal", "a restart stops with the same signal"),
    KEPT("Service", "SendSIGKILL", send_sigkill),
    LOST("Service", "SendSIGHUP", "no second signal goes with the first"),
    LOST("Service", "FinalKillSignal", "what is left is killed by SIGKILL"),
    KEPT("Service", "User", user),
    KEPT("Service", "Group", group),
    LISTED("Service", "SupplementaryGroups", groups),
    KEPT("Service", "DynamicUser", dynamic_user),
    KEPT("Service", "WorkingDirectory", directory),
    KEPT("Service", "UMask", umask),
    KEPT("Service", "NoNewPrivileges", privileges),
    LISTED("Service", "CapabilityBoundingSet", capabilities),
    LISTED("Service", "AmbientCapabilities", ambient),
    LISTED("Service", "Environment", environment),
    LISTED("Service", "EnvironmentFile", files),
    LOST("Service", "PassEnvironment", "nothing of proctord's environment goes to a child"),
    SKIPPED("Service", "UnsetEnvironment"),
    LISTED("Service", "Limit*", limits),
    KEPT("Service", "Nice", nice),
    KEPT("Service", "OOMScoreAdjust", oom),
    KEPT("Service", "IgnoreSIGPIPE", sigpipe),
    KEPT("Service", "StandardOutput", output),
    KEPT("Service", "StandardError", error),
    LOST("Service", "StandardInput*", "a child reads from /dev/null"),
    LOST("Service", "TTY*", "a child has no terminal"),
    LOST("Service", "Syslog*", LOGGING),
    KEPT("Service", "MemoryMax", memory),
    KEPT("Service", "MemoryLimit", memory),
    KEPT("Service", "TasksMax", tasks),
    KEPT("Service", "CPUWeight", cpu_weight),
    KEPT("Service", "CPUShares", cpu_shares),
    KEPT("Service", "CPUQuota", cpu_quota),
    LOST("Service", "CPUQuota*", CGROUP),
    LISTED("Service", "CPUAffinity", affinity),
    KEPT("Service", "MemoryHigh", memory_high),
    KEPT("Service", "IOWeight", io_weight),
    LOST("Service", "MemoryDenyWriteExecute", SANDBOX),
    LOST("Service", "Memory*", CGROUP),
    LOST("Service", "IO*", CGROUP),
    LOST("Service", "BlockIO*", CGROUP),
    LOST("Service", "Startup*", CGROUP),
    LOST("Service", "AllowedCPUs", CGROUP),
    LOST("Service", "CPU*", "the scheduler's settings are not changed, but for `nice`"),
    LOST("Service", "NUMA*", "the scheduler's settings are not changed, but for `nice`"),
    LOST("Service", "Slice", "each child has its cgroup below proctord's"),
    LOST("Service", "Delegate*", "each child has its cgroup below proctord's"),
    LOST("Service", "ManagedOOM*", CGROUP),
    LISTED("Service", "RuntimeDirectory", runtime),
    KEPT("Service", "RuntimeDirectoryMode", directory_mode),
    SKIPPED("Service", "RuntimeDirectoryPreserve"),
    LISTED("Service", "StateDirectory", runtime),
    KEPT("Service", "StateDirectoryMode", directory_mode),
    LISTED("Service", "CacheDirectory", runtime),
    KEPT("Service", "CacheDirectoryMode", directory_mode),
    LISTED("Service", "LogsDirectory", runtime),
    KEPT("Service", "LogsDirectoryMode", directory_mode),
    LISTED("Service", "ConfigurationDirectory", runtime),
    KEPT("Service", "ConfigurationDirectoryMode", directory_mode),
    LOST("Service", "Log*", LOGGING),
    LOST("Service", "Root*", SANDBOX),
    LOST("Service", "Bind*", SANDBOX),
    KEPT("Service", "PrivateTmp", private_tmp),
    KEPT("Service", "PrivateDevices", private_devices),
    KEPT("Service", "PrivateNetwork", private_network),
    LOST("Service", "Private*", SANDBOX),
    KEPT("Service", "ProtectSystem", protect_system),
    KEPT("Service", "ProtectHome", protect_home),
    LOST("Service", "Protect*", SANDBOX),
    LOST("Service", "ProcSubset", SANDBOX),
    LOST("Service", "Restrict*", SANDBOX),
    LISTED("Service", "SystemCallFilter", calls),
    LOST("Service", "SystemCall*", SANDBOX),
    LOST("Service", "LockPersonality", SANDBOX),
    LISTED("Service", "ReadWritePaths", read_write),
    LISTED("Service", "ReadWriteDirectories", read_write),
    LISTED("Service", "ReadOnlyPaths", read_only),
    LISTED("Service", "ReadOnlyDirectories", read_only),
    LISTED("Service", "InaccessiblePaths", inaccessible),
    LISTED("Service", "InaccessibleDirectories", inaccessible),
    LOST("Service", "TemporaryFileSystem", SANDBOX),
    LOST("Service", "NoExecPaths", SANDBOX),
    LOST("Service", "ExecPaths", SANDBOX),
    LOST("Service", "Mount*", SANDBOX),
    LOST("Service", "RemoveIPC", SANDBOX),
    LOST("Service", "Device*", SANDBOX),
    LOST("Service", "IPAddress*", SANDBOX),
    LOST("Service", "IPAccounting", ACCOUNT),
    LOST("Service", "TasksAccounting", ACCOUNT),
    LOST("Service", "AppArmorProfile", SANDBOX),
    LOST("Service", "SecureBits", SANDBOX),
    LOST("Service", "KeyringMode", "a child has a keyring of its own"),
    LOST("Service", "PAMName", "no PAM session is opened"),
    LOST("Service", "LoadCredential*", "credentials are not passed; use environment_file"),
    LOST("Service", "SetCredential*", "credentials are not passed; use environment_file"),
    LISTED("Socket", "ListenStream", streams),
    LISTED("Socket", "ListenDatagram", datagrams),
    LOST("Socket", "Listen*", "only stream and datagram sockets are opened"),
    KEPT("Socket", "Accept", accept),
    KEPT("Socket", "Service", service),
    KEPT("Socket", "SocketMode", mode),
    KEPT("Socket", "FileDescriptorName", fd_name),
    LOST("Socket", "SocketUser", "the socket belongs to proctord's user"),
    LOST("Socket", "SocketGroup", "the socket belongs to proctord's user"),
    SKIPPED("Socket", "RemoveOnStop"),
    LISTED("Timer", "OnCalendar", calendars),
    LISTED("Timer", "On*", elapses),
    KEPT("Timer", "Persistent", persistent),
    KEPT("Timer", "RandomizedDelaySec", random_delay),
    SKIPPED("Timer", "AccuracySec"),
    KEPT("Timer", "Unit", service),
    LOST("Timer", "*", "has no counterpart"),
};

static bool is_about(const struct row *row, const struct setting *setting)
{
    size_t n = strlen(row->key);

    if (strcmp(row->section, setting->section) != 0)
        return false;
    if (row->key[n - 1] == '*')
        return strncmp(row->key, setting->key, n - 1) == 0;
    return strcmp(row->key, setting->key) == 0;
}

static const struct row *find_row(const struct setting *setting)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (is_about(&rows[i], setting))
            return &rows[i];
    return NULL;
}

static int append(struct unit *unit, struct setting_list *list, const struct setting *setting)
{
    if (!*setting->value) {
        list->count = 0; /* as systemd has it: an empty value clears what came before */
        return 0;
    }
    if (list->count == SETTINGS_MAX)
        return conversion_refuse(unit->conversion, setting->place,
                                 "more than %d times %s=", SETTINGS_MAX, setting->key);
    list->items[list->count++] = setting;
    return 0;
}

static int sort(struct unit *unit, const struct setting *setting)
{
    const struct row *row = find_row(setting);
    char *field = row ? (char *)unit + row->offset : NULL;

    if (strncmp(setting->section, "X-", 2) == 0 || strncmp(setting->key, "X-", 2) == 0)
        return 0; /* for others to read */
    if (!row) {
        systemd_settings_lose(unit, setting, "is not known here");
        return 0;
    }
    switch (row->taking) {
    case KEEP:
        memcpy(field, &setting, sizeof(const struct setting *));
        unit->conversion->n_kept++;
        return 0;
    case LIST:
        unit->conversion->n_kept++;
        return append(unit, (struct setting_list *)(void *)field, setting);
    case SKIP:
        unit->conversion->n_kept++;
        return 0;
    case LOSE:
        break;
    }
    if (*setting->value)
        systemd_settings_lose(unit, setting, row->why);
    return 0;
}

int systemd_settings_sort(struct unit *unit, const char *kind)
{
    int r = 0;

    assert(unit && kind);
    for (const struct setting *s = unit->settings; s && r == 0; s = s->next)
        if (strcmp(s->section, "Unit") == 0 || strcmp(s->section, "Install") == 0 ||
            strcmp(s->section, kind) == 0 || find_row(s) == NULL)
            r = sort(unit, s);
    return r;
}

void systemd_settings_lose(struct unit *unit, const struct setting *setting, const char *why)
{
    assert(unit && setting && why);
    conversion_lose(unit->conversion, setting->place,
                    conversion_format(unit->conversion, "%s=%s", setting->key, setting->value),
                    why);
}

const char *systemd_settings_cite(struct unit *unit, const struct setting *setting)
{
    assert(unit && setting);
    return conversion_format(unit->conversion, "%s:%zu: %s=%s", source_base(setting->place.file),
                             setting->place.line, setting->key, setting->value);
}

bool systemd_settings_truth(const struct setting *setting, bool missing)
{
    static const char *const yes[] = {"1", "yes", "y", "true", "t", "on"};
    static const char *const no[] = {"0", "no", "n", "false", "f", "off"};

    for (size_t i = 0; setting && i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcasecmp(setting->value, yes[i]) == 0)
            return true;
        if (strcasecmp(setting->value, no[i]) == 0)
            return false;
    }
    return missing;
}

/* ---- specifiers ------------------------------------------------------------------------------ */

static const char *specifier(const struct unit *unit, char c)
{
    static const struct {
        char c;
        const char *text;
    } fixed[] = {{'t', "/run"},     {'S', "/var/lib"}, {'C', "/var/cache"},
                 {'L', "/var/log"}, {'E', "/etc"},     {'T', "/tmp"},
                 {'V', "/var/tmp"}, {'%', "%"},        {'s', "/bin/sh"}};

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (fixed[i].c == c)
            return fixed[i].text;
    switch (c) {
    case 'n':
        return unit->name;
    case 'p':
    case 'P':
    case 'j':
        return unit->prefix;
    case 'i':
        return unit->template ? NULL : unit->instance;
    case 'I':
        return unit->template ? NULL : unit->plain_instance;
    case 'u':
        return unit->user && !strchr(unit->user->value, '%') ? unit->user->value : "root";
    case 'h':
        return unit->user && strcmp(unit->user->value, "root") != 0 ? NULL : "/root";
    }
    return NULL;
}

static const char *name_without_suffix(struct unit *unit)
{
    const char *dot = strrchr(unit->name, '.');
    return conversion_copy(unit->conversion, unit->name,
                           dot ? (size_t)(dot - unit->name) : strlen(unit->name));
}

const char *systemd_settings_expand(struct unit *unit, const struct setting *setting,
                                    const char *value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = NULL;

    assert(unit && setting && value);
    if (!strchr(value, '%'))
        return value;
    out = open_memstream(&text, &size);
    for (const char *at = value; out && *at; at++) {
        const char *replaced = *at != '%'     ? NULL
                               : at[1] == 'N' ? name_without_suffix(unit)
                                              : specifier(unit, at[1]);
        if (replaced)
            fputs(replaced, out);
        else
            fputc(*at, out);
        if (*at == '%' && !replaced && at[1])
            systemd_settings_lose(unit, setting, "a specifier that has no value here");
        at += replaced != NULL;
    }
    if (!out || fclose(out) != 0) {
        unit->conversion->no_memory = true;
        return "";
    }
    const char *copy = conversion_copy(unit->conversion, text, size);
    free(text);
    return copy;
}

int systemd_settings_words(struct unit *unit, const struct setting *setting, const char *value,
                           struct words *words)
{
    assert(unit && setting && value && words);
    *words = (struct words){};
    if (words_split(unit->conversion, WORDS_SYSTEMD, value, words) < 0) {
        systemd_settings_lose(unit, setting, "a quote is not closed");
        return -EINVAL;
    }
    for (size_t i = 0; i < words->count; i++)
        words->items[i] = systemd_settings_expand(unit, setting, words->items[i]);
    return 0;
}

const char *systemd_settings_value(struct unit *unit, const struct setting *setting)
{
    assert(unit);
    return setting && *setting->value ? systemd_settings_expand(unit, setting, setting->value)
                                      : NULL;
}

/* ---- time spans ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    uint64_t usec;
} span_units[] = {
    {"usec", 1},
    {"us", 1},
    {"msec", 1000},
    {"ms", 1000},
    {"seconds", 1000000},
    {"second", 1000000},
    {"sec", 1000000},
    {"s", 1000000},
    {"minutes", 60000000},
    {"minute", 60000000},
    {"min", 60000000},
    {"m", 60000000},
    {"hours", 3600000000},
    {"hour", 3600000000},
    {"hr", 3600000000},
    {"h", 3600000000},
    {"days", 86400000000},
    {"day", 86400000000},
    {"d", 86400000000},
    {"weeks", 604800000000},
    {"week", 604800000000},
    {"w", 604800000000},
    {"months", 2629800000000},
    {"month", 2629800000000},
    {"M", 2629800000000},
    {"years", 31557600000000},
    {"year", 31557600000000},
    {"y", 31557600000000},
};

#define SPAN_MAX UINT64_C(315360000000000) /* ten years, as a duration of ours */

/* A decimal number, in thousandths, at most SPAN_MAX. Returns its length; 0: there is none. */
static size_t decimal(const char *text, uint64_t *milli)
{
    size_t n = strspn(text, "0123456789"), behind = 0;

    *milli = 0;
    for (size_t i = 0; i < n; i++)
        *milli = *milli < SPAN_MAX ? *milli * 10 + (uint64_t)(text[i] - '0') : SPAN_MAX;
    *milli = *milli < SPAN_MAX / 1000 ? *milli * 1000 : SPAN_MAX;
    if (n > 0 && text[n] == '.') {
        behind = strspn(text + n + 1, "0123456789");
        for (size_t i = 0, digit = 100; i < behind && i < 3; i++, digit /= 10)
            *milli += digit * (uint64_t)(text[n + 1 + i] - '0');
        behind++;
    }
    return n + behind;
}

/* The unit at the beginning of the text; seconds where there is none. Returns its length, or -1. */
static int span_unit(const char *text, uint64_t *usec)
{
    size_t n = strcspn(text, " 0123456789");

    *usec = 1000000;
    if (n == 0)
        return 0;
    for (size_t i = 0; i < sizeof(span_units) / sizeof(span_units[0]); i++)
        if (strlen(span_units[i].name) == n && strncmp(text, span_units[i].name, n) == 0) {
            *usec = span_units[i].usec;
            return (int)n;
        }
    return -1;
}

static bool span_parse(const char *text, uint64_t *usec)
{
    *usec = 0;
    if (!*text)
        return false;
    while (*text) {
        uint64_t milli, factor;
        size_t digits = decimal(text, &milli);
        text += digits + strspn(text + digits, " ");
        int n = digits > 0 ? span_unit(text, &factor) : -1;
        if (n < 0)
            return false;
        *usec += milli / 1000 >= SPAN_MAX / factor ? SPAN_MAX : milli * factor / 1000;
        *usec = *usec < SPAN_MAX ? *usec : SPAN_MAX;
        text += n;
        text += strspn(text, " ");
    }
    return true;
}

const char *systemd_settings_span(struct unit *unit, const struct setting *setting, uint64_t *usec)
{
    uint64_t value = 0;

    assert(unit);
    if (!setting || !*setting->value)
        return NULL;
    if (strcmp(setting->value, "infinity") != 0 && !span_parse(setting->value, &value)) {
        systemd_settings_lose(unit, setting, "is no time span");
        return NULL;
    }
    if (usec)
        *usec = value;
    if (value % 1000000 == 0)
        return conversion_format(unit->conversion, value ? "%" PRIu64 "s" : "%" PRIu64,
                                 value / 1000000);
    return conversion_format(unit->conversion, "%" PRIu64 "ms",
                             value < 1000 ? UINT64_C(1) : value / 1000);
}
