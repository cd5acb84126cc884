/*
 * The moments of a story: what happens to proctord and its machine at a time,
 * and what must hold then.
 */
#include "whole/moment.h"

#include "bus/value.h"
#include "kernel/signals.h"
#include "machine/runner.h"
#include "whole/fact.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX 512
#define MANIFEST   "/etc/proctor/tree.yaml"
#define TRIES_MAX  70000 /* numbers that strangers take until one has the right one */

static void send(struct whole *whole, int signal)
{
    if (whole->proctord)
        signal_send(whole->machine->init, whole->machine->tasks, whole->proctord->pid, signal);
}

/* Told a second time, it hurries. */
static void tell_to_end(struct whole *whole)
{
    whole->watch.hurried = whole->is_told;
    whole->is_told = whole->proctord != NULL;
    send(whole, SIGTERM);
}

static void fail(struct whole *whole, const struct moment *moment, const char *text)
{
    machine_fail(whole->machine, "%zu:%zu: %s", moment->line, moment->column, text);
}

/* ---- processes ------------------------------------------------------------------------------- */

static struct habit *main_of(const struct whole *whole, const struct player *actor)
{
    for (struct habit *habit = whole->habits.list; habit; habit = habit->next)
        if (!habit->is_over && habit->is_main && habit->actor == actor)
            return habit;
    return NULL;
}

static void kill_main(struct whole *whole, const struct moment *moment)
{
    struct habit *habit = main_of(whole, &whole->story->actors[moment->which]);

    if (habit)
        signal_send_task(NULL, habit->task, SIGKILL, NULL);
}

static void kill_spawner(struct whole *whole)
{
    for (struct task *task = task_first(whole->machine->tasks); task; task = task->next)
        if (task_is_alive(task) && strcmp(task->threads->name, "proctor-spawner") == 0) {
            signal_send_task(NULL, task, SIGKILL, NULL);
            return;
        }
}

/* The number of the child's first process, which has ended. */
static pid_t number_of_first(const struct whole *whole, const struct player *actor)
{
    pid_t pid = 0;

    for (const struct habit *habit = whole->habits.list; habit; habit = habit->next)
        if (habit->actor == actor && habit->is_main && habit->is_over)
            pid = habit->task->pid;
    return pid;
}

/* Numbers wrap: a process gets it sooner or later, and leads a session and group of that number. */
static void let_stranger_take(struct whole *whole, const struct moment *moment)
{
    const struct task_birth birth = {};
    pid_t wanted = number_of_first(whole, &whole->story->actors[moment->which]), session;
    struct task *task;

    for (int tries = 0; wanted > 0 && tries < TRIES_MAX; tries++) {
        if (task_fork(whole->machine->init->threads, &birth, &task) < 0)
            break;
        if (task->pid == wanted) {
            task_new_session(task, &session);
            return;
        }
        task_exit(task, 0);
    }
    fail(whole, moment, "nobody gets the number");
}

/* ---- the bus --------------------------------------------------------------------------------- */

static void command(struct whole *whole, const struct moment *moment)
{
    const struct verb_options options = {.wait = moment->waits, .dry_run = moment->is_question};

    whole->asked++;
    if (!bus_plug_order(whole->bus, moment->member, moment->text, moment->reason, &options, moment))
        fail(whole, moment, "the operator has no bus");
}

/* "(\"Decision\" \"completed\")" somewhere in a text: its value without quotes. */
static bool find_value(const char *text, const char *key, char *value, size_t size)
{
    char wanted[64];

    snprintf(wanted, sizeof(wanted), "(\"%.50s\" ", key);
    const char *at = strstr(text, wanted);
    if (!at)
        return false;
    at += strlen(wanted);
    at += *at == '"';
    size_t length = strcspn(at, "\")");
    snprintf(value, size, "%.*s", (int)length, at);
    return true;
}

