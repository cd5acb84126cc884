#include "maker.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANCHORS_MAX 64
#define DEPTH_MAX   6
#define TEXT_MAX    (256 * 1024)

enum kind { WORD, LIST, MAPPING, LIST_OF_MAPPINGS };

/* The schema: what may stand under each key. A word that is chosen may still be wrong in its place.
 */
struct field {
    const char *key;
    enum kind kind;
    const char *const *words;   /* WORD and LIST */
    const struct field *fields; /* MAPPING and LIST_OF_MAPPINGS; NULL: any keys */
};

#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define FIELDS(...)                                                                                \
    (const struct field[])                                                                         \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
        }                                                                                          \
    }

#define FLAG WORDS("true", "false", "yes", "no", "1", "")
#define TIME                                                                                       \
    WORDS("10s", "1h 30m", "0", "infinity", "500ms", "3660d", "3661d", "-1", "9999999999999h")
#define NUMBER WORDS("1", "10", "0", "-1", "255", "256", "10000", "10001", "4294967295", "1.5", "x")
#define SIZE   WORDS("10M", "64K", "4096", "1", "infinity", "1025T", "64M:128M")
#define SIGNAL WORDS("SIGTERM", "hup", "9", "0", "64", "65", "SIGNONE")
#define PATH   WORDS("/bin/true", "/tmp/x", "relative", "", "/")
#define PROGRAM                                                                                    \
    WORDS("/bin/sh", "/bin/true", "-c", "exit 1", "\"a b\"", "'it''s'", "\"\\e\\0\"", "\xC3\xA4")
#define IDS     WORDS("c1", "c2", "s1/c1", "a b", "", "c1/")
#define USERS   WORDS("root", "nobody", "0", "-1", "4294967294", "4294967295", "\"4294967296\"")
#define ADDRESS WORDS("80", "/run/x", "\"127.0.0.1:80\"", "\"[::1]:80\"", "\"@x\"", "0", "65536")

static const struct field limit[] = {
    {"burst", WORD, NUMBER, NULL},
    {"interval", WORD, TIME, NULL},
    {"on_limit", WORD, WORDS("quarantine", "cool-down", "stop", "escalate", "shutdown-tree"), NULL},
    {}};

