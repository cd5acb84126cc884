/*
 * The words of sd_notify(3), each with what is a valid value. One table: a word
 * that has no reader does not exist.
 */
#include "host/notify_words.h"

#include "host/fd_store.h"
#include "system/number.h"
#include "core/vocabulary/text.h"
#include "core/vocabulary/invariant.h"

#include <string.h>

#define ERRNO_MAX 4095

/* Of those that say how far a child is, the last one in a message counts. */
static bool say(struct notify_message *message, unsigned flag)
{
    message->flags &=
        ~(unsigned)(NOTIFY_READY | NOTIFY_NOT_READY | NOTIFY_RELOADING | NOTIFY_STOPPING);
    message->flags |= flag;
    return true;
}

static bool is_one(const char *value)
{
    return strcmp(value, "1") == 0;
}

static bool read_ready(const char *value, struct notify_message *message,
                       struct notify_asides *asides)
{
    (void)asides;
    if (strcmp(value, "0") == 0)
        return say(message, NOTIFY_NOT_READY);
    return is_one(value) && say(message, NOTIFY_READY);
}

static bool read_stopping(const char *value, struct notify_message *message,
                          struct notify_asides *asides)
{
    (void)asides;
    return is_one(value) && say(message, NOTIFY_STOPPING);
}

static bool read_reloading(const char *value, struct notify_message *message,
                           struct notify_asides *asides)
{
    (void)asides;
    return is_one(value) && say(message, NOTIFY_RELOADING);
}

/* `trigger` makes the child unhealthy at once. */
static bool read_watchdog(const char *value, struct notify_message *message,
                          struct notify_asides *asides)
{
    (void)asides;
    bool trigger = strcmp(value, "trigger") == 0;

    if (!trigger && !is_one(value))
        return false;
    message->flags |= trigger ? NOTIFY_TRIGGER : NOTIFY_HEARTBEAT;
    return true;
}

static bool read_status(const char *value, struct notify_message *message,
                        struct notify_asides *asides)
{
    (void)asides;
    message->flags |= NOTIFY_STATUS;
    message->status = value;
    return true;
}

/* As systemd reads it: a number. */
static bool read_errno(const char *value, struct notify_message *message,
                       struct notify_asides *asides)
{
    (void)asides;
    uint64_t number;

    if (number_read(value, ERRNO_MAX, &number) < 0)
        return false;
    message->flags |= NOTIFY_ERRNO;
    message->error = (int)number;
    return true;
}

/* How far it may extend a deadline is the core's decision. */
static bool read_extend_timeout(const char *value, struct notify_message *message,
                                struct notify_asides *asides)
{
    (void)asides;
    uint64_t number;

    if (number_read(value, UINT64_MAX, &number) < 0)
        return false;
    message->flags |= NOTIFY_EXTEND_TIMEOUT;
    message->extend_usec = number;
    return true;
}

static bool read_monotonic(const char *value, struct notify_message *message,
                           struct notify_asides *asides)
{
    (void)asides;
    return number_read(value, UINT64_MAX, &message->reloading_usec) == 0;
}

/* 0 and 1 are never a main process of a child. */
static bool read_main_pid(const char *value, struct notify_message *message,
                          struct notify_asides *asides)
{
    (void)asides;
    uint64_t number;

    if (number_read(value, INT32_MAX, &number) < 0 || number <= 1)
        return false;
    message->flags |= NOTIFY_MAIN_PID;
    message->main_pid = (uint32_t)number;
    return true;
}

static bool read_store(const char *value, struct notify_message *message,
                       struct notify_asides *asides)
{
    (void)message;
    return asides->stores = is_one(value);
}

static bool read_store_remove(const char *value, struct notify_message *message,
                              struct notify_asides *asides)
{
    (void)message;
    return asides->removes = is_one(value);
}

static bool read_fd_name(const char *value, struct notify_message *message,
                         struct notify_asides *asides)
{
    (void)message;
    if (!fd_store_name_is_valid(value))
        return false;
    asides->fd_name = value;
    return true;
}

static bool refuse(const char *value, struct notify_message *message, struct notify_asides *asides)
{
    (void)value;
    (void)message;
    (void)asides;
    return false;
}

static const struct word {
    const char *name;
    const char *expected;
    bool (*read)(const char *value, struct notify_message *message, struct notify_asides *asides);
} words[NOTIFY_KEYS] = {
    [NOTIFY_KEY_READY] = {"READY=", "0 or 1", read_ready},
    [NOTIFY_KEY_WATCHDOG] = {"WATCHDOG=", "1 or trigger", read_watchdog},
    [NOTIFY_KEY_STOPPING] = {"STOPPING=", "1", read_stopping},
    [NOTIFY_KEY_RELOADING] = {"RELOADING=", "1", read_reloading},
    [NOTIFY_KEY_STATUS] = {"STATUS=", "text", read_status},
    [NOTIFY_KEY_ERRNO] = {"ERRNO=", "a number from 0 to 4095", read_errno},
    [NOTIFY_KEY_EXTEND_TIMEOUT] = {"EXTEND_TIMEOUT_USEC=", "a number of microseconds",
                                   read_extend_timeout},
    [NOTIFY_KEY_MONOTONIC] = {"MONOTONIC_USEC=", "a number of microseconds", read_monotonic},
    [NOTIFY_KEY_MAIN_PID] = {"MAINPID=", "the PID of one of the child's processes", read_main_pid},
    [NOTIFY_KEY_WATCHDOG_USEC] = {"WATCHDOG_USEC=",
                                  "nothing: the manifest's heartbeat sets the interval", refuse},
    [NOTIFY_KEY_FDSTORE] = {"FDSTORE=", "1, and fd_store_max in the manifest", read_store},
    [NOTIFY_KEY_FDSTOREREMOVE] = {"FDSTOREREMOVE=", "1", read_store_remove},
    [NOTIFY_KEY_FDNAME] = {"FDNAME=", "at most 64 printable characters, and no colon",
                           read_fd_name},
};

/* A known word with a bad value is a mistake, which is logged; unknown words
 * are ignored, as they may be newer. */
static void read_line(const char *line, struct notify_message *message,
                      struct notify_asides *asides)
{
    for (int key = 0; key < NOTIFY_KEYS; key++) {
        size_t length = strlen(words[key].name);
        if (strncmp(line, words[key].name, length) != 0)
            continue;
        if (!words[key].read(line + length, message, asides))
            asides->mistakes[key] = line + length;
        return;
    }
}

/* What children send is shown on terminals: it is made one clean line each
 * first. */
void notify_parse(char *text, struct notify_message *message, struct notify_asides *asides)
{
    char *rest = text;

    INVARIANT(text && message && asides);
    *message = (struct notify_message){};
    *asides = (struct notify_asides){};
    for (char *line; (line = strsep(&rest, "\n"));) {
        text_make_line(line); /* STATUS= goes out over D-Bus, and comes to terminals */
        read_line(line, message, asides);
    }
}

const char *notify_key_name(enum notify_key key)
{
    return words[key].name;
}

const char *notify_key_expected(enum notify_key key)
{
    return words[key].expected;
}
