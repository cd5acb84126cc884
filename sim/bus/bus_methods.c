/*
 * The methods of org.freedesktop.DBus itself: names, rules of matching,
 * credentials. A table gives each its signature and function; a call with
 * another signature is refused before the function reads its arguments.
 */
#include "bus/bus_methods.h"

#include "bus/grammar.h"
#include "bus/match_rule.h"
#include "core/vocabulary/invariant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A call that is being answered. */
struct bus_call {
    struct broker *broker;
    struct link *link;
    const struct bus_message *message;
    struct wire_reader arguments;
    struct bytes body; /* of the reply */
    struct wire_writer writer;
};

static void reply(struct bus_call *call, const char *signature)
{
    deliver_reply(call->broker, call->link, call->message, signature, &call->body);
}

static void reply_empty(struct bus_call *call)
{
    deliver_reply(call->broker, call->link, call->message, NULL, NULL);
}

static void reply_u32(struct bus_call *call, uint32_t number)
{
    wire_write_u32(&call->writer, number);
    reply(call, "u");
}

static void reply_string(struct bus_call *call, const char *text)
{
    wire_write_string(&call->writer, text);
    reply(call, "s");
}

#define REFUSE(call, name, ...)                                                                    \
    deliver_error((call)->broker, (call)->link, (call)->message, BUS_ERROR(name), __VA_ARGS__)

/* ---- names ----------------------------------------------------------------------------------- */

/* The link is answered before the name's signals go out, as clients expect it. */
static void hello(struct bus_call *call)
{
    struct link *link = call->link;

    if (link_is_active(link)) {
        REFUSE(call, "Failed", "Already handled an Hello message");
        return;
    }
    snprintf(link->unique_name, sizeof(link->unique_name), ":1.%" PRIu32,
             call->broker->next_unique++);
    reply_string(call, link->unique_name);
    name_request(&call->broker->names, link, link->unique_name, 0);
}

/* Whether the name can be asked for at all. words: of the refusal. */
static bool may_be_asked_for(struct bus_call *call, const char *name, const char *subject,
                             const char *verb)
{
    if (!is_bus_name(name))
        REFUSE(call, "InvalidArgs", "%s bus name \"%s\" is not valid", subject, name);
    else if (name[0] == ':')
        REFUSE(call, "InvalidArgs", "Cannot %s a service starting with ':' such as \"%s\"", verb,
               name);
    else
        return true;
    return false;
}

/* What a name's request came to is a number in the answer, and not an error:
 * only a name that cannot be owned at all is refused. */
static void request_name(struct bus_call *call)
{
    const char *name = wire_read_string(&call->arguments);
    uint32_t flags = wire_read_u32(&call->arguments), limit = call->broker->limits.names;

    if (!may_be_asked_for(call, name, "Requested", "acquire"))
        return;
    if (strcmp(name, BUS_NAME) == 0)
        REFUSE(call, "InvalidArgs",
               "Connection \"%s\" is not allowed to own the service \"" BUS_NAME
               "\"because it is reserved for D-Bus' use only",
               call->link->unique_name);
    else if (call->link->n_names >= limit)
        REFUSE(call, "LimitsExceeded",
               "Connection \"%s\" is not allowed to own more services (increase limits in "
               "configuration file if required; max_names_per_connection=%" PRIu32 ")",
               call->link->unique_name, limit);
    else
        reply_u32(call, name_request(&call->broker->names, call->link, name, flags));
}

/* Releasing a name that the caller does not own is answered with a number, too,
 * and changes nothing. */
static void release_name(struct bus_call *call)
{
    const char *name = wire_read_string(&call->arguments);

    if (!may_be_asked_for(call, name, "Given", "release"))
        return;
    if (strcmp(name, BUS_NAME) == 0)
        REFUSE(call, "InvalidArgs",
               "Cannot release the " BUS_NAME " service because it is owned by the bus");
    else
        reply_u32(call, name_release(&call->broker->names, call->link, name));
}

static void name_has_owner(struct bus_call *call)
{
    const char *name = wire_read_string(&call->arguments);

    wire_write_u32(&call->writer,
                   strcmp(name, BUS_NAME) == 0 || name_owner_of(&call->broker->names, name));
    reply(call, "b");
}

static void get_name_owner(struct bus_call *call)
{
    const char *name = wire_read_string(&call->arguments);
    const struct link *owner = name_owner_of(&call->broker->names, name);

    if (owner || strcmp(name, BUS_NAME) == 0)
        reply_string(call, owner ? owner->unique_name : BUS_NAME);
    else
        REFUSE(call, "NameHasNoOwner", "Could not get owner of name '%s': no such name", name);
}

/* The owner is the first of the queue. The bus's own name has one owner, which
 * is no link. */
