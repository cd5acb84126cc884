/*
 * proctord: wires the core, the host, the manifests and the bus together, and nothing else.
 */
#include "core/vocabulary/noun.h"
#include "system/beside.h"
#include "bus_wait.h"
#include "core/model/child.h"
#include "core/model/resource.h"
#include "daemon.h"
#include "handover/handover.h"
#include "host/host.h"
#include "instance.h"
#include "journal/export.h"
#include "log/log.h"
#include "manifest_load.h"
#include "manifests.h"
#include "metrics_serving.h"
#include "host/output.h"
#include "system/outside.h"
#include "system/own_folder.h"
#include "bus/private_bus.h"
#include "reexecution.h"
#include "roles.h"
#include "bus/service.h"
#include "signals.h"
#include "log/sink.h"
#include "system/standard.h"
#include "core/vocabulary/text.h"
#include "system/upward.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define LOOP_TRIES      50
#define LOOP_PAUSE_MSEC 20
#define LARGE_BYTES     (1 << 16)
#define SETTLE_USEC     5000000  /* at the end, for the journal's disk */
#define LAST_WORDS_USEC 2000000  /* children's last words have to be in their files until then */
#define RESULTS_USEC    10000000 /* a start waits so long for what jobs have written */
#define DESCRIPTORS     1024     /* where the limit is not known */

/* ---- hooks of the service, sink of the core -------------------------------------------------- */

static int find_pid(void *userdata, pid_t pid, struct attempt_id *id)
{
    struct daemon *daemon = userdata;
    return host_find_pid(daemon->host, pid, id);
}

static void usage(void *userdata, const struct child *child, uint64_t *cpu_nsec,
                  uint64_t *memory_bytes)
{
    struct daemon *daemon = userdata;
    host_usage(daemon->host, child, cpu_nsec, memory_bytes);
}

static void settle(void *userdata)
{
    struct daemon *daemon = userdata;
    host_settle(daemon->host);
}

static bool syncs(void *userdata)
{
    const struct daemon *daemon = userdata;
    return daemon->line.durability == DURABILITY_POWER;
}

static uint64_t mark_journal(void *userdata)
{
    struct daemon *daemon = userdata;
    return journal_mark(daemon->history.journal);
}

static bool is_past(void *userdata, uint64_t mark)
{
    const struct daemon *daemon = userdata;
    return journal_is_past(daemon->history.journal, mark);
}

/* A batch of the journal is on its disk, or has failed. */
static void journal_moved(void *userdata)
{
    const struct daemon *daemon = userdata;

    if (daemon->service)
        service_journal_moved(daemon->service);
}

static const char *unwritten(void *userdata)
{
    const struct daemon *daemon = userdata;
    return history_unwritten(&daemon->history);
}

static const char *durability(void *userdata)
{
    static const char *const words[] = {
        [DURABILITY_NONE] = "none", [DURABILITY_CRASH] = "crash", [DURABILITY_POWER] = "power"};
    struct daemon *daemon = userdata;

    return unwritten(daemon) ? "lost" : words[daemon->line.durability];
}

static bool recovered(void *userdata)
{
    const struct daemon *daemon = userdata;
    return daemon->history.recovered;
}

static struct audit_walk *audit(void *userdata, uint64_t since_usec)
{
    struct daemon *daemon = userdata;
    return journal_walk_audit(daemon->history.journal, since_usec);
}

static int trace(void *userdata, struct journal_trace **trace)
{
    struct daemon *daemon = userdata;
    return journal_trace_begin(daemon->history.journal, daemon->core, trace);
}

static uint64_t clock_at(void *userdata, uint64_t moment_usec)
{
    const struct daemon *daemon = userdata;
    return host_clock(daemon->host, moment_usec);
}

