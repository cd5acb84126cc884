/*
 * The events that the reference expects, against those that came: kind, child,
 * attempt, cause and every field, in the order of the reference. The calls to
 * the host are compared in the same way.
 */
#include "checks/told.h"

#include "core/vocabulary/invariant.h"
#include "checks/checks.h"
#include "reference/told.h"
#include "world/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIELDS_MAX REF_TOLD_FIELDS
#define TEXT_MAX   48        /* of a text in a message of ours */
#define TEXTS_SIZE (1 << 20) /* of all events of an input */

struct core_field {
    const char *key;
    enum event_field_type type;
    uint64_t number;
    const char *text;
};

struct core_event {
    enum event_kind kind;
    const char *child;
    uint64_t generation, attempt, cause;
    uint32_t n_fields;
    struct core_field fields[FIELDS_MAX];
};

/* Of the input that is handled; a process handles one at a time. */
static struct ref_told_list expected;
static struct core_event told[REF_TOLD_MAX];
static uint32_t n_told;
static struct ref_call called[REF_CALLS_MAX];
static uint32_t n_called;
static char texts[TEXTS_SIZE];
static size_t texts_used;

void told_open(struct world *world)
{
    world->reference.told = &expected;
    world->reference.n_told = world->reference.n_calls = 0;
    n_told = n_called = 0;
    texts_used = 0;
}

void told_begin(struct world *world)
{
    world->reference.n_told = world->reference.n_calls = 0;
    n_told = n_called = 0;
    texts_used = 0;
}

/* ---- what the core says ---------------------------------------------------------------------- */

/* A text of the core's is valid only while it is told. */
static const char *keep_text(const char *text)
{
    size_t size = strlen(text) + 1;

    if (size > sizeof(texts) - texts_used)
        return ""; /* more than can be compared */
    char *kept = memcpy(texts + texts_used, text, size);
    texts_used += size;
    return kept;
}

static uint64_t number_of(const struct event_field *field)
{
    return field->type == FIELD_FLAG ? field->flag : field->number;
}

static struct core_field copy_of(const struct event_field *field)
{
    struct core_field copy = {.key = field->key, .type = field->type};

    if (field->type == FIELD_TEXT)
        copy.text = keep_text(field->text);
    else
        copy.number = number_of(field);
    return copy;
}

/* Copies an event, because its texts live no longer than the call. */
void told_event(struct world *world, const struct event *event)
{
    INVARIANT(event_is_sound(event));
    if (n_told++ >= REF_TOLD_MAX)
        return;

    struct core_event *its = &told[n_told - 1];
    const struct actor *actor = event->child ? event->child->host : NULL;
    (void)world;
    its->kind = event->kind;
    its->child = actor ? actor->declaration->id : NULL;
    its->generation = event->generation;
    its->attempt = event->attempt;
    its->cause = event->cause;
    its->n_fields = event->n_fields < FIELDS_MAX ? (uint32_t)event->n_fields : FIELDS_MAX;
    for (uint32_t i = 0; i < its->n_fields; i++)
        its->fields[i] = copy_of(&event->fields[i]);
}

/* ---- is it the same? ------------------------------------------------------------------------- */

static bool is_about(const struct core_event *its, const struct ref_told *wanted)
{
    return its->kind == wanted->kind && (its->child != NULL) == (wanted->child != NULL) &&
           (!its->child || strcmp(its->child, wanted->child) == 0);
}

static const struct core_field *find_field(const struct core_event *its, const char *key)
{
    for (uint32_t i = 0; i < its->n_fields; i++)
        if (strcmp(its->fields[i].key, key) == 0)
            return &its->fields[i];
    return NULL;
}

static bool is_same_field(const struct core_event *its, const struct event_field *wanted)
{
    const struct core_field *field = find_field(its, wanted->key);

    if (!field || field->type != wanted->type)
        return false;
    return field->type == FIELD_TEXT ? strcmp(field->text, wanted->text) == 0
                                     : field->number == number_of(wanted);
}

static const struct event_field none = FIELD_TEXT_OF("number of fields", "another one");

/* The first field that is different; NULL: none is. */
static const struct event_field *differs(const struct core_event *its,
                                         const struct ref_told *wanted)
{
    if (its->n_fields != wanted->n_fields)
        return &none;
    for (uint32_t i = 0; i < wanted->n_fields; i++)
        if (!is_same_field(its, &wanted->fields[i]))
            return &wanted->fields[i];
    return NULL;
}

static bool is_of_attempt(const struct core_event *its, const struct ref_told *wanted)
{
    return its->generation == wanted->generation && its->attempt == wanted->attempt;
}

static bool has_cause(const struct core_event *its, const struct ref_told *wanted)
{
    return !wanted->has_cause || its->cause == wanted->cause;
}

static bool is_same(const struct core_event *its, const struct ref_told *wanted)
{
    return is_about(its, wanted) && is_of_attempt(its, wanted) && has_cause(its, wanted) &&
           !differs(its, wanted);
}

/* ---- and where it is not --------------------------------------------------------------------- */

static void field_text(const struct core_field *field, char *text, size_t size)
{
    if (!field)
        snprintf(text, size, "nothing");
    else if (field->type == FIELD_TEXT)
        snprintf(text, size, "\"%.*s\"", TEXT_MAX - 1, field->text);
    else if (field->type == FIELD_FLAG)
        snprintf(text, size, "%s", field->number ? "true" : "false");
    else
        snprintf(text, size, "%" PRId64, (int64_t)field->number);
}

