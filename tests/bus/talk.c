#include "talk.h"

#include <string.h>

/* ---- what a client sees ---------------------------------------------------------------------- */

static void show_value(GString *out, sd_bus_message *m, char type)
{
    union {
        uint8_t y;
        int b;
        uint32_t u;
        uint64_t t;
        const char *s;
    } value = {0};

    g_assert_cmpint(sd_bus_message_read_basic(m, type, &value), >, 0);
    if (strchr("sog", type))
        g_string_append_printf(out, " \"%s\"", value.s);
    else if (strchr("xtd", type))
        g_string_append_printf(out, " %" G_GUINT64_FORMAT, value.t);
    else if (type == 'h')
        g_string_append(out, " descriptor");
    else
        g_string_append_printf(out, " %u", type == 'y' ? value.y : value.u);
}

static void show_values(GString *out, sd_bus_message *m)
{
    const char *contents;
    char type;

    while (sd_bus_message_peek_type(m, &type, &contents) > 0) {
        if (!strchr("avre", type)) {
            show_value(out, m, type);
            continue;
        }
        g_assert_cmpint(sd_bus_message_enter_container(m, type, contents), >, 0);
        g_string_append_printf(out, " %c(", type);
        show_values(out, m);
        g_string_append(out, " )");
        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
    }
}

const char *or_none(const char *text)
{
    return text ? text : "-";
}

static void show_message(struct talk *talk, const char *title, sd_bus_message *m)
{
    uint8_t type;

    g_assert_cmpint(sd_bus_message_get_type(m, &type), >=, 0);
    g_string_append_printf(talk->seen, "%s: type %u from %s to %s", title, type,
                           or_none(sd_bus_message_get_sender(m)),
                           or_none(sd_bus_message_get_destination(m)));
    if (type == SD_BUS_MESSAGE_METHOD_ERROR)
        g_string_append_printf(talk->seen, " %s", sd_bus_message_get_error(m)->name);
    else if (type != SD_BUS_MESSAGE_METHOD_RETURN)
        g_string_append_printf(talk->seen, " %s %s.%s", sd_bus_message_get_path(m),
                               or_none(sd_bus_message_get_interface(m)),
                               sd_bus_message_get_member(m));
    g_string_append_printf(talk->seen, " (%s)", sd_bus_message_get_signature(m, 1));
    show_values(talk->seen, m);
    g_string_append_c(talk->seen, '\n');
}

/* ---- clients --------------------------------------------------------------------------------- */

struct ear {
    struct talk *talk;
    int number;
};

static struct ear ears[TALK_CLIENTS];

static int hear(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct ear *ear = userdata;
    char title[16];

    (void)error;
    g_snprintf(title, sizeof(title), "client %d", ear->number);
    show_message(ear->talk, title, m);
    return sd_bus_message_is_signal(m, NULL, NULL) ? 1 : 0;
}

sd_bus *talk_client(struct talk *talk, int number)
{
    g_autofree char *address = g_strdup_printf("unix:path=%s", talk->path);
    sd_bus **bus = &talk->clients[number];

    if (*bus)
        return *bus;
    ears[number] = (struct ear){talk, number};
    g_assert_cmpint(sd_bus_new(bus), >=, 0);
    g_assert_cmpint(sd_bus_set_address(*bus, address), >=, 0);
    g_assert_cmpint(sd_bus_set_bus_client(*bus, 1), >=, 0);
    g_assert_cmpint(sd_bus_negotiate_fds(*bus, number != 3), >=, 0);
    g_assert_cmpint(sd_bus_start(*bus), >=, 0);
    g_assert_cmpint(sd_bus_add_filter(*bus, NULL, hear, &ears[number]), >=, 0);
    const char *name;
    g_assert_cmpint(sd_bus_get_unique_name(*bus, &name), >=, 0);
    g_string_append_printf(talk->seen, "client %d is %s\n", number, name);
    return *bus;
}

void talk_leave(struct talk *talk, int number)
{
    talk->clients[number] = sd_bus_close_unref(talk->clients[number]);
}

/* Lets a client read all that has been sent to it. */
/* Twice, since what it answers may be sent to itself. */
void talk_read(struct talk *talk, int number)
{
    sd_bus *bus = talk_client(talk, number);

    for (int turn = 0; turn < 2; turn++) {
        g_assert_cmpint(sd_bus_call_method(bus, DBUS, DBUS_PATH, DBUS, "GetId", NULL, NULL, ""), >=,
                        0);
        while (sd_bus_process(bus, NULL) > 0)
            ;
    }
}

void talk_read_everywhere(struct talk *talk)
{
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < TALK_CLIENTS; i++)
            if (talk->clients[i])
                talk_read(talk, i);
}

void talk_show_answer(struct talk *talk, const char *member, int r, const sd_bus_error *error,
                      sd_bus_message *answer)
{
    /* What no text can be equal in: who waits for nothing, and where descriptors end up. */
    if (r < 0)
        g_string_append_printf(talk->seen, "%s: %s: %s\n", member, or_none(error->name),
                               or_none(error->message));
    else
        show_message(talk, member, answer);
}
