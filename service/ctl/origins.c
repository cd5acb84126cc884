#include "ctl/origins.h"

#include "core/vocabulary/error.h"
#include "ctl/terminal.h"
#include "manifest/drop_in.h"
#include "manifest/manifest.h"
#include "manifest/manifest_files.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct origin {
    struct json *json; /* NULL: people read it */
    size_t keys;
};

static void tell_key(void *userdata, const char *key)
{
    struct origin *origin = userdata;

    if (origin->json) {
        json_item(origin->json);
        json_text(origin->json->out, key);
    } else {
        fputs(origin->keys > 0 ? ", " : ": ", stdout);
        text_write(stdout, key);
    }
    origin->keys++;
}

static void begin(struct origin *origin, const char *path)
{
    if (!origin->json) {
        fputs("# ", stdout);
        text_write(stdout, path);
        return;
    }
    json_item(origin->json);
    json_open(origin->json, '{');
    json_key(origin->json, "file");
    json_text(origin->json->out, path);
    json_key(origin->json, "keys");
    json_open(origin->json, '[');
}

static void end(struct origin *origin)
{
    if (!origin->json) {
        putchar('\n');
        return;
    }
    json_close(origin->json, ']');
    json_close(origin->json, '}');
}

static void tell_one(struct json *json, const char *path)
{
    struct origin origin = {.json = json};
    struct manifest_error wrong = {};
    struct arena arena = {};
    struct error error;
    const struct node *root = NULL;
    char *text = NULL;
    size_t length = 0;

    begin(&origin, path);
    if (manifest_files_read(path, &text, &length, &error) == 0 &&
        drop_in_parse(&arena, &(struct manifest_text){path, text, length}, path, &root, &wrong) ==
            0 &&
        root)
        drop_in_keys(root, tell_key, &origin);
    end(&origin);
    arena_free(&arena);
    free(text);
}

static void tell_all(struct json *json, const char *manifest_path)
{
    char folder[PATH_MAX + 4], *names = NULL;
    struct error error;
    size_t size = 0;
    bool is_folder = false;

    assert(manifest_path);
    snprintf(folder, sizeof(folder), "%.4090s.d", manifest_path);
    if (manifest_files_list(folder, &names, &size, &is_folder, &error) < 0 || !is_folder)
        size = 0;
    for (const char *name = names; name && name < names + size; name += strlen(name) + 1)
        tell_one(json, name);
    free(names);
}

void origins_print(const char *manifest_path)
{
    tell_all(NULL, manifest_path);
}

void origins_answer(struct json *json, const char *manifest_path)
{
    tell_all(json, manifest_path);
}
