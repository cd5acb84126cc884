/*
 * Documents: what aliases and merge keys stand for, what is bounded, and what is written again.
 */
#include "../named.h"
#include "node.h"
#include "manifest.h"
#include "written.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

struct parsed {
    struct arena arena;
    const struct node *root;
    struct manifest_error error;
    int result;
};

static void parse_bytes(struct parsed *parsed, const char *text, size_t length, size_t max)
{
    *parsed = (struct parsed){};
    parsed->result = node_parse(&parsed->arena, text, length, max, &parsed->root, &parsed->error);
}

static void release(struct parsed *parsed)
{
    arena_free(&parsed->arena);
}

/* The text means what `written` says, and that is the same when it is read again. */
static void expect(const char *text, const char *written)
{
    struct parsed parsed, again;

    parse_bytes(&parsed, text, strlen(text), 1 << 20);
    g_assert_cmpstr(parsed.error.text, ==, "");
    g_assert_cmpint(parsed.result, ==, 0);
    const char *first = manifest_write(&parsed.arena, parsed.root, NULL, NULL).text;
    g_assert_cmpstr(first, ==, written);
    parse_bytes(&again, first, strlen(first), 1 << 20);
    g_assert_cmpint(again.result, ==, 0);
    g_assert_cmpstr(manifest_write(&again.arena, again.root, NULL, NULL).text, ==, first);
    release(&parsed);
    release(&again);
}

static void refuse(const char *text, size_t max, size_t line, size_t column, const char *why)
{
    struct parsed parsed;

    parse_bytes(&parsed, text, strlen(text), max);
    g_assert_cmpint(parsed.result, ==, -EINVAL);
    g_assert_cmpuint(parsed.error.line, ==, line);
    g_assert_cmpuint(parsed.error.column, ==, column);
    g_assert_nonnull(strstr(parsed.error.text, why));
    release(&parsed);
}

static void aliases(void)
{
    expect("a: &a [x, y]\nb: *a\n", "a: [x, y]\nb: [x, y]\n");
    expect("a: &a {k: &v w}\nb: {l: *v, m: *a}\n", "a: {k: w}\nb: {l: w, m: {k: w}}\n");
    expect("a: &a 1\nb: &a 2\nc: *a\n", "a: 1\nb: 2\nc: 2\n");
    expect("? &k a\n: *k\n", "a: a\n");
    refuse("a: &a [*a]\n", 100, 1, 8, "inside the node that it refers to");
    refuse("a: *b\nc: &b 1\n", 100, 1, 4, "no anchor &b");
}

static void merge_keys(void)
{
    expect("x-b: &b {k: 1, l: 2}\n<<: *b\nl: 3\n", "l: 3\nk: 1\n");
    expect("l: 3\n<<: {k: 1, l: 2}\n", "l: 3\nk: 1\n");
    expect("<<: [{k: 1}, {k: 2, l: 3}]\n", "k: 1\nl: 3\n");
    expect("x-a: &a {k: 1}\nx-b: &b {<<: *a, l: 2}\nc: {<<: *b, m: 3}\n",
           "c: {m: 3, l: 2, k: 1}\n");
    expect("<<: []\na: 1\n", "a: 1\n");
    expect("a: {'<<': {b: 1}}\n", "a: {\"<<\": {b: 1}}\n");
    refuse("<<: [{a: 1}, [b]]\n", 100, 1, 14, "<<: expected");
}

static void keys_given_twice(void)
{
    refuse("a: 1\nb: 2\na: 3\n", 100, 3, 1, "\"a\" is given twice, first on line 1");
    refuse("a: {\"b\": 1, b: 2}\n", 100, 1, 13, "\"b\" is given twice");
    refuse("{a: 1, ? b, ? b}", 100, 1, 15, "\"b\" is given twice");
}

static void extensions_are_left_out_at_the_top(void)
{
    expect("x-a: 1\nxb: 2\nc: {x-d: 3}\n", "xb: 2\nc: {x-d: 3}\n");
}

