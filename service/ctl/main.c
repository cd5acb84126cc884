/*
 * proctorctl: the tree, from a shell.
 */
#include "ctl/bridge.h"
#include "ctl/connect.h"
#include "ctl/document.h"
#include "ctl/help.h"
#include "ctl/hints.h"
#include "system/number.h"
#include "ctl/remote.h"
#include "ctl/several.h"
#include "ctl/since.h"
#include "system/standard.h"
#include "ctl/terminal.h"
#include "core/vocabulary/text.h"
#include "manifest/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum option_code {
    OPTION_SYSTEM = 256,
    OPTION_USER,
    OPTION_ADDRESS,
    OPTION_JSON,
    OPTION_NO_LEGEND,
    OPTION_QUIET,
    OPTION_REQUESTED_BY,
    OPTION_REASON,
    OPTION_WAIT,
    OPTION_TIMEOUT,
    OPTION_WITHIN,
    OPTION_FOR,
    OPTION_DRY_RUN,
    OPTION_RESTART,
    OPTION_REPLACE,
    OPTION_SINCE,
    OPTION_AFTER,
    OPTION_FAILED,
    OPTION_KIND,
    OPTION_BY,
    OPTION_COMMAND,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option options[] = {
    {"system", no_argument, NULL, OPTION_SYSTEM},
    {"user", no_argument, NULL, OPTION_USER},
    {"address", required_argument, NULL, OPTION_ADDRESS},
    {"host", required_argument, NULL, 'H'},
    {"json", required_argument, NULL, OPTION_JSON},
    {"no-legend", no_argument, NULL, OPTION_NO_LEGEND},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"requested-by", required_argument, NULL, OPTION_REQUESTED_BY},
    {"reason", required_argument, NULL, OPTION_REASON},
    {"wait", no_argument, NULL, OPTION_WAIT},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"within", required_argument, NULL, OPTION_WITHIN},
    {"for", required_argument, NULL, OPTION_FOR},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"restart", no_argument, NULL, OPTION_RESTART},
    {"replace", no_argument, NULL, OPTION_REPLACE},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"after", required_argument, NULL, OPTION_AFTER},
    {"failed", no_argument, NULL, OPTION_FAILED},
    {"kind", required_argument, NULL, OPTION_KIND},
    {"by", required_argument, NULL, OPTION_BY},
    {"command", required_argument, NULL, OPTION_COMMAND},
    {"output", required_argument, NULL, 'o'},
    {"follow", no_argument, NULL, 'f'},
    {"lines", required_argument, NULL, 'n'},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {},
};

static int usage_error(struct client *client, const char *what, const char *value)
{
    client_fail(client, "%s: %s (see proctorctl --help)", what, value);
    return -EINVAL;
}

static int set_hosts(struct client *client, struct place_of_bus *place, char *text)
{
    const char *wrong = hosts_read(text, &place->hosts);
    return wrong ? usage_error(client, "--host", wrong) : 0;
}

static int set_json(struct client *client, const char *word)
{
    if (strcmp(word, "off") == 0)
        client->json = JSON_OFF;
    else if (strcmp(word, "short") == 0)
        client->json = JSON_SHORT;
    else if (strcmp(word, "pretty") == 0)
        client->json = JSON_PRETTY;
    else
        return usage_error(client, "--json: expected off, short or pretty", word);
    return 0;
}

/* --after: from the event behind this one. */
static int set_after(struct client *client, const char *text)
{
    if (number_read(text, UINT64_MAX, &client->after) < 0)
        return usage_error(client, "--after: expected the sequence number of an event", text);
    return 0;
}

static int set_since(struct client *client, const char *text)
{
    if (since_read(text, &client->since_usec) < 0)
        return usage_error(client, SINCE_EXPECTED, text);
    return 0;
}

/* 0 or infinity: no deadline, as everywhere. */
static int set_timeout(struct client *client, const char *text)
{
    if (strcmp(text, "infinity") == 0)
        client->timeout_usec = UINT64_MAX;
    else if (unit_duration(text, &client->timeout_usec) < 0)
        return usage_error(client, "--timeout: expected a time such as 30s or 5m", text);
    if (client->timeout_usec == 0)
        client->timeout_usec = UINT64_MAX;
    return 0;
}

