#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_USEC (40 * G_USEC_PER_SEC)
#define NAME          "org.proctor1"
#define MANAGER_PATH  "/org/proctor1"

/* ---- waiting --------------------------------------------------------------------------------- */

static gboolean wake(gpointer data)
{
    (void)data;
    return G_SOURCE_CONTINUE; /* only to look again: some conditions come without a signal */
}

typedef gboolean (*condition)(struct fixture *f, gconstpointer data);

static void wait_until(struct fixture *f, condition holds, gconstpointer data, const char *what)
{
    gint64 end = g_get_monotonic_time() + DEADLINE_USEC;
    guint timer = g_timeout_add(10, wake, NULL);

    while (!holds(f, data)) {
        if (g_get_monotonic_time() > end)
            g_error("waited in vain: %s", what);
        g_main_context_iteration(NULL, TRUE);
    }
    g_source_remove(timer);
}

static void signal_came(GDBusConnection *bus, const char *sender, const char *path,
                        const char *interface, const char *name, GVariant *arguments, gpointer data)
{
    (void)bus, (void)sender, (void)path, (void)interface, (void)name, (void)arguments, (void)data;
}

/* Also those that come to it meanwhile. A test that failed leaves no process behind. */
static void end_children(void)
{
    char line[4096];

    for (int n = 1; n > 0;) {
        FILE *children = fopen("/proc/thread-self/children", "re");
        n = 0;
        if (children && fgets(line, sizeof(line), children))
            for (char *at = line, *end; (n = (int)strtol(at, &end, 10)) > 0 && end != at; at = end)
                kill((pid_t)n, SIGKILL);
        if (children)
            fclose(children);
        n = wait(NULL) > 0;
    }
}

static pid_t tests;

static void end_tests(int signal)
{
    (void)signal;
    kill(tests, SIGKILL);
}

/* the process that it waits for; -1: all. */
static void be_init(pid_t whom)
{
    int status;

    signal(SIGTERM, end_tests);
    for (pid_t pid; (pid = waitpid(whom, &status, 0)) > 0 || errno == EINTR;)
        if (pid == tests) {
            end_children();
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
        }
    _exit(127);
}

static void begin_as_init(gboolean careless)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    tests = fork();
    if (tests == 0)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    else
        be_init(careless ? tests : -1);
}

/* Before anything else of a test program begins: whatever comes to it is reaped, on a machine whose
 * first process leaves thousands of zombies, too. */
__attribute__((constructor)) void fixture_become_init(void)
{
    begin_as_init(FALSE);
}

void fixture_become_careless_init(void)
{
    begin_as_init(TRUE);
}

/* ---- start and stop -------------------------------------------------------------------------- */

static char *read_address(int fd)
{
    char line[512] = "";
    FILE *stream = fdopen(dup(fd), "r");

    g_assert_nonnull(fgets(line, sizeof(line), stream));
    fclose(stream);
    g_assert_true(g_str_has_prefix(line, "bus: "));
    return g_strdup(g_strstrip(line + 5));
}

/* A test that fails must not leave a daemon behind. */
static void end_with_the_test(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static void connect_to(struct fixture *f)
{
    GError *error = NULL;

    f->address = read_address(f->standard_output);
    f->bus =
        g_dbus_connection_new_for_address_sync(f->address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);
    g_assert_no_error(error);
    g_dbus_connection_set_exit_on_close(f->bus, FALSE);
    f->signals = g_dbus_connection_signal_subscribe(f->bus, NAME, NULL, NULL, NULL, NULL,
                                                    G_DBUS_SIGNAL_FLAGS_NONE, signal_came, f, NULL);
}

static GPtrArray *command_line(struct fixture *f, const char *const *extra)
{
    GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);

    if (g_getenv("WRAPPER")) /* a program that becomes proctord */
        g_ptr_array_add(arguments, g_strdup(g_getenv("WRAPPER")));
    g_ptr_array_add(arguments, g_strdup(g_getenv("PROCTORD")));
    g_ptr_array_add(arguments, g_strdup("--private-bus"));
    g_ptr_array_add(arguments, g_strdup_printf("--state-dir=%s/state", f->folder));
    g_ptr_array_add(arguments, g_strdup_printf("--runtime-dir=%s/run", f->folder));
    g_ptr_array_add(arguments, g_strdup_printf("--manifests=%s/children.d", f->folder));
    for (; extra && *extra; extra++)
        g_ptr_array_add(arguments, g_strdup(*extra));
    g_ptr_array_add(arguments, NULL);
    return arguments;
}