/* As the bus wants them. */
static void counters(void *userdata, uint64_t *notify_messages, uint64_t *notify_refused,
                     uint64_t *notify_dropped, uint64_t *orphans_reaped, uint64_t *leftovers_killed)
{
    struct daemon *daemon = userdata;
    const struct host_counters *c = host_counters(daemon->host);

    *notify_messages = c->notify_messages;
    *notify_refused = c->notify_refused;
    *notify_dropped = c->notify_dropped;
    *orphans_reaped = c->orphans_reaped;
    *leftovers_killed = c->leftovers_killed;
}

static void starts(void *userdata, uint64_t *delayed, uint64_t *spawners)
{
    struct daemon *daemon = userdata;
    const struct host_counters *c = host_counters(daemon->host);

    *delayed = c->starts_delayed;
    *spawners = c->spawners_replaced;
}

/* Once for a child, not at each of its starts. */
static void warn_of_limits(const struct child *child)
{
    unsigned unenforced = host_unenforced(child);
    char names[64 + 1] = "";

    for (size_t i = 0; i < RESOURCE_LIMITS; i++)
        if (unenforced & 1U << i)
            snprintf(names + strlen(names), sizeof(names) - strlen(names), " %s", resource_name(i));
    if (unenforced)
        log_print(LOG_WARNING,
                  "%s runs without its limit on%s: its cgroup lacks the controller (see "
                  "\"Limits\" in docs/manifest.md)",
                  child->id, names);
}

/* Every event goes to the bus, to the history and to the log. During a replay
 * it has been logged before. */
static void sink(void *userdata, const struct event *event)
{
    struct daemon *daemon = userdata;

    service_event(daemon->service, event);
    history_event(&daemon->history, event);
    if (daemon->history.past)
        return; /* it has been logged when it was new */
    log_event(event);
    if (event->kind == EVENT_CHILD_RUNTIME_STATE_REMOVED)
        manifests_child_gone(daemon);
    if (event->kind == EVENT_CHILD_RUNNING && event->attempt == 1)
        warn_of_limits(event->child);
}

static void forget_supervisor(void *userdata, struct supervisor *supervisor)
{
    service_forget_supervisor(((struct daemon *)userdata)->service, supervisor);
}

static void forget_job(void *userdata, struct job *job)
{
    struct daemon *daemon = userdata;

    service_forget_job(daemon->service, job);
    host_forget_result(daemon->host, job);
}

static struct job_output result(void *userdata, const struct job *job)
{
    return host_result(((struct daemon *)userdata)->host, job);
}

static uint32_t restarts_in_flight(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors > 4 ? (uint32_t)processors : 4;
}

/* ---- signals --------------------------------------------------------------------------------- */

/* A second signal is more urgent than the first. */
static void end(void *userdata, const char *signal)
{
    struct daemon *daemon = userdata;

    /* The program before this one may have had it, too. */
    if (daemon->ending || core_shutdown_by_signal(daemon->core)) {
        log_print(LOG_NOTICE, "%s again: aborting the children that are left", signal);
        core_hurry(daemon->core, REQUESTER_SIGNAL, "a second signal");
    } else {
        log_print(LOG_NOTICE, "%s: shutting the tree down", signal);
        daemon->ending = true;
        upward_say("STOPPING=1", -1);
        core_shutdown(daemon->core, REQUESTER_SIGNAL, "proctord was asked to stop");
    }
    host_settle(daemon->host);
}

static int add_signals(struct daemon *daemon)
{
    struct signal_hooks hooks = {.userdata = daemon,
                                 .end = end,
                                 .reload = manifests_reload_by_signal,
                                 .reexecute = reexecution_by_signal};

    return signals_listen(daemon->event, &hooks, &daemon->signals);
}

static void tree_is_down(void *userdata)
{
    struct daemon *daemon = userdata;

    sd_event_exit(daemon->event, core_shutdown_exit_code(daemon->core));
}

/* ---- putting it together --------------------------------------------------------------------- */

static int fail(const char *what, int r)
{
    log_say("proctord: %s: %s", what, strerror(-r));
    return r;
}

