/*
 * Calls, and all objects at once: beside a service of sd-bus that answers with the same bytes and
 * does nothing for them.
 */
#include "bench.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int empty_method(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)userdata;
    (void)error;
    return sd_bus_reply_method_return(m, NULL);
}

/*
 * The floor of the two lists encodes as many values of the same types, from memory, with nothing
 * to look up: the first entry of the real answer, over and over.
 */
#define VALUES_MAX 64

struct value {
    char name[64];
    char signature[8];
    char text[256];
    uint64_t number;
};

static struct value values[VALUES_MAX];
static size_t n_values;
static size_t n_entries;

static void learn_value(sd_bus_message *m, struct value *value, const char *signature)
{
    union {
        uint64_t u64;
        uint32_t u32;
        int flag;
        const char *text;
    } read = {};

    snprintf(value->signature, sizeof(value->signature), "%s", signature);
    if (strlen(signature) > 1) {
        sd_bus_message_skip(m, signature);
        return;
    }
    sd_bus_message_read_basic(m, *signature, &read);
    if (strchr("so", *signature))
        snprintf(value->text, sizeof(value->text), "%s", read.text);
    else
        value->number = *signature == 't' ? read.u64 : read.u32;
}

static int write_value(sd_bus_message *m, const struct value *value)
{
    uint32_t number = (uint32_t)value->number;

    if (value->signature[0] == '(') { /* (ss) */
        int r = sd_bus_message_open_container(m, 'r', "ss");
        r = r < 0 ? r : sd_bus_message_append(m, "ss", "", "");
        return r < 0 ? r : sd_bus_message_close_container(m);
    }
    if (strlen(value->signature) > 1) {
        int r = sd_bus_message_open_container(m, 'a', value->signature + 1);
        return r < 0 ? r : sd_bus_message_close_container(m);
    }
    if (strchr("so", *value->signature))
        return sd_bus_message_append_basic(m, *value->signature, value->text);
    if (*value->signature == 't')
        return sd_bus_message_append_basic(m, 't', &value->number);
    return sd_bus_message_append_basic(m, *value->signature, &number);
}

static void learn_objects(sd_bus_message *m)
{
    const char *path, *interface, *name, *contents;
    char type;

    n_values = 0;
    sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");
    for (;;) { /* the first child: supervisors are few */
        sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}");
        sd_bus_message_read(m, "o", &path);
        if (strncmp(path, "/org/proctor1/child/", 20) == 0)
            break;
        sd_bus_message_skip(m, "a{sa{sv}}");
        sd_bus_message_exit_container(m);
    }
    sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
    while (sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0) {
        sd_bus_message_read(m, "s", &interface);
        sd_bus_message_enter_container(m, 'a', "{sv}");
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
            struct value *value = &values[n_values++];
            sd_bus_message_read(m, "s", &name);
            snprintf(value->name, sizeof(value->name), "%s", name);
            sd_bus_message_peek_type(m, &type, &contents);
            sd_bus_message_enter_container(m, 'v', contents);
            learn_value(m, value, contents);
            sd_bus_message_exit_container(m);
            sd_bus_message_exit_container(m);
        }
        sd_bus_message_exit_container(m);
        sd_bus_message_exit_container(m);
    }
}

static int write_object(sd_bus_message *m)
{
    static const char *const empty[] = {"org.freedesktop.DBus.Peer",
                                        "org.freedesktop.DBus.Introspectable",
                                        "org.freedesktop.DBus.Properties"};
    int r = sd_bus_message_open_container(m, 'e', "oa{sa{sv}}");

    r |= sd_bus_message_append(m, "o", "/org/proctor1/child/child_2d1234");
    r |= sd_bus_message_open_container(m, 'a', "{sa{sv}}");
    for (int i = 0; i < 3; i++)
        r |= sd_bus_message_append(m, "{sa{sv}}", empty[i], 0);
    r |= sd_bus_message_open_container(m, 'e', "sa{sv}");
    r |= sd_bus_message_append(m, "s", "org.proctor1.Child");
    r |= sd_bus_message_open_container(m, 'a', "{sv}");
    for (size_t i = 0; i < n_values; i++) {
        r |= sd_bus_message_open_container(m, 'e', "sv");
        r |= sd_bus_message_append_basic(m, 's', values[i].name);
        r |= sd_bus_message_open_container(m, 'v', values[i].signature);
        r |= write_value(m, &values[i]);
        r |= sd_bus_message_close_container(m);
        r |= sd_bus_message_close_container(m);
    }
    for (int i = 0; i < 4; i++)
        r |= sd_bus_message_close_container(m);
    return r;
}

static int objects_method(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    sd_bus_message *reply;
    int r = sd_bus_message_new_method_return(m, &reply);

    (void)userdata;
    (void)error;
    r |= sd_bus_message_open_container(reply, 'a', "{oa{sa{sv}}}");
    for (size_t i = 0; i < n_entries; i++)
        r |= write_object(reply);
    r |= sd_bus_message_close_container(reply);
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return r;
}

