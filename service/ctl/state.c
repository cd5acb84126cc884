/*
 * is-active and is-failed: questions of scripts and orchestrators, answered by the exit code, with
 * those of systemctl: 0 for yes, 3 for no.
 */
#include "ctl/child_row.h"
#include "ctl/document.h"
#include "ctl/terminal.h"

#include <stdio.h>
#include <string.h>

#define CLEANUP_ERROR __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

#define YES CTL_DONE
#define NO  CTL_REJECTED

struct question {
    const char *id; /* NULL: any child */
    bool failed;    /* else whether it is active */
    bool found, yes;
};

/* With one child only the state, as systemctl prints it. */
static void answer(struct client *client, const struct child_row *row, const char *state)
{
    struct json json;

    if (client->quiet)
        return;
    if (client->json == JSON_OFF) {
        if (client->n_arguments != 1) {
            text_write(stdout, row->id);
            fputs(": ", stdout);
        }
        puts(state);
        return;
    }
    if (answer_begin(client, &json) < 0)
        return;
    json_open(&json, '{');
    json_key(&json, "child");
    json_text(json.out, row->id);
    json_key(&json, "state");
    json_text(json.out, state);
    json_close(&json, '}');
    answer_end(client, &json, 0);
}

/* Stops at the child that was asked for. */
static int look(struct client *client, const struct child_row *row, void *userdata)
{
    struct question *question = userdata;

    if (question->id && strcmp(question->id, row->id) != 0)
        return 0;
    bool yes = question->failed ? child_row_has_failed(client, row) : child_row_is_active(row);
    question->found = true;
    question->yes |= yes;
    if (question->failed && (yes || question->id))
        answer(client, row, yes ? "failed" : "not failed");
    else if (!question->failed)
        answer(client, row, row->status);
    return question->id ? 1 : 0;
}

/* One child, or any. Returns an exit code. */
static int ask(struct client *client, struct question *question)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    char *path = NULL;
    int r = child_row_each(client, &error, look, question);

    if (r < 0)
        return client_error(client, &error, r);
    if (question->id && !question->found) { /* the error is that of any other command */
        client->subject = question->id;
        return client_child_path(client, question->id, &path);
    }
    return question->yes ? YES : NO;
}

/* Active only if all are; failed if one is. */
int command_is_active(struct client *client)
{
    int worst = YES;

    if (client->n_arguments > 1)
        document_list(client);
    for (int i = 0; i < client->n_arguments; i++) {
        int code = ask(client, &(struct question){.id = client->arguments[i]});
        worst = code > worst ? code : worst;
    }
    return worst;
}

/* Without arguments: whether any child has failed. */
int command_is_failed(struct client *client)
{
    int code = NO;

    if (client->n_arguments != 1)
        document_list(client);
    if (client->n_arguments == 0)
        return ask(client, &(struct question){.failed = true});
    for (int i = 0; i < client->n_arguments; i++) {
        int one = ask(client, &(struct question){.id = client->arguments[i], .failed = true});
        if (one != YES && one != NO)
            return one;
        code = one == YES ? YES : code;
    }
    return code;
}