static void print_mistakes(const struct mistakes *mistakes)
{
    char line[64];

    for (size_t i = 0; i < mistakes->count && i < MISTAKES_MAX; i++) {
        struct error error;
        snprintf(error.text, sizeof(error.text), "%s", mistakes_text(mistakes, i));
        text_make_line(error.text); /* it names files, whatever they are called */
        fprintf(stderr, "%s\n", error.text);
    }
    if (mistakes_rest(mistakes, line, sizeof(line)))
        fprintf(stderr, "%s\n", line);
}

/* --check: the same reading as for a start. */
static int check_only(const struct command_line *line)
{
    struct mistakes mistakes = {};
    struct manifest_set *set = NULL;
    struct error error = {};
    int r = manifest_set_load_all(line->manifests, line->n_manifests, line->default_manifests,
                                  &mistakes, &set, &error);

    if (r == 0)
        r = manifest_set_check_all(set, &mistakes);
    if (r < 0)
        mistakes_note(&mistakes, error.text[0] ? error.text : strerror(-r));
    if (mistakes.count == 0)
        printf("%zu %s, no errors found\n", manifest_set_count(set),
               noun_of(manifest_set_count(set), "child"));
    r = mistakes.count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    print_mistakes(&mistakes);
    mistakes_free(&mistakes);
    manifest_set_free(set);
    return r;
}

