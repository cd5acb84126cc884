/*
 * Reads the steps of a scenario: each has a time, one action, and options of
 * that action.
 */
#include "scenario/read_steps.h"

#include "core/vocabulary/invariant.h"
#include "system/number.h"
#include "scenario/read_tree.h"
#include "scenario/reading.h"
#include "manifest/unit.h"

#include <errno.h>
#include <string.h>

/* One action per step; its word is kept for messages. */
static int set_action(struct reader *reader, const struct node *node, struct scenario_step *step,
                      enum action action)
{
    if (step->action != ACTION_NONE)
        return reader_refuse(reader, node, "a second action in one step, the first is \"%s\"",
                             step->word);
    step->action = action;
    const char *dot = strrchr(reader->path, '.');
    step->word = arena_copy(reader->arena, dot ? dot + 1 : reader->path,
                            strlen(dot ? dot + 1 : reader->path));
    return step->word ? 0 : -ENOMEM;
}

/* An action whose value is the name of a child, or a name that is fired. */
#define NAME_ACTION(function, value)                                                               \
    static int function(struct reader *reader, const struct node *node, void *target)              \
    {                                                                                              \
        struct scenario_step *step = target;                                                       \
        int r = set_action(reader, node, step, value);                                             \
        return r < 0 ? r : reading_text(reader, node, &step->child);                               \
    }

NAME_ACTION(read_fire, ACTION_FIRE)
NAME_ACTION(read_late_exit, ACTION_LATE_EXIT)
NAME_ACTION(read_late_ready, ACTION_LATE_READY)
NAME_ACTION(read_lose_cancel, ACTION_LOSE_CANCEL)
NAME_ACTION(read_lose_abort, ACTION_LOSE_ABORT)
NAME_ACTION(read_hold_reports, ACTION_HOLD_REPORTS)
NAME_ACTION(read_release_reports, ACTION_RELEASE_REPORTS)

#define VERB(function, value)                                                                      \
    static int function(struct reader *reader, const struct node *node, void *target)              \
    {                                                                                              \
        struct scenario_step *step = target;                                                       \
        step->verb = value;                                                                        \
        int r = set_action(reader, node, step, ACTION_COMMAND);                                    \
        return r < 0 ? r : reading_text(reader, node, &step->child);                               \
    }

VERB(read_pause, COMMAND_PAUSE)
VERB(read_resume, COMMAND_RESUME)
VERB(read_quarantine, COMMAND_QUARANTINE)
VERB(read_restart, COMMAND_RESTART)
VERB(read_remove, COMMAND_REMOVE)
VERB(read_reload, COMMAND_RELOAD)
VERB(read_kill, COMMAND_KILL)

#define TEXT_OF_STEP(function, member)                                                             \
    static int function(struct reader *reader, const struct node *node, void *target)              \
    {                                                                                              \
        return reading_text(reader, node, &((struct scenario_step *)target)->member);              \
    }

TEXT_OF_STEP(read_reason, reason)
TEXT_OF_STEP(read_by, by)
TEXT_OF_STEP(read_refused, refused)
TEXT_OF_STEP(read_target, child)

#define FIELD_OF_STEP(name, read, field)                                                           \
    static int name(struct reader *reader, const struct node *node, void *target)                  \
    {                                                                                              \
        return read(reader, node, &((struct scenario_step *)target)->field);                       \
    }

FIELD_OF_STEP(read_dry_run, reader_bool, dry_run)
FIELD_OF_STEP(read_whole, reader_bool, whole)
FIELD_OF_STEP(read_scope, reader_bool, scope)
FIELD_OF_STEP(read_applied, reader_bool, restart)
FIELD_OF_STEP(read_at, reader_duration, at_usec)
FIELD_OF_STEP(read_timeout, reader_duration, timeout_usec)

