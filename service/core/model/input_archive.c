/*
 * An input as bytes: what the journal records before it is handled. What each
 * kind carries is one table (core_input_carries()), which is also used to
 * replay it. Fields that were added later stand at the end, where an older
 * journal simply has no more bytes.
 */
#include "core/model/input_archive.h"

#include "core/core.h"
#include "core/model/archive.h"
#include "core/model/declaration.h"
#include "core/model/declaration_archive.h"
#include "core/model/job.h"
#include "core/model/supervisor.h"
#include "core/vocabulary/invariant.h"

static const struct {
    const char *name;
    unsigned carries;
} kinds[] = {
#define INPUT(kind, number, name, carries, replay) [kind] = {name, carries},
#include "core/model/input_table.def"
#undef INPUT
};

/* As many rows as numbers, and these are 0, 1, 2 ...: no row is missing. */
enum {
#define INPUT(kind, number, ...) +1
    INPUT_ROWS = 0
#include "core/model/input_table.def"
#undef INPUT
    ,
#define INPUT(kind, number, ...) +number
    INPUT_SUM = 0
#include "core/model/input_table.def"
#undef INPUT
};

_Static_assert((int)CORE_INPUTS == INPUT_ROWS &&
                   (int)CORE_INPUTS * (CORE_INPUTS - 1) / 2 == INPUT_SUM,
               "a number of input_table.def is left out or stands twice");

const char *core_input_kind_to_string(enum core_input_kind kind)
{
    INVARIANT(kind < CORE_INPUTS);
    return kinds[kind].name;
}

bool core_input_carries(enum core_input_kind kind, enum input_carries what)
{
    INVARIANT(kind < CORE_INPUTS);
    return kinds[kind].carries & what;
}

_Static_assert(COMMAND_KILL == 6 && SAME_NAME_REPLACE == 2 && REDECLARE_APPLIES == 2,
               "what is asked for, in journals");
_Static_assert(NOTIFY_TRIGGER == 1 << 9 && RESOURCE_FAILED == 3, "what is reported, in journals");

static void *array(struct archive *a, const void *present, size_t count, size_t size)
{
    if (!a->reading)
        return (void *)(uintptr_t)present;
    void *memory = a->failed ? NULL : a->allocate(a, (count + 1) * size);
    a->failed = a->failed || !memory;
    return memory;
}

/* Copies are archived, because a declaration that is written may be constant,
 * while the one function both reads and writes. */
static void archive_tree(struct archive *a, struct tree_declaration *tree)
{
    archive_count(a, &tree->n_supervisors, SUPERVISORS_MAX);
    struct supervisor_declaration *supervisors =
        array(a, tree->supervisors, tree->n_supervisors, sizeof(*supervisors));
    tree->supervisors = supervisors;
    for (size_t i = 0; !a->failed && i < tree->n_supervisors; i++) {
        struct supervisor_declaration copy = supervisors[i];
        supervisor_declaration_archive(a, &copy);
        if (a->reading)
            supervisors[i] = copy;
    }
    archive_count(a, &tree->n_children, CORE_CHILDREN_MAX);
    struct child_declaration *children =
        array(a, tree->children, tree->n_children, sizeof(*children));
    tree->children = children;
    for (size_t i = 0; !a->failed && i < tree->n_children; i++) {
        struct child_declaration copy = children[i];
        declaration_archive(a, &copy);
        if (a->reading)
            children[i] = copy;
    }
}

/* A command without a child or a caller cannot be replayed, so it counts as
 * damage. */
static void archive_command(struct archive *a, struct command *command)
{
    ARCHIVE_WORD(a, command->verb, COMMAND_KILL);
    archive_string(a, &command->child);
    archive_string(a, &command->reason);
    archive_string(a, &command->requester);
    archive_string(a, &command->origin);
    ARCHIVE(a, command->dry_run);
    ARCHIVE_WORD(a, command->signal, 127);
    ARCHIVE(a, command->whole);
    a->failed = a->failed || !command->child || !command->requester;
}

/* A job's output is a part of its end: the journal is the only copy that
 * survives a crash. */
