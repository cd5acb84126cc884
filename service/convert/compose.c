/*
 * Compose files. A service becomes a child; what belongs to containers (images,
 * volumes, networks) has no counterpart and is listed.
 */
#include "convert/compose.h"

#include "core/model/process_spec.h"
#include "manifest/unit.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define REPLICAS_MAX 1000

/* A service, while it is converted. */
struct service {
    const struct yaml_file *file;
    const struct node *services; /* all of them */
    const struct node *node;
    const char *name;
    struct draft *draft;
};

static const struct node *get(const struct service *s, const char *key)
{
    return yaml_find(s->node, key);
}

static void carry(struct service *s, const char *key, const char *path)
{
    const char *text = yaml_text(s->file, get(s, key));

    if (*text)
        draft_set(s->draft, path, text, NULL);
}

static void lose(struct service *s, const struct node *at, const char *what, const char *why)
{
    yaml_lose(s->file, at, conversion_format(s->file->conversion, "%s: %s", s->name, what), why);
}

static bool is_true(const struct service *s, const struct node *node)
{
    return strcmp(yaml_text(s->file, node), "true") == 0;
}

/* ---- the program ----------------------------------------------------------------------------- */

/* entrypoint and command together are exec. Without them the image would say
 * what to run: the child is not started automatically. */
static int take_command(struct service *s)
{
    const struct node *image = get(s, "image");
    struct words entry, command;
    int r = yaml_command(s->file, get(s, "entrypoint"), &entry);

    if (r == 0)
        r = yaml_command(s->file, get(s, "command"), &command);
    if (r < 0)
        return r;
    for (size_t i = 0; i < command.count; i++)
        words_add(s->file->conversion, &entry, command.items[i]);
    if (image)
        lose(s, image,
             conversion_format(s->file->conversion, "image: %s", yaml_text(s->file, image)),
             "images are not run: install the program on this machine");
    if (get(s, "build"))
        lose(s, get(s, "build"), "build", "images are not built");
    if (entry.count == 0 || entry.items[0][0] == '-')
        draft_set(s->draft, "autostart", "false",
                  "write the program that its image runs into `exec`, then remove this line");
    if (entry.count > 0)
        yaml_put_exec(s->file, s->draft, "exec", &entry);
    return 0;
}

/* USER:GROUP. */
static void take_identity(struct service *s)
{
    const char *user = yaml_text(s->file, get(s, "user")), *colon = strchr(user, ':');
    struct conversion *c = s->file->conversion;

    if (*user)
        draft_set(s->draft, "user", colon ? conversion_copy(c, user, (size_t)(colon - user)) : user,
                  NULL);
    if (colon && colon[1])
        draft_set(s->draft, "unix_group", colon + 1, NULL);
    struct words groups = yaml_list(s->file, get(s, "group_add"));
    for (size_t i = 0; i < groups.count; i++)
        draft_append(s->draft, "supplementary_groups", groups.items[i]);
    carry(s, "working_dir", "working_directory");
    if (get(s, "environment"))
        yaml_put_environment(s->file, s->draft, get(s, "environment"));
}

/* Paths are relative to the file. */
static void take_environment_file(struct service *s)
{
    const struct node *node = get(s, "env_file");
    struct conversion *c = s->file->conversion;
    bool any = false;

    for (size_t i = 0; node && i < (node->kind == NODE_LIST ? node->count : 1); i++) {
        const struct node *item = node->kind == NODE_LIST ? node->items[i] : node;
        const struct node *path = item->kind == NODE_MAPPING ? yaml_find(item, "path") : item;
        const char *text = yaml_text(s->file, path);
        bool optional = strcmp(yaml_text(s->file, yaml_find(item, "required")), "false") == 0;
        if (any)
            lose(s, item, text, "one environment file is read: put its lines into the first");
        else if (*text)
            draft_set(s->draft, "environment_file",
                      conversion_format(c, "%s%s%s%s", optional ? "-" : "",
                                        *text == '/' ? "" : s->file->folder,
                                        *text == '/' ? "" : "/", text),
                      NULL);
        any = true;
    }
}

