/*
 * The bytes of an answer, at one less, at the limit and at one more: over a connection of two ends
 * in this program, without callers and their pace.
 */
#include "../named.h"
#include "bus/bulk.h"
#include "bus/outgoing.h"
#include "bus/private.h"
#include "bus/caller.h"

#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#define PIECE 65536

static struct service service;
static size_t wanted; /* bytes of the answer */

/* ---- what is not tried here ------------------------------------------------------------------ */

int __wrap_caller_of(struct service *s, sd_bus_message *m, const struct caller **caller,
                     sd_bus_error *error);
bool __wrap_pace_may_begin(struct pace *pace, uid_t uid);
void __wrap_pace_charge(struct pace *pace, uid_t uid, uint64_t usec);
void __wrap_pace_is_bulk(struct pace *pace);

int __wrap_caller_of(struct service *s, sd_bus_message *m, const struct caller **caller,
                     sd_bus_error *error)
{
    static const struct caller anybody = {.uid = 1000, .text = "uid 1000"};

    (void)s;
    (void)m;
    (void)error;
    *caller = &anybody;
    return 0;
}

bool __wrap_pace_may_begin(struct pace *pace, uid_t uid)
{
    (void)pace;
    (void)uid;
    return true;
}

void __wrap_pace_charge(struct pace *pace, uid_t uid, uint64_t usec)
{
    (void)pace;
    (void)uid;
    (void)usec;
}

void __wrap_pace_is_bulk(struct pace *pace)
{
    (void)pace;
}

/* ---- an answer of so many bytes -------------------------------------------------------------- */

static int begin(struct service *s, sd_bus_message *answer, void *data)
{
    (void)s;
    *(size_t *)data = 4;
    return append_open(answer, 'a', "s");
}

/* A text begins at a multiple of four, with its length, and ends with a zero. */
static int step(struct service *s, sd_bus_message *answer, void *data)
{
    size_t *used = data, at = (*used + 3) / 4 * 4 + 4, left = wanted - at - 1;
    size_t length = left < 2 * PIECE ? left : PIECE;
    g_autofree char *text = g_strnfill(length, 'x');
    (void)s;

    *used = at + length + 1;
    int r = append_lines(answer, text);
    return r < 0 ? r : *used < wanted;
}

static int end(struct service *s, sd_bus_message *answer, void *data)
{
    (void)s;
    (void)data;
    return sd_bus_message_close_container(answer);
}

static const struct bulk_maker maker = {
    .begin = begin, .step = step, .end = end, .release = g_free};

static int call_came(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)userdata;
    if (!sd_bus_message_is_method_call(m, "org.proctor1.Test", "Get"))
        return 0;
    return bulk_answer(&service, m, &maker, g_new0(size_t, 1), error);
}

/* ---- both ends ------------------------------------------------------------------------------- */

static sd_bus *connect_end(int fd, gboolean server)
{
    sd_id128_t id = {};
    sd_bus *bus;

    g_assert_cmpint(sd_bus_new(&bus), >=, 0);
    g_assert_cmpint(sd_bus_set_fd(bus, fd, fd), >=, 0);
    if (server)
        g_assert_cmpint(sd_bus_set_server(bus, 1, id), >=, 0);
    g_assert_cmpint(sd_bus_set_anonymous(bus, 1), >=, 0);
    g_assert_cmpint(sd_bus_start(bus), >=, 0);
    g_assert_cmpint(sd_bus_attach_event(bus, service.event, 0), >=, 0);
    return bus;
}

struct answer {
    gboolean came;
    char *error, *message;
};

static int answer_came(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
    struct answer *answer = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(m);
    (void)unused;

    answer->came = TRUE;
    answer->error = error ? g_strdup(error->name) : NULL;
    answer->message = error ? g_strdup(error->message) : NULL;
    return 1;
}

static struct answer ask(size_t bytes)
{
    struct answer answer = {};
    int ends[2];

    wanted = bytes;
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==,
                    0);
    sd_bus *server = connect_end(ends[0], TRUE), *client = connect_end(ends[1], FALSE);
    g_assert_cmpint(sd_bus_add_filter(server, NULL, call_came, NULL), >=, 0);
    g_assert_cmpint(sd_bus_call_method_async(client, NULL, NULL, "/", "org.proctor1.Test", "Get",
                                             answer_came, &answer, NULL),
                    >=, 0);
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    while (!answer.came) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_assert_cmpint(sd_event_run(service.event, 1000000), >=, 0);
    }
    sd_bus_close_unref(client);
    sd_bus_close_unref(server);
    return answer;
}

static void bytes_of_an_answer(void)
{
    for (size_t bytes = BULK_BYTES_MAX - 1; bytes <= BULK_BYTES_MAX + 1; bytes++) {
        struct answer answer = ask(bytes);
        if (bytes <= BULK_BYTES_MAX) {
            g_assert_cmpstr(answer.error, ==, NULL);
        } else {
            g_assert_cmpstr(answer.error, ==, "org.proctor1.Error.LimitExceeded");
            g_assert_nonnull(strstr(answer.message, "larger than 25165824 bytes"));
        }
        g_free(answer.error);
        g_free(answer.message);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(sd_event_new(&service.event), ==, 0);
    g_assert_cmpint(bulks_new(&service, &service.bulks), ==, 0);
    TEST("/bulk", bytes_of_an_answer);
    int r = g_test_run();
    bulks_free(service.bulks);
    sd_event_unref(service.event);
    return r;
}
