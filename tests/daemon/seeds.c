#include "seeds.h"

/* Steps that name a file of the test's folder. */
char *seed_steps(struct fixture *f, const char *format, const char *file)
{
    GString *out = g_string_new("");

    for (; *format; format++)
        if (*format == '@')
            g_string_append_printf(out, "%s/%s", f->folder, file);
        else
            g_string_append_c(out, *format);
    return g_string_free(out, FALSE);
}

void seed_add(struct fixture *f, const char *name, const char *yaml, const char *format,
              const char *file)
{
    g_autofree char *text = seed_steps(f, format, file);
    fixture_add(f, name, yaml, text);
}

void seed_has_text(struct fixture *f, const char *child, const char *property, const char *expected)
{
    g_autofree char *value = fixture_text(f, child, property);
    g_assert_cmpstr(value, ==, expected);
}

void seed_event_has(struct fixture *f, const char *kind, const char *child, const char *field,
                    const char *expected)
{
    g_autofree char *value = fixture_event_field(f, kind, child, field);
    g_assert_cmpstr(value, ==, expected);
}

GVariant *seed_shut_down(struct fixture *f)
{
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "wait", g_variant_new_boolean(TRUE));
    g_autoptr(GVariant) reply =
        fixture_manager(f, "Shutdown", g_variant_new("(sa{sv})", "test", &options), NULL);
    return g_variant_get_child_value(reply, 0);
}