static int read_signal_number(struct reader *reader, const struct node *node, int *signal)
{
    const char *text = reader_scalar(reader, node, "a signal such as SIGTERM");

    if (!text)
        return -EINVAL;
    if (unit_signal(text, signal) < 0)
        return reader_refuse(reader, node, "expected a signal such as SIGTERM, got \"%.40s\"",
                             text);
    return 0;
}

static int read_signal(struct reader *reader, const struct node *node, void *target)
{
    return read_signal_number(reader, node, &((struct scenario_step *)target)->signal);
}

static int read_true(struct reader *reader, const struct node *node, struct scenario_step *step,
                     enum action action)
{
    bool value;
    int r = set_action(reader, node, step, action);

    if (r == 0)
        r = reader_bool(reader, node, &value);
    return r == 0 && !value ? reader_refuse(reader, node, "expected true") : r;
}

#define TRUE_ACTION(name, action)                                                                  \
    static int name(struct reader *reader, const struct node *node, void *target)                  \
    {                                                                                              \
        return read_true(reader, node, target, action);                                            \
    }

TRUE_ACTION(read_shutdown, ACTION_SHUTDOWN)
TRUE_ACTION(read_hurry, ACTION_HURRY)
TRUE_ACTION(read_reopen, ACTION_REOPEN)

static int read_remove_set(struct reader *reader, const struct node *node, void *target)
{
    struct scenario_step *step = target;
    int r = set_action(reader, node, step, ACTION_REMOVE_SET);

    return r == 0 ? reader_strings(reader, node, 16, &step->ids, &step->n_ids) : r;
}

static int read_starts(struct reader *reader, const struct node *node, void *target)
{
    struct scenario_step *step = target;
    return reader_strings(reader, node, 16, &step->ids, &step->n_ids);
}

static int read_expect(struct reader *reader, const struct node *node, void *target)
{
    struct scenario_step *step = target;
    int r = set_action(reader, node, step, ACTION_EXPECT);
    return r < 0 ? r : facts_read_child(reader, node, NULL, &step->claims);
}

static int read_outcome(struct reader *reader, const struct node *node, void *target)
{
    struct scenario_step *step = target;
    step->has_outcome = true;
    return facts_read_outcome(reader, node, &step->outcome);
}

/* A whole child, as in a manifest, with its model. */
static int read_declared(struct reader *reader, const struct node *node, struct scenario_step *step,
                         enum action action)
{
    struct scenario_actor *actor = arena_allocate(reader->arena, sizeof(*actor));
    int r = set_action(reader, node, step, action);

    if (r == 0)
        r = actor ? read_tree_actor(reader, node, NULL, actor) : -ENOMEM;
    if (r < 0)
        return r;
    step->declaration = &actor->declaration;
    step->child = actor->declaration.id;
    return 0;
}

static int read_add(struct reader *reader, const struct node *node, void *target)
{
    return read_declared(reader, node, target, ACTION_ADD);
}

static int read_redeclare(struct reader *reader, const struct node *node, void *target)
{
    return read_declared(reader, node, target, ACTION_REDECLARE);
}

static int read_redeclare_supervisor(struct reader *reader, const struct node *node, void *target)
{
    struct scenario_step *step = target;
    int r = set_action(reader, node, step, ACTION_REDECLARE_SUPERVISOR);
    bool ignored;

    step->supervisor = arena_allocate(reader->arena, sizeof(*step->supervisor));
    if (r == 0 && !step->supervisor)
        r = -ENOMEM;
    return r < 0 ? r : manifest_read_supervisor(reader, node, NULL, step->supervisor, &ignored);
}

static int read_run_job(struct reader *reader, const struct node *node, void *target)
{
    struct scenario_step *step = target;
    int r = read_declared(reader, node, step, ACTION_RUN_JOB);

    step->job = step->child;
    return r;
}

int read_steps_max_jobs(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    int r = reader_u32(reader, node, JOBS_AT_ONCE_MAX, &scenario->max_jobs);

    INVARIANT(reader->arena && node);
    if (r == 0 && scenario->max_jobs == 0)
        return reader_refuse(reader, node, "must be at least 1");
    return r;
}

