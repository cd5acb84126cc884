/*
 * Bounds: each limit of a manifest, at one less, at the limit, and at one more.
 */
#include "../named.h"
#include "core/model/declaration.h"
#include "manifest.h"
#include "manifest_set.h"
#include "core/model/supervisor.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* As a file is read and checked: 0, or the error. */
static int check(const char *text, size_t length, struct error *error)
{
    g_autofree char *path = NULL;
    struct manifest_set *set = NULL;
    int fd = g_file_open_tmp("bounds-XXXXXX.yaml", &path, NULL), r;
    const char *paths[] = {path};

    close(fd);
    g_assert_true(g_file_set_contents(path, text, (gssize)length, NULL));
    r = manifest_set_load(paths, 1, false, NULL, &set, error);
    if (r == 0)
        r = manifest_set_check(set, error);
    manifest_set_free(set);
    g_unlink(path);
    return r;
}

static void expect(const char *text, bool good, const char *what, size_t n)
{
    struct error error = {};
    int r = check(text, strlen(text), &error);

    if ((r == 0) != good)
        g_error("%s, %zu: %s", what, n, r == 0 ? "was taken" : error.text);
    if (!good)
        g_assert_cmpint(r, ==, -EINVAL);
}

/* ---- how many there may be ------------------------------------------------------------------- */

/* "[a0, a1, ...]" behind what begins the text. */
static char *list_of(const char *begin, const char *item, size_t n, const char *end)
{
    GString *text = g_string_new(begin);

    for (size_t i = 0; i < n; i++)
        g_string_append_printf(text, "%s%s%zu", i > 0 ? ", " : "", item, i);
    g_string_append(text, end);
    return g_string_free(text, FALSE);
}

static char *times(const char *begin, const char *format, size_t n, const char *end)
{
    GString *text = g_string_new(begin);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(text, format, i);
#pragma GCC diagnostic pop
    g_string_append(text, end);
    return g_string_free(text, FALSE);
}

static char *children(size_t n)
{
    return times("children:\n", "- name: c%zu\n", n, "");
}

static char *children_by_alias(size_t n)
{
    g_autofree char *one = times("children:\n- supervisor: a\n  children: &tree\n",
                                 "  - name: c%zu\n", n / 2, "- supervisor: b\n  children: *tree\n");
    return times(one, "- name: d%zu\n", n % 2, "");
}

static char *supervisors(size_t n) /* with the root */
{
    return times("children:\n", "- {supervisor: s%zu, children: []}\n", n - 1, "");
}

static char *levels(size_t n) /* of supervisors, with the root */
{
    GString *text = g_string_new("children: [");

    for (size_t i = 1; i < n; i++)
        g_string_append(text, "{supervisor: s, children: [");
    g_string_append(text, "{name: c}]");
    for (size_t i = 1; i < n; i++)
        g_string_append(text, "}]");
    return g_string_free(text, FALSE);
}

static char *yaml_levels(size_t n) /* "tags" is refused for what it holds, not for its depth */
{
    g_autofree char *open = g_strnfill(n - 1, '['), *close = g_strnfill(n - 1, ']');
    return g_strdup_printf("x-a: %s%s\nname: c\n", open, close);
}

static char *name(size_t n)
{
    g_autofree char *word = g_strnfill(n, 'x');
    return g_strdup_printf("name: %s\n", word);
}

static char *group_name(size_t n)
{
    g_autofree char *word = g_strnfill(n, 'x');
    return g_strdup_printf("groups: [{name: %s}]\nchildren: []\n", word);
}

static char *socket_name(size_t n)
{
    g_autofree char *word = g_strnfill(n, 'x');
    return g_strdup_printf("name: c\nsockets: [{name: %s, listen: \"1\"}]\n", word);
}

static char *user_name(size_t n)
{
    g_autofree char *word = g_strnfill(n, 'x');
    return g_strdup_printf("name: c\nuser: %s\n", word);
}

static char *socket_path(size_t n)
{
    g_autofree char *word = g_strnfill(n - 1, 'x');
    return g_strdup_printf("name: c\nsockets: [{name: s, listen: /%s}]\n", word);
}

static char *exec(size_t n)
{
    return list_of("name: c\nexec: [", "/bin/x", n, "]\n");
}

static char *arguments(size_t n)
{
    return list_of("name: c\nexec: [/bin/x]\narguments: [", "a", n, "]\n");
}

static char *before_exec(size_t n)
{
    return list_of("name: c\nbefore: [{exec: [", "/bin/x", n, "]}]\n");
}

static char *reload_commands(size_t n)
{
    return times("name: c\nreload: [", "[/bin/x%zu], ", n, "]\n");
}

static char *stop_commands(size_t n)
{
    return times("name: c\nstop: {commands: [", "[/bin/x%zu], ", n, "]}\n");
}

static char *after_start_commands(size_t n)
{
    return times("name: c\nafter_start: [", "[/bin/x%zu], ", n, "]\n");
}

static char *after_stop_commands(size_t n)
{
    return times("name: c\nafter_stop: [", "[/bin/x%zu], ", n, "]\n");
}