/* ---- restarts, stops ------------------------------------------------------------------------- */

/* Docker restarts without a limit, with delays that double from 100 ms to a minute. */
static void restart_as_docker(struct service *s, const char *most)
{
    bool limited = strcmp(most, "0") != 0;

    draft_set(s->draft, "restart_limit.burst", limited ? most : "10000",
              limited ? NULL : "no limit, as of a container");
    draft_set(s->draft, "restart_limit.interval", limited ? "5m" : "1s", NULL);
    draft_set(s->draft, "backoff.max", "1m", NULL);
    draft_clear(s->draft, "fatal_exit_codes");
}

/* deploy: restart_policy, which wins over `restart`. */
static void take_restart_policy(struct service *s, const struct node *policy)
{
    if (yaml_find(policy, "delay")) {
        draft_set(s->draft, "backoff.initial", yaml_duration(s->file, yaml_find(policy, "delay")),
                  NULL);
        draft_set(s->draft, "backoff.max", yaml_duration(s->file, yaml_find(policy, "delay")),
                  NULL);
    }
    if (yaml_find(policy, "window"))
        draft_set(s->draft, "restart_limit.interval",
                  yaml_duration(s->file, yaml_find(policy, "window")), NULL);
}

/* Docker restarts without a limit, and with its own backoff. */
static void take_restart(struct service *s)
{
    const struct node *policy = yaml_find(get(s, "deploy"), "restart_policy");
    const char *word = policy ? yaml_text(s->file, yaml_find(policy, "condition"))
                              : yaml_text(s->file, get(s, "restart"));
    const char *most = strncmp(word, "on-failure:", 11) == 0 ? word + 11 : "0";

    if (policy && !*word)
        word = "any";
    if (strcmp(word, "always") == 0 || strcmp(word, "unless-stopped") == 0 ||
        strcmp(word, "any") == 0)
        draft_set(s->draft, "kind", "service", NULL);
    else if (strncmp(word, "on-failure", 10) == 0)
        draft_set(s->draft, "restart", "transient", NULL);
    else {
        draft_set(s->draft, "restart", "temporary", *word ? NULL : "the default of Compose");
        return;
    }
    if (policy && *yaml_text(s->file, yaml_find(policy, "max_attempts")))
        most = yaml_text(s->file, yaml_find(policy, "max_attempts"));
    restart_as_docker(s, most);
    if (policy)
        take_restart_policy(s, policy);
}

/* 0 is at once there, and without end here. */
static const char *grace_of(struct service *s)
{
    const char *grace = yaml_duration(s->file, get(s, "stop_grace_period"));
    return strspn(grace, "0smh. ") == strlen(grace) ? "1ms" : grace;
}

static void take_stop(struct service *s)
{
    carry(s, "stop_signal", "stop.signal");
    if (get(s, "stop_grace_period"))
        draft_set(s->draft, "stop.timeout", grace_of(s), NULL);
}

/* ---- dependencies ---------------------------------------------------------------------------- */

/* Whether a service depends on this one in this way. */
static bool is_awaited(const struct service *s, const char *condition)
{
    for (size_t i = 0; i < s->services->count; i++) {
        const struct node *on = yaml_find(s->services->pairs[i].value, "depends_on");
        const struct node *how = on && on->kind == NODE_MAPPING ? yaml_find(on, s->name) : NULL;
        if (how && strcmp(yaml_text(s->file, yaml_find(how, "condition")), condition) == 0)
            return true;
    }
    return false;
}

/* Whether a service is restarted with this one: `depends_on: {THIS: {restart: true}}`. */
static bool takes_others_along(struct service *s)
{
    for (size_t i = 0; i < s->services->count; i++) {
        const struct node *on = yaml_find(s->services->pairs[i].value, "depends_on");
        const struct node *how = on && on->kind == NODE_MAPPING ? yaml_find(on, s->name) : NULL;
        if (how && is_true(s, yaml_find(how, "restart")))
            return true;
    }
    return false;
}

