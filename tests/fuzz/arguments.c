/*
 * Arguments of methods: a service with a core behind it, whose executor does nothing, gets calls
 * that are made from the input: any method, arguments of its signature or of another, options and
 * filters of known and unknown names. Each call has one answer, and an error has a name and a word.
 */
#include "target.h"

#include "bulk.h"
#include "journal/audit.h"
#include "journal/borrow.h"
#include "ports.h"
#include "bus/private.h"
#include "bus/caller.h"
#include "core/vocabulary/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALLER ":1.5"
#define CALLS  8
#define STEPS  64 /* until a call must have been answered */
#define NAMES  (sizeof(names) / sizeof(names[0]))

/* ---- a service on one end of a pair of sockets ----------------------------------------------- */

static struct {
    sd_event *event;
    struct service *service;
    sd_bus *client, *server;
    unsigned answers;
} t;

static int find_pid(void *userdata, pid_t pid, struct attempt_id *id)
{
    (void)userdata;
    (void)id;
    return pid == 1 ? -ENOENT : -ESRCH;
}

static unsigned unenforced(const struct child *child)
{
    (void)child;
    return 0;
}

static void usage(void *userdata, const struct child *child, uint64_t *cpu, uint64_t *memory)
{
    (void)userdata;
    (void)child;
    *cpu = *memory = 0;
}

static bool no(void *userdata)
{
    (void)userdata;
    return false;
}

static const char *nothing(void *userdata)
{
    (void)userdata;
    return NULL;
}

static const char *durable(void *userdata)
{
    (void)userdata;
    return "crash";
}

static uint64_t audited_since;

/* One note, whichever caller asks. */
static struct audit_walk *audit(void *userdata, uint64_t since)
{
    (void)userdata;
    audited_since = since;
    return (struct audit_walk *)(void *)&audited_since;
}

static void audit_run(struct audit_walk *walk,
                      bool (*visit)(void *visit_data, const struct audit_note *note,
                                    const uint8_t *frame, size_t size),
                      void *visit_data)
{
    struct event_field fields[] = {FIELD_TEXT_OF("command", "pause"), /* written back */
                                   FIELD_NUMBER_OF("attempt", 1)};
    struct audit_note note = {.sequence = 1,
                              .realtime_usec = audited_since,
                              .kind = "command-accepted",
                              .child = "web",
                              .fields = fields,
                              .n_fields = 2};
    struct archive archive = {.grow = archive_grow};
    uint8_t header[FRAME_HEADER_SIZE] = {};

    (void)walk;
    archive_bytes(&archive, header, sizeof(header));
    audit_archive(&archive, &note);
    frame_header_write(archive.data, FRAME_AUDIT, archive.data + FRAME_HEADER_SIZE,
                       archive.used - FRAME_HEADER_SIZE);
    visit(visit_data, &note, archive.data, archive.used);
    free(archive.data);
}

static void audit_free(struct audit_walk *walk)
{
    (void)walk;
}

static int no_trace(void *userdata, struct journal_trace **trace)
{
    (void)userdata, (void)trace;
    return -ENOSPC;
}

static int no_trace_made(struct journal_trace *trace)
{
    (void)trace;
    return -ENOSPC;
}

static void free_no_trace(struct journal_trace *trace)
{
    (void)trace;
}

static uint64_t no_mark(void *userdata)
{
    (void)userdata;
    return 0;
}

static bool is_past(void *userdata, uint64_t mark)
{
    (void)userdata, (void)mark;
    return true;
}

static struct job_output no_result(void *userdata, const struct job *job)
{
    (void)userdata;
    (void)job;
    return (struct job_output){};
}

static uint64_t same_clock(void *userdata, uint64_t moment_usec)
{
    (void)userdata;
    return moment_usec;
}

static void settle(void *userdata)
{
    (void)userdata;
}

static int load(void *userdata, bool dry_run,
                void (*done)(void *data, int r, const struct manifest_set *set, const char *why),
                void *data)
{
    (void)userdata, (void)dry_run, (void)done, (void)data;
    return -EBUSY;
}