static int read_code(struct reader *reader, const struct node *node, void *target)
{
    uint64_t code;
    int r = reader_number(reader, node, 255, &code);
    ((struct scenario_step *)target)->completion.code = r == 0 ? (int)code : 0;
    return r;
}

static int read_end_signal(struct reader *reader, const struct node *node, void *target)
{
    struct completion *completion = &((struct scenario_step *)target)->completion;
    completion->by_signal = true;
    return read_signal_number(reader, node, &completion->signal);
}

static int read_last_line(struct reader *reader, const struct node *node, void *target)
{
    struct job_output *output = &((struct scenario_step *)target)->completion.output;
    const char *line;
    int r = reader_text(reader, node, &line);

    if (r == 0)
        *output = (struct job_output){.data = line, .size = strlen(line)};
    return r;
}

static int read_end(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"child", read_target},
                                      {"code", read_code},
                                      {"signal", read_end_signal},
                                      {"writes", read_last_line},
                                      {}};
    int r = set_action(reader, node, target, ACTION_END);
    return r < 0 ? r : reader_mapping(reader, node, keys, target);
}

static int read_errno(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {
        {"EAGAIN", EAGAIN}, {"ENOMEM", ENOMEM}, {"ENOENT", ENOENT}, {"EACCES", EACCES}, {}};
    return reader_word(reader, node, words, &((struct scenario_step *)target)->error);
}

static int read_times(struct reader *reader, const struct node *node, void *target)
{
    return reader_number(reader, node, 1000, &((struct scenario_step *)target)->times);
}

static int read_fail_spawn(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {
        {"child", read_target}, {"error", read_errno}, {"times", read_times}, {}};
    struct scenario_step *step = target;
    int r = set_action(reader, node, step, ACTION_FAIL_SPAWN);

    step->error = EAGAIN;
    step->times = 1;
    return r < 0 ? r : reader_mapping(reader, node, keys, step);
}

static int read_for(struct reader *reader, const struct node *node, void *target)
{
    return reader_duration(reader, node, &((struct scenario_step *)target)->lack_usec);
}

static int read_delay_spawn(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"child", read_target}, {"for", read_for}, {}};
    struct scenario_step *step = target;
    int r = set_action(reader, node, step, ACTION_DELAY_SPAWN);

    step->lack_usec = 1000000;
    return r < 0 ? r : reader_mapping(reader, node, keys, step);
}

/* The kinds of reports that a step can make up. */
static int read_report_kind(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {{"spawned", 0},
                                        {"spawn-failed", 1},
                                        {"exit", 2},
                                        {"ready", 3},
                                        {"not-ready", 4},
                                        {"beat", 5},
                                        {"status", 6},
                                        {"trigger", 7},
                                        {"stopping", 8},
                                        {"reloading", 9},
                                        {}};
    static const unsigned flags[] = {0,
                                     0,
                                     0,
                                     NOTIFY_READY,
                                     NOTIFY_NOT_READY,
                                     NOTIFY_HEARTBEAT,
                                     NOTIFY_STATUS,
                                     NOTIFY_TRIGGER,
                                     NOTIFY_STOPPING,
                                     NOTIFY_RELOADING};
    struct scenario_step *step = target;
    int word, r = reader_word(reader, node, words, &word);

    if (r < 0)
        return r;
    step->report = word < 3 ? (enum input_kind)(INPUT_SPAWNED + word) : INPUT_NOTIFY;
    step->notify = flags[word];
    return 0;
}

static int read_generation(struct reader *reader, const struct node *node, void *target)
{
    return reader_number(reader, node, UINT32_MAX, &((struct scenario_step *)target)->generation);
}

static int read_attempt(struct reader *reader, const struct node *node, void *target)
{
    return reader_number(reader, node, UINT32_MAX, &((struct scenario_step *)target)->attempt);
}