static int set_within(struct client *client, const char *text)
{
    client->within = true;
    if (strcmp(text, "infinity") != 0 && unit_duration(text, &client->within_usec) < 0)
        return usage_error(client, "--within: expected a time such as 30s or 5m", text);
    return 0;
}

/* Those that have a letter of their own, but -m, which is --reason. */
static int take_letter(struct client *client, int code)
{
    switch (code) {
    case 'o':
        client->output = optarg;
        return 0;
    case 'n':
        client->lines = optarg;
        return 0;
    case 'f':
        client->follow = true;
        return 0;
    default:
        return -EINVAL;
    }
}

/* One case per option. What an option is allowed with is checked later, when
 * the command is known. */
static int take(struct client *client, struct place_of_bus *place, int code)
{
    switch (code) {
    case OPTION_SYSTEM:
        place->system = true;
        return 0;
    case OPTION_USER:
        place->user = true;
        return 0;
    case OPTION_ADDRESS:
        place->address = optarg;
        return 0;
    case 'H':
        return set_hosts(client, place, optarg);
    case OPTION_JSON:
        return set_json(client, optarg);
    case OPTION_NO_LEGEND:
        client->legend = false;
        return 0;
    case OPTION_QUIET:
        client->quiet = true;
        return 0;
    case OPTION_REQUESTED_BY:
        client->requested_by = optarg;
        return 0;
    case OPTION_REASON:
    case 'm':
        client->reason = optarg;
        return 0;
    case OPTION_WAIT:
        client->wait = true;
        return 0;
    case OPTION_FOR:
        client->state = optarg;
        return 0;
    case OPTION_TIMEOUT:
        return set_timeout(client, optarg);
    case OPTION_WITHIN:
        return set_within(client, optarg);
    case OPTION_DRY_RUN:
        client->dry_run = true;
        return 0;
    case OPTION_RESTART:
        client->restart = true;
        return 0;
    case OPTION_REPLACE:
        client->replace = true;
        return 0;
    case OPTION_SINCE:
        return set_since(client, optarg);
    case OPTION_AFTER:
        return set_after(client, optarg);
    case OPTION_FAILED:
        client->failed = true;
        return 0;
    case OPTION_KIND:
        client->kind = optarg;
        return 0;
    case OPTION_BY:
        client->by = optarg;
        return 0;
    case OPTION_COMMAND:
        client->command_id = optarg;
        return 0;
    case OPTION_HELP:
        client->help = true;
        return 0;
    case OPTION_VERSION:
        puts("proctorctl " PROCTOR_VERSION);
        return 1;
    default:
        return take_letter(client, code);
    }
}

struct command {
    const char *name;
    int min_arguments;
    int max_arguments; /* -1: any number */
    bool needs_reason;
    bool takes_ids; /* of children; else files, or patterns */
    int (*run)(struct client *client);
    const char *method; /* of a verb */
};

/* The name was looked at before. */
static int command_help(struct client *client)
{
    help_show(client->n_arguments > 0 ? client->arguments[0] : NULL);
    return CTL_DONE;
}