static void launch(struct fixture *f, const char *const *extra)
{
    g_autoptr(GPtrArray) arguments = command_line(f, extra);
    GError *error = NULL;

    g_setenv("STORE_PID_FILE", fixture_path(f, "pid"), TRUE); /* see store_manager.c */

    g_assert_true(g_spawn_async_with_pipes(NULL, (char **)arguments->pdata, NULL,
                                           G_SPAWN_DO_NOT_REAP_CHILD, end_with_the_test, NULL,
                                           &f->pid, NULL, &f->standard_output, NULL, &error));
    connect_to(f);
}

static void disconnect(struct fixture *f)
{
    g_dbus_connection_signal_unsubscribe(f->bus, f->signals);
    g_clear_object(&f->bus);
    g_free(f->address);
}

void fixture_forget(struct fixture *f)
{
    disconnect(f);
    close(f->standard_output);
}

void fixture_reconnect(struct fixture *f)
{
    disconnect(f);
    connect_to(f);
}

void fixture_start(struct fixture *f, const char *const *extra)
{
    *f = (struct fixture){.folder = g_dir_make_tmp("proctor-test-XXXXXX", NULL)};
    g_mkdir(fixture_path(f, "children.d"), 0755);
    launch(f, extra);
}

void fixture_kill(struct fixture *f)
{
    kill(f->pid, SIGKILL);
    g_assert_cmpint(waitpid(f->pid, NULL, 0), ==, f->pid);
    fixture_forget(f);
}

void fixture_again(struct fixture *f, const char *const *extra)
{
    launch(f, extra);
}

char *fixture_fails(struct fixture *f, const char *const *extra)
{
    g_autoptr(GPtrArray) arguments = command_line(f, extra);
    GError *error = NULL;
    char *words = NULL;
    int status;

    g_assert_true(g_spawn_sync(NULL, (char **)arguments->pdata, NULL, G_SPAWN_STDOUT_TO_DEV_NULL,
                               end_with_the_test, NULL, NULL, &words, &status, &error));
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    return words;
}

static gboolean has_ended(struct fixture *f, gconstpointer data)
{
    (void)f;
    int *status = (int *)data;
    return waitpid(f->pid, status, WNOHANG) == f->pid;
}

