#include "checks/told.h"

#include "checks/checks.h"
#include "core/vocabulary/text.h"
#include "reference/told.h"
#include "world/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 10
#define TEXT_MAX                                                                                   \
    48 /* of the text of a field: a word; of a longer one the beginning is compared                \
        */

struct core_field {
    const char *key;
    enum event_field_type type;
    uint64_t number;
    char text[TEXT_MAX];
};

struct core_event {
    enum event_kind kind;
    const char *child;
    uint64_t generation, attempt, cause;
    uint32_t n_fields;
    bool known; /* the reference model has it, too */
    struct core_field fields[FIELDS_MAX];
};

/* Of the input that is handled; a process handles one at a time. */
static struct ref_told_list expected;
static struct core_event told[REF_TOLD_MAX];
static uint32_t n_told;

/* Those that are not: a simulated daemon neither announces its start nor refuses a manifest, as its
 * files are not part of this world. */
static bool is_compared(enum event_kind kind)
{
    return kind != EVENT_SUPERVISOR_STARTED && kind != EVENT_CHILD_DECLARATION_REJECTED;
}

void told_open(struct world *world)
{
    world->reference.told = &expected;
    world->reference.n_told = 0;
    n_told = 0;
}

void told_begin(struct world *world)
{
    world->reference.n_told = 0;
    n_told = 0;
}

/* ---- what the core says ---------------------------------------------------------------------- */

static struct core_field copy_of(const struct event_field *field)
{
    struct core_field copy = {.key = field->key, .type = field->type};

    if (field->type == FIELD_TEXT)
        text_copy(copy.text, sizeof(copy.text), field->text);
    else if (field->type == FIELD_FLAG)
        copy.number = field->flag;
    else
        copy.number = field->number;
    return copy;
}

void told_event(struct world *world, const struct event *event)
{
    if (!is_compared(event->kind) || n_told++ >= REF_TOLD_MAX)
        return;

    struct core_event *its = &told[n_told - 1];
    const struct actor *actor = event->child ? event->child->host : NULL;
    (void)world;
    its->kind = event->kind;
    its->child = actor ? actor->declaration->id : NULL;
    its->generation = event->generation;
    its->attempt = event->attempt;
    its->cause = event->cause;
    its->known = false;
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
    struct core_field other = copy_of(wanted);
    const struct core_field *field = find_field(its, wanted->key);

    return field && field->type == other.type && field->number == other.number &&
           strcmp(field->text, other.text) == 0;
}

/* The first field that is different; NULL: none is. */
static const struct event_field *differs(const struct core_event *its,
                                         const struct ref_told *wanted)
{
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

static struct core_event *find_same(const struct ref_told *wanted)
{
    for (uint32_t i = 0; i < n_told; i++)
        if (!told[i].known && is_about(&told[i], wanted) && is_of_attempt(&told[i], wanted) &&
            has_cause(&told[i], wanted) && !differs(&told[i], wanted))
            return &told[i];
    return NULL;
}

/* ---- and where it is not --------------------------------------------------------------------- */

static void field_text(const struct core_field *field, char *text, size_t size)
{
    if (!field)
        snprintf(text, size, "nothing");
    else if (field->type == FIELD_TEXT)
        snprintf(text, size, "\"%s\"", field->text);
    else if (field->type == FIELD_FLAG)
        snprintf(text, size, "%s", field->number ? "true" : "false");
    else
        snprintf(text, size, "%" PRId64, (int64_t)field->number);
}

static void say_difference(struct world *world, const struct core_event *its,
                           const struct ref_told *wanted)
{
    const struct event_field *other = differs(its, wanted);
    char is[TEXT_MAX + 2], should[TEXT_MAX + 2];

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

static void say_missing(struct world *world, const struct ref_told *wanted)
{
    for (uint32_t i = 0; i < n_told; i++)
        if (!told[i].known && is_about(&told[i], wanted)) {
            say_difference(world, &told[i], wanted);
            return;
        }
    world_fail(world, CHECK_TOLD, "%s of %s is not told", event_kind_to_string(wanted->kind),
               wanted->child ? wanted->child : "the tree");
}

void told_end(struct world *world)
{
    const struct ref *r = &world->reference;

    if (n_told > REF_TOLD_MAX || r->n_told > REF_TOLD_MAX || world->verdict.check != CHECK_NONE)
        return; /* more than can be compared */
    for (uint32_t i = 0; i < r->n_told; i++) {
        if (!is_compared(expected.events[i].kind))
            continue;
        struct core_event *its = find_same(&expected.events[i]);
        if (!its) {
            say_missing(world, &expected.events[i]);
            return;
        }
        its->known = true;
    }
    for (uint32_t i = 0; i < n_told; i++)
        if (!told[i].known) {
            world_fail(world, CHECK_TOLD, "%s of %s was emitted, but did not happen",
                       event_kind_to_string(told[i].kind),
                       told[i].child ? told[i].child : "the tree");
            return;
        }
}
