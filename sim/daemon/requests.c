/*
 * Requests of people and programs: commands on one child or a scope, removal,
 * shutdown, and everything else that reaches the core through the bus or a
 * signal. Each is answered by the reference as well, and both answers are
 * compared, with the text of a refusal.
 */
#include "daemon/requests.h"

#include "core/vocabulary/invariant.h"
#include "checks/agreement.h"
#include "checks/checks.h"
#include "daemon/crash.h"
#include "daemon/inputs.h"
#include "reference/command.h"
#include "reference/shutdown.h"
#include "reference/wake.h"

#include <stdio.h>
#include <string.h>

/* A line of the log for a command. */
static void note_command(struct world *world, const struct command *command)
{
    char text[160];

    if (!world->observe)
        return;
    snprintf(text, sizeof(text), "%sby %.40s: %.80s", command->dry_run ? "dry run, " : "",
             command->requester, command->reason);
    world_note(world, &(struct record){.kind = RECORD_INPUT,
                                       .what = command_verb_to_string(command->verb),
                                       .child = command->child,
                                       .text = text});
}

/* A line of the log for its answer. */
static void note_outcome(struct world *world, const struct command *command,
                         const struct outcome *outcome, int error, const char *why)
{
    char text[200];

    if (!world->observe)
        return;
    if (error < 0)
        snprintf(text, sizeof(text), "refused: %.120s", why);
    else
        snprintf(text, sizeof(text), "%s%s%s, stop state %s%s%s",
                 child_operation_to_string(outcome->operation_after),
                 outcome->has_fence ? ", " : "",
                 outcome->has_fence ? fence_decision_to_string(outcome->fence.decision) : "",
                 stop_state_to_string(outcome->stop_state),
                 outcome->cancel_delivered ? ", cancel delivered" : "",
                 outcome->idempotent ? ", idempotent" : "");
    world_note(world, &(struct record){.kind = RECORD_OUTCOME,
                                       .what = command_verb_to_string(command->verb),
                                       .child = command->child,
                                       .has_attempt = error == 0,
                                       .generation = outcome->generation,
                                       .attempt = outcome->attempt,
                                       .cause = error == 0 ? outcome->command_id : 0,
                                       .text = text});
}

/* One command on one child. Core and reference must refuse the same commands,
 * in the same words. */
int world_command(struct world *world, const struct command *command, struct outcome *outcome,
                  struct error *error)
{
    struct checks_before before;
    struct outcome expected = {};

    INVARIANT(command && outcome);
    *outcome = (struct outcome){};
    inputs_begin(world, INPUT_COMMAND, world_find(world, command->child));
    note_command(world, command);
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_command(world->core, command, outcome, error);
    world->in_core = false;
    struct error said = {};
    int wanted = reference_command(&world->reference, command, &expected, &said);
    note_outcome(world, command, outcome, r, error->text);
    if (r != wanted)
        world_fail(world, CHECK_OUTCOME, "%s %s was answered with %d, it should have been %d",
                   command_verb_to_string(command->verb), command->child, r, wanted);
    else if (r < 0 && strcmp(error->text, said.text) != 0)
        world_fail(world, CHECK_OUTCOME, "%s %s was refused with \"%s\", it should be \"%s\"",
                   command_verb_to_string(command->verb), command->child, error->text, said.text);
    crash_end_input(world, &before);
    if (r == 0)
        checks_outcome(world, command, outcome, &expected);
    return r;
}

struct told {
    struct outcome *outcomes;
    int n;
};

static void tell(void *userdata, const struct outcome *outcome)
{
    struct told *told = userdata;
    told->outcomes[told->n++] = *outcome;
}

/* One command on all children below a supervisor; the answers come in the order
 * of the tree. */
int world_command_scope(struct world *world, const struct command *command, struct error *error)
{
    struct outcome *outcomes = world_allocate(world, 2 * (world->n_actors + 1) * sizeof(*outcomes));
    struct outcome *expected = outcomes + world->n_actors + 1;
    struct told told = {.outcomes = outcomes};
    struct checks_before before;

    INVARIANT(command);
    inputs_begin(world, INPUT_COMMAND_SCOPE, NULL);
    note_command(world, command);
    checks_before(world, NULL, &before);
    world->in_core = true;
    int r = core_command_scope(world->core, command, tell, &told, error);
    world->in_core = false;
    struct error said = {};
    int wanted = reference_command_scope(&world->reference, command, expected, &said);
    if (r != wanted)
        world_fail(world, CHECK_OUTCOME, "%s of \"%s\" was answered with %d, it should be %d",
                   command_verb_to_string(command->verb), command->child, r, wanted);
    crash_end_input(world, &before);
    for (int i = 0; i < told.n && r == wanted; i++) {
        struct command one = *command;
        one.child = outcomes[i].child_id;
        note_outcome(world, &one, &outcomes[i], 0, "");
        checks_outcome(world, &one, &outcomes[i], &expected[i]);
    }
    memory_release(world->memory, outcomes);
    return r;
}

