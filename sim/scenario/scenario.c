#include "scenario/scenario.h"

#include "number.h"
#include "open_regular.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_text(struct reader *reader, const struct node *node, const char **text)
{
    const char *scalar = reader_scalar(reader, node, "text");

    if (!scalar)
        return -EINVAL;
    *text = arena_copy(reader->arena, scalar, strlen(scalar));
    return *text ? 0 : -ENOMEM;
}

static void *list_memory(struct reader *reader, const struct node *node, size_t size)
{
    return arena_allocate(reader->arena,
                          (node->kind == NODE_LIST ? reader_list_length(node) + 1 : 2) * size);
}

/* ---- children -------------------------------------------------------------------------------- */

static int read_step_of_model(struct reader *reader, const struct node *node, size_t i,
                              void *target)
{
    struct model *model = target;
    struct step *step = (struct step *)&model->steps[i];
    const char *text, *expected;

    int r = read_text(reader, node, &text);
    if (r < 0)
        return r;
    if (model_read_step(text, step, &expected) < 0)
        return reader_refuse(reader, node, "expected %s, got \"%.60s\"", expected, text);
    model->count = i + 1;
    return 0;
}

static int read_model(struct reader *reader, const struct node *node, size_t i, void *target)
{
    struct scenario_actor *actor = target;
    struct model *model = &actor->models[i];

    model->steps = list_memory(reader, node, sizeof(struct step));
    actor->n_models = i + 1;
    return model->steps ? reader_list(reader, node, model, read_step_of_model) : -ENOMEM;
}

static int read_models(struct reader *reader, const struct node *node, struct scenario_actor *actor)
{
    bool several = node->kind == NODE_LIST && reader_list_length(node) > 0 &&
                   node->items[0]->kind == NODE_LIST;

    actor->models = list_memory(reader, node, sizeof(struct model));
    if (!actor->models)
        return -ENOMEM;
    return several ? reader_list(reader, node, actor, read_model)
                   : read_model(reader, node, 0, actor);
}

static int read_actor(struct reader *reader, const struct node *node, const char *above,
                      struct scenario_actor *actor)
{
    const struct node *model = node_find(node, "model");
    const struct node *rest = model ? node_without(reader->arena, node, "model") : node;
    int r = rest ? manifest_read_child(reader, rest, above, &actor->declaration) : -ENOMEM;

    if (r < 0)
        return r;
    actor->declaration.manifest = actor->declaration.manifest_path = "";
    actor->declaration.has_process = model != NULL || actor->declaration.has_process;
    actor->models = arena_allocate(reader->arena, sizeof(struct model));
    actor->n_models = 1;
    if (!actor->models)
        return -ENOMEM;
    if (!model)
        return 0;
    size_t mark = reader_enter(reader, "model");
    r = read_models(reader, model, actor);
    reader_leave(reader, mark);
    return r;
}

static struct scenario_actor *new_actor(struct reader *reader, struct subject *scenario)
{
    if (scenario->n_actors == scenario->actors_max) {
        size_t max = scenario->actors_max ? scenario->actors_max * 2 : 16;
        struct scenario_actor *larger = arena_allocate(reader->arena, max * sizeof(*larger));
        if (!larger)
            return NULL;
        if (scenario->n_actors > 0)
            memcpy(larger, scenario->actors, scenario->n_actors * sizeof(*larger));
        scenario->actors = larger;
        scenario->actors_max = max;
    }
    return &scenario->actors[scenario->n_actors++];
}

/* The list of a supervisor. */
struct members {
    struct subject *scenario;
    const char *above;
};

static int read_supervisor(struct reader *reader, const struct node *node, const char *above,
                           struct subject *scenario);

static int read_member(struct reader *reader, const struct node *node, size_t i, void *target)
{
    const struct members *members = target;

    (void)i;
    if (node_find(node, "children"))
        return read_supervisor(reader, node, members->above, members->scenario);
    struct scenario_actor *actor = new_actor(reader, members->scenario);
    return actor ? read_actor(reader, node, members->above, actor) : -ENOMEM;
}

