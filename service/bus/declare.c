/*
 * What declares: AddChild and ReplaceChild.
 */
#include "bus/declare.h"
#include "bus/authorisation.h"
#include "bus/caller.h"
#include "bus/history.h"
#include "bus/key.h"
#include "bus/options.h"
#include "bus/path.h"
#include "bus/verbs.h"
#include "bus/wait.h"

#include "core/model/members.h"
#include "core/vocabulary/invariant.h"
#include "bus/changes.h"
#include "manifest/manifest_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- AddChild -------------------------------------------------------------------------------- */

int declare_refuse_manifest(struct service *service, const struct caller *caller,
                            const struct manifest_error *why, sd_bus_error *error)
{
    INVARIANT(memchr(why->text, '\0', sizeof(why->text)));
    core_declaration_rejected(service->core, caller->text, why->text);
    return refuse_call(error, PROCTOR_ERROR "InvalidManifest", "line %zu, column %zu: %s",
                       why->line, why->column, why->text);
}

/* Where in the text the problem is. */
static void locate(const struct manifest *manifest, const struct tree_declaration *tree,
                   const struct declaration_problem *problem, struct manifest_error *why)
{
    bool ignored;

    for (size_t i = 0; problem->of_supervisor && i < manifest_supervisor_count(manifest); i++)
        if (strcmp(manifest_supervisor(manifest, i, &ignored)->path,
                   tree->supervisors[problem->declaration].path) == 0)
            manifest_locate_supervisor(manifest, i, why);
    if (!problem->of_supervisor)
        manifest_locate(manifest, problem->declaration, problem->dependency, why);
    snprintf(why->text, sizeof(why->text), "%.390s", problem->error.text);
}

/* The core's error as a D-Bus error. Where it concerns a place in the manifest,
 * line and column are looked up. */
int declare_refuse(struct service *service, const struct caller *caller,
                   const struct manifest *manifest, const struct tree_declaration *tree, int r,
                   const struct declaration_problem *problem, sd_bus_error *error)
{
    struct manifest_error why = {};

    INVARIANT(r < 0 && problem);
    switch (-r) {
    case ESHUTDOWN:
        return refuse_call(error, PROCTOR_ERROR "ShuttingDown", "%s", problem->error.text);
    case EEXIST:
        core_declaration_rejected(service->core, caller->text, problem->error.text);
        return refuse_call(error, PROCTOR_ERROR "ChildExists", "%s", problem->error.text);
    case E2BIG:
        return refuse_call(error, PROCTOR_ERROR "LimitExceeded", "%s", problem->error.text);
    case ENOENT:
    case ELOOP:
    case EINVAL:
        locate(manifest, tree, problem, &why);
        return declare_refuse_manifest(service, caller, &why, error);
    default:
        return refuse_errno(error, r, "%s", strerror(-r));
    }
}

/* What a text adds: copies of its declarations, in a row. */
struct addition {
    struct tree_declaration tree;
    struct child_declaration *children;
    struct supervisor_declaration *supervisors;
};

static void addition_free(struct addition *addition)
{
    free(addition->children);
    free(addition->supervisors);
}

/* A supervisor that is there already may be named to say whose children these are, and no more. */
static int add_supervisors(const struct service *service, const struct manifest *manifest,
                           struct addition *addition, sd_bus_error *error)
{
    size_t count = manifest_supervisor_count(manifest);

    for (size_t i = 0; i < count; i++) {
        bool settings;
        const struct supervisor_declaration *d = manifest_supervisor(manifest, i, &settings);
        bool there = core_find_supervisor(service->core, d->path) != NULL;
        if (there && settings)
            return refuse_call(error, PROCTOR_ERROR "ChildExists",
                               "a supervisor is already called \"%s\"",
                               d->path[0] ? d->path : "root");
        if (!there)
            addition->supervisors[addition->tree.n_supervisors++] = *d;
    }
    return 0;
}

static size_t children_of(const struct service *service, uid_t uid)
{
    size_t count = 0;

    for (struct child *child = core_first(service->core); child; child = core_next(child))
        count += !child->job && child->config->declaration.owner == uid;
    return count;
}