/* The fields of an answer that a step names. */
static void check_outcome(struct whole *whole, const struct moment *moment, const char *text)
{
    char key[64], value[ANSWER_MAX];

    for (size_t i = 0; i < moment->n_claims; i++) {
        const struct story_claim *claim = &moment->claims[i];
        fact_name_of_bus(claim->fact, key, sizeof(key));
        if (!find_value(text, key, value, sizeof(value)))
            snprintf(value, sizeof(value), "not there");
        if (strcmp(value, claim->value) != 0)
            machine_fail(whole->machine, "%zu:%zu: %s is %.60s, and not %s (of %s)", claim->line,
                         claim->column, claim->fact, value, claim->value, moment->text);
    }
}

static bool is_of_story(const struct whole *whole, const void *about)
{
    const struct moment *first = whole->story->moments;

    return (const char *)about >= (const char *)first &&
           (const char *)about < (const char *)(first + whole->story->n_moments);
}

/* A command of the story is answered. No answer is no fault if proctord has
 * gone. */
void moment_answered(struct whole *whole, const struct peer_call *call,
                     const struct bus_message *answer)
{
    const struct moment *moment = call->about;
    struct wire_reader reader = bus_message_read(answer);
    bool is_error = answer->type == MESSAGE_ERROR;

    if (!is_of_story(whole, moment))
        return;
    whole->answered++;
    char *text = value_text(&reader, answer->signature ? answer->signature : "");
    if (whole->told)
        fprintf(whole->told, "-- answer to %s of %s: %s %s\n", call->member, call->child,
                is_error ? answer->error : "", text);
    if (is_error && strcmp(answer->error, BUS_ERROR("NoReply")) == 0)
        ; /* proctord has gone meanwhile */
    else if (is_error != (moment->refused != NULL) || (is_error && !strstr(text, moment->refused) &&
                                                       !strstr(answer->error, moment->refused)))
        machine_fail(whole->machine, "%zu:%zu: %s of %s gets %.120s", moment->line, moment->column,
                     call->member, call->child, text);
    else if (!is_error)
        check_outcome(whole, moment, text);
    free(text);
}

void moment_check_answers(struct whole *whole)
{
    if (whole->answered < whole->asked)
        machine_fail(whole->machine, "%u commands of the story have no answer",
                     whole->asked - whole->answered);
}

/* ---- what must be so ------------------------------------------------------------------------- */

/* Facts that must hold now. */
static void expect(struct whole *whole, const struct moment *moment)
{
    char value[ANSWER_MAX];

    for (size_t i = 0; i < moment->n_claims; i++) {
        const struct story_claim *claim = &moment->claims[i];
        if (!fact_holds(whole, moment->text, claim, value, sizeof(value)))
            machine_fail(whole->machine, "%zu:%zu: %s%s%s is %.100s, and not %s", claim->line,
                         claim->column, claim->fact, moment->text ? " of " : "",
                         moment->text ? moment->text : "", value, claim->value);
    }
}

static uint64_t count_ended(const struct whole *whole)
{
    uint64_t n = 0;

    for (const struct habit *habit = whole->habits.list; habit; habit = habit->next)
        n += habit->is_over;
    return n;
}

static void remember(struct whole *whole)
{
    whole->descriptors = fact_descriptors(whole);
    whole->at_rest = fact_descriptors_at_rest(whole);
    whole->launches = whole->habits.launches;
    whole->ended = count_ended(whole);
    whole->had_bus = bus_plug_has_proctord(whole->bus);
}

/* Each of them may have a pipe that waits for its next start, and journald's socket behind it. */
static size_t count_idle(const struct whole *whole)
{
    size_t n = 0;

    for (size_t i = 0; i < whole->story->n_actors; i++)
        n += whole->story->actors[i].is_child && !main_of(whole, &whole->story->actors[i]);
    return n;
}