int fixture_wait_end(struct fixture *f)
{
    int status = 0;

    wait_until(f, has_ended, &status, "the end of proctord");
    f->pid = 0;
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Asks again and again: from the second time on, proctord aborts what still holds out. */
static gboolean has_been_ended(struct fixture *f, gconstpointer data)
{
    kill(f->pid, SIGTERM);
    return has_ended(f, data);
}

void fixture_stop(struct fixture *f, int code)
{
    int status = 0;

    if (f->pid > 0) {
        wait_until(f, has_been_ended, &status, "the end of proctord");
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, code);
    }
    fixture_forget(f);
    g_assert_false(g_file_test(fixture_path(f, "run/bus"), G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(fixture_path(f, "run/notify"), G_FILE_TEST_EXISTS));
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", f->folder);
    g_assert_cmpint(system(command), ==, 0);
    g_free(f->folder);
}

struct registered {
    struct fixture *f;
    const char *const *options;
    void (*test)(void);
};

static void run(gconstpointer data)
{
    const struct registered *registered = data;

    fixture_start(registered->f, registered->options);
    registered->test();
    fixture_stop(registered->f, 0);
}

const char *const *fixture_cgroups(void)
{
    static const char *const without[] = {"--no-cgroups", NULL};

    return g_strcmp0(g_getenv("NO_CGROUPS"), "1") == 0 ? without : NULL;
}

void fixture_test(struct fixture *f, const char *const *options, const char *path,
                  void (*test)(void))
{
    struct registered *registered = g_new(struct registered, 1);

    *registered = (struct registered){f, options, test};
    g_test_add_data_func_full(path, registered, run, g_free);
}

/* ---- files ----------------------------------------------------------------------------------- */

const char *fixture_path(struct fixture *f, const char *name)
{
    static char *paths[8];
    static unsigned next;
    char **slot = &paths[next++ % 8];

    g_free(*slot);
    *slot = g_build_filename(f->folder, name, NULL);
    return *slot;
}

void fixture_fifo(struct fixture *f, const char *name)
{
    g_assert_cmpint(mkfifo(fixture_path(f, name), 0600), ==, 0);
}

/* Opens the FIFO once the child is there to read. */
static gboolean released(struct fixture *f, gconstpointer data)
{
    int fd = open(fixture_path(f, data), O_WRONLY | O_NONBLOCK);
    if (fd < 0)
        return FALSE;
    close(fd);
    return TRUE;
}

void fixture_release(struct fixture *f, const char *name)
{
    wait_until(f, released, name, name);
}

static gboolean file_exists(struct fixture *f, gconstpointer data)
{
    return g_file_test(fixture_path(f, data), G_FILE_TEST_EXISTS);
}

GPid fixture_read_pid(struct fixture *f, const char *name)
{
    g_autofree char *text = NULL;

    wait_until(f, file_exists, name, name);
    g_assert_true(g_file_get_contents(fixture_path(f, name), &text, NULL, NULL));
    return atoi(text);
}

static gboolean no_file_is_there(struct fixture *f, gconstpointer data)
{
    return !file_exists(f, data);
}

void fixture_wait_no_file(struct fixture *f, const char *name)
{
    wait_until(f, no_file_is_there, name, name);
}

static gboolean is_gone(struct fixture *f, gconstpointer data)
{
    (void)f;
    return kill(*(const GPid *)data, 0) < 0 && errno == ESRCH;
}

gboolean fixture_has_ended(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return TRUE;
    return strchr("ZX", strrchr(text, ')')[2]) != NULL;
}

void fixture_wait_gone(struct fixture *f, GPid pid)
{
    wait_until(f, is_gone, &pid, "the end of a process");
}

guint fixture_count_lines(struct fixture *f, const char *name)
{
    g_autofree char *text = NULL;
    guint lines = 0;

    if (!g_file_get_contents(fixture_path(f, name), &text, NULL, NULL))
        return 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    return lines;
}

void fixture_wait_lines(struct fixture *f, const char *name, guint count)
{
    for (gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
         fixture_count_lines(f, name) < count;) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

GVariant *fixture_call(struct fixture *f, const char *path, const char *interface,
                       const char *method, GVariant *arguments, GError **error)
{
    GError *own = NULL;
    GVariant *reply =
        g_dbus_connection_call_sync(f->bus, NAME, path, interface, method, arguments, NULL,
                                    G_DBUS_CALL_FLAGS_NONE, 20000, NULL, error ? error : &own);
    if (!error)
        g_assert_no_error(own);
    return reply;
}

GVariant *fixture_manager(struct fixture *f, const char *method, GVariant *arguments,
                          GError **error)
{
    return fixture_call(f, MANAGER_PATH, NAME ".Manager", method, arguments, error);
}

GVariant *fixture_manager_property(struct fixture *f, const char *name)
{
    g_autoptr(GVariant) reply =
        fixture_call(f, MANAGER_PATH, "org.freedesktop.DBus.Properties", "Get",
                     g_variant_new("(ss)", NAME ".Manager", name), NULL);
    g_autoptr(GVariant) boxed = g_variant_get_child_value(reply, 0);

    return g_variant_get_variant(boxed);
}

void fixture_upgrade(struct fixture *f)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_autoptr(GVariant) reply =
        fixture_manager(f, "Reexecute", g_variant_new("(sa{sv})", "test", &options), NULL);
}

/* Steps with a say in SIGTERM also say when they are prepared for it: a signal that comes before
 * that would simply end the process. */
static char *with_ready(const char *steps)
{
    const char *waits = strstr(steps, "wait-term"), *ignores = strstr(steps, "ignore-term");

    if (ignores)
        return g_strdup_printf("%.*signore-term, ready%s", (int)(ignores - steps), steps,
                               ignores + strlen("ignore-term"));
    if (waits)
        return g_strdup_printf("%.*sready, %s", (int)(waits - steps), steps, waits);
    return NULL;
}

/* A child is on its way to its program for a moment; it may be gone before it is looked at. */
static void fixture_wait_started(struct fixture *f, const char *child)
{
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    gboolean starting = TRUE;

    while (starting && g_get_monotonic_time() < deadline) {
        g_autoptr(GError) error = NULL, gone = NULL;
        g_autoptr(GVariant) path =
            fixture_manager(f, "GetChild", g_variant_new("(s)", child), &error);
        if (!path)
            return;
        g_autofree char *object = NULL;
        g_variant_get(path, "(o)", &object);
        g_autoptr(GVariant) reply =
            fixture_call(f, object, "org.freedesktop.DBus.Properties", "Get",
                         g_variant_new("(ss)", "org.proctor1.Child", "Status"), &gone);
        g_autofree char *text = reply ? g_variant_print(reply, FALSE) : NULL;
        starting = text && strstr(text, "'starting'");
    }
}

void fixture_add_manifest(struct fixture *f, const char *manifest)
{
    g_auto(GStrv) parts = g_strsplit(manifest, "@", -1);
    g_autofree char *text = g_strjoinv(f->folder, parts);
    g_autoptr(GVariant) reply =
        fixture_manager(f, "AddChild", g_variant_new("(ssa{sv})", text, "test", NULL), NULL);
    g_assert_nonnull(reply);
}

void fixture_add(struct fixture *f, const char *name, const char *yaml, const char *steps)
{
    g_autofree char *prepared =
        strstr(steps, "ready") || strstr(yaml, "readiness") ? NULL : with_ready(steps);
    g_autofree char *manifest =
        g_strdup_printf("name: %s\nexec: [%s%s%s]\nstdout: raw\n%s%s", name, g_getenv("TEST_CHILD"),
                        *steps ? ", " : "", prepared ? prepared : steps, yaml,
                        prepared ? "readiness: explicit\n" : "");
    g_autoptr(GVariant) reply =
        fixture_manager(f, "AddChild", g_variant_new("(ssa{sv})", manifest, "test", NULL), NULL);

    if (prepared)
        fixture_wait_text(f, name, "Readiness", "ready");
    else
        fixture_wait_started(f, name);
}

static GVariant *verb(struct fixture *f, const char *name, const char *child, gboolean wait)
{
    GVariantBuilder options;
    g_autofree char *method = g_strconcat(name, "Child", NULL);

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    if (wait)
        g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(TRUE));
    g_autoptr(GVariant) reply =
        fixture_manager(f, method, g_variant_new("(ssa{sv})", child, "test", &options), NULL);
    return g_variant_get_child_value(reply, 0);
}

