/*
 * A client of the bus, with one habit for its whole life: listening and
 * comparing, ordering about, asking and leaving, repeating its key, never
 * reading, flooding, or straying outside of what is allowed.
 *
 * Each habit is one that real clients have and that has broken real services. A
 * client finds faults by itself: what it is told by signals must equal what it
 * is told when it asks, and one key must lead to one command.
 */
#include "bus/client.h"

#include "bus/value.h"
#include "core/vocabulary/invariant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOOD      300
#define DEAF_CALLS 20
#define REPEATS    3
#define CHECKS     20

#define CHECK_PAUSE_NSEC UINT64_C(200000000)
#define ANSWER_NSEC      UINT64_C(10000000000) /* polkit's included, unless it is silent */

const char *client_habit_to_string(enum client_habit habit)
{
    static const char *const words[CLIENT_HABITS] = {
        [CLIENT_LISTENS] = "listens",         [CLIENT_OPERATES] = "operates",
        [CLIENT_LEAVES] = "leaves",           [CLIENT_REPEATS] = "repeats",
        [CLIENT_NEVER_READS] = "never-reads", [CLIENT_FLOODS] = "floods",
        [CLIENT_STRAYS] = "strays",           [CLIENT_IS_ASKED] = "is-asked",
    };
    return habit < CLIENT_HABITS ? words[habit] : NULL;
}

static uint32_t choose(struct client *client, uint32_t count)
{
    return client->plan.choose ? client->plan.choose(client->plan.userdata, count)
                               : client->turn % count;
}

static const char *choose_child(struct client *client)
{
    return client->plan.n_children > 0
               ? client->plan.children[choose(client, client->plan.n_children)]
               : "nobody";
}

static const char *choose_verb(struct client *client)
{
    static const char *const verbs[] = {"RestartChild", "PauseChild", "ResumeChild",
                                        "QuarantineChild"};

    return verbs[choose(client, 4)];
}

/* ---- one that listens ------------------------------------------------------------------------ */

/* What an answer is for. */
static char for_listened, for_fresh, for_order;

static void ask_for_everything(struct client *client, const void *about, uint32_t *expected)
{
    peer_call(&client->peer, PROCTOR, PROCTOR_PATH, OBJECT_MANAGER, "GetManagedObjects", NULL, NULL,
              about);
    peer_call_text(&client->peer, PROCTOR, PROCTOR_PATH, PROPERTIES, "GetAll", PROCTOR_MANAGER,
                   about);
    *expected = 2;
}

static void listen(struct client *client)
{
    static const char *const rules[] = {
        "type='signal',sender='" PROCTOR "',path_namespace='" PROCTOR_PATH "'",
        "type='signal',sender='" BUS_NAME "',member='NameOwnerChanged',arg0='" PROCTOR "'",
    };

    for (size_t i = 0; i < 2; i++)
        peer_call_text(&client->peer, BUS_NAME, BUS_PATH, BUS_NAME, "AddMatch", rules[i], NULL);
    ask_for_everything(client, &for_listened, &client->n_loading);
}

static void load(struct cache *cache, const struct peer_call *call,
                 const struct bus_message *answer)
{
    if (strcmp(call->member, "GetAll") == 0)
        cache_load_all(cache, PROCTOR_PATH, PROCTOR_MANAGER, answer);
    else
        cache_load_objects(cache, answer);
}

/* A difference counts as a fault only if nothing was signalled in between: a
 * change may be on its way while the client asks. So the client asks again
 * after a pause, and complains when the same difference is still there. */
static void check_again_later(struct client *client, const char *text)
{
    /* No signal, or the same values as then: nothing was told of it in the meantime. */
    bool was_quiet = client->mismatch[0] && (client->n_signals == client->signals_then ||
                                             strcmp(client->mismatch, text) == 0);

    if (was_quiet && !client->peer.fault[0])
        snprintf(client->peer.fault, sizeof(client->peer.fault), "%s", text);
    snprintf(client->mismatch, sizeof(client->mismatch), "%s", text);
    client->signals_then = client->n_signals;
    client->check_nsec = client->now_nsec + CHECK_PAUSE_NSEC;
    client->checks_left = was_quiet ? 0 : client->checks_left - 1;
}

