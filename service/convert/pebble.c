/*
 * Pebble layers. Services and their checks become children; a check that
 * restarts a service becomes that child's health check. Settings without a
 * counterpart are listed, with their lines.
 */
#include "convert/pebble.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Compose files have services, too: what only Pebble knows decides. */
bool pebble_is(const struct node *root)
{
    assert(root);
    const struct node *services = yaml_find(root, "services");

    if (yaml_find(root, "checks") || yaml_find(root, "log-targets"))
        return true;
    for (size_t i = 0; services && services->kind == NODE_MAPPING && i < services->count; i++)
        if (yaml_find(services->pairs[i].value, "override"))
            return true;
    return false;
}

static void carry(const struct yaml_file *file, const struct node *service, struct draft *draft,
                  const char *key, const char *path)
{
    const char *text = yaml_text(file, yaml_find(service, key));

    if (*text)
        draft_set(draft, path, text, NULL);
}

/* "program [ --default arguments ]": the brackets go, the arguments stay. */
static int take_command(const struct yaml_file *file, const struct node *service,
                        struct draft *draft)
{
    struct words words, plain = {};
    int r = yaml_command(file, yaml_find(service, "command"), &words);

    if (r < 0)
        return r;
    for (size_t i = 0; i < words.count; i++)
        if (strcmp(words.items[i], "[") != 0 && strcmp(words.items[i], "]") != 0)
            words_add(file->conversion, &plain, words.items[i]);
    yaml_put_exec(file, draft, "exec", &plain);
    return 0;
}

/* "before" is the other service's "after", so both drafts must exist by now. */
static void take_relations(const struct yaml_file *file, const struct node *service,
                           const char *key, struct draft *draft)
{
    struct words names = yaml_list(file, yaml_find(service, key));

    for (size_t i = 0; i < names.count; i++) {
        struct draft *other = draft_find(file->conversion, names.items[i]);
        if (!other)
            yaml_lose(file, service, names.items[i], "a service that is not in this layer");
        else if (strcmp(key, "before") == 0)
            draft_append_once(other, "after", draft->name);
        else
            draft_append_once(draft, key, other->name);
    }
}

static bool ends_tree(const char *action)
{
    return strstr(action, "shutdown") != NULL; /* success-shutdown and failure-shutdown, too */
}

/* What is not to be restarted: "restart" is the default of both. */
static void take_restart(struct draft *draft, const char *success, const char *failure)
{
    bool after_success = !*success || strcmp(success, "restart") == 0;
    bool after_failure = !*failure || strcmp(failure, "restart") == 0;

    if (after_success && ends_tree(failure)) {
        draft_set(draft, "kind", "service", NULL);
        draft_set(draft, "restart_limit.burst", "0", "a success too soon is a failure, too");
    } else if (!after_failure) {
        draft_set(draft, "restart", "temporary", NULL);
    } else if (!after_success) {
        draft_set(draft, "restart", "transient", NULL);
    } else {
        draft_set(draft, "kind", "service", NULL);
    }
}

/* What happens after success and after failure, the backoff between, and the
 * time to stop. */
static void take_policy(const struct yaml_file *file, const struct node *service,
                        struct draft *draft)
{
    const char *success = yaml_text(file, yaml_find(service, "on-success"));
    const char *failure = yaml_text(file, yaml_find(service, "on-failure"));

    if (strcmp(yaml_text(file, yaml_find(service, "startup")), "enabled") != 0)
        draft_set(draft, "autostart", "false", NULL);
    take_restart(draft, success, failure);
    if (ends_tree(success))
        draft_set(draft, "on_success", "shutdown-tree", "proctord ends with the child's exit code");
    if (ends_tree(failure))
        draft_set(draft, "on_give_up", "shutdown-tree",
                  "proctord ends with the child's exit code, Pebble with 10");
    carry(file, service, draft, "backoff-delay", "backoff.initial");
    carry(file, service, draft, "backoff-factor", "backoff.factor");
    carry(file, service, draft, "backoff-limit", "backoff.max");
    carry(file, service, draft, "kill-delay", "stop.timeout");
}

/* One service. A child has one health check: the first that the service
 * names. */
static int take_service(const struct yaml_file *file, const struct node *service,
                        struct draft *draft)
{
    const struct node *checks = yaml_find(service, "on-check-failure");
    int r = take_command(file, service, draft);