static void list_queued_owners(struct bus_call *call)
{
    const char *text = wire_read_string(&call->arguments);
    const struct name *name = name_find(&call->broker->names, text);

    if (!name && strcmp(text, BUS_NAME) != 0) {
        REFUSE(call, "NameHasNoOwner", "Could not get owners of name '%s': no such name", text);
        return;
    }
    size_t begin = wire_begin_array(&call->writer, 4);
    for (const struct name_owner *owner = name ? name->owners : NULL; owner; owner = owner->next)
        wire_write_string(&call->writer, owner->link->unique_name);
    if (!name)
        wire_write_string(&call->writer, BUS_NAME);
    wire_end_array(&call->writer, begin, 4);
    reply(call, "as");
}

static void list_names(struct bus_call *call)
{
    size_t begin = wire_begin_array(&call->writer, 4);

    wire_write_string(&call->writer, BUS_NAME);
    for (const struct name *name = call->broker->names.first; name; name = name->next)
        wire_write_string(&call->writer, name->text);
    wire_end_array(&call->writer, begin, 4);
    reply(call, "as");
}

static void list_activatable_names(struct bus_call *call)
{
    size_t begin = wire_begin_array(&call->writer, 4);

    wire_write_string(&call->writer, BUS_NAME);
    wire_end_array(&call->writer, begin, 4);
    reply(call, "as");
}

/* Nothing is activatable, and what runs already is not asked for. */
static void start_service(struct bus_call *call)
{
    REFUSE(call, "ServiceUnknown", "The name %s was not provided by any .service files",
           wire_read_string(&call->arguments));
}

/* ---- who a client is ------------------------------------------------------------------------- */

/* The credentials of the bus itself are those of process 1. */
static const struct link_credentials *credentials_of(struct bus_call *call, const char *what)
{
    static const struct link_credentials own = {.pid = 1};
    const char *name = wire_read_string(&call->arguments);
    const struct link *owner = name_owner_of(&call->broker->names, name);

    if (owner)
        return &owner->credentials;
    if (strcmp(name, BUS_NAME) == 0)
        return &own;
    REFUSE(call, "NameHasNoOwner", "Could not get %s of name '%s': no such name", what, name);
    return NULL;
}

static void get_user(struct bus_call *call)
{
    const struct link_credentials *credentials = credentials_of(call, "UID");

    if (credentials)
        reply_u32(call, credentials->uid);
}

static void get_process(struct bus_call *call)
{
    const struct link_credentials *credentials = credentials_of(call, "PID");

    if (credentials)
        reply_u32(call, credentials->pid);
}

static void write_entry(struct wire_writer *writer, const char *key, const char *signature)
{
    wire_align(writer, 8);
    wire_write_string(writer, key);
    wire_write_signature(writer, signature);
}

/* The identity that the kernel reported when the link was made. proctord relies
 * on it for every decision about what a caller may do, so the model answers it
 * in full. */
static void get_credentials(struct bus_call *call)
{
    struct wire_writer *writer = &call->writer;
    const struct link_credentials *credentials = credentials_of(call, "credentials");

    if (!credentials)
        return;
    size_t begin = wire_begin_array(writer, 8);
    write_entry(writer, "ProcessID", "u");
    wire_write_u32(writer, credentials->pid);
    write_entry(writer, "UnixUserID", "u");
    wire_write_u32(writer, credentials->uid);
    write_entry(writer, "UnixGroupIDs", "au");
    size_t groups = wire_begin_array(writer, 4);
    wire_write_u32(writer, credentials->gid);
    wire_end_array(writer, groups, 4);
    wire_end_array(writer, begin, 8);
    reply(call, "a{sv}");
}

/* ---- match rules ----------------------------------------------------------------------------- */

/* NULL: it was refused. */
static struct match_rule *read_rule(struct bus_call *call)
{
    char error[MATCH_RULE_MAX + 256];
    const char *text = wire_read_string(&call->arguments);

    if (strlen(text) > MATCH_RULE_MAX) {
        REFUSE(call, "LimitsExceeded", "Match rule text is %zu bytes, maximum is %d", strlen(text),
               MATCH_RULE_MAX);
        return NULL;
    }
    struct match_rule *rule = match_rule_parse(text, error, sizeof(error));
    if (!rule)
        REFUSE(call, "MatchRuleInvalid", "%s", error);
    return rule;
}

/* Rules are kept in the reverse order of their addition; the order has no
 * effect, because a message is delivered once however many rules match. */
static void add_match(struct bus_call *call)
{
    struct link *link = call->link;
    uint32_t limit = call->broker->limits.rules;

    if (link->n_rules >= limit) {
        REFUSE(call, "LimitsExceeded",
               "Connection \"%s\" is not allowed to add more match rules (increase limits in "
               "configuration file if required; max_match_rules_per_connection=%" PRIu32 ")",
               link->unique_name, limit);
        return;
    }
    struct match_rule *rule = read_rule(call);
    if (!rule)
        return;
    struct subscription_rule *fresh = calloc(1, sizeof(*fresh));
    INVARIANT(fresh);
    *fresh = (struct subscription_rule){.next = link->rules, .rule = rule};
    link->rules = fresh;
    link->n_rules++;
    reply_empty(call);
}

/* Removes one rule that equals this one: if a client added it twice, the other
 * stays. */
