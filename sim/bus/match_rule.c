/*
 * Rules of matching: reading them from their text, and deciding whether a
 * message matches. Texts of errors are those of dbus-daemon, since a client
 * that sent a wrong rule shows them.
 */
#include "bus/match_rule.h"

#include "bus/grammar.h"
#include "core/vocabulary/invariant.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* NULL is allowed. */
void match_rule_free(struct match_rule *rule)
{
    if (!rule)
        return;
    while (rule->arguments) {
        struct match_argument *argument = rule->arguments;
        rule->arguments = argument->next;
        free(argument->value);
        free(argument);
    }
    free(rule->sender);
    free(rule->path);
    free(rule->interface);
    free(rule->member);
    free(rule->destination);
    free(rule);
}

/* ---- reading a rule -------------------------------------------------------------------------- */

/* What is still to be read, and where the reason goes if it cannot be. */
struct rule_text {
    const char *rest;
    char *error;
    size_t error_size;
};

/* The words are those of dbus-daemon, line ends included. */
static bool __attribute__((format(printf, 2, 3)))
refuse(struct rule_text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text->error, text->error_size, format, arguments);
    va_end(arguments);
    return false;
}

static void skip_blanks(struct rule_text *text)
{
    text->rest += strspn(text->rest, " \t\n\r");
}

/* An empty key ends the rule, as blanks at its end do. */
static bool read_key(struct rule_text *text, char *key)
{
    size_t length = strcspn(text->rest, "= \t\n\r");

    memcpy(key, text->rest, length);
    key[length] = '\0';
    text->rest += length;
    skip_blanks(text);
    if (length == 0)
        return true;
    if (*text->rest != '=')
        return refuse(text, "Match rule has a key with no subsequent '=' character");
    text->rest++;
    return true;
}

/* Quoted parts and others follow upon each other; a backslash counts only before a quote, outside
 * of quotes. */
static bool read_value(struct rule_text *text, char *value)
{
    bool quoted = false;
    const char *at = text->rest;

    for (; *at && (quoted || *at != ','); at++) {
        if (!quoted && *at == '\\' && at[1] == '\'')
            *value++ = *++at;
        else if (*at == '\'')
            quoted = !quoted;
        else
            *value++ = *at;
    }
    *value = '\0';
    text->rest = at + (*at == ',');
    return !quoted || refuse(text, "Unbalanced quotation marks in match rule");
}

static bool set_text(char **field, const char *value)
{
    *field = strdup(value);
    INVARIANT(*field);
    return true;
}

/* One function for the four keys whose values are names; each may be given
 * once. */
static bool set_name(struct rule_text *text, char **field, const char *key, const char *value,
                     bool (*is)(const char *text))
{
    static const char *const titles[] = {"Sender", "Destination", "Interface", "Member"};

    if (*field)
        return refuse(text, "Key %s specified twice in match rule\n", key);
    for (size_t i = 0; !is(value) && i < 4; i++)
        if (strcasecmp(titles[i], key) == 0)
            return refuse(text, "%s name '%s' is invalid\n", titles[i], value);
    return set_text(field, value);
}

static bool set_path(struct rule_text *text, struct match_rule *rule, const char *key,
                     const char *value)
{
    if (rule->path)
        return refuse(text, "path or path_namespace specified twice in match rule\n");
    if (!is_object_path(value))
        return refuse(text, "Path '%s' is invalid\n", value);
    rule->path_is_namespace = strcmp(key, "path_namespace") == 0;
    return set_text(&rule->path, value);
}

static bool set_type(struct rule_text *text, struct match_rule *rule, const char *value)
{
    static const char *const words[] = {"", "method_call", "method_return", "error", "signal"};

    if (rule->type)
        return refuse(text, "Key type specified twice in match rule\n");
    for (uint8_t i = MESSAGE_CALL; i <= MESSAGE_SIGNAL; i++)
        if (strcmp(value, words[i]) == 0)
            rule->type = i;
    return rule->type || refuse(text, "Invalid message type (%s) in match rule\n", value);
}

static bool set_eavesdrop(struct rule_text *text, struct match_rule *rule, const char *value)
{
    rule->eavesdrop = strcmp(value, "true") == 0;
    return rule->eavesdrop || strcmp(value, "false") == 0 ||
           refuse(text, "eavesdrop='%s' is invalid, it should be 'true' or 'false'\n", value);
}