/* Ten thousand children need ten thousand pidfds. They themselves get what proctord was given. */
static void raise_descriptor_limit(struct daemon *daemon)
{
    struct rlimit limit;

    daemon->descriptors = DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        daemon->descriptors = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Threads that mostly wait need no heap of their own. What is large gets pages of its own: it goes
 * back to the system when it is released (a checkpoint on its way to the disk), and costs nothing
 * where it is never written (what few children have, a window of ten thousand failures). */
static void keep_memory_small(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

static int make_own_folder(const char *path, const char *what)
{
    char why[OWN_FOLDER_WHY];
    int r = own_folder_make(path, 0755, why);

    if (r < 0)
        log_say("proctord: the %s folder cannot be used: %s", what, why);
    return r;
}

static void tell_moved(const char *path)
{
    log_print(LOG_WARNING, "%s is unusable: it was renamed to %s.damaged, and a new one is created",
              path, strrchr(path, '/') + 1);
}

/* In an upgrade the locks are handed over, so there is no moment without
 * them. */
static int prepare_folders(struct daemon *daemon)
{
    struct error error = {};
    int r = make_own_folder(daemon->line.state_directory, "state");

    if (r == 0)
        r = make_own_folder(daemon->line.runtime_directory, "runtime");
    if (r < 0)
        return r;
    if (daemon->handover)
        reexecution_archive(daemon, daemon->handover);
    if (daemon->locks[1] >= 0)
        return 0; /* they were handed over */
    r = daemon->locks[0] = instance_lock(daemon->line.state_directory, "state", &error);
    if (r >= 0 && (r = instance_clear_state(daemon->line.state_directory, tell_moved)) < 0)
        return fail(daemon->line.state_directory, r);
    if (r >= 0)
        r = daemon->locks[1] = instance_lock(daemon->line.runtime_directory, "runtime", &error);
    if (r < 0)
        log_say("proctord: %s", error.text);
    return r;
}

/* Also a second one, if a recovery has to begin again. */
static int make_core(void *userdata, struct core **core)
{
    struct daemon *daemon = userdata;
    struct core_settings settings = {.max_restarts_in_flight = restarts_in_flight()};
    struct core_ports ports = {};

    if (*core) { /* another one */
        service_detach(daemon->service);
        host_detach(daemon->host);
        core_free(*core);
    }
    host_ports(daemon->host, &ports);
    ports.sink = daemon;
    ports.event = sink;
    ports.forget_supervisor = forget_supervisor;
    ports.forget_job = forget_job;
    if (getrandom(&settings.seed, sizeof(settings.seed), 0) < 0)
        settings.seed = (uint64_t)getpid();
    int r = core_new(&ports, &settings, core);
    if (r < 0)
        return fail("core", r);
    host_attach(daemon->host, *core);
    if (daemon->service)
        service_attach(daemon->service, *core);
    return 0;
}

/* Whether there is a history decides what may be swept. */
static int make_host_and_core(struct daemon *daemon)
{
    char instance[16];

    instance_name(daemon->line.state_directory, instance);
    int exists = history_exists(daemon->line.state_directory);
    if (exists < 0) /* otherwise what runs would be ended as belonging to no child */
        return fail(daemon->line.state_directory, exists);
    struct host_settings host = {.runtime_directory = daemon->line.runtime_directory,
                                 .state_directory = daemon->line.state_directory,
                                 .descriptors = daemon->descriptors,
                                 .instance = instance,
                                 .use_cgroups = daemon->line.cgroups,
                                 .handover = daemon->handover,
                                 .store_descriptors = daemon->line.store_descriptors,
                                 .keep_processes = exists > 0};
    int r = host_new(daemon->event, &host, &daemon->host);
    if (r < 0)
        return fail(daemon->line.runtime_directory, r);
    if (daemon->line.cgroups && !host_has_cgroups(daemon->host))
        log_print(LOG_NOTICE, "no writable cgroup2: children are kept together by process group");

    struct history_settings history = {.state_directory = daemon->line.state_directory,
                                       .runtime_directory = daemon->line.runtime_directory,
                                       .durability = daemon->line.durability,
                                       .audit_bytes = daemon->line.audit_bytes,
                                       .userdata = daemon,
                                       .moved = journal_moved};
    r = history_open(&daemon->history, &history);
    return r < 0 ? fail(daemon->line.state_directory, r) : make_core(daemon, &daemon->core);
}

/* A caller that asks for the result of an old job is to get it: calls are taken when all are there,
 * or the disk has had its time. The loop turns meanwhile. */
static void read_results(struct daemon *daemon)
{
    uint64_t now, end;

    host_read_results(daemon->host, service_job_read);
    sd_event_now(daemon->event, CLOCK_MONOTONIC, &now);
    for (end = now + RESULTS_USEC; host_results_unread(daemon->host) > 0 && now < end &&
                                   sd_event_get_state(daemon->event) == SD_EVENT_INITIAL;
         sd_event_now(daemon->event, CLOCK_MONOTONIC, &now))
        if (sd_event_run(daemon->event, end - now) < 0)
            return;
}

/* The recovery runs within, when everything that it reports to exists. */
static int make_service(struct daemon *daemon)
{
    struct service_hooks hooks = {.userdata = daemon,
                                  .find_pid = find_pid,
                                  .usage = usage,
                                  .unenforced = host_unenforced,
                                  .result = result,
                                  .clock = clock_at,
                                  .syncs = syncs,
                                  .mark = mark_journal,
                                  .is_past = is_past,
                                  .unwritten = unwritten,
                                  .durability = durability,
                                  .recovered = recovered,
                                  .audit = audit,
                                  .audit_run = audit_walk_run,
                                  .audit_free = audit_walk_free,
                                  .trace = trace,
                                  .trace_make = journal_trace_make,
                                  .trace_free = journal_trace_free,
                                  .settle = settle,
                                  .load = manifests_load,
                                  .reload = manifests_apply,
                                  .check_program = reexecution_check,
                                  .reexecute = reexecution_order,
                                  .starts = starts,
                                  .counters = counters,
                                  .output_lost = output_lost_bytes};
    struct service_settings settings = {.bus = daemon->line.bus,
                                        .address = daemon->line.address,
                                        .handover = daemon->handover,
                                        .metrics_of_children = daemon->line.metrics_of_children,
                                        .accept_unwritten = daemon->line.accept_unwritten};

    if (daemon->line.private_bus) {
        settings.bus = SERVICE_BUS_ADDRESS;
        settings.address = private_bus_address(daemon->bus);
        settings.watch_bus = true;
    }
    int r = service_new(daemon->event, &settings, &hooks, &daemon->service);
    if (r < 0)
        return fail("service", r);
    service_attach(daemon->service, daemon->core);
    service_on_shutdown(daemon->service, tree_is_down, daemon);
    host_on_burst(daemon->host, service_answer, daemon->service);
    host_on_clock(daemon->host, service_clock_was_set, daemon->service);
    host_on_result(daemon->host, service_job_output, daemon->service);
    daemon->history.handed_over = daemon->handover != NULL;
    r = history_live(&daemon->history, daemon->host, &daemon->core, make_core, daemon);
    if (r < 0)
        return fail("history", r);
    service_name_commands(daemon->service, journal_instance(daemon->history.journal));
    log_name_commands(journal_instance(daemon->history.journal));
    bus_wait_attach(daemon);
    read_results(daemon);
    if (daemon->line.private_bus)
        private_bus_begin(daemon->bus);
    else
        service_connect(daemon->service);
    if (daemon->handover)
        service_take_over(daemon->service, daemon->handover);
    return 0;
}

static void tell_durability(struct daemon *daemon)
{
    const char *why = unwritten(daemon);

    core_durability(daemon->core, !why, why ? why : "the journal can be written again");
    service_durability_changed(daemon->service);
}

/* After each turn of the loop. */
static int tidy_history(sd_event_source *source, void *userdata)
{
    struct daemon *daemon = userdata;
    int told = daemon->history.told;

    (void)source;
    history_tidy(&daemon->history);
    if (told != daemon->history.told)
        tell_durability(daemon);
    return 0;
}

/* Where the loop itself fails, for want of memory or descriptors, it is tried again a few times:
 * a proctord that ends leaves children without a supervisor. */
static int loop(struct daemon *daemon)
{
    int code = 0;

    if (sd_event_get_exit_code(daemon->event, &code) >= 0)
        return code; /* asked to end while it listened to the bus */
    int r = sd_event_loop(daemon->event);

    for (int i = 0; r < 0 && i < LOOP_TRIES; i++) {
        log_print(LOG_ERR, "the event loop failed (%s), retrying", strerror(-r));
        poll(NULL, 0, LOOP_PAUSE_MSEC);
        r = sd_event_loop(daemon->event);
    }
    return r < 0 ? (fail("the event loop", r), EXIT_FAILURE) : r;
}

/* What needs no core. */
static int make_loop(struct daemon *daemon)
{
    struct private_bus_hooks bus = {
        .userdata = daemon, .spawned = bus_wait_private_spawned, .up = bus_wait_private_up};
    int r = sd_event_default(&daemon->event);

    if (r < 0)
        return fail("cannot create an event loop", r);
    r = beside_start(daemon->event);
    if (r < 0)
        return fail("cannot create threads", r);
    log_attach(daemon->event);
    r = add_signals(daemon);
    if (r < 0)
        return fail("cannot receive signals", r);
    r = manifest_loads_new(daemon->event, daemon->line.manifests, daemon->line.n_manifests,
                           daemon->line.default_manifests, &daemon->loads);
    if (r < 0)
        return fail("manifests cannot be read", r);
    r = private_bus_new(daemon->event, daemon->line.runtime_directory, &bus, &daemon->bus);
    if (r < 0)
        return fail("the private bus", r);
    r = sd_event_add_post(daemon->event, NULL, tidy_history, daemon);
    return r < 0 ? fail("the event loop", r) : 0;
}

/* Those that a proctord before this one has left are supervised at once. */
static int start_tree(struct daemon *daemon)
{
    int r = 0;

    if (!daemon->history.recovered)
        r = bus_wait_claim(daemon);
    if (r < 0)
        return r;
    core_announce(daemon->core, PROCTOR_VERSION);
    if (core_shutdown_phase(daemon->core) != SHUTDOWN_IDLE)
        return 0; /* asked to end meanwhile */
    if (!daemon->history.recovered)
        return manifests_declare(daemon);
    manifests_recover(daemon);
    bus_wait_listen(daemon);
    return 0;
}

/* Each step needs those before it. */
static int run(struct daemon *daemon)
{
    int r = make_loop(daemon);

    if (r >= 0)
        r = prepare_folders(daemon);
    if (r >= 0)
        r = make_host_and_core(daemon);
    if (r >= 0)
        r = make_service(daemon);
    if (r >= 0)
        r = metrics_serving_begin(daemon);
    if (r < 0)
        return EXIT_FAILURE;
    daemon->told_address = daemon->handover != NULL;
    if (start_tree(daemon) < 0)
        return EXIT_FAILURE;
    handover_free(daemon->handover);
    daemon->handover = NULL;
    upward_watchdog(daemon->event, &daemon->watchdog);
    bus_wait_tell_ready(daemon);
    return loop(daemon);
}

/* In an order in which nothing is used after it has been freed; the journal
 * comes late, because answers may wait for it. */
static void tidy_up(struct daemon *daemon)
{
    sd_event_source_disable_unref(daemon->reexecution);
    sd_event_source_disable_unref(daemon->beside_timer);
    sd_event_source_disable_unref(daemon->reload_source);
    sd_event_source_disable_unref(daemon->watchdog);
    handover_free(daemon->handover);
    program_forget(&daemon->program);
    signals_free(daemon->signals);
    metrics_serving_end(daemon);
    manifests_forget(daemon);
    manifest_loads_free(daemon->loads); /* what a thread still reads is applied to nothing */
    if (daemon->history.journal)
        journal_settle(daemon->history.journal, SETTLE_USEC); /* answers may wait for it */
    host_free(daemon->host);
    beside_wait(LAST_WORDS_USEC, LAST_WORDS_USEC, &(const char *){NULL});
    service_free(daemon->service);
    daemon->service = NULL; /* the journal may still come to the end of something */
    core_free(daemon->core);
    history_close(&daemon->history);
    private_bus_free(daemon->bus);
    sink_close(daemon->output);
    log_settle();
    log_attach(NULL);
    beside_end();
    sd_event_unref(daemon->event);
    for (int i = 0; i < 2; i++)
        if (daemon->locks[i] >= 0)
            close(daemon->locks[i]);
}

/* What could not be written was not said. */
static int close_output(int code)
{
    if (fclose(stdout) == 0)
        return code;
    fprintf(stderr, "proctord: the output cannot be written: %s\n", strerror(errno));
    return EXIT_FAILURE;
}

/* Roles first: this program is also the spawner and the writers. */
int main(int argc, char **argv)
{
    struct daemon daemon = {.locks = {-1, -1}, .metrics_descriptor = -1};

    standard_descriptors_fill(O_RDWR);
    int r = role_run(argc, argv);
    if (r >= 0)
        return r;
    r = command_line_parse(argc, argv, &daemon.line);
    if (r != 0)
        return close_output(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    if (daemon.line.check)
        return close_output(check_only(&daemon.line));
    umask(0022);
    outside_begin();
    signals_prepare();
    raise_descriptor_limit(&daemon);
    keep_memory_small();
    log_setup(daemon.line.log_target, daemon.line.log_level);
    r = program_remember(&daemon.program, argv);
    if (r < 0)
        log_print(LOG_WARNING, "the path of this program is not known: %s", strerror(-r));
    r = handover_inherit(&daemon.handover);
    if (r < 0)
        log_print(LOG_ERR, "the state that was handed over cannot be used: %s", strerror(-r));
    r = run(&daemon);
    if (r != 0 && daemon.handover) { /* it has not come up, and what it was given is still whole */
        log_print(LOG_ERR, "the new program failed to start: restarting it");
        int why = handover_repeat(daemon.handover, "/proc/self/exe", argv);
        log_print(LOG_ERR, "restarting it failed: %s", strerror(-why));
    }
    tidy_up(&daemon);
    return r;
}