/* Several children at once, as when a file of declarations is taken away. */
void world_remove(struct world *world, const char *const *ids, uint32_t n)
{
    struct checks_before before;
    char lines[512] = "";

    for (uint32_t i = 0; i < n; i++) {
        strncat(lines, ids[i], sizeof(lines) - strlen(lines) - 2);
        strcat(lines, "\n");
    }
    inputs_begin(world, INPUT_REMOVE, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "remove", .text = lines});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_remove(world->core, lines, "client", "gone");
    world->in_core = false;
    reference_remove(&world->reference, ids, n, "client", "gone");
    crash_end_input(world, &before);
}

/* `bound_usec`: after this time everything is killed; 0 is no bound. */
void world_shutdown(struct world *world, uint64_t bound_usec, const char *by, const char *why)
{
    struct checks_before before;

    inputs_begin(world, INPUT_SHUTDOWN, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "shutdown", .text = why});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_shutdown_within(world->core, bound_usec, by, why);
    world->in_core = false;
    reference_shutdown(&world->reference, bound_usec, by, why);
    crash_end_input(world, &before);
}

/* A second request to end: nobody is given more time. */
void world_hurry(struct world *world)
{
    struct checks_before before;

    inputs_begin(world, INPUT_HURRY, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "hurry"});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_hurry(world->core, "signal", "a second signal");
    world->in_core = false;
    reference_hurry(&world->reference, "signal", "a second signal");
    crash_end_input(world, &before);
}

/* The end of a shutdown by policy is taken back. */
void world_reopen(struct world *world)
{
    struct checks_before before;

    if (!world->shutdown_begun)
        return;
    inputs_begin(world, INPUT_REOPEN, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "reopen"});
    checks_before(world, NULL, &before);
    world->shutdown_begun = world->shutdown_completed = false;
    world->in_core = true;
    core_reopen(world->core);
    world->in_core = false;
    reference_reopen(&world->reference);
    crash_end_input(world, &before);
}

/* A newer program takes over; the core only has to say so, and to do
 * nothing. */
void world_reexecute(struct world *world)
{
    struct checks_before before;

    inputs_begin(world, INPUT_REEXECUTE, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = "reexecute"});
    checks_before(world, NULL, &before);
    world->in_core = true;
    core_reexecute(world->core, "root (uid 0)", "a newer program");
    world->in_core = false;
    TELL(&world->reference, NULL, EVENT_SUPERVISOR_REEXECUTING, FIELD_TEXT_OF("by", "root (uid 0)"),
         FIELD_TEXT_OF("reason", "a newer program"));
    ref_tell_cause(&world->reference, 0);
    reference_wake(&world->reference);
    crash_end_input(world, &before);
}

/* What the shell says of itself: it is told, and nothing follows from it. */
static void begin_word(struct world *world, const char *what, struct checks_before *before)
{
    inputs_begin(world, INPUT_DURABILITY, NULL);
    world_note(world, &(struct record){.kind = RECORD_INPUT, .what = what});
    checks_before(world, NULL, before);
    world->in_core = true;
}

static void end_word(struct world *world, const struct checks_before *before)
{
    ref_tell_cause(&world->reference, 0);
    reference_wake(&world->reference);
    crash_end_input(world, before);
}

void world_announce(struct world *world)
{
    struct checks_before before;

    begin_word(world, "announce", &before);
    core_announce(world->core, "simulated");
    world->in_core = false;
    TELL(&world->reference, NULL, EVENT_SUPERVISOR_STARTED, FIELD_TEXT_OF("version", "simulated"));
    end_word(world, &before);
}

void world_reject(struct world *world)
{
    struct checks_before before;

    begin_word(world, "manifest rejected", &before);
    core_declaration_rejected(world->core, "client", "web.yaml:3:5: unknown key");
    world->in_core = false;
    TELL(&world->reference, NULL, EVENT_CHILD_DECLARATION_REJECTED, FIELD_TEXT_OF("by", "client"),
         FIELD_TEXT_OF("why", "web.yaml:3:5: unknown key"));
    end_word(world, &before);
}
