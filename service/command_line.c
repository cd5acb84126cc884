/*
 * Options of proctord. One table for getopt_long(3), one function that takes
 * them; defaults that depend on the user are set at the end.
 */
#include "command_line.h"

#include "bus/metrics_address.h"
#include "handover/program.h"
#include "manifest/unit.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define DIRECTORY_MAX 80 /* a socket below it has to fit into its address */

static const char help[] =
    "proctord: process supervisor on D-Bus\n"
    "\n"
    "  proctord [OPTION...]\n"
    "\n"
    "  --system               use the system bus (default for root)\n"
    "  --user                 use the session bus (default for other users)\n"
    "  --bus-address=ADDRESS  use the bus at ADDRESS, such as unix:path=/run/bus\n"
    "  --private-bus          start a private dbus-daemon; prints \"bus: ADDRESS\" when it is up\n"
    "  --manifests=PATH       a file, a directory of *.yaml files, or a pattern; can be repeated\n"
    "  --state-dir=DIR        directory for persistent state; one per proctord\n"
    "  --runtime-dir=DIR      directory for sockets\n"
    "  --log-level=LEVEL      err, warning, notice (default), info or debug\n"
    "  --log-target=TARGET    auto (default), journal or stderr\n"
    "  --durability=WHAT      what acknowledged commands survive: none, crash (of proctord;\n"
    "                         default) or power (power loss)\n"
    "  --on-journal-error=WHAT  refuse (default) or accept changes that cannot be recorded\n"
    "  --audit-size=SIZE      keep up to SIZE of old journal segments for the audit (default 64M)\n"
    "  --fd-store             keep sockets, pipes and pidfds in the service manager's descriptor\n"
    "                         store, for the next proctord (needs FileDescriptorStoreMax=)\n"
    "  --metrics-socket=PATH  serve OpenMetrics over HTTP on a Unix socket\n"
    "  --metrics-listen=ADDRESS:PORT  serve the same over TCP, such as 127.0.0.1:9586\n"
    "  --metrics-children     include metrics of each child, with its id as a label\n"
    "  --no-cgroups           track children by process group and subreaper only\n"
    "  --check                validate the manifests and exit with 0 or 1\n"
    "  --version              print the version\n"
    "\n"
    "SIGTERM, SIGINT and SIGQUIT shut the tree down (a second one aborts at once); SIGHUP\n"
    "reloads the manifests; SIGUSR1 replaces the program by the one on disk without touching\n"
    "the children. proctord(8) lists all signals.\n";

enum option_code {
    OPTION_SYSTEM = 256,
    OPTION_USER,
    OPTION_ADDRESS,
    OPTION_PRIVATE,
    OPTION_MANIFESTS,
    OPTION_STATE,
    OPTION_RUNTIME,
    OPTION_LEVEL,
    OPTION_TARGET,
    OPTION_DURABILITY,
    OPTION_JOURNAL_ERROR,
    OPTION_AUDIT_SIZE,
    OPTION_FD_STORE,
    OPTION_METRICS_SOCKET,
    OPTION_METRICS_LISTEN,
    OPTION_METRICS_CHILDREN,
    OPTION_NO_CGROUPS,
    OPTION_CHECK,
    OPTION_VERSION,
    OPTION_HELP,
};

static const struct option options[] = {
    {"system", no_argument, NULL, OPTION_SYSTEM},
    {"user", no_argument, NULL, OPTION_USER},
    {"bus-address", required_argument, NULL, OPTION_ADDRESS},
    {"private-bus", no_argument, NULL, OPTION_PRIVATE},
    {"manifests", required_argument, NULL, OPTION_MANIFESTS},
    {"state-dir", required_argument, NULL, OPTION_STATE},
    {"runtime-dir", required_argument, NULL, OPTION_RUNTIME},
    {"log-level", required_argument, NULL, OPTION_LEVEL},
    {"log-target", required_argument, NULL, OPTION_TARGET},
    {"durability", required_argument, NULL, OPTION_DURABILITY},
    {"on-journal-error", required_argument, NULL, OPTION_JOURNAL_ERROR},
    {"audit-size", required_argument, NULL, OPTION_AUDIT_SIZE},
    {"fd-store", no_argument, NULL, OPTION_FD_STORE},
    {"metrics-socket", required_argument, NULL, OPTION_METRICS_SOCKET},
    {"metrics-listen", required_argument, NULL, OPTION_METRICS_LISTEN},
    {"metrics-children", no_argument, NULL, OPTION_METRICS_CHILDREN},
    {"no-cgroups", no_argument, NULL, OPTION_NO_CGROUPS},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {},
};

static int refuse(const char *what, const char *value)
{
    fprintf(stderr, "proctord: %s: %s (see proctord --help)\n", what, value);
    return -EINVAL;
}

static int set_target(struct command_line *line, const char *word)
{
    if (strcmp(word, "auto") == 0)
        line->log_target = LOG_TARGET_AUTO;
    else if (strcmp(word, "journal") == 0)
        line->log_target = LOG_TARGET_JOURNAL;
    else if (strcmp(word, "stderr") == 0)
        line->log_target = LOG_TARGET_STDERR;
    else
        return refuse("--log-target: expected auto, journal or stderr", word);
    return 0;
}

static int set_durability(struct command_line *line, const char *word)
{
    if (strcmp(word, "none") == 0)
        line->durability = DURABILITY_NONE;
    else if (strcmp(word, "crash") == 0)
        line->durability = DURABILITY_CRASH;
    else if (strcmp(word, "power") == 0)
        line->durability = DURABILITY_POWER;
    else
        return refuse("--durability: expected none, crash or power", word);
    return 0;
}

