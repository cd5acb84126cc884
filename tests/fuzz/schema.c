/*
 * Manifests made from the schema (maker.h): refused with a place and a word, or read; and what is
 * written of a child that was read is whole on its own and means the same.
 */
#include "target.h"

#include "maker.h"
#include "manifest.h"
#include "core/vocabulary/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_error(const struct manifest_error *error)
{
    if (error->text[0] == '\0')
        found("an error without a word");
    if (error->line == 0 || error->column == 0)
        found("an error without a place");
    if (!text_is_at_most(error->text, TEXT_CONTROL))
        found("an error that is not UTF-8");
}

static void check_written(const struct child_declaration *declaration)
{
    const char *text = declaration->manifest;
    struct manifest *again;
    struct manifest_error error;

    if ((size_t)declaration->secret_from + declaration->secret_length > strlen(text))
        found("a secret beyond the text");
    if (manifest_parse(text, strlen(text), "again", &again, &error) < 0) {
        fprintf(stderr, "%s\n%zu:%zu: %s\n", text, error.line, error.column, error.text);
        found("a written manifest that cannot be read");
    }
    if (manifest_count(again) != 1 || strcmp(manifest_declaration(again, 0)->manifest, text) != 0)
        found("a written manifest that says another thing");
    if (strstr(text, " &a") || strstr(text, " *a") || strstr(text, "<<:") || strstr(text, "# a"))
        found("an anchor, an alias, a merge key or a comment in a written manifest");
    manifest_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest_error error = {};
    struct manifest *manifest = NULL;
    size_t length;
    char *text = maker_make(data, size, &length);

    if (getenv("SHOW"))
        puts(text);
    int r = manifest_parse(text, length, "made", &manifest, &error);
    free(text);
    if (getenv("SHOW"))
        printf("-> %zu:%zu: %s\n", error.line, error.column, r < 0 ? error.text : "read");
    if (r < 0) {
        check_error(&error);
        return 0;
    }
    for (size_t i = 0; i < manifest_count(manifest); i++) {
        check_written(manifest_declaration(manifest, i));
        manifest_locate(manifest, i, 0, &error);
    }
    manifest_free(manifest);
    return 0;
}
