/*
 * The facts that scenarios can ask about: a table with a name, a type, and a
 * function that finds the value. A new fact is a line here.
 */
#include "scenario/facts.h"

#include "core/model/start_wait.h"
#include "core/rules/dependency.h"
#include "core/vocabulary/invariant.h"
#include "system/number.h"
#include "manifest/unit.h"
#include "world/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- of a child ------------------------------------------------------------------------------ */

#define OF_CHILD(name, expression)                                                                 \
    static uint64_t of_##name(struct world *world, const struct actor *actor)                      \
    {                                                                                              \
        const struct child *child = actor ? actor->child : NULL;                                   \
        (void)world;                                                                               \
        (void)child;                                                                               \
        return (uint64_t)(expression);                                                             \
    }

OF_CHILD(exists, child != NULL)
OF_CHILD(processes, actor ? world_processes(actor) : 0)
OF_CHILD(shutdown, core_shutdown_phase(world->core))
OF_CHILD(ends_with, core_shutdown_exit_code(world->core))
OF_CHILD(operation, child ? child->operation : CHILD_REMOVED)
OF_CHILD(status, child ? child_status(child) : CHILD_STATUS_NONE)
OF_CHILD(generation, child ? child->generation : 0)
OF_CHILD(attempt, child ? child_attempt(child) : 0)
OF_CHILD(starts, child ? child->attempts : 0)
OF_CHILD(stop_state, child ? child->stop_state : STOP_NO_ACTIVE_ATTEMPT)
OF_CHILD(readiness, child ? child->readiness : READINESS_UNREPORTED)
OF_CHILD(reload, child ? child->reload_result : RELOAD_NONE)
OF_CHILD(fence, child ? child->fence_phase : FENCE_OPEN)
OF_CHILD(pending, child && child->pending.active)
OF_CHILD(failure, child ? child->failure->phase : FAILURE_NONE)
OF_CHILD(used, child ? child->restart_limit.used : 0)
OF_CHILD(remaining, child ? restart_limit_view(&child->restart_limit).remaining : 0)
OF_CHILD(exhausted, child &&restart_limit_view(&child->restart_limit).exhausted)
OF_CHILD(waiting, child && child->start == START_DEPENDENCY)
OF_CHILD(wanted, child && child->wanted)
OF_CHILD(waits_for, child ? child_waits_for(child) : START_WAITS_FOR_NOTHING)
OF_CHILD(waits_by_requires, child &&child_awaits(child).required)
OF_CHILD(stale, child && child->heartbeat_stale)
OF_CHILD(change_waits, child && child->next_config != NULL)
OF_CHILD(exit, child ? child->last_exit->kind : EXIT_NONE)
OF_CHILD(decision, child ? child->last_exit->decision : DECISION_RESTART)
OF_CHILD(restart_count, child ? child->restart_count : 0)
OF_CHILD(stale_reports, child ? child->last_stale->count : 0)
OF_CHILD(left, child ? child->left : 0)
OF_CHILD(result, child ? child->shutdown->result : SHUTDOWN_PENDING)
OF_CHILD(queued, child && child->start == START_QUEUED)
OF_CHILD(in_flight, child ? child->member.supervisor->in_flight : 0)
OF_CHILD(supervisor_used, child ? child->member.supervisor->limit.used : 0)
OF_CHILD(supervisor_state,
         child ? supervisor_state(world->core, child->member.supervisor) : SUPERVISOR_RUNNING)
OF_CHILD(group_used, child && child->group ? child->group->limit.used : 0)
/* The job that a child called jobs/N is, or was. */
static const struct job *job_of(const struct world *world, const struct actor *actor)
{
    const char *id = actor ? actor->declaration->id : "";
    size_t length = strlen(JOB_SUPERVISOR "/");

    if (strncmp(id, JOB_SUPERVISOR "/", length) != 0)
        return NULL;
    const char *number = id + length;
    uint64_t n;
    return number_take(&number, &n) == 0 ? core_find_job(world->core, n) : NULL;
}

#define OF_JOB(name, expression)                                                                   \
    static uint64_t of_##name(struct world *world, const struct actor *actor)                      \
    {                                                                                              \
        const struct job *job = job_of(world, actor);                                              \
        return (uint64_t)(job ? (expression) : 0);                                                 \
    }

