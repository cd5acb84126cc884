/*
 * Keys: what keys.def says of each key of a manifest is so. Its default changes nothing, its words
 * and the ends of its range are taken, what is beyond is not, and a change costs what the core
 * says.
 */
#include "../named.h"
#include "core/model/archive.h"
#include "core/model/declaration_keys.h"
#include "core/model/declaration_archive.h"
#include "manifest.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

static const struct row {
    const char *of, *path, *type, *def, *kinds, *range, *cost;
} rows[] = {
#define KEY(of, path, section, type, def, kinds, range, cost, draws, meaning)                      \
    {#of, path, #type, def, kinds, range, #cost},
#include "manifest/keys.def"
#undef KEY
};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* ---- a manifest that says one key ------------------------------------------------------------ */

/* What else a mapping must say so that a key in it can be tried. */
static const char *beside(const struct row *row, const char *above, const char *key)
{
    if (is(above, "health_check"))
        return is(key, "exec") || is(key, "tcp") || is(key, "unix") ? "" : "tcp: 80";
    if (is(above, "heartbeat"))
        return is(key, "interval") ? "" : "interval: 1s";
    if (is(above, "schedule"))
        return is(key, "at")          ? "time_zone: UTC"
               : is(key, "time_zone") ? "at: daily"
                                      : "at: daily, time_zone: UTC";
    if (is(above, "stdout"))
        return is(key, "file") ? "" : "file: /f";
    if (is(above, "before"))
        return is(key, "exec") ? "" : "exec: [/p]";
    if (is(above, "sockets"))
        return is(key, "name")     ? "listen: 80"
               : is(key, "listen") ? "name: s"
                                   : "name: s, listen: 80";
    if (is(above, "budget") && is(row->of, "GROUP"))
        return is(key, "restarts") ? "interval: 1h" : "restarts: 1";
    return "";
}

/* "KEY: VALUE", within the mapping that it stands in; without a value, that mapping alone. */
static char *entry(const struct row *row, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(row->path, ".", 2);
    const char *key = parts[1] ? parts[1] : parts[0];
    g_autofree char *said = value ? g_strdup_printf("%s: %s", key, value) : g_strdup("");

    if (!parts[1])
        return g_steal_pointer(&said);
    const char *others = beside(row, parts[0], key);
    const char *comma = others[0] && value ? ", " : "";
    if (is(parts[0], "stdout") && !others[0] && !value)
        return g_strdup("");
    bool list = is(parts[0], "sockets") || is(parts[0], "before");
    return g_strdup_printf(list ? "%s: [{%s%s%s}]" : "%s: {%s%s%s}", parts[0], others, comma, said);
}

static const char *needs(const struct row *row, const char *kind, const char *value)
{
    if (is(row->path, "primary"))
        return "kind: sidecar\n";
    if (is(row->path, "order"))
        return "kind: sidecar\nprimary: p\n";
    if (value && is(row->path, "kind") && is(value, "sidecar"))
        return "primary: p\n";
    if (kind && is(kind, "sidecar"))
        return "kind: sidecar\nprimary: p\n";
    if (kind && is(kind, "service"))
        return "kind: service\n";
    if ((kind && is(kind, "job")) || strncmp(row->path, "schedule", strlen("schedule")) == 0)
        return "kind: job\n";
    if (value && is(row->path, "on_success"))
        return "restart: transient\n";
    if (value && is(row->path, "readiness") && is(value, "check"))
        return "health_check: {tcp: 80}\n";
    return "";
}

static char *text_of(const struct row *row, const char *kind, const char *value)
{
    g_autofree char *said = entry(row, value);

    if (is(row->of, "SUPERVISOR"))
        return g_strdup_printf("%s%s\n", is(row->path, "children") ? "" : "children: []\n", said);
    if (is(row->of, "GROUP"))
        return g_strdup_printf("children: []\ngroups: [{%s%s%s}]\n",
                               is(row->path, "name") ? "" : "name: g",
                               said[0] && !is(row->path, "name") ? ", " : "", said);
    return g_strdup_printf("%s%s%s%s\n", is(row->path, "name") ? "" : "name: x\n",
                           is(row->path, "exec") ? "" : "exec: [/p]\n", needs(row, kind, value),
                           said);
}

static struct manifest *read_text(const char *text, struct manifest_error *error)
{
    struct manifest *manifest = NULL;

    *error = (struct manifest_error){};
    return manifest_parse(text, strlen(text), "", &manifest, error) == 0 ? manifest : NULL;
}

static void expect(const struct row *row, const char *value, bool good)
{
    g_autofree char *text = text_of(row, NULL, value);
    struct manifest_error error;
    struct manifest *manifest = read_text(text, &error);

    if (!manifest == good)
        g_error("%s: %s\n%s%s", row->path, good ? "is refused" : "is taken", text, error.text);
    if (manifest)
        manifest_free(manifest);
}

/* ---- defaults -------------------------------------------------------------------------------- */

static bool grow(struct archive *a, size_t size)
{
    a->data = g_realloc(a->data, 2 * size);
    a->size = 2 * size;
    return true;
}

/* All of it, but for its text. */
static GBytes *bytes_of(const struct manifest *manifest)
{
    struct archive a = {.grow = grow};
    bool settings;

    for (size_t i = 0; i < manifest_count(manifest); i++) {
        struct child_declaration d = *manifest_declaration(manifest, i);
        d.manifest = "";
        d.secret_from = d.secret_length = 0;
        declaration_archive(&a, &d);
    }
    for (size_t i = 0; i < manifest_supervisor_count(manifest); i++) {
        struct supervisor_declaration d = *manifest_supervisor(manifest, i, &settings);
        d.manifest = "";
        supervisor_declaration_archive(&a, &d);
    }
    g_assert_false(a.failed);
    GBytes *bytes = g_bytes_new(a.data, a.used);
    g_free(a.data);
    return bytes;
}

static void check_default(const struct row *row, const char *kind, const char *value)
{
    struct manifest_error error;
    g_autofree char *without = text_of(row, kind, NULL), *with = text_of(row, kind, value);
    struct manifest *manifests[] = {read_text(without, &error), read_text(with, &error)};

    if (!manifests[0] || !manifests[1])
        g_error("%s: %s\n%s", row->path, error.text, with);
    g_autoptr(GBytes) a = bytes_of(manifests[0]), b = bytes_of(manifests[1]);
    if (!g_bytes_equal(a, b))
        g_error("%s: %s is not the default%s%s", row->path, value, kind ? " of a " : "",
                kind ? kind : "");
    manifest_free(manifests[0]);
    manifest_free(manifests[1]);
}

/* What is a default only in what is shown: written down, it is kept as given. */
static bool is_kept(const struct row *row)
{
    static const char *const kept[] = {"working_directory", "umask", "nice", "oom_score_adj"};

    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
        if (is(kept[i], row->path))
            return true;
    return false;
}

static void a_default_changes_nothing(void)
{
    for (const struct row *row = rows; row < rows + G_N_ELEMENTS(rows); row++) {
        if (row->def && !is_kept(row))
            check_default(row, NULL, row->def);
        g_auto(GStrv) kinds = g_strsplit(row->kinds ? row->kinds : "", ", ", -1);
        /* A job that does not say `exit` is bounded until it runs only: the same word, shown. */
        for (guint i = 0; kinds[i] && kinds[i][0] && !is(row->path, "readiness"); i++) {
            g_auto(GStrv) pair = g_strsplit(kinds[i], " ", 2);
            check_default(row, pair[0], pair[1]);
        }
    }
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static void check_words(const struct row *row)
{
    g_auto(GStrv) words = g_strsplit(row->range, " ", -1);

    for (guint i = 0; words[i]; i++)
        expect(row, words[i], true);
    expect(row, "nonsense", false);
}

static void check_range(const struct row *row)
{
    bool octal = is(row->type, "OCTAL"), factor = is(row->type, "FACTOR");
    g_auto(GStrv) ends = g_strsplit(row->range, "..", 2);
    g_autofree char *below = NULL, *above = NULL;

    if (factor) {
        below = g_strdup_printf("%.3f", g_ascii_strtod(ends[0], NULL) - 0.001);
        above = g_strdup_printf("%.3f", g_ascii_strtod(ends[1], NULL) + 0.001);
    } else {
        below = g_strdup_printf("%ld", strtol(ends[0], NULL, 10) - 1);
        above = g_strdup_printf(octal ? "0%lo" : "%ld", strtol(ends[1], NULL, octal ? 8 : 10) + 1);
    }
    expect(row, ends[0], true);
    expect(row, ends[1], true);
    expect(row, below, false);
    expect(row, above, false);
}

static const struct {
    const char *type, *good[5], *bad[5];
} types[] = {
    {"TEXT", {}, {"[a]", "{a: b}"}},
    {"BOOL", {"true", "false"}, {"maybe", "2"}},
    {"DURATION", {"1s", "1s 500ms"}, {"soon", "infinity", "-1s"}},
    {"DEADLINE", {"1s", "0", "infinity"}, {"soon", "-1s"}},
    {"LIST", {}, {"a", "{a: b}"}},
    {"NAMES", {"a", "[]", "[a, b/c]"}, {"/a", "[..]", "{a: b}"}},
    {"MAPPING", {}, {"a", "[a]"}},
    {"SIGNAL", {"SIGUSR1", "USR1"}, {"SIGNOTHING", "0", "65"}},
    {"SIZE", {"4K", "1G"}, {"4095", "big"}},
    {"PATH", {"/a"}, {"a", "[a]"}},
    {"PROCESSORS", {"0", "0-3,5", "1023"}, {"1024", "3-1", "[0]", "0,,1"}},
    {"WORD", {}, {}},
    {"NUMBER", {}, {"many"}},
    {"OCTAL", {}, {"0888"}},
    {"FACTOR", {}, {"many"}},
};

static void check_type(const struct row *row)
{
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if (is(types[i].type, row->type)) {
            for (size_t j = 0; types[i].good[j]; j++)
                expect(row, types[i].good[j], true);
            for (size_t j = 0; types[i].bad[j]; j++)
                expect(row, types[i].bad[j], false);
            return;
        }
    g_error("%s: nobody knows the type %s", row->path, row->type);
}

static void a_range_ends_where_it_is_said(void)
{
    for (const struct row *row = rows; row < rows + G_N_ELEMENTS(rows); row++) {
        if (is(row->path, "stdout")) { /* or a mapping */
            check_words(row);
            continue;
        }
        check_type(row);
        if (is(row->type, "WORD"))
            check_words(row);
        else if (row->range)
            check_range(row);
    }
}

/* ---- what a change costs --------------------------------------------------------------------- */

static void a_change_costs_what_is_said(void)
{
    static const char *const classes[] = {[KEY_IS_IDENTITY] = "IDENTITY",
                                          [KEY_IN_PLACE] = "IN_PLACE",
                                          [KEY_OF_PROCESS] = "NEXT_START"};
    uint64_t seen = 0;

    for (const struct row *row = rows; row < rows + G_N_ELEMENTS(rows); row++) {
        g_auto(GStrv) parts = g_strsplit(row->path, ".", 2);
        if (!is(row->of, "CHILD"))
            continue;
        enum declaration_key key = declaration_key_find(parts[0]);
        if (key == DECLARATION_KEYS || !is(classes[declaration_key_class(key)], row->cost))
            g_error("%s: the core does not say %s", row->path, row->cost);
        seen |= KEY_BIT(key);
    }
    g_assert_cmpuint(seen, ==, KEY_BIT(DECLARATION_KEYS) - 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/manifest/keys", a_default_changes_nothing);
    TEST("/manifest/keys", a_range_ends_where_it_is_said);
    TEST("/manifest/keys", a_change_costs_what_is_said);
    return g_test_run();
}
