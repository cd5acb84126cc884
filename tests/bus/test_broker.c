/*
 * The broker of the simulator is held to the truth: the same clients, of libsystemd and of GLib and
 * with bytes of their own, speak to it and to dbus-daemon, and what they see must be equal.
 */
#include "broker_server.h"
#include "talk.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char configuration[] =
    "<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>"
    "<policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"false\"/>"
    "<allow eavesdrop=\"false\"/><allow own=\"*\"/></policy>"
    "<limit name=\"max_incoming_bytes\">1000000000</limit>"
    "<limit name=\"max_message_size\">33554432</limit>"
    "<limit name=\"max_replies_per_connection\">128</limit>"
    "<limit name=\"max_match_rules_per_connection\">512</limit>"
    "<limit name=\"max_names_per_connection\">512</limit>"
    "</busconfig>";

static char *folder;

/* ---- conversations --------------------------------------------------------------------------- */

static void match(struct talk *talk, int number, const char *rule)
{
    g_string_append_printf(talk->seen, "match %s\n", rule);
    ASK(talk, number, "AddMatch", "s", rule);
}

static void talk_of_names(struct talk *talk)
{
    match(talk, 2, "type='signal',member='NameOwnerChanged'");
    for (uint32_t flags = 0; flags < 8; flags++) {
        ASK(talk, 0, "RequestName", "su", "com.example.A", flags);
        for (uint32_t other = 0; other < 8; other++) {
            ASK(talk, 1, "RequestName", "su", "com.example.A", other);
            ASK(talk, 0, "ListQueuedOwners", "s", "com.example.A");
            ASK(talk, 3, "RequestName", "su", "com.example.A", other);
            ASK(talk, 0, "ListQueuedOwners", "s", "com.example.A");
            ASK(talk, 0, "RequestName", "su", "com.example.A", flags);
            ASK(talk, 1, "ReleaseName", "s", "com.example.A");
            ASK(talk, 0, "GetNameOwner", "s", "com.example.A");
            ASK(talk, 3, "ReleaseName", "s", "com.example.A");
            talk_read_everywhere(talk);
        }
        ASK(talk, 0, "ReleaseName", "s", "com.example.A");
    }
    talk_read_everywhere(talk);
}

static void talk_of_bad_names(struct talk *talk)
{
    static const char *const names[] = {
        DBUS,     ":1.0",    ":1.1", ":1.99",          ":x",
        "com",    "com.",    ".com", "com..a",         "com.a-b",
        "com.1a", "com.a_b", "",     "com.example.A/", "com.\303\244.b"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_string_append_printf(talk->seen, "name %s\n", names[i]);
        ASK(talk, 0, "RequestName", "su", names[i], 0);
        ASK(talk, 0, "GetNameOwner", "s", names[i]);
        ASK(talk, 0, "NameHasOwner", "s", names[i]);
        ASK(talk, 0, "ListQueuedOwners", "s", names[i]);
        ASK(talk, 0, "GetConnectionUnixUser", "s", names[i]);
        ASK(talk, 0, "StartServiceByName", "su", names[i], 0);
        if (i > 0)
            ASK(talk, 0, "GetConnectionUnixProcessID", "s", names[i]);
        ASK(talk, 0, "ReleaseName", "s", names[i]);
    }
    ASK(talk, 0, "GetConnectionCredentials", "s", ":1.99");
    ASK(talk, 0, "ListActivatableNames", "");
}

static void talk_of_leaving(struct talk *talk)
{
    match(talk, 2,
          "type='signal',sender='" DBUS "',path='" DBUS_PATH "',interface='" DBUS
          "',member='NameOwnerChanged'");
    ASK(talk, 0, "RequestName", "su", "com.example.B", 0);
    ASK(talk, 0, "RequestName", "su", "com.example.A", 0);
    ASK(talk, 1, "RequestName", "su", "com.example.A", 0);
    talk_read_everywhere(talk);
    talk_leave(talk, 0);
    /* The bus notices in its own time: asking until it has. */
    for (int i = 0; i < 10000; i++) {
        int there = 1;
        sd_bus_message *answer = NULL;
        sd_bus_call_method(talk_client(talk, 1), DBUS, DBUS_PATH, DBUS, "NameHasOwner", NULL,
                           &answer, "s", "com.example.B");
        sd_bus_message_read(answer, "b", &there);
        sd_bus_message_unref(answer);
        if (!there)
            break;
    }
    ASK(talk, 1, "ListQueuedOwners", "s", "com.example.A");
    talk_read_everywhere(talk);
}

