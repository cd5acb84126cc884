/*
 * The options of all commands. An unknown option is an error: a caller that
 * misspells dry-run must not find out by its effect.
 */
#include "bus/options.h"

#include "bus/caller.h"
#include "bus/key.h"
#include "bus/private.h"
#include "core/vocabulary/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_blank(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return *text == '\0';
}

/* What people write here stands in logs, in the audit and on others' terminals: whatever could look
 * there like more than one text, or act there, does not come in. where: "" or "options: ". */
static int check_text(const char *where, const char *name, const char *text, size_t max,
                      sd_bus_error *error)
{
    if (!text_is_at_most(text, TEXT_PLAIN))
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "%s%s: must be one line without line ends, tabs or other control "
                           "characters",
                           where, name);
    if (is_blank(text))
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument", "%s%s: must not be blank", where,
                           name);
    if (strlen(text) > max)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument", "%s%s: is longer than %zu bytes",
                           where, name, max);
    return 0;
}

static int refuse_bytes(sd_bus_error *error, const char *where, const char *name)
{
    return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                       "%s%s: is not valid UTF-8, or contains a noncharacter", where, name);
}

int argument_read(sd_bus_message *m, const char *name, const char **text, sd_bus_error *error)
{
    int r = sd_bus_message_read_basic(m, 's', text);
    return r == -EBADMSG ? refuse_bytes(error, "", name) : r;
}

int reason_check(const char *reason, sd_bus_error *error)
{
    return check_text("", "reason", reason, REASON_MAX, error);
}

static int read_text(sd_bus_message *m, const char *name, size_t max, const char **value,
                     sd_bus_error *error)
{
    int r = sd_bus_message_read(m, "v", "s", value);
    if (r == -EBADMSG)
        return refuse_bytes(error, "options: ", name);
    if (r < 0)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument", "options: %s: expected a string",
                           name);
    return check_text("options: ", name, *value, max, error);
}

static int read_flag(sd_bus_message *m, const char *name, bool *value, sd_bus_error *error)
{
    int flag;

    if (sd_bus_message_read(m, "v", "b", &flag) < 0)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "options: %s: expected a boolean", name);
    *value = flag;
    return 0;
}

static int read_usec(sd_bus_message *m, const char *name, uint64_t *value, sd_bus_error *error)
{
    if (sd_bus_message_read(m, "v", "t", value) < 0)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "options: %s: expected microseconds (t)", name);
    return 0;
}

static int read_wait(sd_bus_message *m, const char *name, uint64_t *value, sd_bus_error *error)
{
    int r = read_usec(m, name, value, error);

    if (r >= 0 && *value == 0) /* no deadline, as everywhere */
        *value = UINT64_MAX;
    return r;
}

/* One that only this method has. */
static int read_its_own(sd_bus_message *m, const char *name, struct options *options,
                        sd_bus_error *error)
{
    if (strcmp(name, "timeout-usec") == 0)
        return read_usec(m, name, &options->timeout_usec, error);
    return read_flag(m, name, &options->restart, error);
}

/* Each option is known by name and type. */
static int read_option(sd_bus_message *m, const char *its_own, struct options *options,
                       sd_bus_error *error)
{
    const char *name;
    int r = argument_read(m, "options", &name, error);

    if (r < 0)
        return r;
    if (strcmp(name, "requested-by") == 0)
        return read_text(m, name, 48, &options->requested_by, error);
    if (strcmp(name, "idempotency-key") == 0)
        return read_text(m, name, KEY_MAX, &options->key, error);
    if (strcmp(name, "wait") == 0)
        return read_flag(m, name, &options->wait, error);
    if (strcmp(name, "wait-usec") == 0)
        return read_wait(m, name, &options->wait_usec, error);
    if (strcmp(name, "dry-run") == 0)
        return read_flag(m, name, &options->dry_run, error);
    if (its_own && strcmp(name, its_own) == 0)
        return read_its_own(m, name, options, error);
    return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                       "options: %.64s: unknown option (known are requested-by, "
                       "idempotency-key, wait, wait-usec, dry-run%s%s)",
                       name, its_own ? ", " : "", its_own ? its_own : "");
}

/* The requester is who is named, through who calls; the audit has both. */
int options_read(sd_bus_message *message, const struct caller *caller, const char *its_own,
                 struct options *options, sd_bus_error *error)
{
    *options = (struct options){};
    int r = sd_bus_message_enter_container(message, 'a', "{sv}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
        r = read_option(message, its_own, options, error);
        if (r < 0)
            return r;
        r = sd_bus_message_exit_container(message);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    if (options->requested_by)
        snprintf(options->requester, sizeof(options->requester), "%s through %.70s",
                 options->requested_by, caller->text);
    else
        snprintf(options->requester, sizeof(options->requester), "%s", caller->text);
    return sd_bus_message_exit_container(message);
}