OF_JOB(job_state, job->state)
OF_JOB(job_result, job->result)
OF_JOB(job_bytes, job->output.size)
OF_JOB(job_truncated, job->output.truncated)
OF_JOB(job_wall, job->finished_usec > 0 ? job->finished_usec - job->started_usec : 0)
OF_JOB(job_cpu, job->cpu_usec)
OF_CHILD(restart_in, child && child->timers[TIMER_START].deadline_usec > 0
                         ? child->timers[TIMER_START].deadline_usec - world_usec(world)
                         : 0)
OF_CHILD(heartbeat_age, child && child->heartbeat_usec_monotonic > 0
                            ? world_usec(world) - child->heartbeat_usec_monotonic
                            : 0)

/* ---- of an outcome --------------------------------------------------------------------------- */

#define OF_OUTCOME(name, expression)                                                               \
    static uint64_t outcome_##name(const struct outcome *outcome)                                  \
    {                                                                                              \
        return (uint64_t)(expression);                                                             \
    }

OF_OUTCOME(decision, outcome->fence.decision)
OF_OUTCOME(cancel_delivered, outcome->cancel_delivered)
OF_OUTCOME(idempotent, outcome->idempotent)
OF_OUTCOME(attempt, outcome->attempt)
OF_OUTCOME(generation, outcome->generation)
OF_OUTCOME(operation, outcome->operation_after)
OF_OUTCOME(operation_before, outcome->operation_before)
OF_OUTCOME(status, outcome->status)
OF_OUTCOME(stop_state, outcome->stop_state)
OF_OUTCOME(readiness, outcome->readiness)
OF_OUTCOME(reload, outcome->reload)
OF_OUTCOME(used, outcome->restart_limit.used)
OF_OUTCOME(failure, outcome->failure.phase)
OF_OUTCOME(old_generation, outcome->fence.old_generation)
OF_OUTCOME(old_attempt, outcome->fence.old_attempt)
OF_OUTCOME(target_generation, outcome->fence.target_generation)
OF_OUTCOME(duplicate_request_count, outcome->fence.duplicate_request_count)
OF_OUTCOME(abort_requested, outcome->fence.abort_requested)
OF_OUTCOME(conflict, outcome->fence.conflict[0] != '\0')
OF_OUTCOME(dry_run, outcome->dry_run)
OF_OUTCOME(would_start, (outcome->plan & PLAN_START) != 0)
OF_OUTCOME(would_bring, (outcome->plan & PLAN_BRING) != 0)

/* ---- the tables ------------------------------------------------------------------------------ */

#define WORDS_OF(enumeration, name)                                                                \
    static const char *name##_word(int value)                                                      \
    {                                                                                              \
        return name##_to_string((enum enumeration)value);                                          \
    }

WORDS_OF(child_operation, child_operation)
WORDS_OF(child_status, child_status)
WORDS_OF(stop_state, stop_state)
WORDS_OF(readiness, readiness)
WORDS_OF(reload_result, reload_result)
WORDS_OF(fence_phase, fence_phase)

/* YAML has no word for nothing. */
static const char *start_wait_word(int value)
{
    return value == START_WAITS_FOR_NOTHING ? "nothing"
                                            : start_wait_to_string((enum start_wait)value);
}

WORDS_OF(fence_decision, fence_decision)
WORDS_OF(failure_phase, failure_phase)
WORDS_OF(exit_kind, exit_kind)
WORDS_OF(exit_decision, exit_decision)
WORDS_OF(shutdown_phase, shutdown_phase)
WORDS_OF(shutdown_result, shutdown_result)
WORDS_OF(supervisor_state, supervisor_state)
WORDS_OF(job_state, job_state)
WORDS_OF(job_result, job_result)