/* Each signal is sent by client 1 with each of the rules in place at client 2, one by one. */
static void talk_of_matches(struct talk *talk)
{
    static const char *const rules[] = {
        "",
        "type='signal'",
        "type='method_call'",
        "type='error'",
        "sender='com.example.Sender'",
        "sender=':1.1'",
        "sender='" DBUS "'",
        "interface='com.example.I'",
        "interface='com.example.J'",
        "member='Changed'",
        "member=Changed,interface='com.example'.I",
        "path='/a'",
        "path='/a/b'",
        "path_namespace='/a'",
        "path_namespace='/a/b'",
        "path_namespace='/'",
        "arg0='com.example.Name'",
        "arg0='com.example'",
        "arg0namespace='com.example'",
        "arg0namespace='com.exam'",
        "arg0namespace='com'",
        "arg1='/x/y/'",
        "arg1path='/x/y/'",
        "arg1path='/x/y/z'",
        "arg1path='/x/'",
        "arg1path='/x'",
        "arg1path='/'",
        "arg2='7'",
        "arg3='last'",
        "arg3='last',arg0='com.example.Name'",
        "arg4=''",
        "arg0='\\''",
        "arg0='a'\\''b'",
        "arg0='a,b'",
        "arg0=''",
        "arg63='x'",
        "destination='com.example.Sender'",
        "destination=':1.2'",
        " type = 'signal' , member='Changed' ",
        " type='signal',",
        "eavesdrop='false',member='Changed'",
    };
    static const char *const paths[] = {"/", "/a", "/a/b", "/ab"};
    static const char *const firsts[] = {
        "com.example.Name", "com.example", "com.examples", "a'b", "a,b", "", "'"};
    static const char *const seconds[] = {"/x/y/", "/x/y/z", "/x/y", "/x/", "/"};

    ASK(talk, 1, "RequestName", "su", "com.example.Sender", 0);
    talk_client(talk, 2);
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        match(talk, 2, rules[i]);
        for (size_t k = 0; k < G_N_ELEMENTS(paths); k++)
            sd_bus_emit_signal(talk_client(talk, 1), paths[k], "com.example.I", "Changed", "ss",
                               firsts[0], seconds[0]);
        for (size_t k = 0; k < G_N_ELEMENTS(firsts); k++)
            sd_bus_emit_signal(talk_client(talk, 1), "/a", "com.example.J", "Other", "ssis",
                               firsts[k], seconds[k % G_N_ELEMENTS(seconds)], 7, "last");
        sd_bus_emit_signal(talk_client(talk, 1), "/a", "com.example.J", "Other", "so", "",
                           "/x/y/z");
        sd_bus_emit_signal(talk_client(talk, 1), "/a", "com.example.J", "Other", "s(si)as", "x",
                           "l", 1, 2, "last", "last");
        sd_bus_emit_signal(talk_client(talk, 1), "/a", "com.example.J", "Other", "");
        talk_read_everywhere(talk);
        ASK(talk, 2, "RemoveMatch", "s", rules[i]);
        ASK(talk, 2, "RemoveMatch", "s", rules[i]);
    }
}

static void talk_of_bad_matches(struct talk *talk)
{
    static const char *const rules[] = {
        "type",
        "type=",
        "type='x'",
        "=x",
        "unknown='x'",
        "type='signal',type='signal'",
        "member='a.b'",
        "interface='x'",
        "sender='x'",
        "destination='x'",
        "path='x'",
        "path='/a/'",
        "path='/a',path_namespace='/a'",
        "member='a',member='a'",
        "arg='x'",
        "argx='x'",
        "arg64='x'",
        "arg0path='x',arg0='y'",
        "arg1namespace='a.b'",
        "arg0namespace='1'",
        "arg0namespace='a..b'",
        "arg0foo='x'",
        "member='Changed",
        "eavesdrop='x'",
        "interface='a.b',interface='a.b'",
        "arg0namespace=''",
        "member=''",
    };
    g_autofree char *longest = g_strnfill(1024 - strlen("arg0=''"), 'x');
    g_autofree char *fits = g_strdup_printf("arg0='%s'", longest);
    g_autofree char *too_long = g_strdup_printf("arg0='%sx'", longest);

    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        match(talk, 0, rules[i]);
        ASK(talk, 0, "RemoveMatch", "s", rules[i]);
    }
    ASK(talk, 0, "AddMatch", "s", fits);
    ASK(talk, 0, "AddMatch", "s", too_long);
}

