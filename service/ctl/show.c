/*
 * show: the properties of a child, one a line, for scripts. cat: its manifest.
 */
#include "ctl/call.h"
#include "ctl/document.h"
#include "ctl/json.h"
#include "ctl/origins.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

/* ---- show ------------------------------------------------------------------------------------ */

/* Text as it is, everything else as JSON. */
static int show_value(struct client *client, sd_bus_message *m, const char *name)
{
    struct json json = {.out = stdout};
    const char *contents, *text;
    int r = sd_bus_message_peek_type(m, NULL, &contents);

    if (client->legend)
        printf("%s=", name);
    if (r >= 0 && strcmp(contents, "s") == 0) {
        r = sd_bus_message_read(m, "v", "s", &text);
        if (r >= 0)
            text_write(stdout, text);
    } else if (r >= 0)
        r = json_value(&json, m, NULL);
    putchar('\n');
    return r;
}

static bool is_asked(const struct client *client, const char *name)
{
    for (int i = 1; i < client->n_arguments; i++)
        if (strcmp(client->arguments[i], name) == 0)
            return true;
    return client->n_arguments == 1;
}

/* In the order of the reply. */
static int show_all(struct client *client, sd_bus_message *m, int *shown)
{
    const char *name;
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0 && is_asked(client, name)) {
            (*shown)++;
            r = show_value(client, m, name);
        } else if (r >= 0)
            r = sd_bus_message_skip(m, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

/* Those that are not there: by asking for them, as only the bus knows which there are. */
static int complain(struct client *client, const char *path)
{
    for (int i = 1; i < client->n_arguments; i++) {
        CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
        CLEANUP_MESSAGE *reply = NULL;
        int r = call_method(client, path, "org.freedesktop.DBus.Properties", "Get", &error, &reply,
                            "ss", CHILD, client->arguments[i]);
        if (r < 0 && sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_PROPERTY))
            return client_fail(client, "%s: a child has no property %s (see org.proctor1(5))",
                               client->arguments[0], client->arguments[i]);
        if (r < 0)
            return client_error(client, &error, r);
    }
    return CTL_DONE;
}

static int show_json(struct client *client, sd_bus_message *reply)
{
    if (client->n_arguments > 1)
        return client_fail(client, "show: with --json, all properties are printed");
    int r = answer_message(client, reply, NULL);
    return r < 0 ? client_error(client, NULL, r) : CTL_DONE;
}

/* A property that does not exist is an error. */
int command_show(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    char *path = NULL;
    int shown = 0, code = client_child_path(client, client->arguments[0], &path);

    if (code != CTL_DONE)
        return code;
    int r = call_method(client, path, "org.freedesktop.DBus.Properties", "GetAll", &error, &reply,
                        "s", CHILD);
    if (r < 0)
        code = client_error(client, &error, r);
    else if (client->json != JSON_OFF)
        code = show_json(client, reply);
    else {
        r = show_all(client, reply, &shown);
        code = r < 0 ? client_error(client, NULL, r) : complain(client, path);
    }
    free(path);
    return code;
}

/* ---- cat ------------------------------------------------------------------------------------- */

static void cat_json(struct client *client, const char *file, const char *manifest)
{
    struct json json;

    if (answer_begin(client, &json) < 0)
        return;
    json_open(&json, '{');
    json_key(&json, "manifest");
    json_text(json.out, manifest);
    json_key(&json, "file");
    json_text(json.out, file);
    json_key(&json, "drop_ins");
    json_open(&json, '[');
    if (file[0])
        origins_answer(&json, file);
    json_close(&json, ']');
    json_close(&json, '}');
    answer_end(client, &json, 0);
}

/* The file is named in a comment, and each drop-in over it, so that the output is a manifest. */
static int cat(struct client *client, const char *id)
{
    char *path = NULL, *file = NULL, *manifest = NULL;
    int code = client_child_path(client, id, &path);

    if (code != CTL_DONE)
        return code;
    int r = call_string(client, path, CHILD, "ManifestPath", &file);
    if (r >= 0)
        r = call_string(client, path, CHILD, "Manifest", &manifest);
    if (r < 0)
        code = client_error(client, NULL, r);
    else if (client->json != JSON_OFF)
        cat_json(client, file, manifest);
    else {
        fputs("# ", stdout);
        text_write(stdout, file[0] ? file : "added over the bus");
        putchar('\n');
        if (file[0])
            origins_print(file);
        fputs(manifest, stdout);
        if (manifest[0] && manifest[strlen(manifest) - 1] != '\n')
            putchar('\n');
    }
    free(path);
    free(file);
    free(manifest);
    return code;
}

/* The exit status is the worst of all children. */
int command_cat(struct client *client)
{
    int worst = CTL_DONE;

    if (client->n_arguments > 1)
        document_list(client);
    for (int i = 0; i < client->n_arguments; i++) {
        client->subject = client->arguments[i];
        int code = cat(client, client->subject);
        worst = code > worst ? code : worst;
    }
    return worst;
}
