#include "fixture.h"

/* ---- dictionaries ---------------------------------------------------------------------------- */

static GVariant *look_up(GVariant *dictionary, const char *key)
{
    GVariant *value = g_variant_lookup_value(dictionary, key, NULL);
    if (!value)
        g_error("no key %s", key);
    return value;
}

const char *dict_text(GVariant *dictionary, const char *key)
{
    g_autoptr(GVariant) value = look_up(dictionary, key);
    return g_intern_string(g_variant_get_string(value, NULL));
}

guint64 dict_number(GVariant *dictionary, const char *key)
{
    g_autoptr(GVariant) value = look_up(dictionary, key);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32))
        return g_variant_get_uint32(value);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT32))
        return (guint64)g_variant_get_int32(value);
    return g_variant_get_uint64(value);
}

gboolean dict_flag(GVariant *dictionary, const char *key)
{
    g_autoptr(GVariant) value = look_up(dictionary, key);
    return g_variant_get_boolean(value);
}

gboolean dict_has(GVariant *dictionary, const char *key)
{
    g_autoptr(GVariant) value = g_variant_lookup_value(dictionary, key, NULL);
    return value != NULL;
}

GVariant *dict_dict(GVariant *dictionary, const char *key)
{
    return look_up(dictionary, key);
}

/* ---- trees ----------------------------------------------------------------------------------- */

void fixture_write_tree(struct fixture *f, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "@", -1);
    g_autofree char *full = g_strjoinv(g_getenv("TEST_CHILD"), parts);

    g_assert_true(g_file_set_contents(fixture_path(f, "children.d/tree.yaml"), full, -1, NULL));
}

static GVariant *reload(struct fixture *f, const char *option, GError **error)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    if (option)
        g_variant_builder_add(&options, "{sv}", option, g_variant_new_boolean(TRUE));
    g_autoptr(GVariant) reply =
        fixture_manager(f, "Reload", g_variant_new("(sa{sv})", "test", &options), error);

    return reply ? g_variant_get_child_value(reply, 0) : NULL;
}

GVariant *fixture_reload(struct fixture *f, GError **error)
{
    return reload(f, NULL, error);
}

GVariant *fixture_reload_with(struct fixture *f, const char *option)
{
    return reload(f, option, NULL);
}