static const struct fact child_facts[] = {
    {"status", FACT_WORD, child_status_word, CHILD_STOPPED + 1, of_status, NULL},
    {"operation", FACT_WORD, child_operation_word, CHILD_REMOVED + 1, of_operation, NULL},
    {"generation", FACT_NUMBER, NULL, 0, of_generation, NULL},
    {"attempt", FACT_NUMBER, NULL, 0, of_attempt, NULL},
    {"starts", FACT_NUMBER, NULL, 0, of_starts, NULL},
    {"processes", FACT_NUMBER, NULL, 0, of_processes, NULL},
    {"stop_state", FACT_WORD, stop_state_word, STOP_FAILED + 1, of_stop_state, NULL},
    {"readiness", FACT_WORD, readiness_word, READINESS_NOT_READY + 1, of_readiness, NULL},
    {"reload", FACT_WORD, reload_result_word, RELOAD_FAILED + 1, of_reload, NULL},
    {"fence", FACT_WORD, fence_phase_word, FENCE_CLOSED + 1, of_fence, NULL},
    {"pending", FACT_FLAG, NULL, 0, of_pending, NULL},
    {"failure", FACT_WORD, failure_phase_word, FAILURE_WAIT_ABORT + 1, of_failure, NULL},
    {"used", FACT_NUMBER, NULL, 0, of_used, NULL},
    {"remaining", FACT_NUMBER, NULL, 0, of_remaining, NULL},
    {"exhausted", FACT_FLAG, NULL, 0, of_exhausted, NULL},
    {"waiting", FACT_FLAG, NULL, 0, of_waiting, NULL},
    {"wanted", FACT_FLAG, NULL, 0, of_wanted, NULL},
    {"waits_for", FACT_WORD, start_wait_word, START_QUEUED + 1, of_waits_for, NULL},
    {"waits_by_requires", FACT_FLAG, NULL, 0, of_waits_by_requires, NULL},
    {"stale", FACT_FLAG, NULL, 0, of_stale, NULL},
    {"heartbeat_age", FACT_DURATION, NULL, 0, of_heartbeat_age, NULL},
    {"change_waits", FACT_FLAG, NULL, 0, of_change_waits, NULL},
    {"exit", FACT_WORD, exit_kind_word, EXIT_SPAWN_FAILED + 1, of_exit, NULL},
    {"decision", FACT_WORD, exit_decision_word, DECISION_MELTDOWN + 1, of_decision, NULL},
    {"restart_count", FACT_NUMBER, NULL, 0, of_restart_count, NULL},
    {"queued", FACT_FLAG, NULL, 0, of_queued, NULL},
    {"in_flight", FACT_NUMBER, NULL, 0, of_in_flight, NULL},
    {"supervisor_used", FACT_NUMBER, NULL, 0, of_supervisor_used, NULL},
    {"supervisor_state", FACT_WORD, supervisor_state_word, SUPERVISOR_STOPPED + 1,
     of_supervisor_state, NULL},
    {"group_used", FACT_NUMBER, NULL, 0, of_group_used, NULL},
    {"job_state", FACT_WORD, job_state_word, JOB_FINISHED + 1, of_job_state, NULL},
    {"job_result", FACT_WORD, job_result_word, JOB_SUPERVISOR_STOPPED + 1, of_job_result, NULL},
    {"job_bytes", FACT_NUMBER, NULL, 0, of_job_bytes, NULL},
    {"job_truncated", FACT_FLAG, NULL, 0, of_job_truncated, NULL},
    {"job_wall", FACT_DURATION, NULL, 0, of_job_wall, NULL},
    {"job_cpu", FACT_DURATION, NULL, 0, of_job_cpu, NULL},
    {"restart_in", FACT_DURATION, NULL, 0, of_restart_in, NULL},
    {"stale_reports", FACT_NUMBER, NULL, 0, of_stale_reports, NULL},
    {"left", FACT_NUMBER, NULL, 0, of_left, NULL},
    {"result", FACT_WORD, shutdown_result_word, SHUTDOWN_LATE_REPORT + 1, of_result, NULL},
    {"exists", FACT_FLAG, NULL, 0, of_exists, NULL},
    {"shutdown", FACT_WORD, shutdown_phase_word, SHUTDOWN_COMPLETED + 1, of_shutdown, NULL},
    {"ends_with", FACT_NUMBER, NULL, 0, of_ends_with, NULL},
    {},
};