static const struct field child[] = {
    {"name", WORD, WORDS("c1", "c2", "c3", "c4", "a/b", "", "c5"), NULL},
    {"kind", WORD, WORDS("service", "worker", "job", "sidecar", "async_worker", "x"), NULL},
    {"exec", LIST, PROGRAM, NULL},
    {"arguments", LIST, PROGRAM, NULL},
    {"supervisor", WORD, WORDS("root", "s1", "s1/s2", "a b"), NULL},
    {"working_directory", WORD, PATH, NULL},
    {"user", WORD, USERS, NULL},
    {"unix_group", WORD, USERS, NULL},
    {"supplementary_groups", LIST, USERS, NULL},
    {"umask", WORD, WORDS("0027", "0", "0777", "01000", "8"), NULL},
    {"sandbox", MAPPING, NULL,
     FIELDS({"preset", WORD, WORDS("none", "service", "strict", "x"), NULL},
            {"system", WORD, WORDS("read-write", "etc-read-only", "read-only", ""), NULL},
            {"home", WORD, WORDS("read-write", "none", "x"), NULL},
            {"tmp", WORD, WORDS("shared", "private"), NULL},
            {"devices", WORD, WORDS("all", "private"), NULL},
            {"network", WORD, WORDS("host", "none"), NULL},
            {"syscalls", WORD, WORDS("all", "service"), NULL},
            {"paths", MAPPING, NULL,
             FIELDS({"/srv", WORD, WORDS("none", "read-only", "x"), NULL},
                    {"-/srv/a", WORD, WORDS("read-write", ""), NULL},
                    {"srv", WORD, WORDS("none"), NULL})})},
    {"nice", WORD, WORDS("5", "-20", "20", "+1"), NULL},
    {"cpu_affinity", WORD, WORDS("0", "0-3,5", "1023", "1024", "3-1", "0,,1"), NULL},
    {"description", WORD, WORDS("text", "\"a\\nb\"", "\"\""), NULL},
    {"oom_score_adj", WORD, WORDS("0", "-1000", "1001"), NULL},
    {"ignore_sigpipe", WORD, FLAG, NULL},
    {"fd_store_max", WORD, WORDS("0", "1", "32"), NULL},
    {"runtime_directory", LIST, WORDS("web", "web/tmp", "..", "/run", "a:b"), NULL},
    {"runtime_directory_mode", WORD, WORDS("0755", "0700", "0600", "8"), NULL},
    {"state_directory", LIST, WORDS("web", "web/tmp", "..", "/run", "a:b"), NULL},
    {"state_directory_mode", WORD, WORDS("0755", "0700", "0600", "8"), NULL},
    {"logs_directory", LIST, WORDS("web", "web/tmp", "..", "/run", "a:b"), NULL},
    {"logs_directory_mode", WORD, WORDS("0755", "0700", "0600", "8"), NULL},
    {"cache_directory", LIST, WORDS("web", "web/tmp", "..", "/run", "a:b"), NULL},
    {"cache_directory_mode", WORD, WORDS("0755", "0700", "0600", "8"), NULL},
    {"before", LIST_OF_MAPPINGS, NULL,
     FIELDS({"exec", LIST, PROGRAM, NULL}, {"timeout", WORD, TIME, NULL},
            {"may_fail", WORD, FLAG, NULL})},
    {"reload", LIST_OF_MAPPINGS, NULL,
     FIELDS({"exec", LIST, PROGRAM, NULL}, {"timeout", WORD, TIME, NULL},
            {"may_fail", WORD, FLAG, NULL})},
    {"after_start", LIST_OF_MAPPINGS, NULL,
     FIELDS({"exec", LIST, PROGRAM, NULL}, {"timeout", WORD, TIME, NULL},
            {"may_fail", WORD, FLAG, NULL})},
    {"after_stop", LIST_OF_MAPPINGS, NULL,
     FIELDS({"exec", LIST, PROGRAM, NULL}, {"timeout", WORD, TIME, NULL},
            {"may_fail", WORD, FLAG, NULL})},
    {"limits", MAPPING, NULL,
     FIELDS({"nofile", WORD, SIZE, NULL}, {"core", WORD, SIZE, NULL}, {"memory", WORD, SIZE, NULL},
            {"pids", WORD, NUMBER, NULL}, {"cpu_weight", WORD, NUMBER, NULL},
            {"memory_high", WORD, WORDS("64K", "1", "1G"), NULL},
            {"cpu_max", WORD, WORDS("1%", "150%", "0.5%", "102401%", "%"), NULL},
            {"io_weight", WORD, NUMBER, NULL})},
    {"capabilities", LIST, WORDS("CAP_CHOWN", "net_admin", "x", "CAP_BPF"), NULL},
    {"no_new_privileges", WORD, FLAG, NULL},
    {"environment", MAPPING, NULL,
     FIELDS({"A", WORD, PROGRAM, NULL}, {"B", WORD, PROGRAM, NULL}, {"C", WORD, FLAG, NULL})},
    {"environment_file", WORD, PATH, NULL},
    {"restart", WORD, WORDS("permanent", "transient", "temporary"), NULL},
    {"restart_limit", MAPPING, NULL, limit},
    {"backoff", MAPPING, NULL,
     FIELDS({"initial", WORD, TIME, NULL}, {"max", WORD, TIME, NULL},
            {"factor", WORD, NUMBER, NULL},
            {"jitter", WORD, WORDS("none", "equal", "full", "decorrelated"), NULL},
            {"ratio", WORD, WORDS("0.2", "1", "1.001"), NULL}, {"reset_after", WORD, TIME, NULL})},
    {"fatal_exit_codes", LIST, NUMBER, NULL},
    {"success_exit_codes", LIST, NUMBER, NULL},
    {"on_success", WORD, WORDS("nothing", "shutdown-tree", "x"), NULL},
    {"on_give_up", WORD, WORDS("nothing", "shutdown-tree", "x"), NULL},
    {"restart_dependents", WORD, FLAG, NULL},
    {"stop", MAPPING, NULL,
     FIELDS({"signal", WORD, SIGNAL, NULL}, {"timeout", WORD, TIME, NULL},
            {"signals", LIST, WORDS("SIGTERM 1s", "SIGQUIT 0", "SIGINT infinity", "9"), NULL},
            {"abort_timeout", WORD, TIME, NULL}, {"kill_mode", WORD, WORDS("group", "main"), NULL},
            {"timeout_action", WORD, WORDS("kill", "report"), NULL},
            {"commands", LIST, PROGRAM, NULL})},
    {"leftovers", WORD, WORDS("wait", "kill", "keep"), NULL},
    {"reload_signal", WORD, SIGNAL, NULL},
    {"readiness", WORD, WORDS("explicit", "check", "exit", "immediate"), NULL},
    {"start_timeout", WORD, TIME, NULL},
    {"run_timeout", WORD, TIME, NULL},
    {"heartbeat", MAPPING, NULL,
     FIELDS({"interval", WORD, TIME, NULL}, {"stale_after", WORD, TIME, NULL},
            {"on_stale", WORD, WORDS("report", "restart"), NULL}, {"required", WORD, FLAG, NULL})},
    {"health_check", MAPPING, NULL,
     FIELDS({"tcp", WORD, ADDRESS, NULL}, {"exec", LIST, PROGRAM, NULL},
            {"http", WORD, WORDS("http://x/", "https://a@b", "ftp://x"), NULL},
            {"unix", WORD, ADDRESS, NULL}, {"interval", WORD, TIME, NULL},
            {"timeout", WORD, TIME, NULL}, {"retries", WORD, NUMBER, NULL},
            {"on_failure", WORD, WORDS("report", "restart"), NULL})},
    {"requires", LIST, IDS, NULL},
    {"after", LIST, IDS, NULL},
    {"criticality", WORD, WORDS("critical", "optional"), NULL},
    {"group", WORD, WORDS("g1", "g2", ""), NULL},
    {"tags", LIST, WORDS("a", "b", "\"a\\nb\""), NULL},
    {"stdout", MAPPING, NULL,
     FIELDS({"file", WORD, PATH, NULL}, {"max_size", WORD, SIZE, NULL},
            {"keep", WORD, NUMBER, NULL})},
    {"sockets", LIST_OF_MAPPINGS, NULL,
     FIELDS({"name", WORD, WORDS("s", "t", "a:b"), NULL}, {"listen", WORD, ADDRESS, NULL},
            {"type", WORD, WORDS("stream", "datagram"), NULL},
            {"mode", WORD, WORDS("0600", "9"), NULL})},
    {"primary", WORD, IDS, NULL},
    {"order", WORD, WORDS("around", "with", "before"), NULL},
    {"autostart", WORD, FLAG, NULL},
    {"same_name", WORD, WORDS("reject", "queue", "replace"), NULL},
    {"schedule", MAPPING, NULL,
     FIELDS(
         {"at", LIST, WORDS("daily", "Mon..Fri 07:30", "30 7 * * 1-5", "\"*:0/7\"", "25:00"), NULL},
         {"time_zone", WORD, WORDS("UTC", "Europe/Berlin", "../x", "EST5EDT,M3.2.0,M11.1.0"), NULL},
         {"random_delay", WORD, TIME, NULL}, {"persistent", WORD, FLAG, NULL},
         {"overlap", WORD, WORDS("skip", "queue", "replace"), NULL})},
    {},
};

