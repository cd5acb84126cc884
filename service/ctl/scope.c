/* The tree as a picture, and the verbs on a whole scope. */
#include "core/vocabulary/noun.h"
#include "ctl/scope.h"

#include "ctl/call.h"
#include "ctl/document.h"
#include "ctl/outcome.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUPERVISOR "org.proctor1.Supervisor"
#define ROOT       PATH "/supervisor/root"
#define DEPTH_MAX  16

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

/* ---- the tree -------------------------------------------------------------------------------- */

/* One line for each child, by its object path. */
struct row {
    char *path, *id, *operation, *status, *readiness;
    uint64_t generation;
    uint32_t remaining;
    int stale;
};

struct tree {
    struct client *client;
    struct row *rows;
    size_t count;
};

/* Everything was copied, as replies are freed. */
static void tree_free(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->rows[i].path);
        free(tree->rows[i].id);
        free(tree->rows[i].operation);
        free(tree->rows[i].status);
        free(tree->rows[i].readiness);
    }
    free(tree->rows);
}

static int by_path(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* The row is kept until the picture is drawn. */
static int read_row(sd_bus_message *reply, struct tree *tree)
{
    const char *id, *path, *operation, *status, *readiness, *stop;
    uint64_t generation, attempt;
    uint32_t remaining;
    int stale, exhausted;
    int r = sd_bus_message_read(reply, "(sosssttbsub)", &id, &path, &operation, &status, &readiness,
                                &generation, &attempt, &stale, &stop, &remaining, &exhausted);
    if (r <= 0)
        return r;
    struct row *rows = realloc(tree->rows, (tree->count + 1) * sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    tree->rows = rows;
    rows[tree->count++] = (struct row){.path = strdup(path),
                                       .id = strdup(id),
                                       .operation = strdup(operation),
                                       .status = strdup(status),
                                       .readiness = strdup(readiness),
                                       .generation = generation,
                                       .remaining = remaining,
                                       .stale = stale};
    return 1;
}

/* Sorted by path, to be found again. */
static int read_children(struct tree *tree, sd_bus_error *error)
{
    CLEANUP_MESSAGE *reply = NULL;
    int r = call_method(tree->client, PATH, MANAGER, "ListChildren", error, &reply, NULL);

    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "(sosssttbsub)");
    while (r >= 0 && (r = read_row(reply, tree)) > 0)
        ;
    if (tree->count > 0)
        qsort(tree->rows, tree->count, sizeof(*tree->rows), by_path);
    return r;
}

static const struct row *find_row(const struct tree *tree, const char *path)
{
    struct row wanted = {.path = (char *)(uintptr_t)path};
    return tree->count > 0 ? bsearch(&wanted, tree->rows, tree->count, sizeof(*tree->rows), by_path)
                           : NULL;
}

static const char *last_segment(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static char *text_of(struct client *client, const char *path, const char *name)
{
    char *value = NULL;
    return call_string(client, path, SUPERVISOR, name, &value) < 0 ? strdup("?") : value;
}

static uint32_t number_of(struct client *client, const char *path, const char *name)
{
    uint32_t value = 0;
    call_basic(client, path, SUPERVISOR, name, 'u', &value);
    return value;
}

/* What there is to tell of a supervisor. */
struct branch {
    char *path, *strategy, *state;
    uint32_t used, burst, queued;
};

static void branch_read(struct client *client, const char *path, struct branch *branch)
{
    *branch = (struct branch){.path = text_of(client, path, "Path"),
                              .strategy = text_of(client, path, "Strategy"),
                              .state = text_of(client, path, "State"),
                              .used = number_of(client, path, "FailuresUsed"),
                              .burst = number_of(client, path, "FailureLimitBurst"),
                              .queued = number_of(client, path, "RestartsQueued")};
}

static void branch_free(struct branch *branch)
{
    free(branch->path);
    free(branch->strategy);
    free(branch->state);
}

/* ---- as a picture ---------------------------------------------------------------------------- */

/* "ready", "paused, cancelling": what is wanted of it where that is not the usual, and what it does
 * where it does anything. */
static void print_child(const struct row *row)
{
    bool held = strcmp(row->operation, "active") != 0, idle = strcmp(row->status, "none") == 0;

    text_write(stdout, last_segment(row->id));
    printf(": %s", held ? row->operation : row->status);
    if (held && !idle)
        printf(", %s", row->status);
    printf(", generation %" PRIu64 "%s\n", row->generation, row->stale ? ", unhealthy" : "");
}

/* With the failures that it has counted. */
static void print_supervisor(struct client *client, const char *path)
{
    struct branch branch;

    branch_read(client, path, &branch);
    text_write(stdout, branch.path[0] ? last_segment(branch.path) : "");
    printf("/ %s, %s", branch.strategy, branch.state);
    if (branch.burst > 0)
        printf(", %" PRIu32 " of %" PRIu32 " %s used", branch.used, branch.burst,
               noun_of(branch.burst, "failure"));
    if (branch.queued > 0)
        printf(", %" PRIu32 " %s queued", branch.queued, noun_of(branch.queued, "restart"));
    fputc('\n', stdout);
    branch_free(&branch);
}

static void free_members(char **members)
{
    for (char **member = members; member && *member; member++)
        free(*member);
    free(members);
}

static int read_members(struct client *client, const char *path, char ***members)
{
    CLEANUP_MESSAGE *reply = NULL;
    int r = call_property(client, path, SUPERVISOR, "Members", NULL, &reply, "ao");

    *members = NULL;
    return r < 0 ? r : sd_bus_message_read_strv(reply, members);
}

static bool is_supervisor(const char *path)
{
    return strncmp(path, ROOT "/", strlen(ROOT "/")) == 0;
}

/* Recursive, as deep as the tree may be. */
static int print_members(const struct tree *tree, const char *path, const char *indent,
                         unsigned depth)
{
    char **members;
    char deeper[DEPTH_MAX * 8];
    int r = read_members(tree->client, path, &members);

    for (char **member = members; r >= 0 && member && *member; member++) {
        const struct row *row = find_row(tree, *member);
        bool last = !member[1];
        if (!row && !is_supervisor(*member))
            continue; /* it has gone meanwhile */
        printf("%s%s", indent, last ? "└─ " : "├─ ");
        if (row) {
            print_child(row);
            continue;
        }
        print_supervisor(tree->client, *member);
        snprintf(deeper, sizeof(deeper), "%s%s", indent, last ? "   " : "│  ");
        if (depth < DEPTH_MAX)
            r = print_members(tree, *member, deeper, depth + 1);
    }
    free_members(members);
    return r;
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static void json_pair(struct json *json, const char *key, const char *text)
{
    json_key(json, key);
    json_text(json->out, text);
}

static void json_count(struct json *json, const char *key, uint64_t number)
{
    json_key(json, key);
    json_number(json->out, number);
}

/* The keys of `tree --json`. */
static void answer_child(struct json *json, const struct row *row)
{
    json_open(json, '{');
    json_pair(json, "id", row->id);
    json_pair(json, "operation", row->operation);
    json_pair(json, "status", row->status);
    json_pair(json, "readiness", row->readiness);
    json_count(json, "generation", row->generation);
    json_count(json, "restarts_remaining", row->remaining);
    json_key(json, "heartbeat_stale");
    json_flag(json->out, row->stale);
    json_close(json, '}');
}

/* A supervisor is distinguished from a child by its key `members`. */
static int answer_supervisor(const struct tree *tree, struct json *json, const char *path,
                             unsigned depth)
{
    struct branch branch;
    char **members;
    int r = read_members(tree->client, path, &members);

    branch_read(tree->client, path, &branch);
    json_open(json, '{');
    json_pair(json, "path", branch.path);
    json_pair(json, "strategy", branch.strategy);
    json_pair(json, "state", branch.state);
    json_count(json, "failures_used", branch.used);
    json_count(json, "failure_limit_burst", branch.burst);
    json_count(json, "restarts_queued", branch.queued);
    json_key(json, "members");
    json_open(json, '[');
    for (char **member = members; r >= 0 && member && *member; member++) {
        const struct row *row = find_row(tree, *member);
        if (!row && (!is_supervisor(*member) || depth == DEPTH_MAX))
            continue;
        json_item(json);
        if (row)
            answer_child(json, row);
        else
            r = answer_supervisor(tree, json, *member, depth + 1);
    }
    json_close(json, ']');
    json_close(json, '}');
    branch_free(&branch);
    free_members(members);
    return r;
}

static int answer_tree(const struct tree *tree)
{
    struct json json;
    int r = answer_begin(tree->client, &json);

    return r < 0 ? r : answer_end(tree->client, &json, answer_supervisor(tree, &json, ROOT, 0));
}

/* One call for the children, one per supervisor. */
int command_tree(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    struct tree tree = {.client = client};
    int r;

    r = read_children(&tree, &error);
    if (r >= 0 && client->json != JSON_OFF) {
        r = answer_tree(&tree);
    } else if (r >= 0) {
        print_supervisor(client, ROOT);
        r = print_members(&tree, ROOT, "", 0);
    }
    tree_free(&tree);
    return r < 0 ? client_error(client, &error, r) : CTL_DONE;
}

/* ---- verbs ----------------------------------------------------------------------------------- */

bool scope_is_meant(const char *id)
{
    size_t length = strlen(id);
    return length > 0 && id[length - 1] == '/';
}

/* The object path of "payments/eu/": sd-bus escapes one segment at a time. */
static char *scope_path(const char *id)
{
    char *path = strdup(ROOT);

    for (const char *segment = id; path && *segment && *segment != '/';) {
        size_t length = strcspn(segment, "/");
        char name[256], *longer = NULL;
        snprintf(name, sizeof(name), "%.*s", (int)length, segment);
        if (sd_bus_path_encode(path, name, &longer) < 0)
            longer = NULL;
        free(path);
        path = longer;
        segment += length + (segment[length] == '/');
    }
    return path;
}

/* Methods of a child, and their counterparts for a whole supervisor. */
static const char *scope_method(const char *method)
{
    static const char *const methods[][2] = {{"PauseChild", "Pause"},
                                             {"ResumeChild", "Resume"},
                                             {"RestartChild", "Restart"},
                                             {"RemoveChild", "Shutdown"}};

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i][0], method) == 0)
            return methods[i][1];
    return NULL;
}