static int reload(void *userdata, const struct manifest_set *set,
                  const struct manifest_reload *what, struct manifest_changes *changes,
                  struct error *error)
{
    (void)userdata, (void)set, (void)what, (void)changes;
    strcpy(error->text, "there are no manifests here");
    return -ENOENT;
}

static int check_program(void *userdata,
                         void (*done)(void *data, int r, const char *version, const char *why),
                         void *data)
{
    (void)userdata, (void)done, (void)data;
    return -EINVAL; /* there is no program here */
}

static int reexecute(void *userdata, const char *requester, const char *reason, struct error *error)
{
    (void)userdata, (void)requester, (void)reason;
    strcpy(error->text, "there is no program here");
    return -EINVAL;
}

static void counters(void *userdata, uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d,
                     uint64_t *e)
{
    (void)userdata;
    *a = *b = *c = *d = *e = 0;
}

static uint64_t output_lost(void)
{
    return 0;
}

static void no_starts(void *userdata, uint64_t *delayed, uint64_t *spawners)
{
    (void)userdata;
    *delayed = *spawners = 0;
}

static const struct service_hooks hooks = {.find_pid = find_pid,
                                           .usage = usage,
                                           .unenforced = unenforced,
                                           .result = no_result,
                                           .syncs = no,
                                           .mark = no_mark,
                                           .is_past = is_past,
                                           .unwritten = nothing,
                                           .durability = durable,
                                           .recovered = no,
                                           .audit = audit,
                                           .audit_run = audit_run,
                                           .audit_free = audit_free,
                                           .trace = no_trace,
                                           .trace_make = no_trace_made,
                                           .trace_free = free_no_trace,
                                           .clock = same_clock,
                                           .settle = settle,
                                           .load = load,
                                           .reload = reload,
                                           .check_program = check_program,
                                           .reexecute = reexecute,
                                           .counters = counters,
                                           .output_lost = output_lost,
                                           .starts = no_starts};

static void event_came(void *userdata, const struct event *event)
{
    (void)userdata;
    service_event(t.service, event);
}

static void forget_supervisor(void *userdata, struct supervisor *supervisor)
{
    (void)userdata;
    service_forget_supervisor(t.service, supervisor);
}

static void forget_job(void *userdata, struct job *job)
{
    (void)userdata;
    service_forget_job(t.service, job);
}

static void connect_both(void)
{
    sd_id128_t id = {};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
        sd_bus_new(&t.server) < 0 || sd_bus_set_fd(t.server, pair[0], pair[0]) < 0 ||
        sd_bus_set_server(t.server, true, id) < 0 || sd_bus_start(t.server) < 0 ||
        sd_bus_new(&t.client) < 0 || sd_bus_set_fd(t.client, pair[1], pair[1]) < 0 ||
        sd_bus_start(t.client) < 0)
        found("no connection");
    for (int i = 0; i < STEPS; i++) {
        sd_bus_process(t.server, NULL);
        sd_bus_process(t.client, NULL);
    }
    if (service_register(t.service, t.server) < 0)
        found("no objects");
}

static void begin(struct core **core)
{
    struct service_settings settings = {.bus = SERVICE_BUS_ADDRESS};
    struct core_ports ports = ports_of_nobody();
    struct core_settings of_core = {.seed = 1, .max_restarts_in_flight = 4};

    ports.event = event_came;
    ports.forget_supervisor = forget_supervisor;
    ports.forget_job = forget_job;
    if (sd_event_new(&t.event) < 0 || service_new(t.event, &settings, &hooks, &t.service) < 0)
        found("no service");
    if (core_new(&ports, &of_core, core) < 0)
        found("no core");
    service_attach(t.service, *core);
    connect_both();
    t.service->bus = t.server;
    caller_learn(t.service, CALLER, 0, 0, NULL); /* there is no bus to ask */
}

static void end(struct core *core)
{
    service_detach(t.service);
    core_free(core);
    service_free(t.service);
    sd_bus_close_unref(t.server);
    sd_bus_close_unref(t.client);
    sd_event_unref(t.event);
}

/* ---- the input ------------------------------------------------------------------------------- */

struct input {
    const uint8_t *data;
    size_t size;
};