static void compare(struct client *client)
{
    char text[sizeof(client->mismatch)];

    if (client->is_loaded && !cache_equals(&client->listened, &client->fresh, text, sizeof(text)))
        check_again_later(client, text);
    else
        client->checks_left = 0;
}

/* Loads one answer of GetManagedObjects. The comparison begins when all of them
 * have arrived. Errors are no fault here: the service may be starting again. */
static void take_everything(struct client *client, const struct peer_call *call,
                            const struct bus_message *answer)
{
    bool fresh = call->about == &for_fresh;
    uint32_t *left = fresh ? &client->n_checking : &client->n_loading;

    if (answer->type == MESSAGE_ERROR || *left == 0) {
        client->checks_left = fresh ? 0 : client->checks_left;
        *left = 0; /* it is not there, or has gone meanwhile: nothing to compare */
        return;
    }
    load(fresh ? &client->fresh : &client->listened, call, answer);
    if (--*left > 0)
        return;
    if (fresh)
        compare(client);
    else
        client->is_loaded = true;
}

/* Another owner has other objects, or the same in another state. */
static void take_owner(struct client *client, const struct bus_message *signal)
{
    struct wire_reader reader = bus_message_read(signal);

    wire_read_string(&reader);
    wire_read_string(&reader);
    const char *owner = wire_read_string(&reader);
    cache_clear(&client->listened);
    client->is_loaded = false;
    client->n_checking = client->n_loading = client->checks_left = 0;
    if (*owner)
        ask_for_everything(client, &for_listened, &client->n_loading);
}

static void signalled(struct peer *peer, const struct bus_message *signal)
{
    struct client *client = peer->userdata;

    client->n_signals++;
    if (strcmp(signal->member, "NameOwnerChanged") == 0)
        take_owner(client, signal);
    else if (client->is_loaded || client->n_loading > 0)
        cache_apply(&client->listened, signal);
}

static void check(struct client *client)
{
    cache_clear(&client->fresh);
    ask_for_everything(client, &for_fresh, &client->n_checking);
}

static bool waits_to_check(const struct client *client)
{
    return client->checks_left > 0 && client->n_checking == 0;
}

void client_begin_check(struct client *client)
{
    if (!client->is_loaded || !client->peer.is_named)
        return;
    client->mismatch[0] = '\0';
    client->checks_left = CHECKS;
    check(client);
}

/* ---- one key, one command -------------------------------------------------------------------- */

/* The id of the command that an outcome is of. */
static void read_command(const struct bus_message *answer, char *id, size_t size)
{
    struct wire_reader reader = bus_message_read(answer);
    char *text = value_text(&reader, answer->signature ? answer->signature : "");
    const char *found = strstr(text, "(\"CommandId\" \"");

    snprintf(id, size, "%.*s", found ? 40 : 0, found ? found + 14 : "");
    id[strcspn(id, "\"")] = '\0';
    free(text);
}

/* Two commands with one idempotency key must be one command. */
static void compare_outcome(struct client *client, const struct bus_message *answer)
{
    char id[sizeof(client->first_outcome)];

    if (answer->type == MESSAGE_ERROR)
        return;
    read_command(answer, id, sizeof(id));
    if (!client->first_outcome[0])
        snprintf(client->first_outcome, sizeof(client->first_outcome), "%s", id);
    else if (strcmp(client->first_outcome, id) != 0 && !client->peer.fault[0])
        snprintf(client->peer.fault, sizeof(client->peer.fault),
                 "one key, two commands: %.60s and %.60s", client->first_outcome, id);
}

static void command(struct client *client, const char *member, const char *child,
                    const char *reason, const struct verb_options *options, const void *about)
{
    const struct client_observer *observer = client->plan.observer;

    if (observer && !options->dry_run)
        observer->commanded(observer->userdata, member, child);
    verb_call(&client->peer, member, child, reason, options, about);
}

static void repeat(struct client *client)
{
    const char *verb = choose_verb(client), *child = choose_child(client);

    snprintf(client->key, sizeof(client->key), "key-%" PRIu32, client->turn);
    client->first_outcome[0] = '\0';
    for (int i = 0; i < REPEATS; i++)
        command(client, verb, child, "once", &(struct verb_options){.key = client->key}, client);
}