/* Only where nothing else has happened meanwhile. */
static void check_rest(struct whole *whole)
{
    size_t now = fact_descriptors_at_rest(whole);

    if (whole->launches != whole->habits.launches || whole->ended != count_ended(whole) ||
        whole->story->faults.call_error > 0 || !whole->has_come_up || !whole->had_bus ||
        !bus_plug_has_proctord(whole->bus))
        return;
    if (whole->at_rest > now + 2 * count_idle(whole))
        machine_fail(whole->machine, "proctord had %zu descriptors, and has %zu after an upgrade",
                     whole->at_rest, now);
}

/* To and fro. */
static void change_manifest(struct whole *whole)
{
    const struct story *story = whole->story;

    whole->is_changed = !whole->is_changed;
    machine_replace_file(whole->machine, MANIFEST,
                         whole->is_changed ? story->changed : story->manifest);
    send(whole, SIGHUP);
}

/* Moments that only scenarios have. */
static void happen_in_scenario(struct whole *whole, const struct moment *moment)
{
    switch (moment->kind) {
    case MOMENT_SIGNAL:
        send(whole, (int)moment->which);
        break;
    case MOMENT_COMMAND:
        command(whole, moment);
        break;
    case MOMENT_EXPECT:
        expect(whole, moment);
        break;
    case MOMENT_MANIFEST:
        machine_replace_file(whole->machine, MANIFEST, moment->text);
        break;
    case MOMENT_MUTE_BUS:
        bus_plug_set_mute(whole->bus, !bus_plug_is_mute(whole->bus));
        break;
    case MOMENT_HANG:
        whole->hanging = moment->text;
        break;
    case MOMENT_STRANGER:
        let_stranger_take(whole, moment);
        break;
    case MOMENT_REMEMBER:
        remember(whole);
        break;
    case MOMENT_REST:
        check_rest(whole);
        break;
    default:
        break;
    }
}

static void end_run(struct whole *whole)
{
    if (whole->story->faults.call_error == 0) { /* sd-bus drops a message that sendmsg(2) fails */
        bus_plug_check_answers(whole->bus, whole->started_nsec);
        moment_check_answers(whole);
    }
    promises_check_rest(&whole->promises);
    whole->phase = WHOLE_ENDS;
    tell_to_end(whole);
}

/* One moment. */
void moment_happen(struct whole *whole, const struct moment *moment)
{
    if (whole->told)
        fprintf(whole->told, "-- %s %u\n", moment_words[moment->kind], moment->which);
    switch (moment->kind) {
    case MOMENT_END:
        end_run(whole);
        break;
    case MOMENT_KILL:
        send(whole, SIGKILL);
        break;
    case MOMENT_KILL_AT:
        whole->kill_calls = moment->which + 1;
        break;
    case MOMENT_REEXECUTE:
        send(whole, SIGUSR1);
        break;
    case MOMENT_RELOAD:
        send(whole, SIGHUP);
        break;
    case MOMENT_DIE:
        kill_main(whole, moment);
        break;
    case MOMENT_KILL_SPAWNER:
        kill_spawner(whole);
        break;
    case MOMENT_POWER:
        whole->lost_power = true;
        break;
    case MOMENT_BUS:
        if (bus_plug_is_there(whole->bus))
            bus_plug_die(whole->bus);
        else
            bus_plug_start(whole->bus);
        break;
    case MOMENT_JOURNALD:
        if (whole->story->journald)
            journald_change(whole->journald);
        break;
    case MOMENT_CHANGE:
        change_manifest(whole);
        break;
    case MOMENT_COMPARE:
        bus_plug_begin_check(whole->bus);
        break;
    case MOMENT_STOP:
        whole->is_stopped = true;
        tell_to_end(whole);
        break;
    case MOMENT_CLOCK:
        whole->promises.clock_went_back |= moment->change_nsec < 0;
        machine_set_clock(whole->machine, moment->change_nsec);
        break;
    default:
        happen_in_scenario(whole, moment);
        break;
    }
    whole->is_last = moment->is_end;
}