    if (r < 0)
        return r;
    take_policy(file, service, draft);
    draft_describe(draft, yaml_text(file, yaml_find(service, "summary")));
    carry(file, service, draft, "user", "user");
    carry(file, service, draft, "user-id", "user");
    carry(file, service, draft, "group", "unix_group");
    carry(file, service, draft, "group-id", "unix_group");
    carry(file, service, draft, "working-dir", "working_directory");
    if (yaml_find(service, "environment"))
        yaml_put_environment(file, draft, yaml_find(service, "environment"));
    take_relations(file, service, "after", draft);
    take_relations(file, service, "before", draft);
    take_relations(file, service, "requires", draft);
    if (checks && checks->kind == NODE_MAPPING && checks->count > 1)
        yaml_lose(file, checks, "on-check-failure", "a child has one health check: the first");
    return 0;
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* A check becomes a health check of the child. Pebble asks over HTTP by itself;
 * here curl does it. */
static void put_check(const struct yaml_file *file, const struct node *check, struct draft *draft)
{
    const struct node *tcp = yaml_find(check, "tcp"), *http = yaml_find(check, "http"),
                      *exec = yaml_find(check, "exec");
    const char *host = yaml_text(file, yaml_find(tcp, "host"));
    struct words words = {};

    if (tcp)
        draft_set(draft, "health_check.tcp",
                  conversion_format(file->conversion, "%s:%s",
                                    *host && strcmp(host, "localhost") != 0 ? host : "127.0.0.1",
                                    yaml_text(file, yaml_find(tcp, "port"))),
                  NULL);
    else if (http)
        draft_set(draft, "health_check.http", yaml_text(file, yaml_find(http, "url")), NULL);
    else if (yaml_command(file, yaml_find(exec, "command"), &words) == 0)
        yaml_put_exec(file, draft, "health_check.exec", &words);
    carry(file, check, draft, "period", "health_check.interval");
    carry(file, check, draft, "timeout", "health_check.timeout");
    carry(file, check, draft, "threshold", "health_check.retries");
}

/* A check belongs to the service whose on-check-failure names it first. */
static void take_check(const struct yaml_file *file, const struct node *services,
                       const struct pair *check)
{
    for (size_t i = 0; services && i < services->count; i++) {
        const struct node *on = yaml_find(services->pairs[i].value, "on-check-failure");
        struct draft *draft = draft_find(file->conversion, services->pairs[i].key->text);
        if (!draft || !on || on->kind != NODE_MAPPING || on->count == 0 ||
            strcmp(on->pairs[0].key->text, check->key->text) != 0)
            continue;
        put_check(file, check->value, draft);
        if (strcmp(yaml_text(file, on->pairs[0].value), "restart") == 0)
            draft_set(draft, "health_check.on_failure", "restart", NULL);
        return;
    }
    yaml_lose(file, check->key, check->key->text,
              "no service says what happens when this check fails");
}

/* A service that is started starts those that it requires. */
static void start_what_is_required(const struct yaml_file *file, const struct node *services)
{
    bool changed = services && services->kind == NODE_MAPPING;

    for (size_t round = 0; changed && round < services->count; round++) {
        changed = false;
        for (size_t i = 0; i < services->count; i++) {
            struct draft *draft = draft_find(file->conversion, services->pairs[i].key->text);
            struct words names = yaml_list(file, yaml_find(services->pairs[i].value, "requires"));
            for (size_t k = 0; draft && !draft_has(draft, "autostart") && k < names.count; k++) {
                struct draft *other = draft_find(file->conversion, names.items[k]);
                changed |= other && draft_has(other, "autostart");
                if (other)
                    draft_remove(other, "autostart");
            }
        }
    }
}

/* Drafts are made for all services first, since each may name a later one. */
int pebble_convert(const struct yaml_file *file, const struct node *root)
{
    const struct node *services = yaml_find(root, "services"), *checks = yaml_find(root, "checks");
    int r = 0;

    assert(file && root);
    for (size_t i = 0; services && services->kind == NODE_MAPPING && i < services->count; i++)
        if (!draft_new(file->conversion, yaml_place(file, services->pairs[i].key),
                       services->pairs[i].key->text))
            return conversion_result(file->conversion);
    for (size_t i = 0; services && services->kind == NODE_MAPPING && i < services->count; i++) {
        struct draft *draft = draft_find(file->conversion, services->pairs[i].key->text);
        if (draft && r == 0)
            r = take_service(file, services->pairs[i].value, draft);
        file->conversion->n_kept += services->pairs[i].value->count;
    }
    start_what_is_required(file, services);
    for (size_t i = 0; checks && checks->kind == NODE_MAPPING && i < checks->count; i++)
        take_check(file, services, &checks->pairs[i]);
    if (yaml_find(root, "log-targets"))
        yaml_lose(file, yaml_find(root, "log-targets"), "log-targets",
                  "output goes to the journal, or to files");
    return r < 0 ? r : conversion_result(file->conversion);
}