static int list_method(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    sd_bus_message *reply;
    int r = sd_bus_message_new_method_return(m, &reply);

    (void)userdata;
    (void)error;
    r |= sd_bus_message_open_container(reply, 'a', "(sosssttbsub)");
    for (size_t i = 0; i < n_entries; i++)
        r |= sd_bus_message_append(reply, "(sosssttbsub)", "child-1234",
                                   "/org/proctor1/child/child_2d1234", "active", "none",
                                   "unreported", (uint64_t)0, (uint64_t)0, 0, "no-active-attempt",
                                   (uint32_t)10, 0);
    r |= sd_bus_message_close_container(reply);
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return r;
}

static const sd_bus_vtable floor_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Empty", "", "", empty_method, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Objects", "", "a{oa{sa{sv}}}", objects_method, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("List", "", "a(sosssttbsub)", list_method, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

/* A service on the same bus that only encodes: nothing, or as many bytes as the real one. */
pid_t floor_service(const struct daemon *d)
{
    int ready[2];
    char byte;

    if (pipe(ready) < 0)
        die("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        sd_bus *bus;
        sd_bus_new(&bus);
        sd_bus_set_address(bus, d->address);
        sd_bus_set_bus_client(bus, true);
        sd_bus_start(bus);
        sd_bus_add_object_vtable(bus, NULL, "/floor", "floor.Floor", floor_vtable, NULL);
        sd_bus_request_name(bus, "floor.Floor", 0);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;) {
            int r = sd_bus_process(bus, NULL);
            if (r < 0)
                _exit(0);
            if (r == 0)
                sd_bus_wait(bus, UINT64_MAX);
        }
    }
    if (read(ready[0], &byte, 1) != 1)
        die("floor service");
    close(ready[0]);
    close(ready[1]);
    return pid;
}

double time_call(struct daemon *d, const char *name, const char *path, const char *interface,
                 const char *method)
{
    sd_bus_message *reply = NULL;
    uint64_t begin = now_nsec();
    int r = sd_bus_call_method(d->bus, name, path, interface, method, NULL, &reply, NULL);
    double usec = (double)(now_nsec() - begin) / 1e3;

    if (r < 0)
        fprintf(stderr, "bench: %s.%s: %s\n", interface, method, strerror(-r));
    sd_bus_message_unref(reply);
    return usec;
}

double time_pause(struct daemon *d)
{
    sd_bus_message *reply = NULL;
    uint64_t begin = now_nsec();
    sd_bus_call_method(d->bus, NAME, "/org/proctor1/child/child_2d0", "org.proctor1.Child", "Pause",
                       NULL, &reply, "sa{sv}", "bench", 0);
    double usec = (double)(now_nsec() - begin) / 1e3;
    sd_bus_message_unref(reply);
    return usec;
}

void method_calls(void)
{
    enum { N = 2000 };
    static double floor[N], proctor[N];
    struct daemon d;

    write_manifest(1, "/bin/sleep, \"1000\"", "");
    start(&d, NULL);
    pid_t service = floor_service(&d);
    time_pause(&d);
    for (int i = 0; i < N; i++) {
        floor[i] = time_call(&d, "floor.Floor", "/floor", "floor.Floor", "Empty");
        proctor[i] = time_pause(&d);
    }
    figure("method-call-p50", "us", percentile(proctor, N, 0.5), percentile(floor, N, 0.5), 1.5);
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
    stop(&d);
}

static void against_same_bytes(struct daemon *d, size_t children, const char *interface,
                               const char *method, const char *floor_method)
{
    enum { N = 9 };
    double floor[N], proctor[N];
    char name[64];
    sd_bus_message *reply = call(d, interface, method);
    if (!reply)
        return;
    n_entries = children;
    if (strcmp(floor_method, "Objects") == 0)
        learn_objects(reply);
    pid_t service = floor_service(d);

    for (int i = 0; i < N; i++) {
        floor[i] = time_call(d, "floor.Floor", "/floor", "floor.Floor", floor_method) / 1e3;
        proctor[i] = time_call(d, NAME, "/org/proctor1", interface, method) / 1e3;
    }
    snprintf(name, sizeof(name), "%s-%zu", method, children);
    figure(name, "ms", percentile(proctor, N, 0.5), percentile(floor, N, 0.5), 1.5);
    sd_bus_message_unref(reply);
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
}

void many_objects(size_t children, uint64_t empty_kb)
{
    char name[64];
    struct daemon d;

    /* Not started: what is measured is the object, not ten thousand processes. */
    write_manifest(children, "/bin/sleep, \"1000\"", "    autostart: false\n");
    start(&d, NULL);
    snprintf(name, sizeof(name), "memory-per-declared-child-%zu", children);
    figure(name, "KiB", (double)(kilobytes(d.pid, "Pss:") - empty_kb) / (double)children, 0, 4);
    against_same_bytes(&d, children, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                       "Objects");
    if (children == 10000)
        against_same_bytes(&d, children, MANAGER, "ListChildren", "List");
    stop(&d);
}