static int read_supervisor(struct reader *reader, const struct node *node, const char *above,
                           struct subject *scenario)
{
    struct supervisor_declaration *d = &scenario->supervisors[scenario->n_supervisors];
    const struct node *children = node_find(node, "children");
    bool ignored;

    if (scenario->n_supervisors == WORLD_SUPERVISORS)
        return reader_refuse(reader, node, "more than %d supervisors", WORLD_SUPERVISORS);
    scenario->n_supervisors++;
    int r = manifest_read_supervisor(reader, node, above, d, &ignored);
    if (r < 0)
        return r;
    d->position = scenario->n_actors;
    if (!children)
        return 0;
    struct members members = {scenario, d->path};
    size_t mark = reader_enter(reader, "children");
    r = reader_list(reader, children, &members, read_member);
    if (r == 0)
        reader_leave(reader, mark);
    return r;
}

static int read_tree(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;

    scenario->supervisors =
        arena_allocate(reader->arena, WORLD_SUPERVISORS * sizeof(*scenario->supervisors));
    return scenario->supervisors ? read_supervisor(reader, node, NULL, scenario) : -ENOMEM;
}

/* ---- steps ----------------------------------------------------------------------------------- */

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
        return r < 0 ? r : read_text(reader, node, &step->child);                                  \
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
        return r < 0 ? r : read_text(reader, node, &step->child);                                  \
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
        return read_text(reader, node, &((struct scenario_step *)target)->member);                 \
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

static int read_declared(struct reader *reader, const struct node *node, struct scenario_step *step,
                         enum action action)
{
    struct scenario_actor *actor = arena_allocate(reader->arena, sizeof(*actor));
    int r = set_action(reader, node, step, action);

    if (r == 0)
        r = actor ? read_actor(reader, node, NULL, actor) : -ENOMEM;
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

static int read_max_jobs(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    int r = reader_u32(reader, node, JOBS_AT_ONCE_MAX, &scenario->max_jobs);

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

static int read_end(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {
        {"child", read_target}, {"code", read_code}, {"signal", read_end_signal}, {}};
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
    {"scope", read_scope},
    {"outcome", read_outcome},
    {"refused", read_refused},
    {},
};

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

static int read_steps(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;

    if (node->kind == NODE_LIST && reader_list_length(node) > SCENARIO_STEPS_MAX)
        return reader_refuse(reader, node, "more than %d steps", SCENARIO_STEPS_MAX);
    scenario->steps = list_memory(reader, node, sizeof(*scenario->steps));
    return scenario->steps ? reader_list(reader, node, scenario, read_timed_step) : -ENOMEM;
}

/* ---- exploration ----------------------------------------------------------------------------- */

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
    scenario->actions = list_memory(reader, node, sizeof(*scenario->actions));
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

static int read_explore(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"depth", read_depth},
                                      {"prompt", read_prompt},
                                      {"crash", read_crash_everywhere},
                                      {"actions", read_actions},
                                      {}};
    return reader_mapping(reader, node, keys, target);
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* `CHILD by N`: N is the number of the command that the event carries. */
static int read_event_cause(struct reader *reader, const struct node *node,
                            struct wanted_event *wanted)
{
    const char *by = wanted->child ? strstr(wanted->child, " by ") : NULL;

