/*
 * Permission for a call, by polkit. The answer may take minutes (a person types
 * a password), so the call is put aside and handled again from the beginning
 * when the answer arrives: whatever the call refers to is looked up again then,
 * and nothing that was true before the wait is relied on.
 */
#include "bus/authorisation.h"

#include "bus/caller.h"
#include "bus/message.h"
#include "bus/wait.h"
#include "bus/private.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLKIT           "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

#define MAY_ASK_A_PERSON 1u                       /* polkit's AllowUserInteraction */
#define ANSWER_USEC      (UINT64_C(25) * 1000000) /* of polkit by itself */
#define PERSON_USEC      (UINT64_C(300) * 1000000)
#define FORGET_USEC      (UINT64_C(10) * 1000000) /* an answer whose call did not come again */

/* What polkit was asked about one call, and what it said. */
struct question {
    struct question *next;
    struct service *service;
    sd_bus_message *call;
    sd_bus_slot *slot; /* as long as there is no answer */
    uid_t uid;
    char id[32];   /* by which polkit takes it back */
    char *subject; /* "ACTION VERB CHILD": what the answer is about */
    bool answered;
    uint64_t answered_usec;
    sd_bus_error refusal; /* set: no */
};

static void question_free(struct question *question)
{
    sd_bus_slot_unref(question->slot);
    sd_bus_message_unref(question->call);
    sd_bus_error_free(&question->refusal);
    free(question->subject);
    free(question);
}

static void take_out(struct service *service, struct question *question)
{
    struct question **link = &service->questions;

    while (*link != question)
        link = &(*link)->next;
    *link = question->next;
    question_free(question);
}

