/*
 * check: all that is wrong with manifests, without a daemon; what they name that is not on this
 * machine; and what their restart limits come to: when a child that always fails is given up, or
 * that it never is.
 */
#include "core/calendar/timetable.h"
#include "core/vocabulary/noun.h"
#include "core/model/child.h"
#include "ctl/document.h"
#include "ctl/here.h"
#include "manifest/manifest_set.h"
#include "ctl/terminal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STARTS_MAX (RESTART_LIMIT_BURST_MAX + 200) /* backoff has come to its cap long before */

struct prospect {
    bool given_up;
    uint64_t starts;
    uint64_t after_usec; /* of failures alone, as if each start failed at once */
    uint64_t most;       /* that ever were in the window */
};

/* The child fails at once, each time: with the daemon's own window and backoff, without jitter. */
static int foresee(const struct child_declaration *declaration, struct prospect *prospect)
{
    struct backoff_settings backoff = declaration->backoff;
    struct random random = {};
    struct restart_limit limit;
    uint64_t now = 1, delay = 0;
    uint64_t *ring = malloc(restart_limit_ring_size(declaration->burst));

    *prospect = (struct prospect){};
    if (!ring)
        return -1;
    backoff.jitter = JITTER_NONE;
    restart_limit_init(&limit, ring, declaration->burst, declaration->interval_usec);
    while (prospect->starts < STARTS_MAX && !prospect->given_up) {
        prospect->starts++;
        restart_limit_prune(&limit, now, now);
        prospect->given_up = !restart_limit_count(&limit, now, now);
        if (limit.used > prospect->most)
            prospect->most = limit.used;
        prospect->after_usec = now - 1;
        delay = backoff_delay(&backoff, prospect->starts, delay, &random);
        now += delay > 0 ? delay : 1;
    }
    free(ring);
    return 0;
}

static void print_span(uint64_t usec)
{
    if (usec < 1000000)
        printf("%" PRIu64 " ms", usec / 1000);
    else if (usec < UINT64_C(120000000))
        printf("%" PRIu64 ".%" PRIu64 " s", usec / 1000000, usec / 100000 % 10);
    else
        printf("%" PRIu64 " min", usec / 60000000);
}

/* A limit that can never be reached is a warning: with a long backoff, too few
 * failures fit into the window. */
static void print_line(const struct child_declaration *declaration, const struct prospect *prospect)
{
    if (prospect->given_up) {
        printf("%s: if it always fails, it is given up (%s) after %" PRIu64 " %s, about ",
               declaration->id, on_limit_to_string(declaration->on_limit), prospect->starts,
               noun_of(prospect->starts, "start"));
        print_span(prospect->after_usec);
        puts(" of backoff");
        return;
    }
    printf("%s: warning: its restart limit is never reached: with its backoff no more than %" PRIu64
           " failures fit into ",
           declaration->id, prospect->most);
    print_span(declaration->interval_usec);
    printf(", and burst is %" PRIu32 "; it is restarted forever\n", declaration->burst);
}

static void json_number_or_null(struct json *json, const char *key, bool known, uint64_t number)
{
    json_key(json, key);
    if (known)
        json_number(json->out, number);
    else
        fputs("null", json->out);
}

/* ---- the next runs --------------------------------------------------------------------------- */

#define RUNS_SHOWN 3

/* From now, without their random delays. Returns how many there are. */
static size_t foresee_runs(const struct child_declaration *declaration, int64_t runs[RUNS_SHOWN])
{
    struct timetable timetable;
    struct zone zone;
    int64_t moment = (int64_t)time(NULL);
    size_t n = 0;

    if (timetable_read(declaration->schedule, &timetable) ||
        !zone_read(declaration->schedule_zone, &zone))
        return 0;
    while (n < RUNS_SHOWN && timetable_next(&timetable, &zone, moment, &moment))
        runs[n++] = moment;
    return n;
}