/* Keeps the arguments in the order of their numbers, so that one walk over the
 * message's body meets them all. */
static bool add_argument(struct rule_text *text, struct match_rule *rule, const char *key,
                         const struct match_argument *wanted, const char *value)
{
    struct match_argument **link = &rule->arguments;

    while (*link && (*link)->number < wanted->number)
        link = &(*link)->next;
    if (*link && (*link)->number == wanted->number)
        return refuse(text, "Argument %s matched more than once in match rule\n", key);
    struct match_argument *fresh = calloc(1, sizeof(*fresh));
    INVARIANT(fresh);
    *fresh = (struct match_argument){.number = wanted->number, .how = wanted->how, .next = *link};
    *link = fresh;
    return set_text(&fresh->value, value);
}

static bool is_namespace(const char *value)
{
    char name[MATCH_RULE_MAX + 8];

    snprintf(name, sizeof(name), "%s.x", value);
    return strlen(value) <= NAME_LENGTH_MAX && is_bus_name(name);
}

/* How "arg7", "arg7path", "arg0namespace" go on behind the number. */
static bool read_how(struct rule_text *text, const char *key, const char *rest,
                     unsigned long number, enum match_how *how)
{
    if (*rest == '\0')
        *how = MATCH_EXACTLY;
    else if (strcmp(rest, "path") == 0)
        *how = MATCH_PATH;
    else if (strcmp(key, "arg0namespace") == 0)
        *how = MATCH_NAMESPACE;
    else
        return refuse(text,
                      "Key '%s' in match rule contains junk after argument number (%lu). Only "
                      "'arg%lupath' (for example) or 'arg0namespace' are valid",
                      key, number, number);
    return true;
}

/* "arg0", "arg1path" or "arg0namespace": the number and how to compare are in
 * the key itself. */
static bool set_argument(struct rule_text *text, struct match_rule *rule, const char *key,
                         const char *value)
{
    struct match_argument wanted = {0};
    char *end;

    if (strlen(key) < 4)
        return refuse(text,
                      "Key '%s' in match rule starts with 'arg' but lacks an arg number. Should be "
                      "'arg0' or 'arg7' for example.\n",
                      key);
    unsigned long number = strtoul(key + 3, &end, 0);
    if (end == key + 3)
        return refuse(text,
                      "Key '%s' in match rule starts with 'arg' but could not parse arg number. "
                      "Should be 'arg0' or 'arg7' for example.\n",
                      key);
    if (!read_how(text, key, end, number, &wanted.how))
        return false;
    if (wanted.how == MATCH_NAMESPACE && !is_namespace(value))
        return refuse(text, "arg0namespace='%s' is not a valid prefix of a bus name", value);
    if (number > MATCH_ARGUMENT_MAX)
        return refuse(text, "Key '%s' in match rule has arg number %lu but the maximum is %d.\n",
                      key, number, MATCH_ARGUMENT_MAX);
    wanted.number = (uint8_t)number;
    return add_argument(text, rule, key, &wanted, value);
}

/* The table of keys, as a row of comparisons: there are few, and a rule is read
 * once. */
static bool set_key(struct rule_text *text, struct match_rule *rule, const char *key,
                    const char *value)
{
    if (strcmp(key, "type") == 0)
        return set_type(text, rule, value);
    if (strcmp(key, "sender") == 0)
        return set_name(text, &rule->sender, key, value, is_bus_name);
    if (strcmp(key, "destination") == 0)
        return set_name(text, &rule->destination, key, value, is_bus_name);
    if (strcmp(key, "interface") == 0)
        return set_name(text, &rule->interface, key, value, is_interface_name);
    if (strcmp(key, "member") == 0)
        return set_name(text, &rule->member, key, value, is_member_name);
    if (strcmp(key, "path") == 0 || strcmp(key, "path_namespace") == 0)
        return set_path(text, rule, key, value);
    if (strcmp(key, "eavesdrop") == 0)
        return set_eavesdrop(text, rule, value);
    if (strncmp(key, "arg", 3) == 0)
        return set_argument(text, rule, key, value);
    return refuse(text, "Unknown key \"%s\" in match rule", key);
}

/* Returns NULL and writes what is wrong to `error`. Rules that are too long
 * were refused by the caller. */
