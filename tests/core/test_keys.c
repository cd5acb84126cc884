/*
 * Keys of a declaration: what a change costs is the same in the table of declaration_keys.h and in
 * the text.
 */
#include "../named.h"
#include "core/model/declaration_keys.h"

#include <glib.h>
#include <string.h>

static char *manual;

/* The part of the manual from one text to the next line that begins with another. */
static char *part(const char *from, const char *to)
{
    const char *start = strstr(manual, from);
    g_assert_nonnull(start);
    const char *end = strstr(start, to);
    g_assert_nonnull(end);
    return g_strndup(start, (gsize)(end - start));
}

/* The names in backquotes. */
static GHashTable *names_in(const char *text)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GStrv) pieces = g_strsplit(text, "`", -1);

    for (guint i = 1; pieces[i] && pieces[i + 1]; i += 2)
        g_hash_table_add(names, g_strdup(pieces[i]));
    return names;
}

static void check_row(const char *row, enum key_class class)
{
    g_auto(GStrv) columns = g_strsplit(row, "|", -1);
    g_autoptr(GHashTable) names = names_in(columns[1]);
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init(&iter, names);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        enum declaration_key key = declaration_key_find(name);
        if (key == DECLARATION_KEYS || declaration_key_class(key) != class)
            g_error("the key %s has another class in the text", (char *)name);
    }
    for (int key = 0; key < DECLARATION_KEYS; key++)
        if (declaration_key_class((enum declaration_key)key) == class &&
            !g_hash_table_contains(names, declaration_key_name((enum declaration_key)key)))
            g_error("the text does not give the effect of a change of %s",
                    declaration_key_name((enum declaration_key)key));
}

static void the_text_says_what_a_change_costs(void)
{
    g_autofree char *table = part("| keys | effect |", "\n\n");
    g_auto(GStrv) lines = g_strsplit(table, "\n", -1);

    check_row(lines[2], KEY_IN_PLACE);
    check_row(lines[3], KEY_OF_PROCESS);
    check_row(lines[4], KEY_IS_IDENTITY);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(g_file_get_contents(g_getenv("MANUAL"), &manual, NULL, NULL));
    TEST("/keys", the_text_says_what_a_change_costs);
    int r = g_test_run();
    g_free(manual);
    return r;
}