/* The children with their owner, for the limit per user. */
static int make_addition(const struct service *service, const struct manifest *manifest,
                         const struct caller *caller, struct addition *addition,
                         sd_bus_error *error)
{
    size_t count = manifest_count(manifest);

    addition->children = calloc(count + 1, sizeof(*addition->children));
    addition->supervisors =
        calloc(manifest_supervisor_count(manifest) + 1, sizeof(*addition->supervisors));
    if (!addition->children || !addition->supervisors)
        return -ENOMEM;
    if (caller_has_its_share(caller, count == 0 ? 0 : children_of(service, caller->uid) + count - 1,
                             CHILDREN_PER_UID))
        return refuse_call(error, PROCTOR_ERROR "LimitExceeded", "%s may own at most %d children",
                           caller->text, CHILDREN_PER_UID);
    for (size_t i = 0; i < count; i++) {
        addition->children[i] = *manifest_declaration(manifest, i);
        addition->children[i].owner = caller->uid;
        const struct child *child = core_find(service->core, addition->children[i].id);
        if (child)
            return refuse_call(error, PROCTOR_ERROR "ChildExists",
                               "a child is already called \"%s\"", addition->children[i].id);
    }
    addition->tree.children = addition->children;
    addition->tree.n_children = count;
    addition->tree.supervisors = addition->supervisors;
    return add_supervisors(service, manifest, addition, error);
}

/* The path of what was added: the supervisor, or the one child. */
static char *path_of_addition(const struct manifest *manifest)
{
    bool ignored;

    if (manifest_supervisor_count(manifest) > 0)
        return path_of_supervisor(manifest_supervisor(manifest, 0, &ignored)->path);
    return path_of_child(manifest_declaration(manifest, 0)->id);
}

/* The path is the answer; with `wait`, a child's start is waited for, and the
 * reply is only kept for its key. */
static int answer_addition(struct service *service, sd_bus_message *m,
                           const struct manifest *manifest, const struct caller *caller,
                           const struct options *options, sd_bus_error *error)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    char *path = path_of_addition(manifest);
    int r = path ? sd_bus_message_new_method_return(m, &reply) : -ENOMEM;

    if (r >= 0)
        r = append_values(reply, "o", path);
    free(path);
    if (r < 0)
        return r;

    /* A supervisor is there at once; of one child, the start can be waited for. */
    bool one = manifest_supervisor_count(manifest) == 0;
    struct child *child =
        one ? core_find(service->core, manifest_declaration(manifest, 0)->id) : NULL;
    bool wait = options->wait && child;
    if (wait && wait_for_start(service, m, child, options->wait_usec) < 0)
        return refuse_call(error, PROCTOR_ERROR "LimitExceeded",
                           WAITERS_FULL "; the child was added");
    /* The waiter answers with a message of its own; this one is then only kept for its key. */
    r = wait ? sd_bus_message_seal(reply, 1, 0) : service_acknowledge(service, reply);
    if (r >= 0 && !options->dry_run)
        key_remember(service, options, caller->uid, reply);
    return r < 0 ? r : 1;
}

/* All of it or nothing. */
static int declare(struct service *service, sd_bus_message *m, const struct manifest *manifest,
                   const struct caller *caller, const struct options *options, const char *reason,
                   sd_bus_error *error)
{
    struct addition addition = {};
    struct declaration_problem problem = {};
    int r = make_addition(service, manifest, caller, &addition, error);

    if (r >= 0) {
        r = options->dry_run ? core_dry_run(service->core, "add", &addition.tree, NULL,
                                            options->requester, reason, &problem)
                             : core_declare_tree(service->core, &addition.tree, options->requester,
                                                 reason, &problem);
        service->hooks.settle(service->hooks.userdata);
        if (r < 0)
            r = declare_refuse(service, caller, manifest, &addition.tree, r, &problem, error);
    }
    addition_free(&addition);
    return r < 0 ? r : answer_addition(service, m, manifest, caller, options, error);
}

/* ---- PlanAddChild ---------------------------------------------------------------------------- */

static void note_addition(struct changes *named, const struct tree_declaration *tree)
{
    char text[CHILD_ID_MAX + 16];

    for (size_t i = 0; i < tree->n_supervisors; i++) {
        snprintf(text, sizeof(text), "supervisor %s", tree->supervisors[i].path);
        changes_note(named, "added", text);
    }
    for (size_t i = 0; i < tree->n_children; i++)
        changes_note(named, "added", tree->children[i].id);
}