static char *before_commands(size_t n)
{
    return times("name: c\nbefore: [", "[/bin/x%zu], ", n, "]\n");
}

static char *directories(size_t n)
{
    return list_of("name: c\nstate_directory: [", "a", n, "]\n");
}

static char *health_exec(size_t n)
{
    return list_of("name: c\nhealth_check: {exec: [", "/bin/x", n, "]}\n");
}

static char *environment(size_t n)
{
    return times("name: c\nenvironment:\n", "  A%zu: x\n", n, "");
}

static char *exit_codes(size_t n)
{
    return list_of("name: c\nfatal_exit_codes: [", "1", n, "]\n");
}

static char *success_codes(size_t n)
{
    return list_of("name: c\nsuccess_exit_codes: [", "1", n, "]\n");
}

static char *tags(size_t n)
{
    return list_of("name: c\ntags: [", "t", n, "]\n");
}

static char *groups_of_users(size_t n)
{
    return list_of("name: c\nsupplementary_groups: [", "g", n, "]\n");
}

static char *sockets(size_t n)
{
    return times("name: c\nsockets:\n", "- {name: s%zu, listen: \"1\"}\n", n, "");
}

static char *groups(size_t n)
{
    return times("children: []\ngroups:\n", "- {name: g%zu}\n", n, "");
}

static char *dependencies(const char *key, size_t n)
{
    g_autofree char *others = times("children:\n", "- {name: d%zu}\n", n, "");
    g_autofree char *begin = g_strdup_printf("%s- name: c\n  %s: [", others, key);
    return list_of(begin, "d", n, "]\n");
}

static char *requires(size_t n)
{
    return dependencies("requires", n);
}

static char *after(size_t n)
{
    return dependencies("after", n);
}

static char *requires_of_a_sidecar(size_t n) /* with the primary */
{
    g_autofree char *others = times("children:\n- name: p\n", "- {name: d%zu}\n", n - 1, "");
    g_autofree char *begin =
        g_strdup_printf("%s- name: c\n  kind: sidecar\n  primary: p\n  requires: [", others);
    return list_of(begin, "d", n - 1, "]\n");
}

static char *bytes(size_t n)
{
    g_autofree char *filling = g_strnfill(n - 10, 'x');
    return g_strdup_printf("name: a\n#%s\n", filling);
}

static const struct {
    const char *name;
    size_t max;
    char *(*make)(size_t n);
} counts[] = {
    {"children", 20000, children},
    {"children-by-alias", 20000, children_by_alias},
    {"supervisors", SUPERVISORS_MAX, supervisors},
    {"levels-of-supervisors", SUPERVISOR_DEPTH_MAX, levels},
    {"levels-of-yaml", 32, yaml_levels},
    {"name", CHILD_SEGMENT_MAX, name},
    {"name-of-a-group", CHILD_SEGMENT_MAX, group_name},
    {"name-of-a-socket", CHILD_SEGMENT_MAX, socket_name},
    {"name-of-a-user", 255, user_name},
    {"path-of-a-socket", 107, socket_path},
    {"exec", 256, exec},
    {"arguments", 256, arguments},
    {"health-check-exec", 256, health_exec},
    {"before-exec", 256, before_exec},
    {"before-commands", 16, before_commands},
    {"reload-commands", 16, reload_commands},
    {"stop-commands", 16, stop_commands},
    {"after-start-commands", 16, after_start_commands},
    {"after-stop-commands", 16, after_stop_commands},
    {"directories", DIRECTORIES_MAX, directories},
    {"environment", 256, environment},
    {"fatal-exit-codes", EXIT_CODES_MAX, exit_codes},
    {"success-exit-codes", EXIT_CODES_MAX, success_codes},
    {"tags", TAGS_MAX, tags},
    {"supplementary-groups", 32, groups_of_users},
    {"sockets", SOCKETS_MAX, sockets},
    {"groups", GROUPS_MAX, groups},
    {"requires", DEPENDENCIES_MAX, requires},
    {"after", DEPENDENCIES_MAX, after},
    {"requires-of-a-sidecar", DEPENDENCIES_MAX, requires_of_a_sidecar},
    {"bytes-of-a-file", MANIFEST_FILE_MAX, bytes},
};

static void count_is_bounded(gconstpointer data)
{
    size_t row = GPOINTER_TO_SIZE(data), max = counts[row].max;

    for (size_t n = max - 1; n <= max + 1; n++) {
        g_autofree char *text = counts[row].make(n);
        expect(text, n <= max, counts[row].name, n);
    }
}