static const struct field supervisor[] = {
    {"supervisor", WORD, WORDS("s1", "s2", "s3", "root", "s1/s2"), NULL},
    {"strategy", WORD, WORDS("one-for-one", "one-for-all", "rest-for-one"), NULL},
    {"restart_limit", MAPPING, NULL, limit},
    {"escalation", WORD, WORDS("parent", "quarantine-scope", "shutdown-tree"), NULL},
    {"max_restarts_in_flight", WORD, NUMBER, NULL},
    {"defaults", MAPPING, NULL,
     FIELDS({"restart", WORD, WORDS("permanent", "transient", "temporary"), NULL},
            {"restart_limit", MAPPING, NULL, limit}, {"start_timeout", WORD, TIME, NULL},
            {"stop", MAPPING, NULL, FIELDS({"timeout", WORD, TIME, NULL})})},
    {"groups", LIST_OF_MAPPINGS, NULL,
     FIELDS({"name", WORD, WORDS("g1", "g2"), NULL},
            {"strategy", WORD, WORDS("one-for-one", "one-for-all"), NULL},
            {"restart_limit", MAPPING, NULL, limit},
            {"budget", MAPPING, NULL,
             FIELDS({"restarts", WORD, NUMBER, NULL}, {"interval", WORD, TIME, NULL})})},
    {},
};