GVariant *fixture_verb(struct fixture *f, const char *name, const char *child)
{
    return verb(f, name, child, FALSE);
}

GVariant *fixture_verb_waiting(struct fixture *f, const char *name, const char *child)
{
    return verb(f, name, child, TRUE);
}

/* ---- properties ------------------------------------------------------------------------------ */

/* As sd_bus_path_encode(3) has it, one segment at a time; the names of tests have no more in them
 * than letters, digits and dashes. */
static char *object_path(const char *child)
{
    g_autoptr(GString) path = g_string_new(MANAGER_PATH "/child/");

    for (const char *c = child; *c; c++)
        if (g_ascii_isalpha(*c) || *c == '/' || (g_ascii_isdigit(*c) && c > child && c[-1] != '/'))
            g_string_append_c(path, *c);
        else
            g_string_append_printf(path, "_%02x", (guchar)*c);
    return g_string_free(g_steal_pointer(&path), FALSE);
}

static GVariant *get(struct fixture *f, const char *child, const char *property, GError **error)
{
    g_autofree char *path = object_path(child);
    g_autoptr(GVariant) reply = fixture_call(f, path, "org.freedesktop.DBus.Properties", "Get",
                                             g_variant_new("(ss)", NAME ".Child", property), error);
    GVariant *value = NULL;

    if (reply)
        g_variant_get(reply, "(v)", &value);
    return value;
}

GVariant *fixture_property(struct fixture *f, const char *child, const char *property)
{
    return get(f, child, property, NULL);
}