void questions_free(struct service *service)
{
    while (service->questions)
        take_out(service, service->questions);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static bool is_absent(const sd_bus_error *error)
{
    return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
           sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

static void note_failure(struct question *question, const sd_bus_error *error)
{
    if (is_absent(error))
        refuse_call(&question->refusal, SD_BUS_ERROR_ACCESS_DENIED,
                    "%s: not allowed: polkit is not running; without it only root may do this",
                    question->subject);
    else
        refuse_call(&question->refusal, SD_BUS_ERROR_ACCESS_DENIED,
                    "%s: not allowed: polkit does not answer: %.200s", question->subject,
                    error->message ? error->message : "no reason given");
}

/* polkit's three answers: yes, no, and yes if an administrator authenticates.
 * The third is a refusal unless the caller has allowed interaction. */
static void note_verdict(struct question *question, sd_bus_message *reply)
{
    int allowed, challenge;
    int r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");

    if (r > 0)
        r = sd_bus_message_read(reply, "bb", &allowed, &challenge);
    if (r <= 0) {
        refuse_call(&question->refusal, SD_BUS_ERROR_ACCESS_DENIED,
                    "%s: not allowed: polkit's answer cannot be read", question->subject);
        return;
    }
    if (allowed)
        return;
    if (challenge && !sd_bus_message_get_allow_interactive_authorization(question->call))
        refuse_call(&question->refusal, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                    "%s: not allowed without a password: call again with interactive "
                    "authorisation",
                    question->subject);
    else
        refuse_call(&question->refusal, SD_BUS_ERROR_ACCESS_DENIED, "%s: not allowed by polkit%s",
                    question->subject,
                    challenge ? ", and no authentication agent is running to ask for a password"
                              : "");
}

/* The call goes back into the queue of the connection, where it finds this
 * answer. */
static int verdict_came(sd_bus_message *reply, void *userdata, sd_bus_error *ignored)
{
    struct question *question = userdata;
    struct service *service = question->service;
    const sd_bus_error *error = sd_bus_message_get_error(reply);

    (void)ignored;
    question->slot = sd_bus_slot_unref(question->slot);
    question->answered = true;
    question->answered_usec = core_now(service->core);
    if (error)
        note_failure(question, error);
    else
        note_verdict(question, reply);
    int r = sd_bus_enqueue_for_read(service->bus, question->call);
    if (r < 0) {
        refuse_late(question->call, SD_BUS_ERROR_FAILED, "the call cannot be continued: %s",
                    strerror(-r));
        take_out(service, question);
    }
    return 1;
}

/* ---- the question ---------------------------------------------------------------------------- */

static int append_detail(sd_bus_message *m, const char *key, const char *value)
{
    return value ? append_values(m, "{ss}", key, value) : 0;
}

/* The subject is the caller's bus name: polkit finds the process behind it
 * without a race on PIDs. */
static int ask(struct question *question, const struct permission *wanted)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *m = NULL;
    struct service *service = question->service;
    const char *sender = sd_bus_message_get_sender(question->call);
    bool person = sd_bus_message_get_allow_interactive_authorization(question->call) > 0;
    int r = sd_bus_message_new_method_call(service->bus, &m, POLKIT, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");

    if (r >= 0)
        r = append_values(m, "(sa{sv})s", "system-bus-name", 1, "name", "s", sender,
                          wanted->action);
    if (r >= 0)
        r = append_open(m, 'a', "{ss}");
    if (r >= 0)
        r = append_detail(m, "verb", wanted->verb);
    if (r >= 0)
        r = append_detail(m, "child", wanted->child);
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    if (r >= 0)
        r = append_values(m, "us", person ? MAY_ASK_A_PERSON : 0, question->id);
    if (r >= 0)
        r = sd_bus_call_async(service->bus, &question->slot, m, verdict_came, question,
                              person ? PERSON_USEC : ANSWER_USEC);
    return r;
}

static char *subject_of(const struct permission *wanted)
{
    char *text = NULL;

    if (asprintf(&text, "%s: %s%s%.300s", wanted->action, wanted->verb, wanted->child ? " " : "",
                 wanted->child ? wanted->child : "") < 0)
        return NULL;
    return text;
}

/* A question has its own cost in the accounting of calls, as polkit is not free
 * either. */
static int begin(struct service *service, sd_bus_message *m, const struct caller *caller,
                 const struct permission *wanted)
{
    struct question *question = calloc(1, sizeof(*question));

    if (!question)
        return -ENOMEM;
    pace_add(service->pace, PACE_QUESTION_USEC);
    question->service = service;
    question->call = sd_bus_message_ref(m);
    question->uid = caller->uid;
    question->subject = subject_of(wanted);
    snprintf(question->id, sizeof(question->id), "proctor-%" PRIu64, ++service->last_question);
    question->next = service->questions;
    service->questions = question;
    int r = question->subject ? ask(question, wanted) : -ENOMEM;
    if (r < 0)
        take_out(service, question);
    return r < 0 ? r : 1;
}

/* Of a call that has come again there is an answer, and it is about the very same thing. */
static int settle(struct service *service, struct question *question,
                  const struct permission *wanted, sd_bus_error *error)
{
    __attribute__((cleanup(sd_bus_error_free))) sd_bus_error refusal = question->refusal;
    char *subject = subject_of(wanted);
    bool same = subject && strcmp(subject, question->subject) == 0;

    question->refusal = SD_BUS_ERROR_NULL;
    free(subject);
    take_out(service, question);
    if (!same)
        return refuse_call(error, SD_BUS_ERROR_ACCESS_DENIED,
                           "not allowed: polkit was asked about a different request");
    return sd_bus_error_is_set(&refusal) ? refuse_call(error, refusal.name, "%s", refusal.message)
                                         : 0;
}

/* The object that a call was for may have gone before it came again. */
static void forget_old(struct service *service)
{
    uint64_t now = core_now(service->core);

    for (struct question *question = service->questions, *next; question; question = next) {
        next = question->next;
        if (question->answered && now - question->answered_usec > FORGET_USEC)
            take_out(service, question);
    }
}

/* Returns 0 if the call may proceed, 1 if it waits, and an error if it is
 * refused. Root and proctord's own user are never asked about. */
int authorise(struct service *service, sd_bus_message *m, const struct caller *caller,
              const struct permission *wanted, sd_bus_error *error)
{
    size_t total = 0, own = 0;

    if (caller_is_trusted(caller))
        return 0;
    if (service->settings.bus == SERVICE_USER_BUS)
        return caller_must_be_trusted(caller, wanted->action, error);
    for (struct question *question = service->questions; question; question = question->next) {
        if (question->call == m && question->answered)
            return settle(service, question, wanted, error);
        total++;
        own += question->uid == caller->uid;
    }
    if (total >= QUESTIONS_MAX || own >= QUESTIONS_PER_UID)
        return refuse_call(
            error, PROCTOR_ERROR "LimitExceeded",
            "%zu calls of %s are already waiting for polkit; the limit is %d, and %d for one uid",
            own, caller->text, QUESTIONS_MAX, QUESTIONS_PER_UID);
    forget_old(service);
    return begin(service, m, caller, wanted);
}

/* ---- from one program to the next ------------------------------------------------------------ */

/* polkit is asked again by the program that comes: its answer would be to a question of ours. */
static void take_back(const struct question *question)
{
    sd_bus_call_method_async(question->service->bus, NULL, POLKIT, POLKIT_PATH, POLKIT_INTERFACE,
                             "CancelCheckAuthorization", NULL, NULL, "s", question->id);
}

static void write_question(struct archive *archive, const struct question *question)
{
    call_write(archive, question->call);
    if (!question->answered)
        take_back(question);
}

/* In an upgrade the calls themselves are handed over, and asked about again by
 * the new program. */
void questions_archive(struct service *service, struct archive *archive)
{
    const struct question *question = service->questions;
    size_t count = 0;

    INVARIANT(archive_is_sound(archive));
    for (const struct question *q = question; q; q = q->next)
        count++;
    archive_count(archive, &count, QUESTIONS_MAX);
    for (size_t i = 0; i < count && !archive->failed; i++) {
        if (archive->reading) {
            call_read(archive, service->bus);
        } else {
            write_question(archive, question);
            question = question->next;
        }
    }
}