static const struct command commands[] = {
    {"help", 0, 1, false, false, command_help, NULL},
    {"list", 0, -1, false, false, command_list, NULL},
    {"tree", 0, 0, false, false, command_tree, NULL},
    {"top", 0, 0, false, false, command_top, NULL},
    {"status", 0, -1, false, true, command_status, NULL},
    {"events", 0, -1, false, true, command_events, NULL},
    {"audit", 0, -1, false, true, command_audit, NULL},
    {"trace", 0, 0, false, false, command_trace, NULL},
    {"metrics", 0, 0, false, false, command_metrics, NULL},
    {"stdio-bridge", 0, 0, false, false, command_stdio_bridge, NULL},
    {"log", 1, 1, false, true, command_log, NULL},
    {"check", 1, -1, false, false, command_check, NULL},
    {"convert", 1, -1, false, false, command_convert, NULL},
    {"add", 1, 1, true, false, command_add, NULL},
    {"run", 1, -1, false, false, command_run, NULL},
    {"jobs", 0, -1, false, false, command_jobs, NULL},
    {"timers", 0, -1, false, false, command_timers, NULL},
    {"is-active", 1, -1, false, true, command_is_active, NULL},
    {"is-failed", 0, -1, false, true, command_is_failed, NULL},
    {"show", 1, -1, false, true, command_show, NULL},
    {"cat", 1, -1, false, true, command_cat, NULL},
    {"edit", 1, 1, false, true, command_edit, NULL},
    {"kill", 2, 2, true, true, command_kill, NULL},
    {"wait", 1, -1, false, true, command_wait, NULL},
    {"reload", 0, -1, true, true, command_reload, NULL},
    {"reexec", 0, 0, true, false, command_reexec, NULL},
    {"shutdown", 0, 0, true, false, command_shutdown, NULL},
    {"pause", 1, -1, true, true, NULL, "PauseChild"},
    {"resume", 1, -1, true, true, NULL, "ResumeChild"},
    {"quarantine", 1, -1, true, true, NULL, "QuarantineChild"},
    {"restart", 1, -1, true, true, NULL, "RestartChild"},
    {"remove", 1, -1, true, true, NULL, "RemoveChild"},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(struct client *client, const char *word)
{
    const char *names[sizeof(commands) / sizeof(commands[0]) + 1] = {};
    int r = usage_error(client, "unknown command", word);

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        names[i] = commands[i].name;
    client_hint(hint_command(word, names));
    return r;
}

/* A reason is asked for where a person sits; NULL: none was given. */
static const char *ask_for_reason(void)
{
    static char *line;
    size_t room = 0;

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return NULL;
    fputs("Reason (it is kept with the child): ", stderr);
    ssize_t length = getline(&line, &room, stdin);
    if (length <= 0)
        return NULL;
    line[strcspn(line, "\n")] = '\0';
    return line[0] ? line : NULL;
}

/* What is not UTF-8 cannot go over the bus. */
static int check_options(struct client *client)
{
    const struct {
        const char *name, *text;
    } sent[] = {{"--reason", client->reason},
                {"--requested-by", client->requested_by},
                {"--kind", client->kind},
                {"--command", client->command_id}};

    for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
        if (sent[i].text && !text_is_at_most(sent[i].text, TEXT_CONTROL))
            return usage_error(client, sent[i].name, "is not UTF-8");
    return 0;
}

/* Nor can what is not UTF-8 be the id of a child. */
static int check_ids(struct client *client, const struct command *command)
{
    for (int i = 0; command->takes_ids && i < client->n_arguments; i++)
        if (!text_is_at_most(client->arguments[i], TEXT_CONTROL)) {
            client_fail(client, "%s: no child has this id", client->arguments[i]);
            return CTL_NO_SUCH_CHILD;
        }
    return CTL_DONE;
}

/* On a terminal, a missing reason is asked for. */
static int check_usage(struct client *client, const struct command *command)
{
    if (client->n_arguments < command->min_arguments)
        return usage_error(client, command->name,
                           command->method ? "name the children by their ids" : "missing argument");
    if (command->max_arguments >= 0 && client->n_arguments > command->max_arguments)
        return usage_error(client, "unexpected argument",
                           client->arguments[command->max_arguments]);
    if (command->needs_reason && !client->reason)
        client->reason = ask_for_reason();
    if (command->needs_reason && !client->reason)
        return usage_error(client, command->name,
                           "a reason is required: --reason=TEXT (it is kept with the child)");
    if (client->timeout_usec > 0 && !client->wait && command->run != command_run &&
        command->run != command_wait)
        return usage_error(client, "--timeout", "applies only to --wait, run and wait");
    if (client->within && command->run != command_shutdown)
        return usage_error(client, "--within", "applies only to shutdown");
    return 0;
}

static int bus_error(struct client *client, int r)
{
    client_fail(client, "the bus cannot be reached: %s", strerror(-r));
    fputs("Is it running? Name another bus with --address, --user or --system, or in "
          "PROCTOR_BUS_ADDRESS.\n",
          stderr);
    return CTL_ERROR;
}

/* Whether it needs no proctord. */
static bool is_local(const struct command *command)
{
    return command->run == command_check || command->run == command_convert ||
           command->run == command_help;
}

static int carry_out(struct client *client, const struct command *command)
{
    sd_bus_set_allow_interactive_authorization(client->bus, 1); /* polkit may ask the person */
    return command->run ? command->run(client) : command_verb(client, command->method);
}

/* On client->host. */
static int run_remote(struct client *client, void *userdata)
{
    const struct command *command = userdata;
    bool alone = client->place->hosts.count == 1;
    struct remote remote = {.host = client->host};

    if (command->run == command_log || command->run == command_edit || command->run == command_cat)
        return remote_carry_out(client, command->name);
    int r = remote_begin(&remote, client->place, alone);
    if (r < 0)
        remote_fail(&remote, r);
    else
        r = remote_wait(&remote, alone);
    if (r < 0)
        return client_fail(client, "%s cannot be reached: %s", client->host, remote.error);
    client->bus = remote.bus;
    int code = carry_out(client, command);
    remote_close(&remote);
    return code;
}

/* What makes no sense on other machines, or not on several. */
static int check_hosts(struct client *client, const struct command *command)
{
    size_t count = client->place->hosts.count;

    if (count > 0 && (is_local(command) || command->run == command_stdio_bridge))
        return usage_error(client, command->name, "does not apply to other machines");
    if (count > 1 && command->run == command_edit)
        return usage_error(client, command->name, "name one host");
    if (count > 1 && (command->run == command_add || command->run == command_run) &&
        strcmp(client->arguments[0], "-") == 0)
        return usage_error(client, command->name, "standard input can be read for one host only");
    if (count > 1 && command->run == command_trace)
        return usage_error(client, command->name, "name one host");
    return 0;
}

/* list and top show all hosts at once. */
static int run_on_hosts(struct client *client, const struct command *command)
{
    const struct hosts *hosts = &client->place->hosts;

    if (command->run == command_list || command->run == command_top)
        return command->run(client); /* all of them together */
    if (hosts->count > 1)
        return several_run(client, run_remote, (void *)(uintptr_t)command);
    client->host = hosts->names[0];
    return run_remote(client, (void *)(uintptr_t)command);
}

/* Everything that can be wrong without a daemon is checked before
 * connecting. */
static int run(struct client *client, const struct command *command)
{
    if (check_usage(client, command) < 0 || check_hosts(client, command) < 0)
        return CTL_ERROR;
    if (check_options(client) < 0)
        return CTL_ERROR;
    if (check_ids(client, command) != CTL_DONE)
        return CTL_NO_SUCH_CHILD;
    if (command->run == command_help && client->n_arguments > 0 &&
        !find_command(client->arguments[0]))
        return unknown_command(client, client->arguments[0]) < 0 ? CTL_ERROR : CTL_DONE;
    if (is_local(command))
        return command->run(client);
    if (client->place->hosts.count > 0)
        return run_on_hosts(client, command);
    int r = connect_to(client, client->place);

    if (r < 0)
        return bus_error(client, r);
    int code = carry_out(client, command);
    sd_bus_flush_close_unref(client->bus);
    return code;
}

/* What is wrong stands on standard error already. */
static int wrong_usage(struct client *client, const char *what)
{
    if (client->json != JSON_OFF && client->answers == 0)
        answer_error(client, NULL, what);
    return -EINVAL;
}

/* Reads the options; returns how many commands there are to carry out, or a negative errno. */
static int read_options(struct client *client, struct place_of_bus *place, int argc, char **argv)
{
    for (int code; (code = getopt_long(argc, argv, "fH:m:n:o:", options, NULL)) != -1;) {
        int r = take(client, place, code);
        if (r != 0)
            return r < 0 ? wrong_usage(client, "unknown or malformed option") : 0;
    }
    if (optind == argc && client->help) {
        help_show(NULL);
        return 0;
    }
    if (optind == argc) {
        fputs(help_text, stderr);
        return wrong_usage(client, "no command given");
    }
    client->arguments = argv + optind + 1;
    client->n_arguments = argc - optind - 1;
    return 1;
}

/* The output is closed explicitly, since a full disk shows only then. */
int main(int argc, char **argv)
{
    standard_descriptors_fill(O_RDONLY);
    struct place_of_bus place = {};
    struct client client = {
        .place = &place, .legend = true, .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
    int code = CTL_DONE;

    terminal_guard();
    int r = read_options(&client, &place, argc, argv);
    if (r > 0) {
        const struct command *command = find_command(argv[optind]);
        if (!command)
            r = unknown_command(&client, argv[optind]);
        else if (client.help)
            help_show(command->run == command_help && client.n_arguments > 0 ? client.arguments[0]
                                                                             : command->name);
        else
            code = run(&client, command);
    }
    document_close(&client);
    if (terminal_close() < 0)
        return CTL_ERROR;
    return r < 0 ? CTL_ERROR : code;
}
