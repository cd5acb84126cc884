/*
 * A peer that plays polkit's authority on the bus of the model. Its manner
 * decides how it answers CheckAuthorization: yes, no, only with a password,
 * nonsense, never, or by leaving the bus in the middle of the question.
 *
 * proctord must come to a decision with each of these manners and must never
 * hang, because a caller who waits for polkit holds a place among the requests
 * that are open.
 */
#include "bus/authority.h"

#include "core/vocabulary/invariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLKIT "org.freedesktop.PolicyKit1"

const char *authority_manner_to_string(enum authority_manner manner)
{
    static const char *const words[AUTHORITY_MANNERS] = {
        [AUTHORITY_ABSENT] = "absent",    [AUTHORITY_SAYS_YES] = "yes",
        [AUTHORITY_SAYS_NO] = "no",       [AUTHORITY_WANTS_A_PASSWORD] = "password",
        [AUTHORITY_IS_SILENT] = "silent", [AUTHORITY_TALKS_NONSENSE] = "nonsense",
        [AUTHORITY_DIES] = "dies",
    };
    return manner < AUTHORITY_MANNERS ? words[manner] : NULL;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* The "(bba{ss})" that CheckAuthorization returns. */
static void answer_verdict(struct authority *authority, const struct bus_message *call)
{
    struct bytes body = {0};
    struct wire_writer writer = {.bytes = &body};

    wire_align(&writer, 8);
    wire_write_u32(&writer, authority->manner == AUTHORITY_SAYS_YES);
    wire_write_u32(&writer, authority->manner == AUTHORITY_WANTS_A_PASSWORD);
    wire_end_array(&writer, wire_begin_array(&writer, 8), 8);
    peer_reply(&authority->peer, call, "(bba{ss})", &body);
    bytes_free(&body);
}

/* Gives one answer, according to the manner. An authority that is silent never
 * comes here, since it keeps no question. */
static void answer(struct authority *authority, const struct authority_question *question)
{
    struct bus_message call = {
        .type = MESSAGE_CALL, .serial = question->serial, .sender = question->sender};

    switch (authority->manner) {
    case AUTHORITY_SAYS_YES:
    case AUTHORITY_SAYS_NO:
    case AUTHORITY_WANTS_A_PASSWORD:
        answer_verdict(authority, &call);
        break;
    case AUTHORITY_TALKS_NONSENSE:
        peer_reply(&authority->peer, &call, NULL, NULL);
        break;
    case AUTHORITY_DIES:
        authority_end(authority);
        break;
    case AUTHORITY_ABSENT:
    case AUTHORITY_IS_SILENT:
    case AUTHORITY_MANNERS:
        break;
    }
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static void named(struct peer *peer)
{
    struct bytes body = {0};
    struct wire_writer writer = {.bytes = &body};

    wire_write_string(&writer, POLKIT);
    wire_write_u32(&writer, NAME_DO_NOT_QUEUE);
    peer_call(peer, BUS_NAME, BUS_PATH, BUS_NAME, "RequestName", "su", &body, NULL);
    bytes_free(&body);
}

/* Takes a question and keeps it until its delay has passed, so that other
 * messages can arrive between a question and its answer. Questions are answered
 * in the order in which they arrived. */
static void called(struct peer *peer, const struct bus_message *call)
{
    struct authority *authority = peer->userdata;
    struct authority_question **end = &authority->questions, *question;

    if (strcmp(call->member, "CheckAuthorization") != 0) {
        peer_reply(peer, call, NULL, NULL); /* CancelCheckAuthorization */
        return;
    }
    authority->n_asked++;
    if (authority->manner == AUTHORITY_IS_SILENT)
        return;
    while (*end)
        end = &(*end)->next;
    question = calloc(1, sizeof(*question));
    INVARIANT(question);
    question->due_nsec = authority->now_nsec + authority->delay_nsec;
    question->serial = call->serial;
    snprintf(question->sender, sizeof(question->sender), "%s", call->sender);
    *end = question;
}

static const struct peer_hooks hooks = {.named = named, .called = called};

/* ---- life ------------------------------------------------------------------------------------ */

void authority_init(struct authority *authority, enum authority_manner manner, uint64_t delay_nsec)
{
    *authority = (struct authority){.manner = manner, .delay_nsec = delay_nsec};
    authority->peer.hooks = &hooks;
    authority->peer.userdata = authority;
    authority->peer.credentials.pid = 2;
}

static void forget_questions(struct authority *authority)
{
    while (authority->questions) {
        struct authority_question *question = authority->questions;
        authority->questions = question->next;
        free(question);
    }
}

void authority_join(struct authority *authority, struct broker *broker)
{
    forget_questions(authority);
    peer_lose(&authority->peer);
    if (broker && authority->manner != AUTHORITY_ABSENT)
        peer_connect(&authority->peer, broker);
}

void authority_end(struct authority *authority)
{
    forget_questions(authority);
    peer_leave(&authority->peer);
}

/* Takes what has arrived and answers what is due; returns whether there was
 * anything to do, so that the caller can stop when nobody has. */
bool authority_run(struct authority *authority, uint64_t now_nsec)
{
    authority->now_nsec = now_nsec;
    bool any = peer_take(&authority->peer);

    while (authority->questions && authority->questions->due_nsec <= now_nsec) {
        struct authority_question *question = authority->questions;
        authority->questions = question->next;
        answer(authority, question);
        free(question);
        any = true;
    }
    return any;
}

uint64_t authority_next_nsec(const struct authority *authority)
{
    return authority->questions ? authority->questions->due_nsec : UINT64_MAX;
}