/* ---- choices --------------------------------------------------------------------------------- */

struct maker {
    const uint8_t *choices;
    size_t count;
    FILE *out;
    struct {
        unsigned number;
        enum kind kind;
    } anchors[ANCHORS_MAX];
    unsigned n_anchors, next_anchor;
};

/* 0 to n - 1; 0 when there are no more choices. */
static unsigned choose(struct maker *maker, unsigned n)
{
    if (maker->count == 0)
        return 0;
    maker->count--;
    return *maker->choices++ % n;
}

static bool rarely(struct maker *maker)
{
    return choose(maker, 16) == 15;
}

static void write_value(struct maker *maker, const struct field *field, int depth);

/* An anchor that was given before, of this kind or, now and then, of any. */
static bool write_alias(struct maker *maker, enum kind kind)
{
    bool any = rarely(maker);

    if (maker->n_anchors == 0)
        return false;
    unsigned i = choose(maker, maker->n_anchors);
    if (!any && maker->anchors[i].kind != kind)
        return false;
    fprintf(maker->out, "*a%u ", maker->anchors[i].number);
    return true;
}

static void write_anchor(struct maker *maker, enum kind kind)
{
    unsigned number = rarely(maker) ? 0 : maker->next_anchor++;

    fprintf(maker->out, "&a%u ", number);
    if (maker->n_anchors < ANCHORS_MAX) {
        maker->anchors[maker->n_anchors].number = number;
        maker->anchors[maker->n_anchors++].kind = kind;
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

static void write_word(struct maker *maker, const char *const *words)
{
    unsigned n = 0;

    while (words[n])
        n++;
    const char *word = words[choose(maker, n < 2 || rarely(maker) ? n : 2)]; /* two that fit */
    fputs(rarely(maker) ? "!!str " : "", maker->out);
    fputs(*word ? word : "\"\"", maker->out);
}

static void write_list(struct maker *maker, const struct field *field)
{
    static const struct field word = {NULL, WORD, NULL, NULL};
    struct field item = word;

    item.words = field->words;
    fputc('[', maker->out);
    for (unsigned i = 0, n = 1 + choose(maker, 4); i < n; i++) {
        fputs(i > 0 ? ", " : "", maker->out);
        write_value(maker, &item, DEPTH_MAX);
    }
    fputc(']', maker->out);
}

static void write_merge(struct maker *maker, const struct field *fields, int depth)
{
    fputs("<<: ", maker->out);
    switch (choose(maker, 3)) {
    case 0:
        if (!write_alias(maker, MAPPING))
            fputs("{}", maker->out);
        break;
    case 1:
        fputc('[', maker->out);
        fputs(write_alias(maker, MAPPING) ? ", " : "", maker->out);
        if (!write_alias(maker, MAPPING))
            fputs("{}", maker->out);
        fputc(']', maker->out);
        break;
    default:
        write_value(maker, &(struct field){NULL, MAPPING, NULL, fields}, depth + 1);
    }
}

/* Keys of the table, each with some luck; the first, which is most often needed, with more. */
static void write_fields(struct maker *maker, const struct field *fields, int depth, bool *first)
{
    unsigned n = 0, step;

    while (fields[n].key)
        n++;
    step = 1 + choose(maker, n);
    for (unsigned i = 0; i < n; i += i == 0 ? step : 1 + choose(maker, n)) {
        fputs(*first ? "" : ", ", maker->out);
        *first = false;
        fprintf(maker->out, "%s: ", rarely(maker) ? "unknown" : fields[i].key);
        write_value(maker, &fields[i], depth + 1);
        if (rarely(maker)) {
            fputs(", ", maker->out);
            write_merge(maker, fields, depth);
        }
    }
}

static void write_mapping(struct maker *maker, const struct field *fields, int depth)
{
    bool first = true;

    fputc('{', maker->out);
    write_fields(maker, fields, depth, &first);
    fputc('}', maker->out);
}

static void write_value(struct maker *maker, const struct field *field, int depth)
{
    unsigned way = choose(maker, 8);
    enum kind kind = rarely(maker) ? WORD : field->kind;
    static const char *const anything[] = {"x", "[[]]", "{a: [b]}", "~", "''", NULL};

    if (way == 7 && write_alias(maker, field->kind))
        return;
    if (way >= 5)
        write_anchor(maker, field->kind);
    switch (kind) {
    case WORD:
        write_word(maker, field->words ? field->words : anything);
        break;
    case LIST:
        write_list(maker, field);
        break;
    case MAPPING:
        write_mapping(maker, field->fields ? field->fields : child, depth);
        break;
    case LIST_OF_MAPPINGS:
        fputc('[', maker->out);
        for (unsigned i = 0, n = 1 + choose(maker, 3); i < n; i++) {
            fputs(i > 0 ? ", " : "", maker->out);
            write_mapping(maker, field->fields, depth);
        }
        fputc(']', maker->out);
        break;
    }
}

/* ---- trees ----------------------------------------------------------------------------------- */

static void write_member(struct maker *maker, int depth);

static void write_children(struct maker *maker, int depth)
{
    if (choose(maker, 8) == 7 && write_alias(maker, LIST_OF_MAPPINGS))
        return;
    if (choose(maker, 4) == 3)
        write_anchor(maker, LIST_OF_MAPPINGS);
    fputc('[', maker->out);
    for (unsigned i = 0, n = choose(maker, 4); i < n && ftell(maker->out) < TEXT_MAX; i++) {
        fputs(i > 0 ? ", " : "", maker->out);
        write_member(maker, depth);
    }
    fputc(']', maker->out);
}

static void write_supervisor(struct maker *maker, int depth)
{
    bool first = true;

    fputc('{', maker->out);
    write_fields(maker, supervisor, depth, &first);
    fputs(first ? "children: " : ", children: ", maker->out);
    write_children(maker, depth + 1);
    fputc('}', maker->out);
}

static void write_member(struct maker *maker, int depth)
{
    if (depth < DEPTH_MAX && choose(maker, 4) == 3)
        write_supervisor(maker, depth);
    else
        write_value(maker, &(struct field){NULL, MAPPING, NULL, child}, depth);
}

/* Top-level keys that hold anchors for what follows. */
static void write_extensions(struct maker *maker)
{
    for (unsigned i = 0, n = choose(maker, 4); i < n; i++) {
        fprintf(maker->out, "x-%u: ", i);
        write_value(maker, &(struct field){NULL, MAPPING, NULL, child}, 0);
        fputs(choose(maker, 4) == 3 ? " # a comment\n" : "\n", maker->out);
    }
}

char *maker_make(const uint8_t *choices, size_t count, size_t *length)
{
    struct maker maker = {.choices = choices, .count = count};
    char *text = NULL;

    maker.out = open_memstream(&text, length);
    if (!maker.out)
        abort();
    fputs(rarely(&maker) ? "\xEF\xBB\xBF" : "", maker.out);
    write_extensions(&maker);
    if (choose(&maker, 2)) {
        fputs("children: ", maker.out);
        write_children(&maker, 0);
        fputs("\n", maker.out);
    } else {
        for (size_t i = 0; i < sizeof(child) / sizeof(child[0]) - 1; i += 1 + choose(&maker, 8)) {
            fprintf(maker.out, "%s: ", child[i].key);
            write_value(&maker, &child[i], 0);
            fputs(rarely(&maker) ? "\r\n" : "\n", maker.out);
        }
    }
    fclose(maker.out);
    return text;
}
