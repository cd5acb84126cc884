/*
 * Redaction: equal secrets get equal words, different ones different words, and of the secret
 * nothing is left but the name of a variable.
 */
#include "../named.h"
#include "journal/redact.h"

#include <glib.h>
#include <string.h>

static void equal_secrets_get_equal_words(void)
{
    struct redactor *redactor = redactor_new();
    const char *first = redactor_replace(redactor, "TOKEN=abc");

    g_assert_true(g_str_has_prefix(first, "TOKEN="));
    g_assert_null(strstr(first, "abc"));
    g_assert_cmpstr(first, ==, redactor_replace(redactor, "TOKEN=abc"));
    g_assert_cmpstr(first, !=, redactor_replace(redactor, "TOKEN=abd"));
    g_assert_cmpstr(first, !=, redactor_replace(redactor, "TOKEN2=abc"));
    redactor_free(redactor);
}

static void only_a_name_is_kept(void)
{
    g_autofree char *name = g_strnfill(255, 'N');
    g_autofree char *fits = g_strconcat(name, "=secret", NULL);
    g_autofree char *longer = g_strconcat(name, "N=secret", NULL);
    struct redactor *redactor = redactor_new();

    g_assert_true(g_str_has_prefix(redactor_replace(redactor, fits), name));
    g_assert_false(g_str_has_prefix(redactor_replace(redactor, longer), "N"));
    g_assert_false(g_str_has_prefix(redactor_replace(redactor, "exec: [x]\nA=b"), "exec"));
    g_assert_false(g_str_has_prefix(redactor_replace(redactor, "secret"), "secret"));
    g_assert_true(g_str_has_prefix(redactor_replace(redactor, "EMPTY="), "EMPTY=#"));
    g_assert_true(redactor_replace(redactor, "")[0] == '#');
    redactor_free(redactor);
}

static void words_stay_while_there_are_more(void)
{
    struct redactor *redactor = redactor_new();
    g_autoptr(GHashTable) words = g_hash_table_new(g_str_hash, g_str_equal);
    const char *first = redactor_replace(redactor, "0");
    g_autofree char *copy = g_strdup(first);

    for (int i = 0; i < 10000; i++) {
        g_autofree char *secret = g_strdup_printf("%d", i);
        g_hash_table_add(words, (gpointer)redactor_replace(redactor, secret));
    }
    g_assert_cmpuint(g_hash_table_size(words), ==, 10000);
    g_assert_cmpstr(first, ==, copy);
    g_assert_true(redactor_replace(redactor, "0") == first);
    redactor_free(redactor);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/redact", equal_secrets_get_equal_words);
    TEST("/redact", only_a_name_is_kept);
    TEST("/redact", words_stay_while_there_are_more);
    return g_test_run();
}