static bool drop_rule(struct link *link, const struct match_rule *rule)
{
    struct subscription_rule **at = &link->rules, *found;

    while (*at && !match_rule_equals((*at)->rule, rule))
        at = &(*at)->next;
    found = *at;
    if (!found)
        return false;
    *at = found->next;
    link->n_rules--;
    match_rule_free(found->rule);
    free(found);
    return true;
}

/* Refuses to remove a rule that is not there, so that a client notices that it
 * has counted wrongly. */
static void remove_match(struct bus_call *call)
{
    struct match_rule *rule = read_rule(call);

    if (!rule)
        return;
    if (drop_rule(call->link, rule))
        reply_empty(call);
    else
        REFUSE(call, "MatchRuleNotFound", "The given match rule wasn't found and can't be removed");
    match_rule_free(rule);
}

/* ---- what every object has ------------------------------------------------------------------- */

static void get_id(struct bus_call *call)
{
    reply_string(call, call->broker->id);
}

static void get_machine_id(struct bus_call *call)
{
    reply_string(call, "0123456789abcdef0123456789abcdef");
}

static void introspect(struct bus_call *call)
{
    reply_string(call, "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection "
                       "1.0//EN\"\n\"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd"
                       "\">\n<node>\n  <interface name=\"" BUS_NAME "\">\n  </interface>\n"
                       "</node>\n");
}

/* ---- the table ------------------------------------------------------------------------------- */

struct bus_method {
    const char *interface, *name, *signature;
    void (*answer)(struct bus_call *call);
};

#define PEER       BUS_NAME ".Peer"
#define INTROSPECT BUS_NAME ".Introspectable"

static const struct bus_method methods[] = {
    {BUS_NAME, "Hello", "", hello},
    {BUS_NAME, "RequestName", "su", request_name},
    {BUS_NAME, "ReleaseName", "s", release_name},
    {BUS_NAME, "StartServiceByName", "su", start_service},
    {BUS_NAME, "NameHasOwner", "s", name_has_owner},
    {BUS_NAME, "ListNames", "", list_names},
    {BUS_NAME, "ListActivatableNames", "", list_activatable_names},
    {BUS_NAME, "AddMatch", "s", add_match},
    {BUS_NAME, "RemoveMatch", "s", remove_match},
    {BUS_NAME, "GetNameOwner", "s", get_name_owner},
    {BUS_NAME, "ListQueuedOwners", "s", list_queued_owners},
    {BUS_NAME, "GetConnectionUnixUser", "s", get_user},
    {BUS_NAME, "GetConnectionUnixProcessID", "s", get_process},
    {BUS_NAME, "GetConnectionCredentials", "s", get_credentials},
    {BUS_NAME, "ReloadConfig", "", reply_empty},
    {BUS_NAME, "GetId", "", get_id},
    {INTROSPECT, "Introspect", "", introspect},
    {PEER, "Ping", "", reply_empty},
    {PEER, "GetMachineId", "", get_machine_id},
};

#define N_METHODS (sizeof(methods) / sizeof(methods[0]))

static bool is_meant(const struct bus_method *method, const struct bus_message *call)
{
    return !call->interface || strcmp(call->interface, method->interface) == 0;
}

static const struct bus_method *find(const struct bus_message *call)
{
    for (size_t i = 0; i < N_METHODS; i++)
        if (is_meant(&methods[i], call) && strcmp(methods[i].name, call->member) == 0)
            return &methods[i];
    return NULL;
}

static bool has_interface(const struct bus_message *call)
{
    for (size_t i = 0; i < N_METHODS; i++)
        if (is_meant(&methods[i], call))
            return true;
    return false;
}

static void refuse_unknown(struct bus_call *call)
{
    const char *name =
        has_interface(call->message) ? BUS_ERROR("UnknownMethod") : BUS_ERROR("UnknownInterface");

    deliver_error(call->broker, call->link, call->message, name,
                  BUS_NAME " does not understand message %s", call->message->member);
}

static void answer(struct bus_call *call, const struct bus_method *method)
{
    const char *signature = call->message->signature ? call->message->signature : "";

    if (strcmp(signature, method->signature) == 0)
        method->answer(call);
    else
        REFUSE(call, "InvalidArgs", "Call to %s has wrong args (%s, expected %s)\n", method->name,
               signature, method->signature);
}

bool bus_methods_is_hello(const struct bus_message *message)
{
    return message->type == MESSAGE_CALL && strcmp(message->member, "Hello") == 0 &&
           (!message->interface || strcmp(message->interface, BUS_NAME) == 0);
}

/* Entry: answers a call to the bus, with a result or an error. */
void bus_methods_call(struct broker *broker, struct link *link, const struct bus_message *message)
{
    const struct bus_method *method = find(message);
    struct bus_call call = {
        .broker = broker, .link = link, .message = message, .arguments = bus_message_read(message)};
    call.writer.bytes = &call.body;

    if (method)
        answer(&call, method);
    else
        refuse_unknown(&call);
    bytes_free(&call.body);
}