/* Names the first thing that differs: a field, the cause or the attempt. */
static void say_difference(struct world *world, const struct core_event *its,
                           const struct ref_told *wanted)
{
    const struct event_field *other = differs(its, wanted);
    char is[TEXT_MAX + 4], should[TEXT_MAX + 4];

    if (!other && !has_cause(its, wanted)) {
        world_fail(world, CHECK_TOLD, "%s of %s names command %ju, expected %ju",
                   event_kind_to_string(its->kind), its->child ? its->child : "the tree",
                   (uintmax_t)its->cause, (uintmax_t)wanted->cause);
        return;
    }
    if (!other) {
        world_fail(world, CHECK_TOLD, "%s of %s names attempt %ju/%ju, expected %ju/%ju",
                   event_kind_to_string(its->kind), its->child ? its->child : "the tree",
                   (uintmax_t)its->generation, (uintmax_t)its->attempt,
                   (uintmax_t)wanted->generation, (uintmax_t)wanted->attempt);
        return;
    }
    struct core_field copy = copy_of(other);
    field_text(find_field(its, other->key), is, sizeof(is));
    field_text(&copy, should, sizeof(should));
    world_fail(world, CHECK_TOLD, "%s of %s: %s is %s, expected %s",
               event_kind_to_string(its->kind), its->child ? its->child : "the tree", other->key,
               is, should);
}

static const char *name_of(const char *child)
{
    return child ? child : "the tree";
}

/* Where the list of the core is at `at`, and another event is expected there. */
static void say_missing(struct world *world, const struct ref_told *wanted, uint32_t at)
{
    for (uint32_t i = at; i < n_told; i++)
        if (is_same(&told[i], wanted)) {
            world_fail(world, CHECK_TOLD, "%s of %s comes before %s of %s, it is expected after",
                       event_kind_to_string(told[at].kind), name_of(told[at].child),
                       event_kind_to_string(wanted->kind), name_of(wanted->child));
            return;
        }
    for (uint32_t i = at; i < n_told; i++)
        if (is_about(&told[i], wanted)) {
            say_difference(world, &told[i], wanted);
            return;
        }
    world_fail(world, CHECK_TOLD, "%s of %s is not told", event_kind_to_string(wanted->kind),
               name_of(wanted->child));
}

/* Both lists in step; the first that is missing or too many is reported. */
static void compare_events(struct world *world)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < world->reference.n_told; i++) {
        const struct ref_told *wanted = &expected.events[i];
        if (at == n_told || !is_same(&told[at], wanted)) {
            say_missing(world, wanted, at);
            return;
        }
        at++;
    }
    if (at < n_told)
        world_fail(world, CHECK_TOLD, "%s of %s was emitted, but did not happen",
                   event_kind_to_string(told[at].kind), name_of(told[at].child));
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Notes a call to the host. */
void told_call(struct world *world, const struct actor *actor, enum ref_call_kind kind,
               struct attempt_id id, int64_t number, bool whole)
{
    (void)world;
    if (n_called++ < REF_CALLS_MAX)
        called[n_called - 1] = (struct ref_call){.kind = kind,
                                                 .child = actor->declaration->id,
                                                 .generation = id.generation,
                                                 .attempt = id.attempt,
                                                 .number = number,
                                                 .whole = whole};
}

static bool is_same_call(const struct ref_call *its, const struct ref_call *wanted)
{
    return its->kind == wanted->kind && its->generation == wanted->generation &&
           its->attempt == wanted->attempt && its->number == wanted->number &&
           its->whole == wanted->whole && strcmp(its->child, wanted->child) == 0;
}

/* A call as text, for the report of a difference. */
static void call_text(const struct ref_call *call, char *text, size_t size)
{
    static const char *const names[] = {
        [REF_CALL_START] = "start",   [REF_CALL_CANCEL] = "cancel",
        [REF_CALL_ABORT] = "abort",   [REF_CALL_ESCALATE] = "escalate",
        [REF_CALL_KILL] = "kill",     [REF_CALL_CHECK] = "check",
        [REF_CALL_FORGET] = "forget", [REF_CALL_CHECK_END] = "end of a check"};

    if (!call)
        snprintf(text, size, "nothing");
    else
        snprintf(text, size, "%s of %.40s %ju/%ju, %jd%s", names[call->kind], call->child,
                 (uintmax_t)call->generation, (uintmax_t)call->attempt, (intmax_t)call->number,
                 call->whole ? ", whole" : "");
}

/* The calls of one input, one by one. */
static void compare_calls(struct world *world)
{
    const struct ref *r = &world->reference;
    char is[96], should[96];

    for (uint32_t i = 0; i < r->n_calls || i < n_called; i++) {
        const struct ref_call *its = i < n_called ? &called[i] : NULL,
                              *wanted = i < r->n_calls ? &expected.calls[i] : NULL;
        if (its && wanted && is_same_call(its, wanted))
            continue;
        call_text(its, is, sizeof(is));
        call_text(wanted, should, sizeof(should));
        world_fail(world, CHECK_TOLD, "call %u is %s, expected %s", i + 1, is, should);
        return;
    }
}

void told_end(struct world *world)
{
    const struct ref *r = &world->reference;

    if (world->verdict.check != CHECK_NONE)
        return;
    if (n_told <= REF_TOLD_MAX && r->n_told <= REF_TOLD_MAX) /* else more than can be compared */
        compare_events(world);
    if (n_called <= REF_CALLS_MAX && r->n_calls <= REF_CALLS_MAX)
        compare_calls(world);
}