struct match_rule *match_rule_parse(const char *rule_text, char *error, size_t size)
{
    char key[MATCH_RULE_MAX + 1], value[MATCH_RULE_MAX + 1];
    struct rule_text text = {.rest = rule_text, .error = error, .error_size = size};
    struct match_rule *rule = calloc(1, sizeof(*rule));
    bool good = true;
    INVARIANT(rule && strlen(rule_text) <= MATCH_RULE_MAX);

    for (skip_blanks(&text); good && *text.rest; skip_blanks(&text)) {
        good = read_key(&text, key);
        if (good && *key == '\0')
            break;
        good = good && read_value(&text, value) && set_key(&text, rule, key, value);
    }
    if (good)
        return rule;
    match_rule_free(rule);
    return NULL;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_arguments(const struct match_argument *a, const struct match_argument *b)
{
    for (; a && b; a = a->next, b = b->next)
        if (a->number != b->number || a->how != b->how || strcmp(a->value, b->value) != 0)
            return false;
    return a == b;
}

bool match_rule_equals(const struct match_rule *a, const struct match_rule *b)
{
    return a->type == b->type && a->path_is_namespace == b->path_is_namespace &&
           a->eavesdrop == b->eavesdrop && same(a->sender, b->sender) && same(a->path, b->path) &&
           same(a->interface, b->interface) && same(a->member, b->member) &&
           same(a->destination, b->destination) && same_arguments(a->arguments, b->arguments);
}

/* ---- matching -------------------------------------------------------------------------------- */

/* "/a" holds "/a" and "/a/b", not "/ab"; "com.a" in the same way. */
static bool is_within(const char *text, const char *space, char separator)
{
    size_t length = strlen(space);

    if (separator == '/' && length == 1)
        return true;
    return strncmp(text, space, length) == 0 && (text[length] == '\0' || text[length] == separator);
}

/* Equal, or one of them ends in a slash and the other one begins with it. */
static bool paths_meet(const char *a, const char *b)
{
    size_t length_a = strlen(a), length_b = strlen(b);

    if (length_a == length_b)
        return strcmp(a, b) == 0;
    if (length_a > length_b)
        return paths_meet(b, a);
    return length_a > 0 && a[length_a - 1] == '/' && strncmp(a, b, length_a) == 0;
}

/* How one argument is compared: as a whole, as a path that contains or is
 * contained, or as a namespace. */
static bool argument_fits(const struct match_argument *argument, char type, const char *value)
{
    switch (argument->how) {
    case MATCH_EXACTLY:
        return type == 's' && strcmp(argument->value, value) == 0;
    case MATCH_PATH:
        return (type == 's' || type == 'o') && paths_meet(argument->value, value);
    case MATCH_NAMESPACE:
        return type == 's' && is_within(value, argument->value, '.');
    }
    return false;
}

/* Walks over the body once. Values that no argument asks for are skipped by
 * checking them, which moves the reader past them. */
static bool arguments_fit(const struct match_argument *argument, const struct bus_message *message)
{
    struct wire_reader reader = bus_message_read(message);
    const char *type = message->signature ? message->signature : "";

    for (uint8_t number = 0; argument; number++, type += type_length(type)) {
        if (*type == '\0')
            return false;
        bool text = *type == 's' || *type == 'o';
        if (number == argument->number) {
            if (!text || !argument_fits(argument, *type, wire_read_string(&reader)))
                return false;
            argument = argument->next;
        } else {
            char one[NAME_LENGTH_MAX + 1];
            snprintf(one, sizeof(one), "%.*s", (int)type_length(type), type);
            wire_check(&reader, one, message->descriptors);
        }
    }
    return true;
}

static bool path_fits(const struct match_rule *rule, const char *path)
{
    if (!rule->path)
        return true;
    if (!path)
        return false;
    return rule->path_is_namespace ? is_within(path, rule->path, '/')
                                   : strcmp(path, rule->path) == 0;
}

bool match_rule_fits(const struct match_rule *rule, const struct bus_message *message)
{
    return (!rule->type || rule->type == message->type) && path_fits(rule, message->path) &&
           (!rule->interface || same(rule->interface, message->interface)) &&
           (!rule->member || same(rule->member, message->member)) &&
           (!rule->destination || same(rule->destination, message->destination)) &&
           arguments_fit(rule->arguments, message);
}
