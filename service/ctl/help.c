#include "ctl/help.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char help_text[] =
    "proctorctl: inspect and control the children of proctord.\n"
    "\n"
    "  proctorctl [OPTION...] COMMAND\n"
    "\n"
    "  list [--failed] [PATTERN...]            list children, one per line; --failed: only those\n"
    "                                          that have failed or are quarantined\n"
    "  tree                                    show supervisors and children as a tree\n"
    "  top                                     show all children live, full screen\n"
    "  status [ID...]                          explain why a child is, or is not, running; show\n"
    "                                          its recent events and log lines\n"
    "  is-active ID...                         exit 0 if the children are running, else 3\n"
    "  is-failed [ID...]                       exit 0 if one of the children (default: any) has\n"
    "                                          failed or is quarantined, else 3\n"
    "  show ID [PROPERTY...]                   print the properties of a child, one per line\n"
    "  cat ID...                               print the manifests of children\n"
    "  edit ID [--reason=TEXT]                 edit the manifest file of a child, check it and,\n"
    "                                          with a reason, reload\n"
    "  pause|resume|quarantine|restart|remove ID... --reason=TEXT [--wait [--timeout=T]]\n"
    "                                          [--dry-run]; ID/ with a slash: all children below\n"
    "                                          that supervisor\n"
    "  add FILE --reason=TEXT [--replace [--restart]] [--dry-run]\n"
    "                                          declare a child, or a supervisor with its\n"
    "                                          children (-: from standard input); --replace:\n"
    "                                          replace the declaration of an existing child\n"
    "  run FILE [--reason=TEXT] [--timeout=T] [-- ARG...]\n"
    "                                          run a job, print its result, exit with its code\n"
    "  jobs [NAME...]                          list jobs, one per line; NAME may be a pattern or\n"
    "                                          the number of a job\n"
    "  timers [ID...]                          list children with a schedule, in the order in\n"
    "                                          which they are due; ID may be a pattern\n"
    "  kill ID SIGNAL --reason=TEXT            send a signal to the main process\n"
    "  wait ID... [--for=STATE] [--timeout=T]  wait until a child is ready (default), running,\n"
    "                                          stopped or removed\n"
    "  reload ID... --reason=TEXT [--wait [--timeout=T]]\n"
    "                                          ask children to reload their configuration\n"
    "  reload --reason=TEXT [--restart] [--dry-run]\n"
    "                                          read the manifests again; --restart: restart the\n"
    "                                          children whose changes need it\n"
    "  reexec --reason=TEXT [--dry-run]        replace proctord by the program on disk, without\n"
    "                                          disturbing children or callers\n"
    "  events [-f] [--since=T] [--after=SEQ] [--kind=K] [--command=C] [ID...]\n"
    "                                          show recent events; T: how long ago (10m), or a\n"
    "                                          time (14:30, yesterday)\n"
    "  shutdown --reason=TEXT [--within=T] [--wait [--timeout=T]]\n"
    "                                          stop all children and end proctord; --within:\n"
    "                                          kill what is left after this time; --wait: print\n"
    "                                          the report\n"
    "  audit [--since=T] [--by=NAME] [--kind=K] [--command=C] [ID...]\n"
    "                                          show who did what, why, and with what result,\n"
    "                                          across restarts of proctord; C: the CommandId of\n"
    "                                          an outcome\n"
    "  log ID [-f] [-n N]                      show the output of a child\n"
    "  check FILE...                           validate manifests, and say after how many starts\n"
    "                                          a child that always fails is given up; needs no\n"
    "                                          proctord\n"
    "  convert FILE... [-o FOLDER]             make manifests from systemd units, Supervisor\n"
    "                                          and Compose files, Procfiles, Pebble layers and\n"
    "                                          runit or s6 folders; needs no proctord\n"
    "  trace -o FILE                           save the journal, for proctor-sim replay\n"
    "  metrics                                 print the metrics in OpenMetrics format\n"
    "  stdio-bridge                            connect standard input and output to the bus: for\n"
    "                                          the proctorctl of another machine (-H)\n"
    "  help [COMMAND]                          show this help, or all of one command's\n"
    "\n"
    "  --system, --user, --address=ADDRESS     which bus (default: PROCTOR_BUS_ADDRESS if set,\n"
    "                                          else the system bus, or the session bus if only\n"
    "                                          that has a proctord)\n"
    "  -H, --host=[USER@]HOST[,...]            on other machines, by ssh; list and top show all "
    "of\n"
    "                                          them together\n"
    "  --json=off|short|pretty                 --no-legend  --quiet  --requested-by=NAME\n"
    "\n"
    "  -m TEXT                                 the same as --reason=TEXT\n"
    "\n"
    "Exit code: 0 done (or already so), 1 error, 3 rejected or blocked, 4 failed, 5 no such\n"
    "child, 6 not allowed, 7 timed out (the operation continues).\n";

