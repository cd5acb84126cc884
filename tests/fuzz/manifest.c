/*
 * Manifests: whatever the text is, there is a declaration, or an error that names a place and can
 * be sent over D-Bus. What was accepted can be declared in a core, or is refused there with a
 * reason.
 */
#include "target.h"

#include "core/core.h"
#include "drop_in.h"
#include "manifest.h"
#include "mistakes.h"
#include "core/vocabulary/text.h"

#include <stdlib.h>
#include <string.h>

static void check_error(const struct manifest_error *error)
{
    char copy[sizeof(error->text)];

    memcpy(copy, error->text, sizeof(copy));
    if (!memchr(copy, '\0', sizeof(copy)) || copy[0] == '\0')
        found("an error without a word");
    text_make_line(copy);
    if (strcmp(copy, error->text) != 0)
        found("an error that is not UTF-8");
}

/* Where all mistakes are asked for, the first is the one that refuses it otherwise; and what could
 * be read has names that are valid. */
static void check_all(const char *text, size_t size, const struct manifest_error *refused)
{
    struct manifest_error error = {};
    struct mistakes mistakes = {};
    struct manifest *manifest = NULL;
    const struct manifest_text whole = {"", text, size};
    int r = manifest_parse_all(&whole, 0, &mistakes, &manifest, &error);
    const char *first = mistakes_text(&mistakes, 0);

    if (r < 0)
        found("a refusal, where all mistakes are asked for");
    if ((first != NULL) != (refused != NULL) || (first && !strstr(first, refused->text)))
        found("the first of all mistakes is another one");
    for (size_t i = 0; i < manifest_count(manifest); i++)
        if (!child_id_valid(manifest_declaration(manifest, i)->id))
            found("an id that is none, behind a mistake");
    manifest_free(manifest);
    mistakes_free(&mistakes);
}

/* What stands behind a byte 1 is a drop-in over what stands before it. */
static void check_drop_in(const char *text, size_t size)
{
    struct manifest_error error = {};
    struct manifest *manifest = NULL;
    const char *over = memchr(text, 1, size);

    if (!over)
        return;
    const struct manifest_text texts[] = {
        {"below", text, (size_t)(over - text)},
        {"over", over + 1, size - (size_t)(over - text) - 1},
    };
    if (manifest_parse_all(texts, 1, NULL, &manifest, &error) < 0)
        check_error(&error);
    else
        manifest_free(manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest_error error = {};
    struct manifest *manifest = NULL;
    int r = manifest_parse((const char *)data, size, "", &manifest, &error);

    if (size > 0)
        check_drop_in((const char *)data, size);
    if (r < 0) {
        check_error(&error);
        check_all((const char *)data, size, &error);
        return 0;
    }
    for (size_t i = 0; i < manifest_count(manifest); i++) {
        const struct child_declaration *declaration = manifest_declaration(manifest, i);
        if (!child_id_valid(declaration->id))
            found("an id that is none");
        manifest_locate(manifest, i, 0, &error);
    }
    manifest_free(manifest);
    check_all((const char *)data, size, NULL);
    return 0;
}