/* ---- ones that are no pleasure --------------------------------------------------------------- */

static void flood(struct client *client)
{
    for (int i = 0; i < FLOOD; i++)
        peer_call(&client->peer, PROCTOR, PROCTOR_PATH, PROCTOR_MANAGER,
                  i % 2 ? "CurrentState" : "ListChildren", NULL, NULL, NULL);
}

static void ask_and_not_listen(struct client *client)
{
    listen(client);
    for (int i = 0; i < DEAF_CALLS; i++)
        peer_call(&client->peer, PROCTOR, PROCTOR_PATH, OBJECT_MANAGER, "GetManagedObjects", NULL,
                  NULL, NULL);
    client->peer.is_deaf = true;
}

/* Does everything that is not allowed, one after the other: unknown objects,
 * interfaces and methods, wrong arguments, a reason with a forged line of the
 * log in it, answers to nothing. The service must refuse each and serve the
 * others. */
static void stray(struct client *client)
{
    struct peer *peer = &client->peer;
    struct bus_message never_asked = {.serial = 1 + client->turn, .sender = PROCTOR};
    const char *child = choose_child(client);

    peer_call(peer, PROCTOR, "/no/such/object", PROCTOR_MANAGER, "ListChildren", NULL, NULL, NULL);
    peer_call(peer, PROCTOR, PROCTOR_PATH, "org.proctor1.Nothing", "ListChildren", NULL, NULL,
              NULL);
    peer_call(peer, PROCTOR, PROCTOR_PATH, PROCTOR_MANAGER, "NoSuchMethod", NULL, NULL, NULL);
    peer_call_text(peer, PROCTOR, PROCTOR_PATH, PROCTOR_MANAGER, "PauseChild", child, NULL);
    peer_call_text(peer, PROCTOR, PROCTOR_PATH, PROCTOR_MANAGER, "GetChild", "no such child", NULL);
    command(client, choose_verb(client), child, "forged\n2026-01-01 by=\"root\"",
            &(struct verb_options){0}, NULL);
    command(client, choose_verb(client), child, "polite", &(struct verb_options){0}, &for_order);
    command(client, choose_verb(client), child, "only a question",
            &(struct verb_options){.dry_run = true}, NULL);
    peer_reply(peer, &never_asked, NULL, NULL);
    peer_reply_error(peer, &never_asked, BUS_ERROR("Failed"), "nobody asked");
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void come_back(struct client *client)
{
    struct broker *broker = client->peer.broker;

    peer_leave(&client->peer);
    peer_connect(&client->peer, broker);
}

static void restart_and_leave(struct client *client)
{
    if (client->turn % 2 == 1) {
        come_back(client);
        return;
    }
    command(client, "RestartChild", choose_child(client), "and away",
            &(struct verb_options){.wait = true}, &for_order);
}

/* One turn of the habit, then a pause. */
static void take_turn(struct client *client)
{
    switch (client->plan.habit) {
    case CLIENT_LISTENS:
    case CLIENT_IS_ASKED:
        break;
    case CLIENT_OPERATES:
        command(client, choose_verb(client), choose_child(client), "by order",
                &(struct verb_options){.wait = choose(client, 2)}, &for_order);
        break;
    case CLIENT_LEAVES:
        restart_and_leave(client);
        break;
    case CLIENT_REPEATS:
        repeat(client);
        break;
    case CLIENT_NEVER_READS:
        ask_and_not_listen(client);
        break;
    case CLIENT_FLOODS:
        flood(client);
        break;
    case CLIENT_STRAYS:
        stray(client);
        break;
    case CLIENT_HABITS:
        INVARIANT(false);
    }
    client->turn++;
    client->due_nsec = client->now_nsec + client->plan.pause_nsec;
}

/* One that compares the answers of a turn waits for all of them first. */
static bool may_take_turn(const struct client *client)
{
    if (client->plan.habit == CLIENT_REPEATS && client->peer.n_calls > 0)
        return false;
    return client->peer.is_named && client->plan.habit != CLIENT_LISTENS &&
           client->plan.habit != CLIENT_IS_ASKED && client->turn < client->plan.turns;
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static void named(struct peer *peer)
{
    struct client *client = peer->userdata;

    if (client->plan.habit == CLIENT_LISTENS)
        listen(client);
}

static void note_refusal(struct client *client, const struct bus_message *answer)
{
    struct wire_reader reader = bus_message_read(answer);
    bool has_text = answer->signature && answer->signature[0] == 's';

    client->n_errors++;
    snprintf(client->last_error, sizeof(client->last_error), "%s: %s", answer->error,
             has_text ? wire_read_string(&reader) : "");
}

/* A client that is not allowed to give orders is refused. */
static void check_order(struct client *client, const struct peer_call *call,
                        const struct bus_message *answer)
{
    if (answer->type == MESSAGE_RETURN && !client->plan.is_allowed && !client->peer.fault[0])
        snprintf(client->peer.fault, sizeof(client->peer.fault),
                 "%s of uid %" PRIu32 " is obeyed, and nobody has allowed it", call->member,
                 client->plan.uid);
}

/* An answer to a call of this client; `about` says which purpose the call
 * had. */
static void answered(struct peer *peer, const struct peer_call *call,
                     const struct bus_message *answer)
{
    struct client *client = peer->userdata;
    const struct client_observer *observer = client->plan.observer;

    if (observer && call->child[0])
        observer->answered(observer->userdata, call, answer);
    if (answer->type == MESSAGE_ERROR)
        note_refusal(client, answer);
    if (call->about == &for_order || call->about == client)
        check_order(client, call, answer);
    if (call->about == &for_listened || call->about == &for_fresh)
        take_everything(client, call, answer);
    else if (call->about == client)
        compare_outcome(client, answer);
}

static const struct peer_hooks hooks = {
    .named = named, .answered = answered, .signalled = signalled};

bool client_order(struct client *client, const char *member, const char *child, const char *reason,
                  const struct verb_options *options, const void *about)
{
    if (!client->peer.is_named)
        return false;
    command(client, member, child, reason, options, about);
    return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Its identity is that of the plan: the service decides by it what the client
 * may do. */
struct client *client_new(const struct client_plan *plan)
{
    struct client *client = calloc(1, sizeof(*client));

    INVARIANT(client && plan->habit < CLIENT_HABITS);
    client->plan = *plan;
    client->due_nsec = plan->begin_nsec;
    client->peer.hooks = &hooks;
    client->peer.userdata = client;
    client->peer.credentials =
        (struct link_credentials){.pid = plan->pid, .uid = plan->uid, .gid = plan->uid};
    return client;
}

void client_free(struct client *client)
{
    peer_lose(&client->peer);
    cache_clear(&client->listened);
    cache_clear(&client->fresh);
    free(client);
}

void client_join(struct client *client, struct broker *broker)
{
    peer_lose(&client->peer);
    client->is_loaded = client->peer.is_deaf = false;
    client->n_loading = client->n_checking = client->checks_left = 0;
    cache_clear(&client->listened);
    if (broker)
        peer_connect(&client->peer, broker);
}

/* Takes what has arrived and does what is due; returns whether there was
 * anything. */
bool client_run(struct client *client, uint64_t now_nsec)
{
    client->now_nsec = client->peer.now_nsec = now_nsec;
    bool any = peer_take(&client->peer);

    if (waits_to_check(client) && client->check_nsec <= now_nsec) {
        check(client);
        any = true;
    }
    if (may_take_turn(client) && client->due_nsec <= now_nsec) {
        take_turn(client);
        any = true;
    }
    return any;
}

uint64_t client_next_nsec(const struct client *client)
{
    if (waits_to_check(client))
        return client->check_nsec;
    return may_take_turn(client) ? client->due_nsec : UINT64_MAX;
}

void client_check_answers(struct client *client, uint64_t now_nsec)
{
    client->peer.now_nsec = now_nsec;
    const struct peer_call *call = peer_overdue(&client->peer, ANSWER_NSEC);

    if (call && !client->peer.is_deaf && !client->peer.fault[0])
        snprintf(client->peer.fault, sizeof(client->peer.fault),
                 "%s of uid %" PRIu32 " has no answer after %" PRIu64 " ms", call->member,
                 client->plan.uid, (now_nsec - call->asked_nsec) / 1000000);
}

bool client_is_at_rest(const struct client *client)
{
    return client->peer.is_deaf || client->peer.n_calls == 0;
}