/* ---- one command ------------------------------------------------------------------------------
 */

struct command_help {
    const char *name;
    const char *usage; /* what follows the name; options are explained if they stand here */
    const char *about;
    const char *example; /* without the name of the program; NULL: the name alone */
};

#define REASON "--reason=TEXT"
#define VERB   "ID... " REASON " [--wait [--timeout=T]] [--dry-run]"

static const struct command_help commands[] = {
    {"list", "[--failed] [PATTERN...]",
     "Lists children, one per line, in the order of their declaration.", "list 'payments/*'"},
    {"tree", "", "Shows supervisors and their children as a tree.", NULL},
    {"top", "",
     "Shows all children live, full screen, those in trouble first. The last line lists the keys.",
     NULL},
    {"status", "[ID...]",
     "Explains in one sentence why a child is, or is not, running; then shows its properties,\n"
     "its last events and the last lines of its output. Without an ID: the same as list.",
     "status web"},
    {"is-active", "ID...",
     "Prints the status of each child. Exit code 0 if all of them are running, else 3.",
     "is-active web && echo running"},
    {"is-failed", "[ID...]",
     "Exit code 0 if one of the children (default: any) has failed, was given up or is\n"
     "quarantined, else 3.",
     "is-failed || echo all is well"},
    {"show", "ID [PROPERTY...]",
     "Prints the properties of a child as NAME=VALUE, one per line; with --no-legend only the\n"
     "values. org.proctor1(5) lists them.",
     "show web MainPID Status"},
    {"cat", "ID...",
     "Prints the manifest of each child, the file that it comes from, and the drop-ins over it "
     "with\n"
     "the keys that they set.",
     "cat web"},
    {"edit", "ID [--reason=TEXT]",
     "Opens a copy of the manifest file of a child in $VISUAL or $EDITOR, and replaces the file "
     "if\n"
     "`check` finds no mistake. With a reason, the manifests are then read again.",
     "edit web -m 'more memory'"},
    {"pause", VERB,
     "Stops children, and keeps them stopped until `resume`, also over restarts and reboots.",
     "pause web -m maintenance --wait"},
    {"resume", VERB,
     "Ends a pause or a quarantine: the children start again, with a new restart limit.",
     "resume web -m 'the disk is back' --wait"},
    {"quarantine", VERB, "Stops children that must not run, and keeps them stopped until `resume`.",
     "quarantine web -m 'it deletes data'"},
    {"restart", VERB,
     "Stops the current attempt, and starts the next generation once the last process of the old\n"
     "one is gone.",
     "restart web -m 'new certificate' --wait"},
    {"remove", VERB,
     "Stops children and deletes their records. A child whose file stays comes back with the next\n"
     "`reload`.",
     "remove web -m 'no longer used' --wait"},
    {"add", "FILE --reason=TEXT [--replace [--restart]] [--dry-run]",
     "Declares a child, or a supervisor with its children, until it is removed (-: from standard\n"
     "input). What is to stay in a file is put into a file, and read by `reload`.",
     "add web.yaml -m 'new service'"},
    {"run", "FILE [--reason=TEXT] [--timeout=T] [-- ARG...]",
     "Runs a job, shows its output, prints its result, and exits with its exit code. On timeout\n"
     "the job continues.",
     "run backup.yaml -- --full"},
    {"jobs", "[NAME...]", "Lists jobs, one per line. NAME may be a pattern or the number of a job.",
     "jobs backup"},
    {"timers", "[ID...]",
     "Lists children with a schedule, the one that is due next first. ID may be a pattern.", NULL},
    {"kill", "ID SIGNAL --reason=TEXT",
     "Sends a signal to the main process of a child. What follows is decided as always: a child\n"
     "that ends is restarted if its manifest says so.",
     "kill web SIGUSR1 -m 'reopen the log'"},
    {"wait", "ID... [--for=STATE] [--timeout=T]",
     "Waits until children are ready (default), running, stopped or removed.",
     "wait web --for=ready --timeout=30s"},
    {"reload", "[ID...] --reason=TEXT [--restart] [--dry-run] [--wait [--timeout=T]]",
     "Without an ID: reads the manifests again, and does all that follows from their changes, or\n"
     "nothing if there is a mistake. With IDs: asks these children to reload their configuration.",
     "reload -m 'new worker' --dry-run"},
    {"reexec", "--reason=TEXT [--dry-run]",
     "Replaces proctord by the program on disk. Children and callers notice nothing.",
     "reexec -m 'new release'"},
    {"events", "[-f] [--since=T] [--after=SEQ] [--kind=K] [--command=C] [ID...]",
     "Shows what happened recently, the newest last.", "events -f web"},
    {"shutdown", "--reason=TEXT [--within=T] [--wait [--timeout=T]]",
     "Stops all children in their order, and ends proctord. With --wait the report is printed.",
     "shutdown -m 'end of shift' --wait"},
    {"audit", "[--since=T] [--by=NAME] [--kind=K] [--command=C] [ID...]",
     "Shows who did what, why, and with what result, also before the last start of proctord.",
     "audit --since=yesterday --by=alice"},
    {"log", "ID [-f] [-n N]", "Shows the output of a child, from its file or from the journal.",
     "log web -n 50 -f"},
    {"check", "FILE...",
     "Validates manifests (files, folders or patterns), and tells every mistake and what is not "
     "on\n"
     "this machine: programs, users, folders. Says after how many starts a child that always "
     "fails\n"
     "is given up. Needs no proctord. Exit code 1 if there is a mistake.",
     "check /etc/proctor/children.d"},
    {"convert", "FILE... [-o FOLDER]",
     "Makes manifests from systemd units, Supervisor and Compose files, Procfiles, Pebble layers\n"
     "and runit or s6 folders, and says what has no counterpart. Needs no proctord.",
     "convert nginx.service -o children.d"},
    {"trace", "-o FILE", "Saves the journal of proctord, for `proctor-sim replay`.",
     "trace -o web.journal"},
    {"metrics", "", "Prints the metrics in OpenMetrics format.", NULL},
    {"stdio-bridge", "",
     "Connects standard input and output to the bus: for the proctorctl of another machine (-H).",
     NULL},
    {"help", "[COMMAND]", "Shows all commands, or all of one.", "help restart"},
};

