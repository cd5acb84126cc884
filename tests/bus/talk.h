/*
 * Talk: one conversation with one of two buses, dbus-daemon or the simulator's broker, as its
 * clients see it. What is different in each run (the bus's id) is left out.
 */
#pragma once

#include <gio/gio.h>
#include <systemd/sd-bus.h>

#define DEADLINE_MSEC 60000
#define DBUS          "org.freedesktop.DBus"
#define DBUS_PATH     "/org/freedesktop/DBus"
#define TALK_CLIENTS  4

struct talk {
    const char *path; /* of the socket */
    sd_bus *clients[TALK_CLIENTS];
    GString *seen;
    gboolean unordered; /* several clients were busy at once: lines are compared as a set */
};

const char *or_none(const char *text);

/* Connects where it is not yet. Number 3 takes no descriptors. */
sd_bus *talk_client(struct talk *talk, int number);
void talk_leave(struct talk *talk, int number);
/* Lets a client, or each, read all that has been sent to it. */
void talk_read(struct talk *talk, int number);
void talk_read_everywhere(struct talk *talk);
void talk_show_answer(struct talk *talk, const char *member, int r, const sd_bus_error *error,
                      sd_bus_message *answer);

/* The conversations of talk_glib.c and talk_bytes.c. */
void talk_of_glib(struct talk *talk);
void talk_of_handshakes(struct talk *talk);
void talk_of_bytes(struct talk *talk);

#define CALL(talk, number, destination, interface, member, ...)                                    \
    do {                                                                                           \
        sd_bus_error error = SD_BUS_ERROR_NULL;                                                    \
        sd_bus_message *answer = NULL;                                                             \
        int r = sd_bus_call_method(talk_client(talk, number), destination, DBUS_PATH, interface,   \
                                   member, &error, &answer, __VA_ARGS__);                          \
        talk_show_answer(talk, member, r, &error, answer);                                         \
        sd_bus_error_free(&error);                                                                 \
        sd_bus_message_unref(answer);                                                              \
    } while (0)

#define ASK(talk, number, member, ...) CALL(talk, number, DBUS, DBUS, member, __VA_ARGS__)