void completion_archive(struct archive *a, struct completion *completion)
{
    uint64_t size = completion->output.data ? completion->output.size : 0;

    ARCHIVE(a, completion->unknown);
    ARCHIVE(a, completion->by_signal);
    ARCHIVE(a, completion->code);
    ARCHIVE(a, completion->signal);
    ARCHIVE(a, completion->core_dumped);
    ARCHIVE(a, completion->oom_killed);
    ARCHIVE_WORD(a, completion->cgroup, RESOURCE_FAILED);
    ARCHIVE(a, completion->cpu_usec);
    ARCHIVE_WORD(a, completion->output.size, JOB_OUTPUT_MAX);
    ARCHIVE(a, completion->output.truncated);
    ARCHIVE_WORD(a, size, JOB_OUTPUT_MAX);
    void *data = (void *)(uintptr_t)completion->output.data;
    if (a->reading) {
        data = size > 0 && !a->failed ? a->allocate(a, size) : NULL;
        a->failed = a->failed || (size > 0 && !data) || size > completion->output.size;
        completion->output.data = data;
    }
    if (!a->failed)
        archive_bytes(a, data, size);
}

/* The status is a part of the message only if its flag is set. */
static void archive_message(struct archive *a, struct notify_message *message)
{
    ARCHIVE_WORD(a, message->flags, (NOTIFY_TRIGGER << 1) - 1);
    archive_string(a, &message->status);
    ARCHIVE(a, message->extend_usec);
    ARCHIVE(a, message->main_pid);
    ARCHIVE(a, message->error);
    if (message->flags & NOTIFY_STATUS && !message->status)
        a->failed = true;
}

void attempt_id_archive(struct archive *a, struct attempt_id *id)
{
    ARCHIVE(a, id->slot);
    ARCHIVE(a, id->serial);
    ARCHIVE(a, id->generation);
    ARCHIVE(a, id->attempt);
}

static void archive_recovery(struct archive *a, struct recovery *recovery)
{
    ARCHIVE(a, recovery->inputs);
    ARCHIVE(a, recovery->adopted);
    ARCHIVE(a, recovery->lost);
    ARCHIVE(a, recovery->damaged_bytes);
}

static bool lacks(const struct core_input *input, enum input_carries what, const void *field)
{
    return core_input_carries(input->kind, what) && !field;
}

/* The end of the function is the check of what no single field can check: the
 * kind demands a text, a caller or exactly one declaration. */
void input_archive(struct archive *a, struct core_input *input)
{
    ARCHIVE_WORD(a, input->kind, CORE_INPUTS - 1);
    archive_stamp(a, &input->monotonic_usec);
    ARCHIVE(a, input->realtime_usec);
    if (core_input_carries(input->kind, CARRIES_TREE))
        archive_tree(a, &input->tree);
    archive_string(a, &input->requester);
    archive_string(a, &input->reason);
    archive_string(a, &input->text);
    if (core_input_carries(input->kind, CARRIES_COMMAND))
        archive_command(a, &input->command);
    if (core_input_carries(input->kind, CARRIES_ATTEMPT))
        attempt_id_archive(a, &input->id);
    ARCHIVE(a, input->pid);
    ARCHIVE(a, input->error);
    if (core_input_carries(input->kind, CARRIES_END))
        completion_archive(a, &input->completion);
    if (core_input_carries(input->kind, CARRIES_MESSAGE))
        archive_message(a, &input->message);
    ARCHIVE(a, input->number);
    ARCHIVE(a, input->passed);
    ARCHIVE_WORD(a, input->same_name, SAME_NAME_REPLACE);
    ARCHIVE(a, input->job);
    if (core_input_carries(input->kind, CARRIES_RECOVERY))
        archive_recovery(a, &input->recovery);
    /* Older journals end here. */
    if (core_input_carries(input->kind, CARRIES_END) && (!a->reading || a->used < a->size)) {
        ARCHIVE(a, input->completion.with_machine);
        ARCHIVE(a, input->completion.left);
    }
    if (core_input_carries(input->kind, CARRIES_MESSAGE) && (!a->reading || a->used < a->size))
        archive_stamp(a, &input->message.reloading_usec);
    if (input->kind == CORE_INPUT_SHUTDOWN && (!a->reading || a->used < a->size))
        ARCHIVE(a, input->timeout_usec);

    if (lacks(input, CARRIES_TEXT, input->text) ||
        lacks(input, CARRIES_REQUESTER, input->requester) ||
        lacks(input, CARRIES_REASON, input->reason) ||
        (input->kind == CORE_INPUT_REDECLARE && input->number > REDECLARE_APPLIES) ||
        ((input->kind == CORE_INPUT_REDECLARE_SUPERVISOR) && input->tree.n_supervisors != 1) ||
        (input->kind == CORE_INPUT_RUN_JOB && input->tree.n_children != 1) ||
        (input->kind == CORE_INPUT_MAX_JOBS &&
         (input->number == 0 || input->number > JOBS_AT_ONCE_MAX)))
        a->failed = true;
}