/* By the clock of this terminal, as everything that proctorctl prints. */
static void print_runs(const struct child_declaration *declaration)
{
    int64_t runs[RUNS_SHOWN];
    size_t n = foresee_runs(declaration, runs);

    printf(n > 0 ? "%s: next runs" : "%s: warning: no time of its schedule is left",
           declaration->id);
    for (size_t i = 0; i < n; i++) {
        char text[64];
        time_t seconds = (time_t)runs[i];
        struct tm local;
        strftime(text, sizeof(text), "%a %Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
        printf("%s %s", i > 0 ? "," : "", text);
    }
    puts("");
}

/* Only for children with a schedule. */
static void answer_runs(struct json *json, const struct child_declaration *declaration)
{
    int64_t runs[RUNS_SHOWN];
    size_t n = declaration->schedule ? foresee_runs(declaration, runs) : 0;

    json_key(json, "next_runs_usec");
    json_open(json, '[');
    for (size_t i = 0; i < n; i++) {
        json_item(json);
        json_number(json->out, (uint64_t)runs[i] * 1000000);
    }
    json_close(json, ']');
}

/* Numbers that have no meaning for this child are null. */
static void answer_prospect(struct json *json, const struct child_declaration *declaration,
                            const struct prospect *prospect, bool restarts)
{
    bool given_up = restarts && prospect->given_up;

    json_item(json);
    json_open(json, '{');
    json_key(json, "child");
    json_text(json->out, declaration->id);
    json_key(json, "restarts");
    json_flag(json->out, restarts);
    json_key(json, "given_up");
    if (restarts)
        json_flag(json->out, given_up);
    else
        fputs("null", json->out);
    json_number_or_null(json, "starts", given_up, prospect->starts);
    json_number_or_null(json, "after_usec", given_up, prospect->after_usec);
    answer_runs(json, declaration);
    json_close(json, '}');
}

/* json: NULL where people read it. */
static int tell_each(const struct client *client, const struct manifest_set *set, struct json *json)
{
    for (size_t i = 0; i < manifest_set_count(set); i++) {
        const struct child_declaration *declaration = manifest_set_declaration(set, i);
        bool restarts = declaration->has_process && declaration->restart != RESTART_TEMPORARY;
        struct prospect prospect = {};
        if (restarts && foresee(declaration, &prospect) < 0)
            return -ENOMEM;
        if (json)
            answer_prospect(json, declaration, &prospect, restarts);
        else if (restarts && (!client->quiet || !prospect.given_up))
            print_line(declaration, &prospect);
        if (!json && !client->quiet && declaration->schedule)
            print_runs(declaration);
    }
    return 0;
}

/* ---- what is not here ------------------------------------------------------------------------ */

/* Where warnings go: to people, or into a list. */
struct warnings {
    const struct manifest_set *set;
    size_t child;
    struct json *json;
};

/* "FILE:LINE:COLUMN: warning: CHILD: text", the place being the child's. */
static void warn(void *userdata, const char *text)
{
    const struct warnings *warnings = userdata;
    const struct child_declaration *d = manifest_set_declaration(warnings->set, warnings->child);
    struct declaration_problem problem = {.declaration = warnings->child,
                                          .dependency = PROBLEM_ELSEWHERE};
    struct error line = {};

    snprintf(problem.error.text, sizeof(problem.error.text), "warning: %.80s: %s", d->id, text);
    manifest_set_explain(warnings->set, &problem, &line);
    if (warnings->json) {
        json_item(warnings->json);
        json_text(warnings->json->out, line.text);
        return;
    }
    text_write(stderr, line.text);
    fputc('\n', stderr);
}

static void warn_of_each(const struct manifest_set *set, struct json *json)
{
    struct warnings warnings = {.set = set, .json = json};
    const struct here here = {warn, &warnings};

    for (; warnings.child < manifest_set_count(set); warnings.child++)
        here_look(&here, manifest_set_declaration(set, warnings.child));
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* One document with all children. */
static int answer_all(struct client *client, const struct manifest_set *set)
{
    struct json json;

    if (answer_begin(client, &json) < 0)
        return CTL_ERROR;
    json_open(&json, '{');
    json_key(&json, "children");
    json_open(&json, '[');
    int r = tell_each(client, set, &json);
    json_close(&json, ']');
    json_key(&json, "warnings");
    json_open(&json, '[');
    warn_of_each(set, &json);
    json_close(&json, ']');
    json_close(&json, '}');
    return answer_end(client, &json, r) < 0 ? CTL_ERROR : CTL_DONE;
}

/* The summary is the last line, so that a script can look for it. */
static int tell(struct client *client, const struct manifest_set *set)
{
    if (client->json != JSON_OFF)
        return answer_all(client, set);
    warn_of_each(set, NULL);
    if (tell_each(client, set, NULL) < 0)
        return CTL_ERROR;
    if (!client->quiet)
        printf("%zu %s, no errors found\n", manifest_set_count(set),
               noun_of(manifest_set_count(set), "child"));
    return CTL_DONE;
}

/* The first is the error; all of them stand beside it. */
static void answer_mistakes(struct client *client, const struct mistakes *mistakes)
{
    struct json json;
    const char *text = mistakes_text(mistakes, 0);

    if (answer_begin(client, &json) < 0)
        return;
    json_open(&json, '{');
    answer_error_member(&json, NULL, text);
    json_key(&json, "mistakes");
    json_open(&json, '[');
    for (size_t i = 0; (text = mistakes_text(mistakes, i)); i++) {
        json_item(&json);
        json_text(json.out, text);
    }
    json_close(&json, ']');
    json_key(&json, "mistakes_count");
    json_number(json.out, mistakes->count);
    json_close(&json, '}');
    answer_end(client, &json, 0);
}

int client_show_mistakes(struct client *client, const struct mistakes *mistakes, int r)
{
    const char *text;
    char rest[64];

    assert(client && mistakes);
    if (mistakes->count == 0)
        return r;
    for (size_t i = 0; (text = mistakes_text(mistakes, i)); i++) {
        text_write(stderr, text);
        fputc('\n', stderr);
    }
    if (mistakes_rest(mistakes, rest, sizeof(rest))) {
        text_write(stderr, rest);
        fputc('\n', stderr);
    }
    if (client->json != JSON_OFF)
        answer_mistakes(client, mistakes);
    return CTL_ERROR;
}

/* The same code that proctord uses to read manifests, so both give the same
 * errors. */
int command_check(struct client *client)
{
    struct mistakes mistakes = {};
    struct manifest_set *set = NULL;
    struct error error = {};
    int r = manifest_set_load_all((const char *const *)client->arguments,
                                  (size_t)client->n_arguments, false, &mistakes, &set, &error);

    if (r == 0)
        r = manifest_set_check_all(set, &mistakes);
    if (r < 0)
        r = client_fail(client, "check: %s", error.text[0] ? error.text : strerror(-r));
    else if (mistakes.count == 0)
        r = tell(client, set);
    r = client_show_mistakes(client, &mistakes, r);
    mistakes_free(&mistakes);
    manifest_set_free(set);
    return r;
}
