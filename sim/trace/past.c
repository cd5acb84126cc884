/*
 * Reads the journal of a real proctord and lives through it again, with the
 * real core. The audit in the journal says what happened there; it must happen
 * here as well.
 */
#include "core/idle_ports.h"
#include "trace/past.h"

#include "core/model/child.h"
#include "journal/audit.h"
#include "journal/digest.h"
#include "journal/frame.h"
#include "journal/replay.h"
#include "runs/run.h"
#include "world/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (UINT64_C(1) << 30)
#define MEMORY   (UINT64_C(1) << 32) /* address space of a core */
#define REMEMBER 4096                /* events that the audit may still speak of; a power of two */
#define SECONDS  60                  /* no life takes longer */

struct past {
    uint8_t *data;
    size_t size;
    struct frame *frames;
    size_t n_frames, n_inputs;
    struct memory *memory;
};

/* ---- reading --------------------------------------------------------------------------------- */

bool past_is(const char *path)
{
    uint8_t head[JOURNAL_HEADER_SIZE];
    FILE *file = fopen(path, "re");
    bool is = file && fread(head, 1, sizeof(head), file) == sizeof(head) &&
              journal_header_check(head, sizeof(head)) != -EBADMSG;

    if (file)
        fclose(file);
    return is;
}

/* The header must fit this version. */
static int read_file(struct past *past, const char *path)
{
    FILE *file = fopen(path, "re");
    size_t room = 0, n = 1;

    if (!file)
        return -errno;
    while (n > 0 && past->size < FILE_MAX) {
        if (past->size == room) {
            uint8_t *larger = realloc(past->data, room = room ? room * 2 : 65536);
            if (!larger)
                break;
            past->data = larger;
        }
        n = fread(past->data + past->size, 1, room - past->size, file);
        past->size += n;
    }
    int r = n > 0 ? -EFBIG : ferror(file) ? -EIO : journal_header_check(past->data, past->size);
    fclose(file);
    return r;
}

/* Whole frames only; damage at the end is reported and left out. A checkpoint
 * is needed to begin with. */
static int find_frames(struct past *past, const char *path)
{
    size_t offset = JOURNAL_HEADER_SIZE, room = 0;
    struct frame frame;
    int r;

    while ((r = frame_next(past->data, past->size, &offset, &frame)) > 0) {
        if (past->n_frames == room) {
            struct frame *larger =
                realloc(past->frames, (room = room ? room * 2 : 1024) * sizeof(frame));
            if (!larger)
                return -ENOMEM;
            past->frames = larger;
        }
        past->frames[past->n_frames++] = frame;
        past->n_inputs += frame.kind == FRAME_INPUT;
    }
    if (r < 0)
        fprintf(stderr, "%s: %zu bytes at its end are damaged, and left out\n", path,
                past->size - offset);
    for (size_t i = 0; i < past->n_frames; i++)
        if (past->frames[i].kind == FRAME_CHECKPOINT)
            return 0;
    return -ENODATA;
}

/* NULL after a message. */
struct past *past_read(const char *path)
{
    struct past *past = calloc(1, sizeof(*past));
    int r = past ? read_file(past, path) : -ENOMEM;

    if (r == 0)
        r = find_frames(past, path);
    if (r == 0) {
        past->memory = memory_new(MEMORY);
        return past;
    }
    fprintf(stderr, "%s: %s\n", path,
            r == -EPROTONOSUPPORT ? "was written by another version of proctord"
            : r == -ENODATA       ? "has no checkpoint"
                                  : strerror(-r));
    past_free(past);
    return NULL;
}

void past_free(struct past *past)
{
    if (!past)
        return;
    memory_free(past->memory);
    free(past->frames);
    free(past->data);
    free(past);
}

size_t past_inputs(const struct past *past)
{
    return past->n_inputs;
}

/* ---- one life -------------------------------------------------------------------------------- */

struct told {
    uint64_t sequence;
    enum event_kind kind;
    uint64_t child; /* digest of its id */
};

struct living {
    struct past *past;
    struct life *life;
    struct core *core;
    uint64_t first_usec, now_usec;
    uint64_t first_sequence, last_sequence;
    struct told told[REMEMBER];
};