/* A made-up report, as a host could make it by mistake. */
static int read_report(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"child", read_target},
                                      {"kind", read_report_kind},
                                      {"generation", read_generation},
                                      {"attempt", read_attempt},
                                      {"code", read_code},
                                      {"signal", read_end_signal},
                                      {"error", read_errno},
                                      {}};
    struct scenario_step *step = target;
    int r = set_action(reader, node, step, ACTION_REPORT);

    step->error = EAGAIN;
    return r < 0 ? r : reader_mapping(reader, node, keys, step);
}

/* Forwards or backwards. */
static int read_wall_jump(struct reader *reader, const struct node *node, void *target)
{
    struct scenario_step *step = target;
    const char *text = reader_scalar(reader, node, "a duration such as 1h or -1h");
    uint64_t usec;
    int r = set_action(reader, node, step, ACTION_WALL_JUMP);

    if (r < 0 || !text)
        return -EINVAL;
    if (unit_duration(text + (text[0] == '-'), &usec) < 0)
        return reader_refuse(reader, node, "expected a duration such as 1h or -1h, got \"%.40s\"",
                             text);
    step->jump_usec = text[0] == '-' ? -(int64_t)usec : (int64_t)usec;
    return 0;
}

/* At once, in the middle of a write, for an upgrade, or after a number of
 * effects. */
static int read_crash(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {
        {"now", CRASH_NOW}, {"torn", CRASH_TORN}, {"upgrade", CRASH_UPGRADE}, {}};
    struct scenario_step *step = target;
    const char *text = reader_scalar(reader, node, "now, torn, upgrade or a number of effects");
    int r = set_action(reader, node, step, ACTION_CRASH), point = CRASH_WITHIN;

    if (r < 0 || !text)
        return -EINVAL;
    r = text[0] >= '0' && text[0] <= '9' ? reader_number(reader, node, 1000, &step->effects)
                                         : reader_word(reader, node, words, &point);
    step->crash = (enum crash_point)point;
    return r;
}

static int read_reboot(struct reader *reader, const struct node *node, void *target)
{
    struct scenario_step *step = target;
    int r = set_action(reader, node, step, ACTION_REBOOT);

    return r < 0 ? r : reader_duration(reader, node, &step->off_usec);
}

static int read_clock(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {
        {"right", WALL_RIGHT}, {"behind", WALL_SET_BACK}, {"unset", WALL_UNSET}, {}};
    struct scenario_step *step = target;
    int wall = WALL_RIGHT, r = reader_word(reader, node, words, &wall);

    step->wall = (enum wall)wall;
    return r;
}

static const struct key step_keys[] = {
    {"at", read_at},
    {"expect", read_expect},
    {"pause", read_pause},
    {"resume", read_resume},
    {"quarantine", read_quarantine},
    {"restart", read_restart},
    {"remove", read_remove},
    {"reload", read_reload},
    {"kill", read_kill},
    {"shutdown", read_shutdown},
    {"hurry", read_hurry},
    {"remove_set", read_remove_set},
    {"reopen", read_reopen},
    {"timeout", read_timeout},
    {"add", read_add},
    {"redeclare", read_redeclare},
    {"applied", read_applied},
    {"redeclare_supervisor", read_redeclare_supervisor},
    {"run_job", read_run_job},
    {"fire", read_fire},
    {"report", read_report},
    {"late_exit", read_late_exit},
    {"late_ready", read_late_ready},
    {"end", read_end},
    {"fail_spawn", read_fail_spawn},
    {"delay_spawn", read_delay_spawn},
    {"lose_cancel", read_lose_cancel},
    {"lose_abort", read_lose_abort},
    {"hold_reports", read_hold_reports},
    {"release_reports", read_release_reports},
    {"wall_jump", read_wall_jump},
    {"crash", read_crash},
    {"reboot", read_reboot},
    {"clock", read_clock},
    {"reason", read_reason},
    {"by", read_by},
    {"signal", read_signal},
    {"whole", read_whole},
    {"dry_run", read_dry_run},
    {"starts", read_starts},
    {"scope", read_scope},
    {"outcome", read_outcome},
    {"refused", read_refused},
    {},
};