/* One that is restarted with another requires it. */
static void depend(struct service *s, const struct node *at, const char *name,
                   const char *condition, bool restarts)
{
    const char *path = restarts || (*condition && strcmp(condition, "service_started") != 0)
                           ? "requires"
                           : "after";
    if (!yaml_find(s->services, name))
        lose(s, at, name, "depends on a service that is not in this file");
    else
        draft_append_once(s->draft, path, name);
}

/* What others wait for decides how this one becomes ready. */
static void take_dependencies(struct service *s)
{
    const struct node *on = get(s, "depends_on");

    for (size_t i = 0; on && on->kind == NODE_LIST && i < on->count; i++)
        depend(s, on->items[i], yaml_text(s->file, on->items[i]), "", false);
    for (size_t i = 0; on && on->kind == NODE_MAPPING && i < on->count; i++)
        depend(s, on->pairs[i].key, on->pairs[i].key->text,
               yaml_text(s->file, yaml_find(on->pairs[i].value, "condition")),
               is_true(s, yaml_find(on->pairs[i].value, "restart")));
    if (takes_others_along(s))
        draft_set(s->draft, "restart_dependents", "true", NULL);
    if (is_awaited(s, "service_completed_successfully"))
        draft_set(s->draft, "readiness", "exit", NULL);
    else if (is_awaited(s, "service_healthy") && get(s, "healthcheck")) {
        draft_set(s->draft, "readiness", "check", NULL);
        draft_set(s->draft, "start_timeout", "0", "as long as it takes to be healthy");
    }
}