/* One signal for one client, whatever its rules; once, however many of them fit. */
static void talk_of_signals(struct talk *talk)
{
    sd_bus_message *m = NULL;

    talk_client(talk, 0);
    ASK(talk, 1, "RequestName", "su", "com.example.Receiver", 0);
    match(talk, 2, "type='signal'");
    match(talk, 2, "member='Ping'");
    for (int i = 0; i < 3; i++) {
        static const char *const destinations[] = {"com.example.Receiver", ":1.1",
                                                   "com.example.Nobody"};
        g_assert_cmpint(sd_bus_message_new_signal(talk_client(talk, 0), &m, "/a", "a.b", "Ping"),
                        >=, 0);
        g_assert_cmpint(sd_bus_message_set_destination(m, destinations[i]), >=, 0);
        g_assert_cmpint(sd_bus_send(talk_client(talk, 0), m, NULL), >=, 0);
        m = sd_bus_message_unref(m);
    }
    sd_bus_emit_signal(talk_client(talk, 0), "/a", "a.b", "Ping", "");
    talk_read_everywhere(talk);
    sd_bus_emit_signal(talk_client(talk, 2), "/a", "a.b", "Ping", "");
    talk_read_everywhere(talk);
}

static void send_call(struct talk *talk, int number, const char *destination, const char *member)
{
    sd_bus_message *m = NULL;

    g_assert_cmpint(sd_bus_message_new_method_call(talk_client(talk, number), &m, destination, "/a",
                                                   "a.b", member),
                    >=, 0);
    g_assert_cmpint(sd_bus_send(talk_client(talk, number), m, &(uint64_t){0}), >=, 0);
    sd_bus_message_unref(m);
}

/* Who answers is libsystemd of client 1: there is no such object. */
static void talk_of_calls(struct talk *talk)
{
    static const char *const unknown[] = {"com.example.Nobody", ":1.77", DBUS ".x"};

    talk_client(talk, 0);
    ASK(talk, 1, "RequestName", "su", "com.example.Service", 0);
    send_call(talk, 0, "com.example.Service", "Do");
    send_call(talk, 0, ":1.1", "Do");
    send_call(talk, 0, ":1.0", "Do");
    talk_read_everywhere(talk);
    talk_read_everywhere(talk);
    for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++)
        CALL(talk, 0, unknown[i], "a.b", "Do", "");
    /* The callee leaves before it answers. */
    send_call(talk, 0, "com.example.Service", "Do");
    send_call(talk, 0, "com.example.Service", "Do");
    ASK(talk, 0, "GetId", "s", "a call that the bus has read before");
    talk_leave(talk, 1);
    for (int i = 0; i < 2; i++) {
        while (sd_bus_process(talk_client(talk, 0), NULL) > 0)
            ;
        sd_bus_wait(talk_client(talk, 0), 200000);
    }
    talk_read(talk, 0);
}

static void talk_of_methods(struct talk *talk)
{
    ASK(talk, 0, "Hello", "");
    ASK(talk, 0, "Unknown", "");
    CALL(talk, 0, DBUS, "a.b", "GetId", "");
    CALL(talk, 0, DBUS, NULL, "NameHasOwner", "s", DBUS);
    CALL(talk, 0, DBUS, NULL, "Unknown", "s", DBUS);
    ASK(talk, 0, "NameHasOwner", "u", 1);
    ASK(talk, 0, "NameHasOwner", "");
    ASK(talk, 0, "NameHasOwner", "ss", "a", "b");
    ASK(talk, 0, "GetConnectionUnixUser", "s", ":1.0");
    ASK(talk, 0, "GetConnectionUnixProcessID", "s", ":1.0");
    ASK(talk, 0, "ListNames", "s", "x");
    CALL(talk, 0, DBUS, DBUS ".Peer", "Ping", "");
    CALL(talk, 0, DBUS, DBUS ".Peer", "Pong", "");
}