static uint8_t take(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

static uint64_t take_number(struct input *input)
{
    uint64_t number = 0;

    for (int bytes = take(input) % 9; bytes > 0; bytes--)
        number = number << 8 | take(input);
    return number;
}

/* Words that mean something, so that not all has to be guessed. */
static const char *const names[] = {
    "web",
    "group",
    "group/web",
    "root",
    "",
    "wait",
    "dry-run",
    "requested-by",
    "idempotency-key",
    "children",
    "kinds",
    "child-exited",
    "main",
    "all",
    "why",
    "{name: web, exec: [/bin/true]}",
    "{name: web, exec: [/bin/true], kind: job}",
    "{name: j, exec: [/bin/true], same_name: replace}",
    "{children: [{name: web, exec: [/bin/true]}], supervisor: group, strategy: one-for-all}",
    "wait-usec",
    "timeout-usec",
};

static const char *take_text(struct input *input, char buffer[4096])
{
    size_t kind = take(input), length = 0;

    if (kind < NAMES)
        return names[kind];
    length = kind == 255 ? take_number(input) % 4096 : kind - NAMES;
    if (length > input->size)
        length = input->size;
    memcpy(buffer, input->data, length);
    buffer[length] = '\0';
    input->data += length;
    input->size -= length;
    text_make_line(buffer);
    return buffer;
}

static int append_options(sd_bus_message *m, struct input *input, int depth);

static int append_variant(sd_bus_message *m, struct input *input, int depth)
{
    char buffer[4096];
    int r, count;

    switch (take(input) % 7) {
    case 0:
        return sd_bus_message_append(m, "v", "s", take_text(input, buffer));
    case 1:
        return sd_bus_message_append(m, "v", "b", take(input) & 1);
    case 2:
        return sd_bus_message_append(m, "v", "u", (uint32_t)take_number(input));
    case 3:
        return sd_bus_message_append(m, "v", "t", take_number(input));
    case 4:
        return sd_bus_message_append(m, "v", "d", 0.5);
    case 5:
        r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
            r = sd_bus_message_open_container(m, 'a', "s");
        for (count = take(input) % 80; r >= 0 && count > 0; count--)
            r = sd_bus_message_append(m, "s", take_text(input, buffer));
        break;
    default:
        r = sd_bus_message_open_container(m, 'v', "a{sv}");
        if (r >= 0)
            return append_options(m, input, depth + 1) < 0 ? -1 : sd_bus_message_close_container(m);
        return r;
    }
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_options(sd_bus_message *m, struct input *input, int depth)
{
    int r = sd_bus_message_open_container(m, 'a', "{sv}");
    char buffer[4096];

    for (int count = depth < 4 ? take(input) % 6 : 0; r >= 0 && count > 0; count--) {
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
            r = sd_bus_message_append(m, "s", take_text(input, buffer));
        if (r >= 0)
            r = append_variant(m, input, depth);
        if (r >= 0)
            r = sd_bus_message_close_container(m);
    }
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_arguments(sd_bus_message *m, const char *signature, struct input *input)
{
    char buffer[4096];
    int r = 0;

    for (; *signature && r >= 0; signature++) {
        switch (*signature) {
        case 's':
            r = sd_bus_message_append(m, "s", take_text(input, buffer));
            break;
        case 'u':
            r = sd_bus_message_append(m, "u", (uint32_t)take_number(input));
            break;
        case 'i':
            r = sd_bus_message_append(m, "i", (int32_t)take_number(input));
            break;
        case 't':
            r = sd_bus_message_append(m, "t", take_number(input));
            break;
        case 'v':
            r = append_variant(m, input, 0);
            break;
        case 'o': /* options and filters */
            r = append_options(m, input, 0);
            break;
        default:
            found("a signature that is not known here");
        }
    }
    return r;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static const struct {
    const char *interface, *member, *signature; /* "o" stands for a{sv} */
} methods[] = {
    {"Manager", "AddChild", "sso"},
    {"Manager", "GetChild", "s"},
    {"Manager", "GetChildByPID", "u"},
    {"Manager", "ListChildren", ""},
    {"Manager", "ListJobs", ""},
    {"Manager", "CurrentState", ""},
    {"Manager", "PauseChild", "sso"},
    {"Manager", "ResumeChild", "sso"},
    {"Manager", "QuarantineChild", "sso"},
    {"Manager", "RestartChild", "sso"},
    {"Manager", "RemoveChild", "sso"},
    {"Manager", "Shutdown", "so"},
    {"Manager", "Reload", "so"},
    {"Manager", "Reexecute", "so"},
    {"Manager", "RunJob", "sso"},
    {"Manager", "Subscribe", "o"},
    {"Manager", "Unsubscribe", ""},
    {"Manager", "QueryEvents", "tuo"},
    {"Manager", "GetMetrics", ""},
    {"Manager", "QueryAudit", "tuo"},
    {"Manager", "GetTrace", ""},
    {"Manager", "ReadTrace", "ttu"},
    {"Child", "Pause", "so"},
    {"Child", "Resume", "so"},
    {"Child", "Quarantine", "so"},
    {"Child", "Restart", "so"},
    {"Child", "Remove", "so"},
    {"Child", "Reload", "so"},
    {"Child", "Kill", "siso"},
    {"Supervisor", "Pause", "so"},
    {"Supervisor", "Resume", "so"},
    {"Supervisor", "Restart", "so"},
    {"Supervisor", "Remove", "so"},
    {"Job", "Wait", ""},
    {"Job", "Cancel", "so"},
    {"Job", "Forget", "so"},
    {"Properties", "GetAll", "s"},
    {"Properties", "Set", "ssv"},
    {"ObjectManager", "GetManagedObjects", ""},
};

static const char *const paths[] = {
    "/org/proctor1",
    "/org/proctor1/child/web",
    "/org/proctor1/child/group_2fweb",
    "/org/proctor1/child/_zz",
    "/org/proctor1/supervisor/root",
    "/org/proctor1/supervisor/root/group",
    "/org/proctor1/job/1",
    "/org/proctor1/job/99999999999999999999999",
};

static int answer_came(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)userdata;
    (void)error;
    t.answers++;
    const sd_bus_error *refusal = sd_bus_message_get_error(m);
    if (refusal && (!refusal->name || !refusal->message || !refusal->message[0]))
        found("an error without a word");
    return 0;
}

static void process_until(unsigned before)
{
    for (int step = 0; step < STEPS && t.answers == before; step++) {
        sd_bus_process(t.server, NULL);
        sd_bus_process(t.client, NULL);
    }
}

static void call(struct input *input)
{
    sd_bus_message *m = NULL;
    char interface[64];
    size_t i = take(input) % (sizeof(methods) / sizeof(methods[0]));
    size_t path = take(input) % (sizeof(paths) / sizeof(paths[0]));
    uint8_t other = take(input); /* of another method's signature, now and then */
    const char *signature = methods[other < 16 ? other : i].signature;
    bool ours = strcmp(methods[i].interface, "Properties") != 0 &&
                strcmp(methods[i].interface, "ObjectManager") != 0;

    snprintf(interface, sizeof(interface), "%s.%s", ours ? "org.proctor1" : "org.freedesktop.DBus",
             methods[i].interface);
    if (sd_bus_message_new_method_call(t.client, &m, NULL, paths[path], interface,
                                       methods[i].member) >= 0 &&
        sd_bus_message_set_sender(m, CALLER) >= 0 && append_arguments(m, signature, input) >= 0 &&
        sd_bus_call_async(t.client, NULL, m, answer_came, NULL, UINT64_MAX) >= 0) {
        unsigned before = t.answers;
        process_until(before);
        if (t.answers == before) { /* there is no loop here: what takes several of its turns */
            bulks_finish(t.service->bulks);
            process_until(before);
        }
        if (t.answers == before && !t.service->waiters)
            found("a call without an answer");
        if (t.answers > before + 1)
            service_flush(t.service);
    }
    sd_bus_message_unref(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct core *core;

    begin(&core);
    for (int i = 0; i < CALLS && input.size > 0; i++) {
        call(&input);
        service_flush(t.service);
    }
    end(core);
    return 0;
}