    if (!by)
        return 0;
    size_t length = (size_t)(by - wanted->child);
    char *child = arena_allocate(reader->arena, length + 1);
    if (!child)
        return -ENOMEM;
    memcpy(child, wanted->child, length);
    wanted->child = child;
    wanted->has_cause = true;
    if (number_read(by + 4, UINT32_MAX, &wanted->cause) < 0)
        return reader_refuse(reader, node, "expected the number of a command after \"by\"");
    return 0;
}

static int read_event(struct reader *reader, const struct node *node, struct wanted_event *wanted)
{
    const char *text;
    char kind[64];
    int r = read_text(reader, node, &text);

    if (r < 0)
        return r;
    const char *space = strchr(text, ' ');
    snprintf(kind, sizeof(kind), "%.*s", space ? (int)(space - text) : 63, text);
    wanted->child = space ? space + 1 : NULL;
    wanted->line = node->line;
    wanted->column = node->column;
    if (event_kind_from_string(kind, &wanted->kind) < 0)
        return reader_refuse(reader, node, "there is no event \"%.60s\"", kind);
    return read_event_cause(reader, node, wanted);
}

static int read_include(struct reader *reader, const struct node *node, size_t i, void *target)
{
    struct subject *scenario = target;
    scenario->n_includes = i + 1;
    return read_event(reader, node, &scenario->includes[i]);
}

static int read_exclude(struct reader *reader, const struct node *node, size_t i, void *target)
{
    struct subject *scenario = target;
    scenario->n_excludes = i + 1;
    return read_event(reader, node, &scenario->excludes[i]);
}

static int read_includes(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    scenario->includes = list_memory(reader, node, sizeof(struct wanted_event));
    return scenario->includes ? reader_list(reader, node, scenario, read_include) : -ENOMEM;
}

static int read_excludes(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    scenario->excludes = list_memory(reader, node, sizeof(struct wanted_event));
    return scenario->excludes ? reader_list(reader, node, scenario, read_exclude) : -ENOMEM;
}

static int read_counts(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;

    if (node->kind != NODE_MAPPING)
        return reader_refuse(reader, node, "expected a mapping of events to numbers");
    size_t n = node->count;
    scenario->counts = arena_allocate(reader->arena, (n + 1) * sizeof(struct wanted_event));
    if (!scenario->counts)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct pair *pair = &node->pairs[i];
        struct wanted_event *wanted = &scenario->counts[scenario->n_counts++];
        int r = read_event(reader, pair->key, wanted);
        if (r == 0)
            r = reader_number(reader, pair->value, UINT32_MAX, &wanted->count);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_in_order(struct reader *reader, const struct node *node, void *target)
{
    return reader_bool(reader, node, &((struct subject *)target)->in_order);
}

static int read_events(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"includes", read_includes},
                                      {"excludes", read_excludes},
                                      {"count", read_counts},
                                      {"in_order", read_in_order},
                                      {}};
    return reader_mapping(reader, node, keys, target);
}

static int read_always_item(struct reader *reader, const struct node *node, size_t i, void *target)
{
    const char *text = reader_scalar(reader, node, "the name of a check");

    (void)i;
    (void)target;
    if (!text)
        return -EINVAL;
    for (int check = CHECK_ONE_ATTEMPT; check < CHECK_INVARIANT; check++)
        if (strcmp(check_to_string((enum check)check), text) == 0)
            return 0;
    return reader_refuse(reader, node, "there is no check \"%.60s\"", text);
}

/* Every check is made in every run; to name one says what the scenario is about. */
static int read_always(struct reader *reader, const struct node *node, void *target)
{
    return reader_list(reader, node, target, read_always_item);
}

static int read_within(struct reader *reader, const struct node *node, size_t i, void *target)
{
    static const char *const others[] = {"within", NULL};
    struct subject *scenario = target;
    struct eventually *eventually = &scenario->eventually[i];

    scenario->n_eventually = i + 1;
    eventually->within_usec = 60 * 1000000;
    int r = facts_read_child(reader, node, others, &eventually->claims);
    const struct node *within = r == 0 ? node_find(node, "within") : NULL;
    return within ? reader_duration(reader, within, &eventually->within_usec) : r;
}

static int read_eventually(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;

    scenario->eventually = list_memory(reader, node, sizeof(struct eventually));
    if (!scenario->eventually)
        return -ENOMEM;
    return node->kind == NODE_LIST ? reader_list(reader, node, scenario, read_within)
                                   : read_within(reader, node, 0, scenario);
}