static int set_directory(char *directory, const char *value)
{
    char here[DIRECTORY_MAX + 1] = "";

    if (*value != '/' && !getcwd(here, sizeof(here)))
        return refuse("the present folder has too long a name for", value);
    if (strlen(here) + 1 + strlen(value) > DIRECTORY_MAX || !*value)
        return refuse("expected a path that has, from the root on, at most 80 characters", value);
    snprintf(directory, 4096, "%s%s%s", here, here[0] ? "/" : "", value);
    return 0;
}

/* Exhaustive: an option without a case does not compile. */
static int take(struct command_line *line, int code)
{
    switch ((enum option_code)code) {
    case OPTION_SYSTEM:
        line->bus = SERVICE_SYSTEM_BUS;
        return 0;
    case OPTION_USER:
        line->bus = SERVICE_USER_BUS;
        return 0;
    case OPTION_ADDRESS:
        if (strncmp(optarg, "unix:", strlen("unix:")) != 0) /* others would be waited for */
            return refuse("--bus-address: expected one that begins with unix:", optarg);
        line->bus = SERVICE_BUS_ADDRESS;
        line->address = optarg;
        return 0;
    case OPTION_PRIVATE:
        line->private_bus = true;
        return 0;
    case OPTION_MANIFESTS:
        if (line->n_manifests == 64)
            return refuse("--manifests: more than 64 paths", optarg);
        line->manifests[line->n_manifests++] = optarg;
        return 0;
    case OPTION_STATE:
        return set_directory(line->state_directory, optarg);
    case OPTION_RUNTIME:
        return set_directory(line->runtime_directory, optarg);
    case OPTION_LEVEL:
        if (log_level_from_string(optarg, &line->log_level) < 0)
            return refuse("--log-level: expected err, warning, notice, info or debug", optarg);
        return 0;
    case OPTION_TARGET:
        return set_target(line, optarg);
    case OPTION_DURABILITY:
        return set_durability(line, optarg);
    case OPTION_JOURNAL_ERROR:
        if (strcmp(optarg, "refuse") != 0 && strcmp(optarg, "accept") != 0)
            return refuse("--on-journal-error: expected refuse or accept", optarg);
        line->accept_unwritten = optarg[0] == 'a';
        return 0;
    case OPTION_AUDIT_SIZE:
        if (unit_size(optarg, &line->audit_bytes) < 0)
            return refuse("--audit-size: expected a size such as 64M", optarg);
        return 0;
    case OPTION_FD_STORE:
        line->store_descriptors = true;
        return 0;
    case OPTION_METRICS_SOCKET:
        if (*optarg != '/' || strlen(optarg) > 100)
            return refuse("--metrics-socket: expected an absolute path of at most 100 characters",
                          optarg);
        line->metrics_socket = optarg;
        return 0;
    case OPTION_METRICS_LISTEN:
        if (!metrics_address_is(optarg))
            return refuse("--metrics-listen: expected an address and a port, such as "
                          "127.0.0.1:9586 or [::1]:9586",
                          optarg);
        line->metrics_address = optarg;
        return 0;
    case OPTION_METRICS_CHILDREN:
        line->metrics_of_children = true;
        return 0;
    case OPTION_NO_CGROUPS:
        line->cgroups = false;
        return 0;
    case OPTION_CHECK:
        line->check = true;
        return 0;
    case OPTION_VERSION:
        printf("proctord " PROCTOR_VERSION "\n%s\n", program_formats());
        return 1;
    case OPTION_HELP:
        fputs(help, stdout);
        return 1;
    }
    return -EINVAL; /* getopt has said why */
}

/* Root has the system's directories, others those of the XDG specification. */
static void set_defaults(struct command_line *line)
{
    static char manifests[4200];
    bool root = geteuid() == 0;
    const char *config = getenv("XDG_CONFIG_HOME"), *state = getenv("XDG_STATE_HOME");
    const char *runtime = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");

    home = home ? home : "/";
    if (line->n_manifests == 0) {
        line->default_manifests = true;
        if (root)
            snprintf(manifests, sizeof(manifests), "/etc/proctor/children.d");
        else
            snprintf(manifests, sizeof(manifests), "%.2000s%s/proctor/children.d",
                     config ? config : home, config ? "" : "/.config");
        line->manifests[line->n_manifests++] = manifests;
    }
    if (!line->state_directory[0] && root)
        snprintf(line->state_directory, 4096, "/var/lib/proctor");
    else if (!line->state_directory[0])
        snprintf(line->state_directory, 4096, "%.2000s%s/proctor", state ? state : home,
                 state ? "" : "/.local/state");
    if (!line->runtime_directory[0] && root)
        snprintf(line->runtime_directory, 4096, "/run/proctor");
    else if (!line->runtime_directory[0] && runtime)
        snprintf(line->runtime_directory, 4096, "%.2000s/proctor", runtime);
    else if (!line->runtime_directory[0])
        snprintf(line->runtime_directory, 4096, "/tmp/proctor-%u", geteuid());
}

/* Returns 1 if there is nothing more to do (--help, --version). */
int command_line_parse(int argc, char **argv, struct command_line *line)
{
    *line = (struct command_line){
        .bus = geteuid() == 0 ? SERVICE_SYSTEM_BUS : SERVICE_USER_BUS,
        .log_level = LOG_NOTICE,
        .cgroups = true,
        .durability = DURABILITY_CRASH,
        .audit_bytes = UINT64_C(64) << 20,
    };
    for (int code; (code = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        int r = take(line, code);
        if (r != 0)
            return r;
    }
    if (optind < argc)
        return refuse("unexpected argument", argv[optind]);
    set_defaults(line);
    return 0;
}
