/*
 * Document: what a command says as JSON. One command, one document: an object where it has one
 * answer, a list where it has one for each of several children or events; a command that follows
 * writes one document a line. An error is an answer, too: {"error": {"name": ..., "message": ...}}.
 *
 * What is written is written whole: an answer that turns out to be no good leaves no half of it.
 */
#pragma once

#include "ctl/client.h"
#include "ctl/json.h"

/* From now on there may be any number of answers. */
void document_list(struct client *client);

/* From now on each answer is a document of its own, on one line. */
void document_follow(struct client *client);

/* Starts an answer: everything that is written to json->out belongs to it. */
int answer_begin(struct client *client, struct json *json);

/* Ends it. r: what came of it; a negative errno drops it, and is returned. */
int answer_end(struct client *client, struct json *json, int r);

/* All of a message, or its next value, as one answer. absent: as in json_value(). */
int answer_message(struct client *client, sd_bus_message *m, const char *const *absent);

/* An object of one text. */
void answer_pair(struct client *client, const char *key, const char *text);

/* name: of a D-Bus error, or NULL. */
void answer_error(struct client *client, const char *name, const char *message);

/* The member `error` of an object. name: of an error on the bus, or NULL. */
void answer_error_member(struct json *json, const char *name, const char *message);

/* At the end of the command. */
void document_close(struct client *client);