/* The dry run emits an event, since the caller has got an answer. */
static int plan_addition(struct service *service, const struct tree_declaration *tree,
                         struct changes *named, const struct options *options, const char *reason,
                         struct declaration_problem *problem)
{
    int r =
        core_dry_run(service->core, "add", tree, &(struct plan_visitor){changes_note_start, named},
                     options->requester, reason, problem);

    service->hooks.settle(service->hooks.userdata);
    if (r >= 0)
        note_addition(named, tree);
    return r;
}

/* The same request as AddChild, with the same checks. */
static int plan_declare(struct service *service, sd_bus_message *m, const struct manifest *manifest,
                        const struct caller *caller, const struct options *options,
                        const char *reason, sd_bus_error *error)
{
    struct changes *named = calloc(1, sizeof(*named));
    struct addition addition = {};
    struct declaration_problem problem = {};
    int r = named ? make_addition(service, manifest, caller, &addition, error) : -ENOMEM;

    if (r >= 0) {
        r = plan_addition(service, &addition.tree, named, options, reason, &problem);
        r = r < 0 ? declare_refuse(service, caller, manifest, &addition.tree, r, &problem, error)
                  : changes_answer(service, m, named, 0, options, caller->uid);
    }
    addition_free(&addition);
    if (named)
        changes_free(named);
    return r;
}

/* Reads `s manifest, s reason, a{sv} options`. Returns 1, or 2 where a key has answered the call
 * already, or what is to be returned. */
int declare_read_manifest(struct service *service, sd_bus_message *m,
                          const struct permission *permission, struct manifest **manifest,
                          const struct caller **caller, struct options *options,
                          const char **reason, sd_bus_error *error)
{
    struct manifest_error why;
    const char *text;

    INVARIANT(manifest && reason);
    int r = argument_read(m, "manifest", &text, error);
    if (r >= 0)
        r = argument_read(m, "reason", reason, error);
    if (r >= 0)
        r = command_prepare(service, m, permission, *reason, caller, options, error);
    if (r != 0)
        return r > 0 ? 2 : r;
    if (strlen(text) > MANIFEST_CHILD_MAX)
        return refuse_call(error, PROCTOR_ERROR "LimitExceeded",
                           "manifest: is longer than %d bytes", MANIFEST_CHILD_MAX);
    r = manifest_parse(text, strlen(text), "", manifest, &why);
    if (r == -ENOMEM)
        return r;
    return r < 0 ? declare_refuse_manifest(service, *caller, &why, error) : 1;
}

/* One that is on its way out counts as absent: what is declared follows when it has gone. */
static const struct child *leaving_child(const struct service *service,
                                         const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest_count(manifest); i++) {
        const struct child *child = core_find(service->core, manifest_declaration(manifest, i)->id);
        if (child && child->operation == CHILD_REMOVED)
            return child;
    }
    return NULL;
}

/* A child of this name is being removed: the whole call is handled again when
 * it is gone. */
static int declare_later(struct service *service, sd_bus_message *m, const struct child *leaving,
                         sd_bus_message_handler_t again, const struct options *options,
                         sd_bus_error *error)
{
    if (core_shutdown_phase(service->core) != SHUTDOWN_IDLE)
        return refuse_call(error, PROCTOR_ERROR "ShuttingDown", "the tree is shutting down");
    if (wait_until_gone(service, m, leaving, again, options->wait_usec) < 0)
        return refuse_call(error, PROCTOR_ERROR "LimitExceeded",
                           WAITERS_FULL "; nothing was added: \"%s\" is still being removed",
                           leaving->id);
    return 1;
}

/* AddChild and its dry run read the same request. */
static int add_child(sd_bus_message *m, struct service *service, bool only_planned,
                     sd_bus_error *error)
{
    struct manifest *manifest;
    const struct caller *caller;
    struct options options;
    const char *reason;

    int r = declare_read_manifest(service, m, &(struct permission){MAY_CHANGE_TREE, "add", NULL},
                                  &manifest, &caller, &options, &reason, error);
    if (r != 1)
        return r == 2 ? 1 : r;
    options.dry_run = options.dry_run || only_planned;
    const struct child *leaving = leaving_child(service, manifest);
    if (leaving)
        r = declare_later(service, m, leaving,
                          only_planned ? method_plan_add_child : method_add_child, &options, error);
    else if (only_planned)
        r = plan_declare(service, m, manifest, caller, &options, reason, error);
    else
        r = declare(service, m, manifest, caller, &options, reason, error);
    manifest_free(manifest);
    return r;
}