static void talk_of_limits(struct talk *talk)
{
    char name[64];

    for (int i = 0; i < 513; i++) {
        g_snprintf(name, sizeof(name), "com.example.N%d", i);
        ASK(talk, 0, "RequestName", "su", name, 0);
    }
    for (int i = 0; i < 513; i++) {
        g_snprintf(name, sizeof(name), "arg0='%d'", i);
        ASK(talk, 1, "AddMatch", "s", name);
    }
    talk_client(talk, 2);
    for (int i = 0; i < 129; i++)
        send_call(talk, 1, ":1.2", "Do");
    talk_read(talk, 1);
    talk_read_everywhere(talk);
    talk_read_everywhere(talk);
}

/* ---- both buses ------------------------------------------------------------------------------ */

/* Its socket is there a moment before it listens. */
static gboolean listens(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    int r = connect(fd, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    return r == 0;
}

static void end_with_the_test(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static GPid start_daemon(const char *path)
{
    g_autofree char *text = g_strdup_printf(configuration, path);
    g_autofree char *file = g_strconcat(path, ".conf", NULL);
    g_autofree char *option = g_strconcat("--config-file=", file, NULL);
    const char *arguments[] = {"dbus-daemon", option, "--nofork", "--nopidfile", NULL};
    g_autoptr(GError) error = NULL;
    GPid pid;

    g_assert_true(g_file_set_contents(file, text, -1, NULL));
    g_spawn_async(NULL, (char **)arguments, NULL,
                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL,
                  end_with_the_test, NULL, &pid, &error);
    g_assert_no_error(error);
    gint64 deadline = g_get_monotonic_time() + DEADLINE_MSEC * 1000;
    while (!listens(path)) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        sched_yield();
    }
    unlink(file);
    return pid;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns what was seen, by lines. */
static char **hold(const char *name, GPid (*start)(const char *path),
                   void (*say)(struct talk *talk))
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    struct talk talk = {.path = path, .seen = g_string_new(NULL)};
    GPid pid = start(path);

    say(&talk);
    for (int i = 0; i < TALK_CLIENTS; i++)
        sd_bus_flush_close_unref(talk.clients[i]);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    unlink(path);
    char **lines = g_strsplit(talk.seen->str, "\n", -1);
    if (talk.unordered)
        qsort(lines, g_strv_length(lines), sizeof(*lines), by_text);
    g_string_free(talk.seen, TRUE);
    return lines;
}

static void compare(gconstpointer data)
{
    void (*say)(struct talk * talk) = *(void (*const *)(struct talk * talk)) data;
    g_auto(GStrv) truth = hold("truth", start_daemon, say);
    g_auto(GStrv) model = hold("model", broker_server_start, say);
    int differ = 0;

    for (guint i = 0; truth[i] && model[i] && differ < 10; i++)
        if (!g_str_equal(truth[i], model[i])) {
            g_test_message("line %u: dbus-daemon: %s", i + 1, truth[i]);
            g_test_message("line %u: the broker:  %s", i + 1, model[i]);
            differ++;
        }
    if (differ > 0 || g_strv_length(truth) != g_strv_length(model))
        g_test_fail();
    g_assert_cmpuint(g_strv_length(truth), >, 3);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*say)(struct talk *talk);
    } talks[] = {
        {"/broker/names-and-queues", talk_of_names},
        {"/broker/names-that-are-none", talk_of_bad_names},
        {"/broker/a-client-leaves", talk_of_leaving},
        {"/broker/matches", talk_of_matches},
        {"/broker/matches-that-are-none", talk_of_bad_matches},
        {"/broker/signals", talk_of_signals},
        {"/broker/calls", talk_of_calls},
        {"/broker/methods-of-the-bus", talk_of_methods},
        {"/broker/limits", talk_of_limits},
        {"/broker/clients-of-glib", talk_of_glib},
        {"/broker/handshakes", talk_of_handshakes},
        {"/broker/bytes", talk_of_bytes},
    };

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("proctor-broker-XXXXXX", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(talks); i++)
        g_test_add_data_func(talks[i].path, &talks[i].say, compare);
    int code = g_test_run();
    rmdir(folder);
    g_free(folder);
    return code;
}