static const struct fact outcome_facts[] = {
    {"decision", FACT_WORD, fence_decision_word, FENCE_REJECTED + 1, NULL, outcome_decision},
    {"cancel_delivered", FACT_FLAG, NULL, 0, NULL, outcome_cancel_delivered},
    {"idempotent", FACT_FLAG, NULL, 0, NULL, outcome_idempotent},
    {"attempt", FACT_NUMBER, NULL, 0, NULL, outcome_attempt},
    {"generation", FACT_NUMBER, NULL, 0, NULL, outcome_generation},
    {"operation", FACT_WORD, child_operation_word, CHILD_REMOVED + 1, NULL, outcome_operation},
    {"operation_before", FACT_WORD, child_operation_word, CHILD_REMOVED + 1, NULL,
     outcome_operation_before},
    {"status", FACT_WORD, child_status_word, CHILD_STOPPED + 1, NULL, outcome_status},
    {"stop_state", FACT_WORD, stop_state_word, STOP_FAILED + 1, NULL, outcome_stop_state},
    {"readiness", FACT_WORD, readiness_word, READINESS_NOT_READY + 1, NULL, outcome_readiness},
    {"reload", FACT_WORD, reload_result_word, RELOAD_FAILED + 1, NULL, outcome_reload},
    {"used", FACT_NUMBER, NULL, 0, NULL, outcome_used},
    {"failure", FACT_WORD, failure_phase_word, FAILURE_WAIT_ABORT + 1, NULL, outcome_failure},
    {"old_generation", FACT_NUMBER, NULL, 0, NULL, outcome_old_generation},
    {"old_attempt", FACT_NUMBER, NULL, 0, NULL, outcome_old_attempt},
    {"target_generation", FACT_NUMBER, NULL, 0, NULL, outcome_target_generation},
    {"duplicate_request_count", FACT_NUMBER, NULL, 0, NULL, outcome_duplicate_request_count},
    {"abort_requested", FACT_FLAG, NULL, 0, NULL, outcome_abort_requested},
    {"conflict", FACT_FLAG, NULL, 0, NULL, outcome_conflict},
    {"dry_run", FACT_FLAG, NULL, 0, NULL, outcome_dry_run},
    {"would_start", FACT_FLAG, NULL, 0, NULL, outcome_would_start},
    {"would_bring", FACT_FLAG, NULL, 0, NULL, outcome_would_bring},
    {},
};

/* ---- reading --------------------------------------------------------------------------------- */

/* The words are those of the program itself, and a wrong one is answered with
 * all of them. */
static int read_word(struct reader *reader, const struct node *node, const struct fact *fact,
                     uint64_t *value)
{
    char expected[300] = "one of ";
    size_t length = strlen(expected);
    const char *text;

    for (int i = 0; i < fact->words; i++)
        length += (size_t)snprintf(expected + length, sizeof(expected) - length, "%s%s",
                                   i > 0 ? ", " : "", fact->to_string(i));
    text = reader_scalar(reader, node, expected);
    if (!text)
        return -EINVAL;
    for (int i = 0; i < fact->words; i++)
        if (strcmp(fact->to_string(i), text) == 0) {
            *value = (uint64_t)i;
            return 0;
        }
    return reader_refuse(reader, node, "expected %s, got \"%.60s\"", expected, text);
}

/* Each type is read in its own way. */
static int read_value(struct reader *reader, const struct node *node, const struct fact *fact,
                      uint64_t *value)
{
    bool flag;
    int r;

    switch (fact->type) {
    case FACT_NUMBER:
        return reader_number(reader, node, UINT32_MAX, value);
    case FACT_FLAG:
        r = reader_bool(reader, node, &flag);
        *value = r == 0 && flag;
        return r;
    case FACT_WORD:
        return read_word(reader, node, fact, value);
    case FACT_DURATION:
        return reader_duration(reader, node, value);
    }
    __builtin_unreachable();
}