/* A string is run by a shell. */
static int take_health(struct service *s)
{
    const struct node *check = get(s, "healthcheck"), *test = yaml_find(check, "test");
    struct words words = yaml_list(s->file, test), command = {};

    if (!check || words.count == 0 || strcmp(words.items[0], "NONE") == 0 ||
        is_true(s, yaml_find(check, "disable")))
        return 0;
    if (test->kind == NODE_SCALAR || strcmp(words.items[0], "CMD-SHELL") == 0) {
        words_add(s->file->conversion, &command, "/bin/sh");
        words_add(s->file->conversion, &command, "-c");
        words_add(s->file->conversion, &command,
                  words.items[test->kind == NODE_LIST && words.count > 1]);
    } else
        for (size_t i = strcmp(words.items[0], "CMD") == 0; i < words.count; i++)
            words_add(s->file->conversion, &command, words.items[i]);
    yaml_put_exec(s->file, s->draft, "health_check.exec", &command);
    static const char *const keys[] = {"interval", "timeout"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        draft_set(s->draft, conversion_format(s->file->conversion, "health_check.%s", keys[i]),
                  yaml_find(check, keys[i]) ? yaml_duration(s->file, yaml_find(check, keys[i]))
                                            : "30s",
                  yaml_find(check, keys[i]) ? NULL : "the default of Compose");
    if (yaml_find(check, "retries"))
        draft_set(s->draft, "health_check.retries", yaml_text(s->file, yaml_find(check, "retries")),
                  NULL);
    if (yaml_find(check, "start_period"))
        lose(s, yaml_find(check, "start_period"), "healthcheck: start_period",
             "failures count once the check has passed");
    return 0;
}

/* ---- resources ------------------------------------------------------------------------------- */

/* "1.5G" as 1536M: manifests write whole numbers. */
static const char *whole_size(struct service *s, const char *text)
{
    static const char units[] = "KMGT";
    size_t length = strlen(text);
    const char *unit = strchr(units, text[length - 1]);
    uint64_t milli;

    if (!unit || unit_milli(conversion_copy(s->file->conversion, text, length - 1),
                            UINT64_C(1000000000), &milli) < 0)
        return text;
    milli = (milli * 1024 + 500) / 1000;
    if (unit == units)
        return conversion_format(s->file->conversion, "%" PRIu64, milli);
    return conversion_format(s->file->conversion, "%" PRIu64 "%c", milli, unit[-1]);
}

/* "512m", "1gb": as manifests write sizes. */
static const char *size_of(struct service *s, const struct node *node)
{
    const char *text = yaml_text(s->file, node);
    size_t n = strlen(text);

    n -= n > 1 && (text[n - 1] == 'b' || text[n - 1] == 'B');
    char *copy = (char *)(uintptr_t)conversion_copy(s->file->conversion, text, n);
    if (n > 0)
        copy[n - 1] = (char)toupper((unsigned char)copy[n - 1]);
    return strchr(copy, '.') ? whole_size(s, copy) : copy;
}

static void take_limit(struct service *s, const struct node *node, const char *name, bool size)
{
    if (node)
        draft_map(s->draft, "limits", name, size ? size_of(s, node) : yaml_text(s->file, node));
}

/* -1 is no limit. */
static const char *limit_of(struct service *s, const struct node *node)
{
    const char *text = yaml_text(s->file, node);
    return strcmp(text, "-1") == 0 ? "infinity" : text;
}

/* One number, or soft and hard. */
static void take_ulimits(struct service *s)
{
    const struct node *limits = get(s, "ulimits");

    for (size_t i = 0; limits && limits->kind == NODE_MAPPING && i < limits->count; i++) {
        const struct node *value = limits->pairs[i].value;
        const char *name = limits->pairs[i].key->text;
        int limit;
        if (unit_limit(name, &limit) < 0)
            lose(s, limits->pairs[i].key, name, "is no limit that is known here");
        else if (value && value->kind == NODE_MAPPING)
            draft_map(s->draft, "limits", name,
                      conversion_format(s->file->conversion, "%s:%s",
                                        limit_of(s, yaml_find(value, "soft")),
                                        limit_of(s, yaml_find(value, "hard"))));
        else
            draft_map(s->draft, "limits", name, limit_of(s, value));
    }
}

/* cap_add adds to what a container has; only with everything dropped before is it all that is left.
 */
static void take_capabilities(struct service *s)
{
    struct words added = yaml_list(s->file, get(s, "cap_add")),
                 dropped = yaml_list(s->file, get(s, "cap_drop"));
    bool all = false;

    for (size_t i = 0; i < dropped.count; i++)
        all |= strcmp(dropped.items[i], "ALL") == 0;
    if (!all && get(s, "cap_add"))
        lose(s, get(s, "cap_add"), "cap_add", "a child has all capabilities of its user");
    if (!all && get(s, "cap_drop"))
        lose(s, get(s, "cap_drop"), "cap_drop", "list those that it keeps in `capabilities`");
    if (all)
        draft_clear(s->draft, "capabilities");
    for (size_t i = 0; all && i < added.count; i++)
        draft_append(s->draft, "capabilities", added.items[i]);
}

/* 1,024 shares are the default of 100. */
static void take_shares(struct service *s)
{
    uint64_t shares;

    if (get(s, "cpu_shares") &&
        unit_number(yaml_text(s->file, get(s, "cpu_shares")), 262144, &shares) == 0)
        draft_map(s->draft, "limits", "cpu_weight",
                  conversion_format(s->file->conversion, "%" PRIu64,
                                    shares < 11       ? UINT64_C(1)
                                    : shares > 102400 ? UINT64_C(10000)
                                                      : shares * 100 / 1024));
}

/* 1.5 processors are 150%. */
static void take_processors(struct service *s, const struct node *node)
{
    uint64_t milli;

    if (!node)
        return;
    if (unit_milli(yaml_text(s->file, node), AFFINITY_MAX * 1000, &milli) < 0 || milli < 10)
        lose(s, node, "cpus", "write it as a percentage into `limits: {cpu_max: 150%}`");
    else if (milli % 10 == 0)
        draft_map(s->draft, "limits", "cpu_max",
                  conversion_format(s->file->conversion, "%" PRIu64 "%%", milli / 10));
    else
        draft_map(s->draft, "limits", "cpu_max",
                  conversion_format(s->file->conversion, "%" PRIu64 ".%" PRIu64 "%%", milli / 10,
                                    milli % 10));
}

/* `deploy` is stronger than the older keys. */
static void take_resources(struct service *s)
{
    const struct node *limits = yaml_find(yaml_find(get(s, "deploy"), "resources"), "limits");
    const struct node *memory = yaml_find(limits, "memory");

    take_limit(s, memory ? memory : get(s, "mem_limit"), "memory", true);
    take_limit(s, yaml_find(limits, "pids") ? yaml_find(limits, "pids") : get(s, "pids_limit"),
               "pids", false);
    take_processors(s, yaml_find(limits, "cpus") ? yaml_find(limits, "cpus") : get(s, "cpus"));
    carry(s, "cpuset", "cpu_affinity");
    take_shares(s);
    take_ulimits(s);
    carry(s, "oom_score_adj", "oom_score_adj");
    take_capabilities(s);
}

/* Every key that was not used, with the reason. */
static void tell_lost(struct service *s)
{
    static const char *const known[] = {
        "image",       "build",         "entrypoint",  "command",
        "user",        "working_dir",   "environment", "env_file",
        "restart",     "deploy",        "stop_signal", "stop_grace_period",
        "depends_on",  "healthcheck",   "mem_limit",   "pids_limit",
        "ulimits",     "oom_score_adj", "cap_add",     "container_name",
        "profiles",    "scale",         "init",        "cap_drop",
        "pull_policy", "cpu_shares",    "group_add",   "cpus",
        "cpuset"};
    static const struct {
        const char *key, *why;
    } reasons[] = {{"extends", "is not followed: write what the service inherits"},
                   {"logging", "see `stdout`"},
                   {"privileged", "a child has all rights of its user"}};

    for (size_t i = 0; s->node->kind == NODE_MAPPING && i < s->node->count; i++) {
        const char *key = s->node->pairs[i].key->text;
        const char *why = "is a matter of containers";
        bool is_known = strncmp(key, "x-", 2) == 0;
        for (size_t k = 0; k < sizeof(reasons) / sizeof(reasons[0]); k++)
            why = strcmp(reasons[k].key, key) == 0 ? reasons[k].why : why;
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
            is_known |= strcmp(known[k], key) == 0;
        if (is_known)
            s->file->conversion->n_kept++;
        else
            lose(s, s->node->pairs[i].key, key, why);
    }
}

/* ---- a service ------------------------------------------------------------------------------- */

/* Each replica becomes a child. */
static uint64_t replicas_of(const struct service *s)
{
    const struct node *deploy = yaml_find(get(s, "deploy"), "replicas");
    const char *text = yaml_text(s->file, deploy ? deploy : get(s, "scale"));
    uint64_t count = 1;

    if (*text && (unit_number(text, REPLICAS_MAX, &count) < 0 || count == 0)) {
        yaml_lose(s->file, s->node, conversion_format(s->file->conversion, "%s: replicas", s->name),
                  "from 1 to 1000: there is one");
        return 1;
    }
    return count;
}

/* The order of the keys in the result. */
static int take_service(struct service *s, struct place place, uint64_t number)
{
    struct conversion *c = s->file->conversion;

    s->draft = draft_new(
        c, place, number > 0 ? conversion_format(c, "%s-%" PRIu64, s->name, number + 1) : s->name);
    if (!s->draft)
        return conversion_result(c);
    int r = take_command(s);
    if (r < 0)
        return r;
    if (get(s, "profiles"))
        draft_set(s->draft, "autostart", "false", "it belongs to a profile");
    take_restart(s);
    take_dependencies(s);
    take_stop(s);
    take_identity(s);
    take_environment_file(s);
    take_resources(s);
    return take_health(s);
}

/* Services in the order of the file. */
int compose_convert(const struct yaml_file *file, const struct node *services)
{
    int r = 0;

    assert(file && services);
    for (size_t i = 0; i < services->count && r == 0; i++) {
        struct service s = {.file = file,
                            .services = services,
                            .node = services->pairs[i].value,
                            .name = services->pairs[i].key->text};
        if (!s.node || s.node->kind != NODE_MAPPING)
            return conversion_refuse(file->conversion, yaml_place(file, services->pairs[i].key),
                                     "a service is a mapping");
        uint64_t count = replicas_of(&s);
        for (uint64_t k = 0; k < count && r == 0; k++)
            r = take_service(&s, yaml_place(file, services->pairs[i].key), k);
        tell_lost(&s);
    }
    return r < 0 ? r : conversion_result(file->conversion);
}