char *fixture_text(struct fixture *f, const char *child, const char *property)
{
    g_autoptr(GVariant) value = get(f, child, property, NULL);
    return g_variant_dup_string(value, NULL);
}

guint64 fixture_number(struct fixture *f, const char *child, const char *property)
{
    g_autoptr(GVariant) value = get(f, child, property, NULL);
    return g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32) ? g_variant_get_uint32(value)
                                                              : g_variant_get_uint64(value);
}

gboolean fixture_flag(struct fixture *f, const char *child, const char *property)
{
    g_autoptr(GVariant) value = get(f, child, property, NULL);
    return g_variant_get_boolean(value);
}

gboolean fixture_exists(struct fixture *f, const char *child)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = fixture_manager(f, "GetChild", g_variant_new("(s)", child), &error);
    return reply != NULL;
}

struct expected {
    const char *child, *property, *text;
    guint64 number;
};

static gboolean text_is(struct fixture *f, gconstpointer data)
{
    const struct expected *e = data;
    g_autofree char *value = fixture_text(f, e->child, e->property);
    return strcmp(value, e->text) == 0;
}

static gboolean number_is(struct fixture *f, gconstpointer data)
{
    const struct expected *e = data;
    return fixture_number(f, e->child, e->property) == e->number;
}

static gboolean flag_is_set(struct fixture *f, gconstpointer data)
{
    const struct expected *e = data;
    return fixture_flag(f, e->child, e->property);
}

static gboolean is_removed(struct fixture *f, gconstpointer data)
{
    return !fixture_exists(f, data);
}

void fixture_wait_text(struct fixture *f, const char *child, const char *property,
                       const char *value)
{
    struct expected e = {child, property, value, 0};
    wait_until(f, text_is, &e, property);
}

void fixture_wait_number(struct fixture *f, const char *child, const char *property, guint64 value)
{
    struct expected e = {child, property, NULL, value};
    wait_until(f, number_is, &e, property);
}

void fixture_wait_flag(struct fixture *f, const char *child, const char *property)
{
    struct expected e = {child, property, NULL, 0};
    wait_until(f, flag_is_set, &e, property);
}

void fixture_wait_removed(struct fixture *f, const char *child)
{
    wait_until(f, is_removed, child, "removal");
}

/* ---- events ---------------------------------------------------------------------------------- */

static GVariant *query(struct fixture *f, const char *kind, const char *child)
{
    GVariantBuilder filter;
    const char *kinds[] = {kind, NULL}, *children[] = {child, NULL};

    g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&filter, "{sv}", "kinds", g_variant_new_strv(kinds, -1));
    if (child)
        g_variant_builder_add(&filter, "{sv}", "children", g_variant_new_strv(children, -1));
    g_autoptr(GVariant) reply = fixture_manager(
        f, "QueryEvents", g_variant_new("(tua{sv})", (guint64)0, (guint32)5000, &filter), NULL);
    return g_variant_get_child_value(reply, 0);
}

guint fixture_events(struct fixture *f, const char *kind, const char *child)
{
    g_autoptr(GVariant) events = query(f, kind, child);
    return (guint)g_variant_n_children(events);
}

char *fixture_event_field(struct fixture *f, const char *kind, const char *child, const char *field)
{
    g_autoptr(GVariant) events = query(f, kind, child);
    gsize n = g_variant_n_children(events);
    if (n == 0)
        return NULL;
    g_autoptr(GVariant) last = g_variant_get_child_value(events, n - 1);
    g_autoptr(GVariant) fields = g_variant_get_child_value(last, 6);
    g_autoptr(GVariant) value = g_variant_lookup_value(fields, field, NULL);
    if (!value)
        return NULL;
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return g_variant_dup_string(value, NULL);
    return g_variant_print(value, FALSE);
}

struct expected_event {
    const char *kind, *child;
    guint count;
};

static gboolean event_came(struct fixture *f, gconstpointer data)
{
    const struct expected_event *e = data;
    return fixture_events(f, e->kind, e->child) >= e->count;
}

void fixture_wait_event(struct fixture *f, const char *kind, const char *child, guint count)
{
    struct expected_event e = {kind, child, count};
    wait_until(f, event_came, &e, kind);
}