/* Most actions need a child. */
static int read_step(struct reader *reader, const struct node *node, struct scenario_step *step)
{
    step->line = node->line;
    step->column = node->column;
    step->reason = "scenario";
    step->by = "operator";
    step->signal = 9;
    int r = reader_mapping(reader, node, step_keys, step);
    if (r == 0 && step->action == ACTION_NONE)
        return reader_refuse(reader, node, "does nothing: an action is missing");
    if (r == 0 && !step->child && step->action != ACTION_EXPECT &&
        step->action != ACTION_SHUTDOWN && step->action != ACTION_HURRY &&
        step->action != ACTION_REMOVE_SET && step->action != ACTION_REOPEN &&
        step->action != ACTION_WALL_JUMP && step->action != ACTION_REDECLARE_SUPERVISOR &&
        step->action != ACTION_CRASH && step->action != ACTION_REBOOT)
        return reader_refuse(reader, node, "%s: child is missing", step->word);
    return r;
}

/* Steps are in the order of their times. */
static int read_timed_step(struct reader *reader, const struct node *node, size_t i, void *target)
{
    struct subject *scenario = target;
    struct scenario_step *step = &scenario->steps[i];
    int r = read_step(reader, node, step);

    scenario->n_steps = i + 1;
    scenario->crashes |= step->action == ACTION_CRASH || step->action == ACTION_REBOOT;
    if (r == 0 && i > 0 && step->at_usec < scenario->steps[i - 1].at_usec)
        return reader_refuse(reader, node, "at: is earlier than the step before");
    return r;
}

int read_steps(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;

    INVARIANT(reader->arena && node);
    if (node->kind == NODE_LIST && reader_list_length(node) > SCENARIO_STEPS_MAX)
        return reader_refuse(reader, node, "more than %d steps", SCENARIO_STEPS_MAX);
    scenario->steps = reading_list(reader, node, sizeof(*scenario->steps));
    return scenario->steps ? reader_list(reader, node, scenario, read_timed_step) : -ENOMEM;
}

#define ACTIONS_MAX 31 /* the explorer's bit 31 is the daemon's death */

static int read_action(struct reader *reader, const struct node *node, size_t i, void *target)
{
    struct subject *scenario = target;

    scenario->n_actions = i + 1;
    int r = read_step(reader, node, &scenario->actions[i]);
    scenario->crashes |=
        scenario->actions[i].action == ACTION_CRASH || scenario->actions[i].action == ACTION_REBOOT;
    return r;
}

static int read_actions(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;

    if (node->kind == NODE_LIST && reader_list_length(node) > ACTIONS_MAX)
        return reader_refuse(reader, node, "more than %d actions", ACTIONS_MAX);
    scenario->actions = reading_list(reader, node, sizeof(*scenario->actions));
    return scenario->actions ? reader_list(reader, node, scenario, read_action) : -ENOMEM;
}

static int read_depth(struct reader *reader, const struct node *node, void *target)
{
    return reader_number(reader, node, 1000, &((struct subject *)target)->depth);
}

static int read_prompt(struct reader *reader, const struct node *node, void *target)
{
    return reader_bool(reader, node, &((struct subject *)target)->prompt);
}

static int read_crash_everywhere(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    int r = reader_bool(reader, node, &scenario->crash_everywhere);

    scenario->crashes |= scenario->crash_everywhere;
    return r;
}

int read_steps_explore(struct reader *reader, const struct node *node, void *target)
{
    INVARIANT(reader->arena && node);
    static const struct key keys[] = {{"depth", read_depth},
                                      {"prompt", read_prompt},
                                      {"crash", read_crash_everywhere},
                                      {"actions", read_actions},
                                      {}};
    return reader_mapping(reader, node, keys, target);
}
