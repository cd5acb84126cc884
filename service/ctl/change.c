/*
 * Changes of the tree: add, and reload; and what each of them comes to for each child.
 */
#include "ctl/client.h"
#include "ctl/document.h"
#include "ctl/outcome.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

#define INVALID "org.proctor1.Error.InvalidManifest"
#define MISSING "org.proctor1.Error.NoSuchChild"

/* ---- what is answered ------------------------------------------------------------------------ */

static bool is_summary(const char *key)
{
    return strcmp(key, "changed") == 0; /* those that each have a word of their own */
}

/* A dry run tells whose processes it would touch. */
static const char *word_of(const char *key)
{
    static const char *const words[][2] = {
        {"WouldStop", "stops"}, {"WouldStart", "starts"}, {"WouldRestart", "restarts"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i][0], key) == 0)
            return words[i][1];
    return key;
}

/* One line per id, behind the word for what happens to it. */
static int print_names(sd_bus_message *m, const char *key, FILE *out)
{
    const char *name;
    int r = sd_bus_message_enter_container(m, 'a', "s");

    while (r >= 0 && (r = sd_bus_message_read(m, "s", &name)) > 0) {
        fprintf(out, "%-10s ", word_of(key));
        text_write(out, name);
        fputc('\n', out);
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int print_count(sd_bus_message *m, const char *key, FILE *out)
{
    uint32_t count = 0;
    int r = sd_bus_message_read(m, "u", &count);

    if (r >= 0 && count > 0)
        fprintf(out, "%-10s %u\n", key, count);
    return r;
}

/* Keys of types that this version does not know are skipped, so that a newer
 * proctord can add some. */
static int print_change(sd_bus_message *m, FILE *out)
{
    const char *key, *contents;
    int r = sd_bus_message_read(m, "s", &key);

    if (r >= 0)
        r = sd_bus_message_peek_type(m, NULL, &contents);
    if (r < 0 || is_summary(key) || (strcmp(contents, "as") != 0 && strcmp(contents, "u") != 0))
        return r < 0 ? r : sd_bus_message_skip(m, "v");
    r = sd_bus_message_enter_container(m, 'v', contents);
    if (r >= 0)
        r = contents[0] == 'a' ? print_names(m, key, out) : print_count(m, key, out);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* The words of the changes are keys, which are written with an underscore in JSON. */
static int write_change(struct json *json, sd_bus_message *m)
{
    char name[64];
    const char *key, *contents;
    int r = sd_bus_message_read(m, "s", &key);

    if (r >= 0)
        r = sd_bus_message_peek_type(m, NULL, &contents);
    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'v', contents);
    if (r < 0)
        return r;
    snprintf(name, sizeof(name), "%s", key);
    for (char *dash = name; (dash = strchr(dash, '-'));)
        *dash = '_';
    json_key(json, name);
    r = json_value(json, m, NULL);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* The same walk for text and for JSON. */
static int each_change(sd_bus_message *m, struct json *json, FILE *out)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = json ? write_change(json, m) : print_change(m, out);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

/* With --json one document, else a line per change. */
static int show_changes(struct client *client, sd_bus_message *reply)
{
    struct json json;
    int r;

    if (client->json == JSON_OFF)
        return client->quiet ? 0 : each_change(reply, NULL, stdout);
    r = answer_begin(client, &json);
    if (r < 0)
        return r;
    json_open(&json, '{');
    r = each_change(reply, &json, NULL);
    json_close(&json, '}');
    return answer_end(client, &json, r);
}

/* ---- the commands ---------------------------------------------------------------------------- */

/* A reload has no manifest of its own. */
static int call_with_text(struct client *client, const char *method, const char *text,
                          sd_bus_error *error, sd_bus_message **reply)
{
    CLEANUP_MESSAGE *call = NULL;
    int r = client_call(client, PATH, MANAGER, method, &call);

    if (r >= 0 && text)
        r = sd_bus_message_append(call, "s", text);
    if (r >= 0)
        r = client_append_reason(client, call);
    return r < 0 ? r : client_wait(client, call, error, reply);
}

/* The object path of what was added. */
static int show_added(struct client *client, sd_bus_message *reply)
{
    const char *path;
    int r = sd_bus_message_read(reply, "o", &path);

    if (r >= 0 && client->json != JSON_OFF)
        answer_pair(client, "child", path);
    else if (r >= 0 && !client->quiet)
        puts(path);
    return r;
}

/* Where there is no child of this name, one is added. */
static int replace(struct client *client, const char *text, sd_bus_error *error, bool *missing)
{
    CLEANUP_MESSAGE *reply = NULL;
    int r = call_with_text(client, "ReplaceChild", text, error, &reply);

    *missing = r < 0 && sd_bus_error_has_name(error, MISSING);
    if (*missing)
        sd_bus_error_free(error);
    return r < 0 ? r : show_changes(client, reply);
}

/* With --replace a child that does not exist yet is simply added; --restart has
 * no meaning for it. */
static int add(struct client *client, const char *text, sd_bus_error *error)
{
    CLEANUP_MESSAGE *reply = NULL;
    bool restart = client->restart;

    client->restart = false; /* what is new has nothing to be restarted for */
    int r =
        call_with_text(client, client->dry_run ? "PlanAddChild" : "AddChild", text, error, &reply);
    client->restart = restart;
    if (r < 0)
        return r;
    return client->dry_run ? show_changes(client, reply) : show_added(client, reply);
}

/* After an error in the manifest the user learns that nothing was changed, and
 * not only what was wrong. */
int command_add(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    bool missing = true;
    char *text = client_read_manifest(client, client->arguments[0]);
    int r = 0;

    if (!text)
        return CTL_ERROR;
    if (client->replace)
        r = replace(client, text, &error, &missing);
    if (missing)
        r = add(client, text, &error);
    free(text);
    if (r >= 0)
        return CTL_DONE;
    if (sd_bus_error_has_name(&error, INVALID))
        client_note("%s: nothing was %s", client->arguments[0],
                    client->replace ? "changed" : "added");
    return client_error(client, &error, r);
}

/* The Reload verb of a child, which has nothing to do with its manifest. */
static int reload_child(struct client *client, const char *id)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    char *path = NULL;
    int code = client_child_path(client, id, &path);

    if (code != CTL_DONE)
        return code;
    int r = client_call(client, path, CHILD, "Reload", &call);
    free(path);
    if (r >= 0)
        r = client_append_reason(client, call);
    if (r >= 0)
        r = client_wait(client, call, &error, &reply);
    return r < 0 ? client_error(client, &error, r) : outcome_answer(client, id, reply);
}

/* The exit status is the worst of all children. */
static int reload_children(struct client *client)
{
    int worst = CTL_DONE;

    if (client->restart)
        return client_fail(client,
                           "--restart applies to a reload of the manifests, not to a child");
    if (client->n_arguments > 1)
        document_list(client);
    for (int i = 0; i < client->n_arguments; i++) {
        client->subject = client->arguments[i];
        int code = reload_child(client, client->subject);
        worst = code > worst ? code : worst;
    }
    return worst;
}

/* Without an id, the manifests are read again; with ids, the children are asked
 * to reload themselves. */
int command_reload(struct client *client)
{
    if (client->n_arguments > 0)
        return reload_children(client);

    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    int r = call_with_text(client, "Reload", NULL, &error, &reply);

    if (r >= 0)
        r = show_changes(client, reply);
    return r < 0 ? client_error(client, &error, r) : CTL_DONE;
}