#define FAULT(name)                                                                                \
    static int read_fault_##name(struct reader *reader, const struct node *node, void *target)     \
    {                                                                                              \
        uint64_t percent;                                                                          \
        int r = reader_number(reader, node, 100, &percent);                                        \
        ((struct subject *)target)->faults.name = r == 0 ? (uint16_t)(percent * 10) : 0;           \
        return r;                                                                                  \
    }

FAULT(delay)
FAULT(duplicate)
FAULT(late_notify)
FAULT(spawn_failure)
FAULT(slow_spawn)
FAULT(lack)
FAULT(exit_first)
FAULT(lost_cancel)
FAULT(lost_abort)
FAULT(late_timer)

static int read_from(struct reader *reader, const struct node *node, void *target)
{
    return reader_duration(reader, node, &((struct subject *)target)->faults_from_usec);
}

static int read_until(struct reader *reader, const struct node *node, void *target)
{
    return reader_duration(reader, node, &((struct subject *)target)->faults_until_usec);
}

static int read_faults(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"delay", read_fault_delay},
                                      {"duplicate", read_fault_duplicate},
                                      {"late_notify", read_fault_late_notify},
                                      {"spawn_failure", read_fault_spawn_failure},
                                      {"slow_spawn", read_fault_slow_spawn},
                                      {"lack", read_fault_lack},
                                      {"exit_first", read_fault_exit_first},
                                      {"lost_cancel", read_fault_lost_cancel},
                                      {"lost_abort", read_fault_lost_abort},
                                      {"late_timer", read_fault_late_timer},
                                      {"from", read_from},
                                      {"until", read_until},
                                      {}};
    return reader_mapping(reader, node, keys, target);
}

static int read_name(struct reader *reader, const struct node *node, void *target)
{
    return read_text(reader, node, &((struct subject *)target)->name);
}

static int read_about(struct reader *reader, const struct node *node, void *target)
{
    return read_text(reader, node, &((struct subject *)target)->about);
}

static int read_covers(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    return reader_strings(reader, node, 64, &scenario->covers, &scenario->n_covers);
}

static int read_source(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;
    return reader_strings(reader, node, 16, &scenario->source, &scenario->n_source);
}

static int read_seed(struct reader *reader, const struct node *node, void *target)
{
    return reader_number(reader, node, UINT32_MAX, &((struct subject *)target)->seed);
}

static const struct key keys_of_scenario[] = {
    {"scenario", read_name},     {"about", read_about},
    {"covers", read_covers},     {"source", read_source},
    {"seed", read_seed},         {"tree", read_tree},
    {"max_jobs", read_max_jobs}, {"faults", read_faults},
    {"steps", read_steps},       {"events", read_events},
    {"always", read_always},     {"eventually", read_eventually},
    {"explore", read_explore},   {},
};

/* A job is the child jobs/N, with the number that it will have. */
static int number_jobs(struct reader *reader, struct subject *scenario)
{
    unsigned next = 1;

    for (size_t i = 0; i < scenario->n_steps; i++) {
        struct scenario_step *step = &scenario->steps[i];
        char id[32];
        if (step->action != ACTION_RUN_JOB)
            continue;
        snprintf(id, sizeof(id), JOB_SUPERVISOR "/%u", step->refused ? 0 : next++);
        step->declaration->id = step->child = arena_copy(reader->arena, id, strlen(id));
        step->declaration->restart = RESTART_TEMPORARY;
        step->declaration->autostart = false;
        if (!step->child)
            return -ENOMEM;
    }
    return 0;
}

/* A step that adds a child needs an actor for it; one of the same name may have been there. */
static int add_later_actors(struct reader *reader, struct subject *scenario)
{
    for (size_t i = 0; i < scenario->n_steps; i++) {
        struct scenario_step *step = &scenario->steps[i];
        if (step->action != ACTION_ADD && step->action != ACTION_RUN_JOB)
            continue;
        size_t k = 0;
        while (k < scenario->n_actors &&
               strcmp(scenario->actors[k].declaration.id, step->child) != 0)
            k++;
        step->actor = (uint32_t)k;
        if (k < scenario->n_actors)
            continue;
        struct scenario_actor *actor = new_actor(reader, scenario);
        if (!actor)
            return -ENOMEM;
        /* The declaration is the first member of what read_declared() made. */
        *actor = *(struct scenario_actor *)(void *)step->declaration;
        actor->later = true;
    }
    return 0;
}