/* One answer for the whole scope: a list. */
static int answer_outcomes(struct client *client, sd_bus_message *reply)
{
    struct json json;
    int r = answer_begin(client, &json);

    if (r < 0)
        return r;
    json_open(&json, '[');
    r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
    while (r >= 0 && sd_bus_message_at_end(reply, false) == 0) {
        json_item(&json);
        r = json_value(&json, reply, outcome_keys);
    }
    json_close(&json, ']');
    return answer_end(client, &json, r);
}

/* The exit status is the worst of all. */
static int show_outcomes(struct client *client, sd_bus_message *reply)
{
    int worst = CTL_DONE, r;

    if (client->json != JSON_OFF) {
        r = answer_outcomes(client, reply);
        if (r < 0)
            return client_error(client, NULL, r);
        sd_bus_message_rewind(reply, true);
    }
    r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
    while (r >= 0 && sd_bus_message_at_end(reply, false) == 0) {
        int code;
        r = outcome_show(client, reply, &code);
        worst = code > worst ? code : worst;
    }
    return r < 0 ? client_error(client, NULL, r) : worst;
}

/* A supervisor that does not exist is reported like a child. */
int scope_verb(struct client *client, const char *method, const char *id)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    const char *name = scope_method(method);
    char *path = scope_path(id);
    int r = path ? 0 : -ENOMEM;

    if (strcmp(method, "RemoveChild") == 0 && strcmp(id, "/") == 0) {
        free(path);
        return client_fail(client, "/: this is the whole tree; \"proctorctl shutdown\" ends it");
    }
    if (!name) {
        free(path);
        return client_fail(
            client, "%s: only pause, resume, restart and remove apply to a whole supervisor", id);
    }
    if (r >= 0)
        r = client_call(client, path, SUPERVISOR, name, &call);
    free(path);
    if (r >= 0)
        r = client_append_reason(client, call);
    if (r >= 0)
        r = client_wait(client, call, &error, &reply);
    if (r < 0 && sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT)) {
        client_fail(client, "%s: no supervisor has this path; \"proctorctl tree\" shows them", id);
        return CTL_NO_SUCH_CHILD;
    }
    return r < 0 ? client_error(client, &error, r) : show_outcomes(client, reply);
}
