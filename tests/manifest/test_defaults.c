/*
 * Defaults: what a child has that does not say it itself.
 */
#include "../named.h"
#include "manifest.h"

#include <glib.h>
#include <signal.h>
#include <string.h>

static struct manifest *parse(const char *text)
{
    struct manifest *manifest;
    struct manifest_error error;
    int r = manifest_parse(text, strlen(text), "", &manifest, &error);

    if (r < 0)
        g_error("%zu:%zu: %s", error.line, error.column, error.text);
    return manifest;
}

static const struct child_declaration *child(const struct manifest *manifest, const char *id)
{
    for (size_t i = 0; i < manifest_count(manifest); i++)
        if (strcmp(manifest_declaration(manifest, i)->id, id) == 0)
            return manifest_declaration(manifest, i);
    g_error("no child is called %s", id);
}

#define SECONDS UINT64_C(1000000)

static void who_says_nothing_has_them(void)
{
    struct manifest *manifest =
        parse("defaults: {restart: permanent, restart_limit: {burst: 3, interval: 1m},\n"
              "  stop: {timeout: 30s}, backoff: {initial: 2s}, start_timeout: 5s}\n"
              "children: [{name: a, exec: [/bin/true]}]\n");
    const struct child_declaration *a = child(manifest, "a");

    g_assert_cmpint(a->restart, ==, RESTART_PERMANENT);
    g_assert_cmpuint(a->burst, ==, 3);
    g_assert_cmpuint(a->interval_usec, ==, 60 * SECONDS);
    g_assert_cmpuint(a->stop_timeout_usec, ==, 30 * SECONDS);
    g_assert_cmpuint(a->backoff.initial_usec, ==, 2 * SECONDS);
    g_assert_cmpuint(a->start_timeout_usec, ==, 5 * SECONDS);
    g_assert_nonnull(strstr(a->manifest, "stop: {timeout: 30s}"));
    manifest_free(manifest);
}

static void own_keys_win_one_by_one(void)
{
    struct manifest *manifest =
        parse("defaults: {stop: {timeout: 30s, abort_timeout: 9s}, restart_limit: {burst: 3}}\n"
              "children:\n"
              "  - {name: a, exec: [/bin/true], stop: {signal: SIGINT, timeout: 1s}}\n"
              "  - {name: b, exec: [/bin/true], stop: {}, restart_limit: {interval: 7s}}\n");
    const struct child_declaration *a = child(manifest, "a"), *b = child(manifest, "b");

    g_assert_cmpint(a->process.stop_signal, ==, SIGINT);
    g_assert_cmpuint(a->stop_timeout_usec, ==, 1 * SECONDS);
    g_assert_cmpuint(a->abort_timeout_usec, ==, 9 * SECONDS);
    g_assert_cmpuint(b->stop_timeout_usec, ==, 10 * SECONDS);
    g_assert_cmpuint(b->burst, ==, 3);
    g_assert_cmpuint(b->interval_usec, ==, 7 * SECONDS);
    g_assert_nonnull(strstr(a->manifest, "stop: {signal: SIGINT, timeout: 1s, abort_timeout: 9s}"));
    manifest_free(manifest);
}

static void lists_below_inherit(void)
{
    struct manifest *manifest =
        parse("supervisor: pay\n"
              "defaults: {stop: {timeout: 30s, signal: SIGINT}, start_timeout: 5s}\n"
              "children:\n"
              "  - supervisor: eu\n"
              "    defaults: {stop: {timeout: 7s}}\n"
              "    children: [{name: a, exec: [/bin/true]}]\n"
              "  - {name: b, exec: [/bin/true]}\n");
    const struct child_declaration *a = child(manifest, "pay/eu/a"), *b = child(manifest, "pay/b");

    g_assert_cmpuint(a->stop_timeout_usec, ==, 7 * SECONDS);
    g_assert_cmpint(a->process.stop_signal, ==, SIGINT);
    g_assert_cmpuint(a->start_timeout_usec, ==, 5 * SECONDS);
    g_assert_cmpuint(b->stop_timeout_usec, ==, 30 * SECONDS);
    manifest_free(manifest);
}

static void what_does_not_fit_a_kind_is_left_out(void)
{
    struct manifest *manifest =
        parse("defaults: {restart: temporary, start_timeout: 5s, criticality: critical}\n"
              "children:\n"
              "  - {name: web, kind: service, exec: [/bin/true]}\n"
              "  - {name: worker, exec: [/bin/true]}\n"
              "  - {name: job, kind: job, exec: [/bin/true]}\n"
              "  - {name: proxy, kind: sidecar, primary: web, exec: [/bin/true]}\n");

    g_assert_cmpint(child(manifest, "web")->restart, ==, RESTART_PERMANENT);
    g_assert_cmpint(child(manifest, "worker")->restart, ==, RESTART_TEMPORARY);
    g_assert_cmpint(child(manifest, "job")->readiness, ==, READINESS_JOB);
    g_assert_cmpint(child(manifest, "proxy")->criticality, ==, CRITICALITY_OPTIONAL);
    manifest_free(manifest);
}

static void one_way_to_ask_is_enough(void)
{
    struct manifest *manifest =
        parse("defaults: {health_check: {tcp: \"127.0.0.1:80\", interval: 4s}}\n"
              "children:\n"
              "  - {name: a, exec: [/bin/true], health_check: {exec: [/bin/true]}}\n"
              "  - {name: b, exec: [/bin/true]}\n");
    const struct child_declaration *a = child(manifest, "a"), *b = child(manifest, "b");

    g_assert_cmpuint(a->health_usec, ==, 4 * SECONDS);
    g_assert_null(strstr(a->manifest, "tcp"));
    g_assert_cmpuint(b->health_usec, ==, 4 * SECONDS);
    g_assert_nonnull(strstr(b->manifest, "tcp"));
    manifest_free(manifest);
}

/* Bytes and nodes: {health_check: {exec: [/x, "..."]}} has 7 nodes and 22 characters beside it. */
static bool is_taken(size_t length)
{
    g_autofree char *text = g_strnfill(length, 'x');
    g_autofree char *whole = g_strdup_printf(
        "defaults: {health_check: {exec: [/x, \"%s\"]}}\nchildren: [{name: a, exec: [/x]}]\n",
        text);
    struct manifest *manifest;
    struct manifest_error error;
    int r = manifest_parse(whole, strlen(whole), "", &manifest, &error);

    if (r == 0)
        manifest_free(manifest);
    else
        g_assert_nonnull(strstr(error.text, "is longer than 2048"));
    return r == 0;
}

static void they_are_short(void)
{
    size_t longest = 0;

    for (size_t i = 1900; i < 2100; i++)
        if (is_taken(i))
            longest = i;
    g_assert_cmpuint(longest, >, 1900);
    g_assert_cmpuint(longest, <, 2048);
    g_assert_true(is_taken(longest - 1));
    g_assert_false(is_taken(longest + 1));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/manifest/defaults", who_says_nothing_has_them);
    TEST("/manifest/defaults", own_keys_win_one_by_one);
    TEST("/manifest/defaults", lists_below_inherit);
    TEST("/manifest/defaults", what_does_not_fit_a_kind_is_left_out);
    TEST("/manifest/defaults", one_way_to_ask_is_enough);
    TEST("/manifest/defaults", they_are_short);
    return g_test_run();
}