/* ---- what numbers may be --------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *before;
    const char *good[4], *bad[6];
    const char *after;
} numbers[] = {
    {"burst", "restart_limit: {burst: ", {"0", "9999", "10000"}, {"10001", "-1"}, "}"},
    {"factor", "backoff: {factor: ", {"1", "1.001", "99.9", "100"}, {"0.999", "100.001"}, "}"},
    {"ratio", "backoff: {ratio: ", {"0", "0.999", "1"}, {"1.001", "-0.1"}, "}"},
    {"nice", "nice: ", {"-20", "-19", "18", "19"}, {"-21", "20"}, ""},
    {"oom-score", "oom_score_adj: ", {"-1000", "-999", "999", "1000"}, {"-1001", "1001"}, ""},
    {"fd-store-max", "fd_store_max: ", {"0", "31", "32"}, {"33", "-1"}, ""},
    {"directory-mode",
     "state_directory_mode: ",
     {"0700", "0776", "0777"},
     {"01000", "0677", "-1"},
     ""},
    {"umask", "umask: ", {"0", "0776", "0777"}, {"01000", "8", "-1"}, ""},
    {"socket-mode",
     "sockets: [{name: s, listen: /s, mode: ",
     {"0", "0776", "0777"},
     {"01000"},
     "}]"},
    {"port", "sockets: [{name: s, listen: ", {"1", "65534", "65535"}, {"0", "65536"}, "}]"},
    {"exit-code", "fatal_exit_codes: [", {"0", "254", "255"}, {"256", "-1"}, "]"},
    {"keep", "stdout: {file: /x, keep: ", {"0", "99", "100"}, {"101"}, "}"},
    {"log-size",
     "stdout: {file: /x, max_size: ",
     {"4096", "4097", "1024T"},
     {"4095", "1025T"},
     "}"},
    {"memory", "limits: {memory: ", {"65536", "65537"}, {"65535"}, "}"},
    {"pids", "limits: {pids: ", {"1", "4194303", "4194304"}, {"0", "4194305"}, "}"},
    {"memory-high", "limits: {memory_high: ", {"65536", "65537"}, {"65535"}, "}"},
    {"cpu-max",
     "limits: {cpu_max: ",
     {"1%", "1.001%", "102399%", "102400%"},
     {"0.999%", "102400.001%", "0%", "%", "50", "-1%"},
     "}"},
    {"io-weight", "limits: {io_weight: ", {"1", "9999", "10000"}, {"0", "10001"}, "}"},
    {"processor", "cpu_affinity: ", {"0", "1022", "1023", "0-1023"}, {"1024", "0-1024", "-1"}, ""},
    {"cpu-weight", "limits: {cpu_weight: ", {"1", "9999", "10000"}, {"0", "10001"}, "}"},
    {"limit",
     "limits: {nofile: ",
     {"0", "18446744073709551614", "infinity", "1:2"},
     {"18446744073709551616", "2:1", "1:", ":1"},
     "}"},
    {"retries", "health_check: {tcp: 80, retries: ", {"1", "999", "1000"}, {"0", "1001"}, "}"},
    {"user", "user: ", {"0", "4294967293", "4294967294"}, {"4294967295", "4294967296"}, ""},
    {"duration",
     "backoff: {max: ",
     {"3659d", "3660d", "316224000", "3659d 24h"},
     {"3660d 1us", "316224001", "18446744073709551615", "18446744073709551616s", "9999999999999h",
      "87841h"},
     "}"},
    {"signal", "reload_signal: ", {"1", "63", "64"}, {"0", "65", "-1"}, ""},
};

static void number_is_bounded(gconstpointer data)
{
    size_t row = GPOINTER_TO_SIZE(data);

    for (size_t i = 0; i < G_N_ELEMENTS(numbers[row].good) && numbers[row].good[i]; i++) {
        g_autofree char *text = g_strdup_printf("name: c\n%s%s%s\n", numbers[row].before,
                                                numbers[row].good[i], numbers[row].after);
        expect(text, true, numbers[row].good[i], i);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(numbers[row].bad) && numbers[row].bad[i]; i++) {
        g_autofree char *text = g_strdup_printf("name: c\n%s%s%s\n", numbers[row].before,
                                                numbers[row].bad[i], numbers[row].after);
        expect(text, false, numbers[row].bad[i], i);
    }
}

static void supervisor_numbers(void)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"max_restarts_in_flight: 1", true},
        {"max_restarts_in_flight: 10000", true},
        {"max_restarts_in_flight: 0", false},
        {"max_restarts_in_flight: 10001", false},
        {"restart_limit: {burst: 10000}", true},
        {"restart_limit: {burst: 10001}", false},
        {"restart_limit: {interval: 0}", false},
        {"restart_limit: {interval: 1us}", true},
        {"groups: [{name: g, budget: {restarts: 1000000, interval: 1h}}]", true},
        {"groups: [{name: g, budget: {restarts: 1000001, interval: 1h}}]", false},
        {"groups: [{name: g, budget: {restarts: 0, interval: 1h}}]", false},
        {"groups: [{name: g, budget: {restarts: 2, interval: 1us}}]", false},
        {"groups: [{name: g, budget: {restarts: 2, interval: 2us}}]", true},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strdup_printf("%s\nchildren: []\n", rows[i].text);
        expect(text, rows[i].good, rows[i].text, i);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autofree char *path = g_strdup_printf("/bounds/%s", counts[i].name);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), count_is_bounded);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autofree char *path = g_strdup_printf("/bounds/number-%s", numbers[i].name);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), number_is_bounded);
    }
    TEST("/bounds", supervisor_numbers);
    return g_test_run();
}