static bool listed(const char *const *words, const char *word)
{
    for (; words && *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

static int refuse_unknown(struct reader *reader, const struct node *node, const struct fact *facts)
{
    char known[500] = "";
    size_t length = 0;

    for (const struct fact *fact = facts; fact->name; fact++)
        length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s",
                                   fact == facts ? "" : ", ", fact->name);
    return reader_refuse(reader, node, "unknown key, expected one of %s", known);
}

/* One fact with its value. */
static int read_claim(struct reader *reader, const struct node *key, const struct node *value,
                      const struct fact *facts, struct claims *claims)
{
    const char *name = key->text;
    const struct fact *fact = facts;

    while (fact->name && strcmp(fact->name, name) != 0)
        fact++;
    if (!fact->name)
        return refuse_unknown(reader, key, facts);
    if (claims->count == CLAIMS_MAX)
        return reader_refuse(reader, key, "more than %d facts at once", CLAIMS_MAX);
    struct claim *claim = &claims->claims[claims->count++];
    *claim = (struct claim){.fact = fact, .line = key->line, .column = key->column};
    return read_value(reader, value, fact, &claim->value);
}

/* A mapping of facts; `others` are keys that mean something else. */
static int read_claims(struct reader *reader, const struct node *node, const struct fact *facts,
                       const char *const *others, struct claims *claims)
{
    claims->child = "";
    if (node->kind != NODE_MAPPING)
        return reader_refuse(reader, node, "expected a mapping of facts to values");
    for (const struct pair *pair = node->pairs; pair < node->pairs + node->count; pair++) {
        const struct node *key = pair->key;
        const struct node *value = pair->value;
        const char *name = reader_scalar(reader, key, "the name of a fact");
        if (!name)
            return -EINVAL;
        if (listed(others, name))
            continue;
        size_t mark = reader_enter(reader, name);
        int r = 0;
        if (facts == child_facts && strcmp(name, "child") == 0) {
            const char *child = reader_scalar(reader, value, "the name of a child");
            claims->child = child ? arena_copy(reader->arena, child, strlen(child)) : "";
            r = child ? 0 : -EINVAL;
        } else {
            r = read_claim(reader, key, value, facts, claims);
        }
        if (r < 0)
            return r;
        reader_leave(reader, mark);
    }
    return 0;
}

int facts_read_child(struct reader *reader, const struct node *node, const char *const *others,
                     struct claims *claims)
{
    INVARIANT(reader->arena && node);
    return read_claims(reader, node, child_facts, others, claims);
}

int facts_read_outcome(struct reader *reader, const struct node *node, struct claims *claims)
{
    INVARIANT(reader->arena && node);
    return read_claims(reader, node, outcome_facts, NULL, claims);
}

/* ---- checking -------------------------------------------------------------------------------- */

/* Fact and value, as in the scenario. */
static const char *describe(const struct fact *fact, uint64_t value, char *buffer, size_t size)
{
    switch (fact->type) {
    case FACT_NUMBER:
        snprintf(buffer, size, "%s: %" PRIu64, fact->name, value);
        break;
    case FACT_FLAG:
        snprintf(buffer, size, "%s: %s", fact->name, value ? "true" : "false");
        break;
    case FACT_WORD:
        snprintf(buffer, size, "%s: %s", fact->name,
                 value < (uint64_t)fact->words ? fact->to_string((int)value) : "?");
        break;
    case FACT_DURATION:
        snprintf(buffer, size, "%s: %" PRIu64 ".%06" PRIu64 "s", fact->name, value / 1000000,
                 value % 1000000);
        break;
    }
    return buffer;
}

const char *facts_describe(const struct claim *claim)
{
    static char buffer[80];
    return describe(claim->fact, claim->value, buffer, sizeof(buffer));
}

/* Returns the first claim that does not hold, NULL if all do. */
const struct claim *facts_check_child(struct world *world, const struct claims *claims,
                                      const char **is)
{
    static char buffer[80];
    const struct actor *actor = claims->child[0] ? world_find(world, claims->child) : NULL;

    for (size_t i = 0; i < claims->count; i++) {
        const struct claim *claim = &claims->claims[i];
        uint64_t value = claim->fact->of_child(world, actor);
        if (value != claim->value) {
            *is = describe(claim->fact, value, buffer, sizeof(buffer));
            return claim;
        }
    }
    return NULL;
}

/* The same, for the answer to a command. */
const struct claim *facts_check_outcome(const struct claims *claims, const struct outcome *outcome,
                                        const char **is)
{
    static char buffer[80];

    INVARIANT(outcome_is_sound(outcome));
    for (size_t i = 0; i < claims->count; i++) {
        const struct claim *claim = &claims->claims[i];
        uint64_t value = claim->fact->of_outcome(outcome);
        if (value != claim->value) {
            *is = describe(claim->fact, value, buffer, sizeof(buffer));
            return claim;
        }
    }
    return NULL;
}
