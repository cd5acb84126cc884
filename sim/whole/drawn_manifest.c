#include "whole/drawn_manifest.h"

#include "core/vocabulary/invariant.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SEC      UINT64_C(1000000000)
#define USEC_SEC UINT64_C(1000000)
#define CHILDREN 5

/* A child while it is drawn. */
struct drawing {
    struct schedule *schedule;
    struct story *story;
    uint32_t number;
    bool is_job, is_explicit;
    char text[STORY_MANIFEST]; /* its keys */
};

static uint32_t draw(const struct drawing *d, uint32_t n)
{
    return schedule_choose(d->schedule, n);
}

/* One in n; the dull choice is no. */
static bool happens(const struct drawing *d, uint32_t n)
{
    return draw(d, n) == 1;
}

static void append(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char *text, const char *format, ...)
{
    size_t used = strlen(text);
    va_list list;

    va_start(list, format);
    vsnprintf(text + used, STORY_MANIFEST - used, format, list);
    va_end(list);
}

/* ---- what programs do ------------------------------------------------------------------------ */

static void add_step(struct player *actor, unsigned kind, uint64_t number)
{
    if (actor->n_steps < HABIT_STEPS)
        actor->steps[actor->n_steps++] =
            (struct step){.kind = (enum step_kind)kind, .number = number};
}

/* How it ends by itself, if it does: the dull one lives on. */
static void draw_end(const struct drawing *d, struct player *actor)
{
    static const uint64_t times[] = {0, 5000, 300000, USEC_SEC, 20 * USEC_SEC};

    switch (draw(d, 5)) {
    case 1:
        add_step(actor, STEP_RUN, times[draw(d, 5)]);
        add_step(actor, STEP_EXIT, draw(d, 3));
        break;
    case 2:
        add_step(actor, STEP_RUN, times[draw(d, 5)]);
        add_step(actor, STEP_DIE, draw(d, 2) ? SIGKILL : SIGSEGV);
        break;
    case 3:
        add_step(actor, STEP_WAIT_CANCEL, 0);
        add_step(actor, STEP_EXIT, draw(d, 2));
        break;
    case 4:
        add_step(actor, STEP_RUN, times[draw(d, 5)]);
        add_step(actor, HABIT_EXITS_EITHER, 0);
        break;
    }
}

static void draw_traits(const struct drawing *d, struct traits *traits)
{
    static const uint64_t times[] = {0, 1000, 200000, 3 * USEC_SEC, 30 * USEC_SEC};

    *traits = (struct traits){};
    traits->cancel_takes_usec = times[draw(d, 5)];
    traits->ignores_cancel = happens(d, 8);
    if (happens(d, 4)) {
        traits->double_forks = true;
        traits->left_takes_usec = times[draw(d, 5)];
        traits->left_ignores = happens(d, 4);
    }
}

static void draw_speech(const struct drawing *d, struct player *actor)
{
    if (d->is_explicit) {
        add_step(actor, STEP_RUN, draw(d, 3) * 100000);
        add_step(actor, STEP_READY, 0);
    }
    if (happens(d, 3))
        add_step(actor, STEP_STATUS, 0);
    for (uint32_t n = draw(d, 3); n > 0; n--)
        add_step(actor, HABIT_PRINTS, 1 + draw(d, 60));
    if (happens(d, 6))
        add_step(actor, STEP_BEAT, 0);
}

/* A program that only its manifest knows: of a check, or before a start. NULL: there are too many.
 */
static struct player *add_program(const struct drawing *d, const char *kind)
{
    struct story *story = d->story;