int method_add_child(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    return add_child(m, userdata, false, error);
}

/* What AddChild would come to; its answer has no room for that. It waits where AddChild does. */
int method_plan_add_child(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    return add_child(m, userdata, true, error);
}

/* ---- ReplaceChild ---------------------------------------------------------------------------- */

/* A caller that replaces a child of a file does so until the files are read again: it stays
 * theirs. */
static int find_replaced(struct service *service, const struct manifest *manifest,
                         const struct caller *caller, struct child_declaration *declaration,
                         sd_bus_error *error)
{
    if (manifest_count(manifest) != 1 || manifest_supervisor_count(manifest) > 0)
        return refuse_call(error, PROCTOR_ERROR "InvalidManifest",
                           "line 1, column 1: expected the manifest of one child");
    *declaration = *manifest_declaration(manifest, 0);
    const struct child *child = core_find(service->core, declaration->id);
    if (!child || child->operation == CHILD_REMOVED)
        return refuse_call(error, PROCTOR_ERROR "NoSuchChild", "no child is called \"%s\"%s",
                           declaration->id, child ? " any more: it is being removed" : "");
    declaration->manifest_path = child->config->declaration.manifest_path;
    declaration->owner =
        declaration->manifest_path[0] ? child->config->declaration.owner : caller->uid;
    return 0;
}

/* Checked first, so that the reply can say what would change. */
static int replace(struct service *service, const struct child_declaration *declaration,
                   const struct options *options, const char *reason, enum child_change *change,
                   struct changes *named, struct declaration_problem *problem)
{
    enum redeclare_how how = options->restart ? REDECLARE_APPLIES : REDECLARE_WAITS;
    int r = core_check_redeclare(service->core, declaration, 1,
                                 &(struct plan_visitor){changes_note_start, named}, problem);

    if (r == 0)
        r = core_change_of(service->core, declaration, options->restart, change);
    if (r == 0 && options->dry_run)
        tell_dry_run(service, "replace", options->requester, reason);
    else if (r == 0)
        r = core_redeclare(service->core, declaration, 1, how, options->requester, reason, problem);
    service->hooks.settle(service->hooks.userdata);
    return r;
}

static int answer_replacement(struct service *service, sd_bus_message *m, const char *id,
                              enum child_change change, struct changes *named,
                              const struct options *options, uid_t uid)
{
    if (change != CHANGE_NONE)
        changes_note(named, child_change_to_string(change), id);
    if (change == CHANGE_RESTART)
        changes_note_restart(named, service->core, id);
    return changes_answer(service, m, named, change == CHANGE_NONE, options, uid);
}

/* For a child that a file declares, this lasts until the next reload. */
static int replace_child(struct service *service, sd_bus_message *m,
                         const struct manifest *manifest, const struct caller *caller,
                         const struct options *options, const char *reason, sd_bus_error *error)
{
    struct child_declaration declaration;
    struct declaration_problem problem = {};
    struct tree_declaration none = {};
    enum child_change change;

    int r = find_replaced(service, manifest, caller, &declaration, error);
    if (r < 0)
        return r;
    struct changes *named = calloc(1, sizeof(*named));
    if (!named)
        return -ENOMEM;
    r = replace(service, &declaration, options, reason, &change, named, &problem);
    r = r < 0 ? declare_refuse(service, caller, manifest, &none, r, &problem, error)
              : answer_replacement(service, m, declaration.id, change, named, options, caller->uid);
    changes_free(named);
    return r;
}

/* Its own option is `restart`. */
int method_replace_child(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct permission permission = {
        .action = MAY_CHANGE_TREE, .verb = "replace", .option = "restart"};
    struct service *service = userdata;
    struct manifest *manifest;
    const struct caller *caller;
    struct options options;
    const char *reason;

    int r = declare_read_manifest(service, m, &permission, &manifest, &caller, &options, &reason,
                                  error);
    if (r != 1)
        return r == 2 ? 1 : r;
    r = replace_child(service, m, manifest, caller, &options, reason, error);
    manifest_free(manifest);
    return r;
}