static void fail(struct living *living, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The first failure counts. */
static void fail(struct living *living, const char *format, ...)
{
    struct life *life = living->life;
    va_list arguments;

    if (life->fails)
        return;
    life->fails = true;
    va_start(arguments, format);
    vsnprintf(life->verdict, sizeof(life->verdict), format, arguments);
    va_end(arguments);
}

/* Times are counted from the first input. */
static void note(const struct living *living, const struct record *record)
{
    const struct life *life = living->life;
    struct record complete = *record;

    if (!life->observe)
        return;
    complete.input = life->inputs;
    complete.time_nsec =
        living->now_usec > living->first_usec ? (living->now_usec - living->first_usec) * 1000 : 0;
    complete.child = complete.child ? complete.child : "";
    complete.text = complete.text ? complete.text : "";
    life->observe(life->observe_userdata, &complete);
}

static uint64_t digest_of(const char *text)
{
    return digest_bytes(0, text, strlen(text));
}

/* Every event goes into the hash, and is remembered, so that the audit can be
 * compared with it. */
static void event(void *userdata, const struct event *event)
{
    struct living *living = userdata;
    struct life *life = living->life;
    const char *child = event->child ? event->child->id : "";
    uint64_t numbers[] = {event->kind,           event->generation, event->attempt,  event->cause,
                          event->monotonic_usec, event->sequence,   digest_of(child)};
    char text[RECORD_EVENT_TEXT];

    life->events++;
    life->hash = digest_bytes(life->hash, numbers, sizeof(numbers));
    living->first_sequence = living->first_sequence ? living->first_sequence : event->sequence;
    living->last_sequence = event->sequence;
    living->told[event->sequence % REMEMBER] =
        (struct told){event->sequence, event->kind, digest_of(child)};
    if (life->wanted && strcmp(event_kind_to_string(event->kind), life->wanted) == 0 &&
        (!life->wanted_child || strcmp(child, life->wanted_child) == 0))
        life->found = true;
    if (!life->observe)
        return;
    record_event_text(event, text);
    note(living, &(struct record){.kind = RECORD_EVENT,
                                  .what = event_kind_to_string(event->kind),
                                  .event = event->kind,
                                  .child = child,
                                  .has_attempt = event->child != NULL,
                                  .generation = event->generation,
                                  .attempt = event->attempt,
                                  .cause = event->cause,
                                  .text = text});
}

/* ---- ports: nothing is done, only replayed --- */

static uint64_t clock_now(void *userdata)
{
    const struct living *living = userdata;
    return living->now_usec;
}

static void *allocate(void *userdata, size_t size)
{
    const struct living *living = userdata;
    return memory_allocate(living->past->memory, size);
}

static void release(void *userdata, void *memory)
{
    const struct living *living = userdata;
    if (memory)
        memory_release(living->past->memory, memory);
}

static void call(const struct living *living, const char *what, const struct child *child,
                 struct attempt_id id)
{
    note(living, &(struct record){.kind = RECORD_CALL,
                                  .what = what,
                                  .child = child->id,
                                  .has_attempt = true,
                                  .generation = id.generation,
                                  .attempt = id.attempt});
}

static void port_start(void *userdata, struct child *child, struct attempt_id id)
{
    call(userdata, "start", child, id);
}

static void port_cancel(void *userdata, struct child *child, struct attempt_id id)
{
    call(userdata, "cancel", child, id);
}

static void port_abort(void *userdata, struct child *child, struct attempt_id id)
{
    call(userdata, "abort", child, id);
}

static void port_check(void *userdata, struct child *child, struct attempt_id id, uint32_t number)
{
    (void)number;
    call(userdata, "check", child, id);
}

static int port_kill(void *userdata, struct child *child, struct attempt_id id, int number,
                     bool whole)
{
    (void)number;
    (void)whole;
    call(userdata, "kill", child, id);
    return 0;
}

/* ---- frames --- */

/* The child that an input is about, for the log. */
static const char *child_of(const struct living *living, const struct core_input *input)
{
    const struct child *child;

    switch (input->kind) {
    case CORE_INPUT_COMMAND:
    case CORE_INPUT_COMMAND_SCOPE:
        return input->command.child;
    case CORE_INPUT_SPAWNED:
    case CORE_INPUT_SPAWN_FAILED:
    case CORE_INPUT_COMPLETED:
    case CORE_INPUT_NOTIFY:
    case CORE_INPUT_CHECKED:
    case CORE_INPUT_START_DELAYED:
    case CORE_INPUT_MAIN_EXITED:
        child = core_child_of(living->core, input->id);
        return child ? child->id : "(gone)";
    case CORE_INPUT_RUN_JOB:
        return input->tree.n_children > 0 ? input->tree.children[0].id : "";
    default:
        return "";
    }
}

/* An input as a line of the log. */
static void note_input(const struct living *living, const struct core_input *input)
{
    bool reports = core_input_carries(input->kind, CARRIES_ATTEMPT);
    char text[RECORD_EVENT_TEXT] = "";
    const struct command *command = &input->command;

    if (!living->life->observe)
        return;
    if (core_input_carries(input->kind, CARRIES_COMMAND))
        snprintf(text, sizeof(text), "%s%s by %.60s: %.100s", command->dry_run ? "dry run, " : "",
                 command_verb_to_string(command->verb), command->requester,
                 command->reason ? command->reason : "");
    else if (core_input_carries(input->kind, CARRIES_END) && input->completion.unknown)
        snprintf(text, sizeof(text), "how is not known");
    else if (core_input_carries(input->kind, CARRIES_END))
        snprintf(text, sizeof(text), input->completion.by_signal ? "signal %d" : "exit code %d",
                 input->completion.by_signal ? input->completion.signal : input->completion.code);
    else if (input->kind == CORE_INPUT_SPAWNED)
        snprintf(text, sizeof(text), "pid %" PRIu32, input->pid);
    else if (input->kind == CORE_INPUT_NOTIFY)
        record_message_text(&input->message, text);
    else if (input->kind == CORE_INPUT_CHECKED)
        snprintf(text, sizeof(text), "%s", input->passed ? "passed" : "missed");
    else if (input->kind <= CORE_INPUT_REDECLARE_SUPERVISOR)
        snprintf(text, sizeof(text), "%zu children, %zu supervisors", input->tree.n_children,
                 input->tree.n_supervisors);
    else if (input->requester)
        snprintf(text, sizeof(text), "by %.60s: %.100s", input->requester,
                 input->reason ? input->reason : "");
    else if (input->text)
        snprintf(text, sizeof(text), "%.160s", input->text);
    note(living, &(struct record){.kind = RECORD_INPUT,
                                  .what = core_input_kind_to_string(input->kind),
                                  .child = child_of(living, input),
                                  .has_attempt = reports,
                                  .generation = input->id.generation,
                                  .attempt = input->id.attempt,
                                  .text = text});
}

/* A child that runs already was started before the journal begins. */
static void note_those_that_run(const struct living *living)
{
    for (const struct child *child = core_first(living->core); child; child = core_next(child)) {
        struct record record = {.kind = RECORD_EVENT,
                                .child = child->id,
                                .has_attempt = true,
                                .generation = child->attempt.generation,
                                .attempt = child->attempt.number,
                                .text = "before the checkpoint"};
        if (!child->attempt.active)
            continue;
        record.event = EVENT_CHILD_STARTING;
        record.what = event_kind_to_string(record.event);
        note(living, &record);
        if (child->attempt.ready_usec == 0 && child->readiness != READINESS_READY)
            continue;
        record.event = EVENT_CHILD_READY;
        record.what = event_kind_to_string(record.event);
        note(living, &record);
    }
}

static void handle_input(void *userdata, const struct core_input *input)
{
    struct living *living = userdata;

    living->now_usec = input->monotonic_usec;
    living->first_usec = living->first_usec ? living->first_usec : input->monotonic_usec;
    living->life->inputs++;
    note_input(living, input);
}

/* What the audit has of an event that happened here too. */
static bool compare_note(struct living *living, const struct audit_note *audit)
{
    const struct told *told = &living->told[audit->sequence % REMEMBER];
    bool later = living->last_sequence > 0 && audit->sequence > living->last_sequence;
    bool known = told->sequence == audit->sequence;
    bool same = !known || (strcmp(event_kind_to_string(told->kind), audit->kind) == 0 &&
                           told->child == digest_of(audit->child));
    if (later || !same)
        fail(living, "event %" PRIu64 " was %s %s there, and here it %s%s", audit->sequence,
             audit->kind, audit->child, later ? "did not come" : "is ",
             later ? "" : event_kind_to_string(told->kind));
    living->life->compared += known;
    return same && !later;
}

/* A digest of the whole state was written when proctord ended. */
static bool compare_end(struct living *living, uint64_t there)
{
    uint64_t here;

    if (!digest_core(living->core, NULL, NULL, &here))
        return false;
    living->life->has_end = true;
    if (there != here)
        fail(living, "the core ended in another state there: %016" PRIx64 ", here %016" PRIx64,
             there, here);
    return there == here;
}

/* Where inputs are left out, what was seen there is no measure. */
static int compare(void *userdata, const struct frame *frame, struct archive *archive)
{
    struct living *living = userdata;
    struct audit_note audit = {};
    uint64_t state = 0;
    bool same = true;

    if (living->life->left_out)
        return 0;
    if (audit_read(archive, frame->kind, &audit)) {
        same = archive->failed || compare_note(living, &audit);
    } else if (frame->kind == FRAME_STATE) {
        ARCHIVE(archive, state);
        same = !archive->failed && compare_end(living, state);
    }
    return same ? 0 : -ECANCELED;
}

/* One frame of the journal. */
static bool handle(struct living *living, struct replay *replay, const struct frame *frame)
{
    bool begun = replay->begun;
    int r = replay_frame(replay, frame);

    if (r < 0 && frame->kind == FRAME_CHECKPOINT)
        fail(living, "the checkpoint cannot be read: %s", strerror(-r));
    else if (r < 0 && frame->kind == FRAME_INPUT)
        fail(living, "input %" PRIu64 " cannot be read", living->life->inputs + 1);
    else if (replay->begun && !begun)
        note_those_that_run(living);
    return r == 0;
}

/* All frames, or those that are not left out. */
static void live(void *userdata)
{
    struct living *living = userdata;
    struct past *past = living->past;
    struct life *life = living->life;
    struct core_settings settings = {};
    struct core_ports ports = core_ports_idle();
    size_t number = 0;

    ports.userdata = ports.sink = living;
    ports.monotonic = ports.realtime = clock_now;
    ports.allocate = allocate;
    ports.release = release;
    ports.start = port_start;
    ports.cancel = port_cancel;
    ports.abort = port_abort;
    ports.check = port_check;
    ports.kill = port_kill;
    ports.event = event;
    if (core_new(&ports, &settings, &living->core) < 0) {
        fail(living, "there is no memory for a core");
        return;
    }
    life->core = living->core;
    struct replay replay = {
        .core = living->core, .userdata = living, .input = handle_input, .other = compare};
    for (size_t i = 0; i < past->n_frames; i++) {
        bool input = past->frames[i].kind == FRAME_INPUT;
        if (input && life->until > 0 && life->inputs >= life->until)
            break;
        if (input && life->left_out && life->left_out[number++])
            continue;
        if (!handle(living, &replay, &past->frames[i]) || life->found)
            break;
    }
}

/* Entry. A core that stops at an assertion is a failure like others. */
void past_live(struct past *past, struct life *life)
{
    static struct living living; /* large */
    struct world *nobody = NULL;

    memset(&living, 0, sizeof(living));
    living.past = past;
    living.life = life;
    life->inputs = life->events = life->compared = life->hash = life->end_nsec = 0;
    life->found = life->fails = life->has_end = false;
    life->core = NULL;
    memory_reset(past->memory);
    if (!run_guarded(&nobody, live, &living, SECONDS)) {
        life->core = NULL;
        fail(&living, "the core stops at an assertion, at input %" PRIu64, life->inputs);
        note(&living, &(struct record){.kind = RECORD_VERDICT,
                                       .what = check_to_string(CHECK_INVARIANT),
                                       .text = life->verdict});
    }
    life->end_nsec =
        living.now_usec > living.first_usec ? (living.now_usec - living.first_usec) * 1000 : 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Writes a shorter journal, which can be replayed like the first. */
int past_write(const struct past *past, const bool *left_out, const char *path)
{
    uint8_t header[JOURNAL_HEADER_SIZE], head[FRAME_HEADER_SIZE];
    FILE *file = fopen(path, "we");
    size_t number = 0;

    if (!file)
        return -errno;
    journal_header_write(header);
    fwrite(header, 1, sizeof(header), file);
    for (size_t i = 0; i < past->n_frames; i++) {
        const struct frame *frame = &past->frames[i];
        bool input = frame->kind == FRAME_INPUT;
        if ((!input && frame->kind != FRAME_CHECKPOINT) || (input && left_out[number++]))
            continue;
        frame_header_write(head, frame->kind, frame->payload, frame->size);
        fwrite(head, 1, sizeof(head), file);
        fwrite(frame->payload, 1, frame->size, file);
    }
    bool bad = ferror(file);
    return fclose(file) == 0 && !bad ? 0 : -EIO;
}