    if (story->n_actors == STORY_ACTORS)
        return NULL;
    struct player *program = &story->actors[story->n_actors++];
    *program = (struct player){};
    snprintf(program->path, sizeof(program->path), "/sim/%s%u", kind, d->number);
    snprintf(program->child, sizeof(program->child), "c%u", d->number);
    return program;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void draw_stop(struct drawing *d, struct player *actor)
{
    static const unsigned graces[] = {10, 1, 2, 30};
    unsigned grace = graces[draw(d, 4)];

    actor->grace_nsec = grace * SEC;
    if (happens(d, 5)) {
        append(d->text, "    stop: {signals: [SIGTERM %us, SIGQUIT 2s]}\n", grace);
        actor->grace_nsec += 2 * SEC;
    } else {
        append(d->text, "    stop: {timeout: %us}\n", grace);
    }
    actor->kills_left = happens(d, 4);
    if (actor->kills_left)
        append(d->text, "    leftovers: kill\n");
}

static void draw_check(struct drawing *d)
{
    static const char *const intervals[] = {"10s", "1s", "300ms"};
    static const uint64_t times[] = {0, 20000, 700000, 20 * USEC_SEC};
    struct player *program;

    if (!happens(d, 4) || !(program = add_program(d, "check")))
        return;
    program->is_check = true;
    add_step(program, STEP_RUN, times[draw(d, 4)]);
    add_step(program, draw(d, 2) ? HABIT_EXITS_EITHER : STEP_EXIT, 0);
    if (happens(d, 6))
        append(d->text, "    health_check: {unix: /run/dbus/system_bus_socket, ");
    else
        append(d->text, "    health_check: {exec: [%s], ", program->path);
    append(d->text, "interval: %s, timeout: %ums, retries: %u, on_failure: %s}\n",
           intervals[draw(d, 3)], draw(d, 2) ? 500U : 3000U, 1 + draw(d, 3),
           draw(d, 2) ? "restart" : "report");
    if (!d->is_explicit && !d->is_job && happens(d, 3))
        append(d->text, "    readiness: check\n");
}

static void draw_before(struct drawing *d)
{
    static const uint64_t times[] = {0, 10000, 800000, 40 * USEC_SEC};
    struct player *program;

    if (!happens(d, 5) || !(program = add_program(d, "before")))
        return;
    program->is_before = true;
    add_step(program, STEP_RUN, times[draw(d, 4)]);
    add_step(program, draw(d, 3) ? STEP_EXIT : HABIT_EXITS_EITHER, 0);
    append(d->text, "    before: [{exec: [%s], may_fail: %s, timeout: %us}]\n", program->path,
           draw(d, 2) ? "true" : "false", 1 + draw(d, 3) * 5);
}

static void draw_output(struct drawing *d)
{
    switch (draw(d, 6)) {
    case 1:
        append(d->text, "    stdout: {file: /var/log/c%u}\n", d->number);
        break;
    case 2:
        append(d->text, "    stdout: {file: /var/log/c%u, max_size: 4K, keep: %u}\n", d->number,
               draw(d, 3));
        break;
    case 3:
        append(d->text, "    stdout: %s\n", draw(d, 2) ? "null" : "raw");
        break;
    case 4:
        append(d->text, "    stdout: inherit\n");
        break;
    }
}

/* Of its process: they wait for the next start. */
static void draw_process_keys(struct drawing *d)
{
    draw_output(d);
    if (happens(d, 6))
        append(d->text, "    user: web\n");
    if (happens(d, 6))
        append(d->text, "    sockets: [{name: s, listen: \"%s%u\", type: %s}]\n",
               draw(d, 2) ? "@c" : "/run/s", d->number, draw(d, 2) ? "datagram" : "stream");
    if (happens(d, 6))
        append(d->text, "    runtime_directory: c%u\n    state_directory: [c%u, shared]\n",
               d->number, d->number);
    if (happens(d, 8))
        append(d->text, "    environment: {COLOR: \"%u\"}\n    umask: 0077\n", draw(d, 100));
    if (happens(d, 8))
        append(d->text, "    environment_file: -/etc/c.env\n    limits: {nofile: 64}\n");
    if (happens(d, 8))
        append(d->text, "    nice: 3\n    oom_score_adj: 5\n%s",
               d->is_job ? "" : "    fd_store_max: 2\n");
}

/* Those that are in force at once. */
static void draw_policy_keys(struct drawing *d)
{
    static const char *const limits[] = {"quarantine", "stop", "escalate"};

    if (happens(d, 4)) {
        uint32_t limit = draw(d, 3);
        d->story->melts |= limit == 2;
        append(d->text, "    restart_limit: {burst: %u, interval: 1m, on_limit: %s}\n",
               1 + draw(d, 3), limits[limit]);
    }
    if (happens(d, 4))
        append(d->text, "    backoff: {initial: %ums, max: 5s}\n", draw(d, 2) ? 1U : 700U);
    if (happens(d, 5))
        append(d->text, "    heartbeat: {interval: 2s, on_stale: %s, required: %s}\n",
               draw(d, 2) ? "restart" : "report", draw(d, 2) ? "true" : "false");
    if (happens(d, 8))
        append(d->text, "    run_timeout: %us\n", 1 + draw(d, 10));
    if (happens(d, 8))
        append(d->text, "    description: \"one of %u\"\n    tags: [a, b]\n", draw(d, 9));
}

static void draw_schedule(struct drawing *d)
{
    static const char *const overlaps[] = {"skip", "queue", "replace"};
    static const char *const times[] = {"*:*:0/10", "*:0/1", "*:*:0/2"};

    if (happens(d, 2))
        append(d->text, "    schedule: {at: \"%s\", overlap: %s, persistent: %s}\n",
               times[draw(d, 3)], overlaps[draw(d, 3)], draw(d, 2) ? "true" : "false");
}

static void draw_kind(struct drawing *d)
{
    static const char *const policies[] = {"permanent", "transient", "temporary"};
    static const char *const job_policies[] = {"temporary", "transient"};

    if (d->is_job) {
        append(d->text, "    kind: job\n    restart: %s\n", job_policies[draw(d, 2)]);
        draw_schedule(d);
        return;
    }
    append(d->text, "    restart: %s\n", policies[draw(d, 3)]);
    if (d->is_explicit)
        append(d->text, "    readiness: explicit\n    start_timeout: %us\n", 1 + draw(d, 2) * 29);
}

static void draw_order(struct drawing *d)
{
    if (d->number == 0)
        return;
    switch (draw(d, 5)) {
    case 1:
        append(d->text, "    requires: [c%u]\n", draw(d, d->number));
        break;
    case 2:
        append(d->text, "    after: [c%u]\n", draw(d, d->number));
        break;
    }
}

/* ---- children -------------------------------------------------------------------------------- */

static void draw_child(struct drawing *d)
{
    struct story *story = d->story;
    struct player *actor = &story->actors[story->n_actors++];

    *actor = (struct player){.is_child = true};
    snprintf(actor->path, sizeof(actor->path), "/sim/c%u", d->number);
    snprintf(actor->child, sizeof(actor->child), "c%u", d->number);
    d->is_job = happens(d, 5);
    d->is_explicit = !d->is_job && happens(d, 3);
    d->text[0] = '\0';
    draw_speech(d, actor);
    draw_end(d, actor);
    draw_traits(d, &actor->traits);
    append(d->text, "  - name: c%u\n    exec: [%s]\n", d->number, actor->path);
    draw_kind(d);
    draw_stop(d, actor);
    draw_order(d);
    draw_check(d);
    draw_before(d);
    append(story->manifest, "%s", d->text);
    append(story->changed, "%s", d->text);
    d->text[0] = '\0';
    draw_process_keys(d);
    draw_policy_keys(d);
    append(story->manifest, "%s", d->text);
    if (happens(d, 2)) { /* it is another one in the changed manifest */
        d->text[0] = '\0';
        draw_process_keys(d);
        draw_policy_keys(d);
    }
    append(story->changed, "%s", d->text);
}

static void draw_root(const struct drawing *d)
{
    static const char *const strategies[] = {"one-for-one", "one-for-all", "rest-for-one"};
    const char *strategy = strategies[draw(d, 3)];

    append(d->story->manifest, "strategy: %s\n", strategy);
    append(d->story->changed, "strategy: %s\n", happens(d, 4) ? "one-for-one" : strategy);
}

void drawn_manifest(struct schedule *schedule, struct story *story)
{
    static struct drawing d;

    INVARIANT(schedule && story->n_actors == 0);
    d = (struct drawing){.schedule = schedule, .story = story};
    uint32_t n = 1 + draw(&d, CHILDREN);
    if (happens(&d, 3))
        draw_root(&d);
    append(story->manifest, "children:\n");
    append(story->changed, "children:\n");
    for (; d.number < n; d.number++)
        draw_child(&d);
}