static void written_texts(void)
{
    expect("a: 'it''s'\n", "a: \"it's\"\n");
    expect("a: \"1\"\nb: 1\n", "a: \"1\"\nb: 1\n");
    expect("a: |\n  x\n  y\n", "a: \"x\\ny\\n\"\n");
    expect("a: \"\\t\\e\\x85\\u2028\\\"\\\\\"\n", "a: \"\\t\\x1b\\x85\\u2028\\\"\\\\\"\n");
    expect("a: \xC3\xA4 b # comment\n", "a: \"\xC3\xA4 b\"\n");
    expect("a: http://x:1/y\nb: -c\nc: '-'\nd:\n", "a: http://x:1/y\nb: -c\nc: \"-\"\nd: \"\"\n");
    expect("a: [--long, .., ~, '']\n", "a: [\"--long\", \"..\", \"~\", \"\"]\n");
    expect("\xEF\xBB\xBF"
           "a: 1\r\nb: 2\r\n",
           "a: 1\nb: 2\n");
}

static void long_keys_can_be_read_again(void)
{
    for (size_t length = 127; length <= 1500; length += length < 130 ? 1 : 450) {
        g_autofree char *key = g_strnfill(length, 'k');
        g_autofree char *text = g_strdup_printf("a:\n  ? %s\n  : 1\n", key);
        g_autofree char *written =
            g_strdup_printf(length > 128 ? "a: {? %s : 1}\n" : "a: {%s: 1}\n", key);
        expect(text, written);
    }
}

static void secrets_have_a_place(void)
{
    struct parsed parsed;
    const char *text = "name: web\nenvironment: {A: s3cret}\nnice: 1\n";

    parse_bytes(&parsed, text, strlen(text), 100);
    struct written written = manifest_write(&parsed.arena, parsed.root, NULL, "environment");
    g_assert_cmpint(strncmp(written.text + written.secret_from, "{A: s3cret}", 11), ==, 0);
    g_assert_cmpuint(written.secret_length, ==, 11);
    release(&parsed);
}

static void depth_is_bounded(void)
{
    for (size_t levels = NODE_DEPTH_MAX - 1; levels <= NODE_DEPTH_MAX + 1; levels++) {
        g_autofree char *open = g_strnfill(levels, '['), *close = g_strnfill(levels, ']');
        g_autofree char *text = g_strdup_printf("%s%s", open, close);
        struct parsed parsed;
        parse_bytes(&parsed, text, strlen(text), 100);
        g_assert_cmpint(parsed.result, ==, levels > NODE_DEPTH_MAX ? -EINVAL : 0);
        release(&parsed);
    }
}

static void what_aliases_stand_for_is_bounded(void)
{
    /* The list weighs 1, each item 2. */
    for (size_t max = 13; max <= 15; max++) {
        const char *text = "a: &a [x, y, z]\nb: [*a, *a]\n";
        struct parsed parsed;
        parse_bytes(&parsed, text, strlen(text), max);
        g_assert_cmpint(parsed.result, ==, max < 14 ? -EINVAL : 0);
        release(&parsed);
    }
}

static void other_encodings(void)
{
    static const char utf16[] = "\xFF\xFE"
                                "a\0",
                      bare[] = "a\0:\0", nul[] = "a: 1\nb: \0";
    struct parsed parsed;

    parse_bytes(&parsed, utf16, sizeof(utf16) - 1, 100);
    g_assert_nonnull(strstr(parsed.error.text, "UTF-16"));
    release(&parsed);
    parse_bytes(&parsed, bare, sizeof(bare) - 1, 100);
    g_assert_nonnull(strstr(parsed.error.text, "UTF-16"));
    release(&parsed);
    parse_bytes(&parsed, nul, sizeof(nul) - 1, 100);
    g_assert_cmpuint(parsed.error.line, ==, 2);
    g_assert_cmpuint(parsed.error.column, ==, 4);
    release(&parsed);
}

static void nothing(void)
{
    static const char *const texts[] = {"", "\n", "# a\n", "\xEF\xBB\xBF"};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct parsed parsed;
        parse_bytes(&parsed, texts[i], strlen(texts[i]), 100);
        g_assert_cmpint(parsed.result, ==, 0);
        g_assert_null(parsed.root);
        release(&parsed);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/node", aliases);
    TEST("/node", merge_keys);
    TEST("/node", keys_given_twice);
    TEST("/node", extensions_are_left_out_at_the_top);
    TEST("/node", written_texts);
    TEST("/node", long_keys_can_be_read_again);
    TEST("/node", secrets_have_a_place);
    TEST("/node", depth_is_bounded);
    TEST("/node", what_aliases_stand_for_is_bounded);
    TEST("/node", other_encodings);
    TEST("/node", nothing);
    return g_test_run();
}
