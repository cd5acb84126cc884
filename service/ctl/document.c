/*
 * JSON of a whole command: one document, a list of documents, or a document per
 * line.
 */
#include "ctl/document.h"

#include <errno.h>
#include <stdlib.h>

static void begin_list(struct client *client)
{
    if (client->answers == 0)
        fputs(client->json == JSON_PRETTY ? "[\n" : "[", stdout);
}

void document_list(struct client *client)
{
    client->form = DOCUMENT_LIST;
}

void document_follow(struct client *client)
{
    client->form = DOCUMENT_LINES;
}

int answer_begin(struct client *client, struct json *json)
{
    *json = (struct json){.pretty = client->json == JSON_PRETTY && client->form != DOCUMENT_LINES};
    json->out = open_memstream(&client->answer, &client->answer_size);
    return json->out ? 0 : -ENOMEM;
}

/* In a list, the brackets are opened with the first document and closed at the
 * end of the command. */
static void print_answer(struct client *client)
{
    if (client->form == DOCUMENT_LIST) {
        begin_list(client);
        fputs(client->answers > 0 ? ",\n" : "", stdout);
    }
    fwrite(client->answer, 1, client->answer_size, stdout);
    if (client->form != DOCUMENT_LIST)
        fputc('\n', stdout);
    client->answers++;
}

int answer_end(struct client *client, struct json *json, int r)
{
    if (fclose(json->out) != 0 && r >= 0)
        r = -ENOMEM;
    if (r >= 0)
        print_answer(client);
    free(client->answer);
    client->answer = NULL;
    return r;
}

int answer_message(struct client *client, sd_bus_message *m, const char *const *absent)
{
    struct json json;
    int r = answer_begin(client, &json);

    return r < 0 ? r : answer_end(client, &json, json_value(&json, m, absent));
}

/* A document with one key. */
void answer_pair(struct client *client, const char *key, const char *text)
{
    struct json json;

    if (answer_begin(client, &json) < 0)
        return;
    json_open(&json, '{');
    json_key(&json, key);
    json_text(json.out, text);
    json_close(&json, '}');
    answer_end(client, &json, 0);
}

void answer_error_member(struct json *json, const char *name, const char *message)
{
    json_key(json, "error");
    json_open(json, '{');
    json_key(json, "name");
    if (name)
        json_text(json->out, name);
    else
        fputs("null", json->out);
    json_key(json, "message");
    json_text(json->out, message);
    json_close(json, '}');
}

/* Where nothing comes but the error, it is the document. */
void answer_error(struct client *client, const char *name, const char *message)
{
    struct json json;

    if (client->form == DOCUMENT_LIST && client->answers == 0 && !client->subject)
        client->form = DOCUMENT_ONE;
    if (answer_begin(client, &json) < 0)
        return;
    json_open(&json, '{');
    answer_error_member(&json, name, message);
    if (client->subject) {
        json_key(&json, "child");
        json_text(json.out, client->subject);
    }
    json_close(&json, '}');
    answer_end(client, &json, 0);
}

void document_close(struct client *client)
{
    if (client->json == JSON_OFF || client->form != DOCUMENT_LIST)
        return;
    begin_list(client);
    fputs(client->json == JSON_PRETTY ? "\n]\n" : "]\n", stdout);
}