static int check_names(struct reader *reader, const struct subject *scenario,
                       const struct scenario_step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct scenario_step *step = &steps[i];
        const char *name = step->action == ACTION_EXPECT ? step->claims.child : step->child;
        bool found = !name || !*name || step->action == ACTION_FIRE || step->refused;
        for (size_t k = 0; !found && !step->scope && k < scenario->n_actors; k++)
            found = strcmp(scenario->actors[k].declaration.id, name) == 0;
        for (size_t k = 0; !found && step->scope && k < scenario->n_supervisors; k++)
            found =
                strcmp(scenario->supervisors[k].path, strcmp(name, "root") == 0 ? "" : name) == 0;
        if (found)
            continue;
        reader_refuse(reader, NULL, "no %s is called \"%s\"", step->scope ? "supervisor" : "child",
                      name);
        reader->error->line = step->line;
        reader->error->column = step->column;
        return -EINVAL;
    }
    return 0;
}

static int read_scenario(struct reader *reader, const struct node *root, struct subject *scenario)
{
    if (!root)
        return reader_refuse(reader, NULL, "the scenario is empty");
    int r = reader_mapping(reader, root, keys_of_scenario, scenario);
    if (r == 0 && !scenario->name)
        return reader_refuse(reader, root, "scenario: the name is missing");
    if (r == 0)
        r = number_jobs(reader, scenario);
    if (r == 0)
        r = add_later_actors(reader, scenario);
    if (r == 0 && scenario->n_actors == 0)
        return reader_refuse(reader, root, "tree: has no children");
    if (r == 0)
        r = check_names(reader, scenario, scenario->steps, scenario->n_steps);
    return r == 0 ? check_names(reader, scenario, scenario->actions, scenario->n_actions) : r;
}

int scenario_parse(const char *text, const char *path, struct subject **scenario,
                   struct manifest_error *error)
{
    struct subject *fresh = calloc(1, sizeof(*fresh));
    struct reader reader = {.error = error};
    const struct node *root;

    *error = (struct manifest_error){};
    if (!fresh)
        return -ENOMEM;
    reader.arena = &fresh->arena;
    fresh->path = arena_copy(&fresh->arena, path, strlen(path));
    fresh->text = arena_copy(&fresh->arena, text, strlen(text));
    fresh->about = "";
    int r = fresh->path && fresh->text
                ? node_parse(&fresh->arena, text, strlen(text), SCENARIO_FILE_MAX, &root, error)
                : -ENOMEM;
    if (r == 0)
        r = read_scenario(&reader, root, fresh);
    if (r < 0) {
        scenario_free(fresh);
        return r;
    }
    *scenario = fresh;
    return 0;
}

static char *read_file(const char *path)
{
    size_t length;
    char *text;
    int r = read_regular(AT_FDCWD, path, SCENARIO_FILE_MAX, &text, &length);

    if (r == 0)
        return text;
    fprintf(stderr, "%s: %s\n", path,
            r == -EFBIG ? "is larger than 1 MiB" : open_regular_explain(AT_FDCWD, path, r));
    return NULL;
}

struct subject *scenario_read(const char *path)
{
    char *text = read_file(path);
    struct subject *scenario = NULL;
    struct manifest_error error;

    if (text && scenario_parse(text, path, &scenario, &error) < 0) {
        if (error.line > 0)
            fprintf(stderr, "%s:%zu:%zu: %s\n", path, error.line, error.column, error.text);
        else
            fprintf(stderr, "%s: %s\n", path, error.text[0] ? error.text : "out of memory");
        scenario = NULL;
    }
    free(text);
    return scenario;
}

void scenario_free(struct subject *scenario)
{
    if (!scenario)
        return;
    arena_free(&scenario->arena);
    free(scenario);
}