/* Each is explained for those commands in whose usage it stands. */
static const struct {
    const char *in_usage, *option, *meaning;
} options[] = {
    {"--failed", "--failed", "only children that have failed or are quarantined"},
    {"--reason", "-m, --reason=TEXT", "why; it is kept with the child and in the audit"},
    {"--wait", "--wait", "return when the effect is complete"},
    {"--timeout", "--timeout=T", "how long to wait, such as 30s or 5m; what was begun continues"},
    {"--within", "--within=T", "kill what is left after this time"},
    {"--dry-run", "--dry-run", "only tell what would happen"},
    {"--replace", "--replace", "replace the declaration of an existing child"},
    {"--restart", "--restart", "restart the children whose changes need it"},
    {"--for", "--for=STATE", "ready, running, stopped or removed"},
    {"[-f]", "-f, --follow", "keep printing as new entries arrive"},
    {"[-n", "-n, --lines=N", "how many lines"},
    {"--since", "--since=T", "how long ago (10m), or a time (14:30, yesterday)"},
    {"--after", "--after=SEQ", "from the event behind this one"},
    {"--kind", "--kind=K", "only this kind"},
    {"--by", "--by=NAME", "only the commands of this user"},
    {"--command", "--command=C", "only what followed from the command with this CommandId"},
    {"-o ", "-o, --output=PATH", "where to write"},
};

static const struct command_help *find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_options(const char *usage)
{
    bool any = false;

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (!strstr(usage, options[i].in_usage))
            continue;
        fputs(any ? "" : "\nOptions:\n", stdout);
        any = true;
        printf("  %-22s%s\n", options[i].option, options[i].meaning);
    }
}

static void print_command(const struct command_help *help)
{
    printf("proctorctl %s%s%s\n\n%s\n", help->name, help->usage[0] ? " " : "", help->usage,
           help->about);
    if (strcmp(help->usage, VERB) == 0)
        puts("ID/ with a slash means all children below that supervisor.");
    print_options(help->usage);
    printf("\nExample:\n  proctorctl %s\n", help->example ? help->example : help->name);
    puts("\nFor the options of all commands, such as --json, see proctorctl --help.");
}

void help_show(const char *command)
{
    const struct command_help *help = command ? find(command) : NULL;

    assert(!command || help);
    if (help)
        print_command(help);
    else
        fputs(help_text, stdout);
}
