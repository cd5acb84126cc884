/*
 * Which format a file has, by its name and its contents.
 */
#include "convert/convert.h"

#include "convert/compose.h"
#include "manifest/manifest.h"
#include "convert/pebble.h"
#include "convert/procfile.h"
#include "convert/run_folder.h"
#include "convert/source.h"
#include "convert/supervisord.h"
#include "convert/systemd_unit.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool ends(const char *path, const char *end)
{
    size_t length;
    return source_ends(path, end, &length);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A YAML file without services is neither. */
static int convert_services(const struct yaml_file *file, const struct node *root)
{
    const struct node *services = yaml_find(root, "services");

    if (!services || services->kind != NODE_MAPPING)
        return conversion_refuse(file->conversion, (struct place){file->path, 0},
                                 "is no Compose file and no Pebble layer: it has no `services:`");
    if (yaml_find(root, "include"))
        yaml_lose(file, yaml_find(root, "include"), "include",
                  "is not followed: give those files to convert, too");
    return compose_convert(file, services);
}

/* Variables are interpolated in Compose files only. */
static int convert_yaml(struct conversion *conversion, const char *path)
{
    struct yaml_file file = {.conversion = conversion, .path = path, .folder = "/"};
    struct manifest_error error = {};
    const struct node *root = NULL;
    char resolved[PATH_MAX];
    const char *text = NULL;
    int r = source_read(conversion, path, &text);

    if (r < 0)
        return r;
    r = node_parse(&conversion->arena, text, strlen(text), SOURCE_MAX, &root, &error);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return conversion_refuse(conversion, (struct place){path, error.line}, "%s", error.text);
    if (realpath(path, resolved)) {
        size_t n = (size_t)(strrchr(resolved, '/') - resolved);
        file.folder = conversion_copy(conversion, resolved, n > 0 ? n : 1);
    }
    file.interpolates = !pebble_is(root);
    return file.interpolates ? convert_services(&file, root) : pebble_convert(&file, root);
}

/* By name. */
static int convert_one(struct conversion *conversion, const char *path)
{
    if (is_folder(path))
        return run_folder_convert(conversion, path);
    if (systemd_unit_is(path))
        return systemd_unit_convert(conversion, path);
    if (strncmp(source_base(path), "Procfile", strlen("Procfile")) == 0)
        return procfile_convert(conversion, path);
    if (ends(path, ".conf") || ends(path, ".ini"))
        return supervisord_convert(conversion, path);
    if (ends(path, ".yaml") || ends(path, ".yml"))
        return convert_yaml(conversion, path);
    return conversion_refuse(
        conversion, (struct place){path, 0},
        "is of no known kind: a unit (*.service, *.socket, *.timer), supervisord.conf, a Compose "
        "file or Pebble layer (*.yaml), a Procfile, or a folder with a `run` file is expected");
}

/* Units are finished together, since sockets and timers belong to services of
 * other files. */
int convert_files(struct conversion *conversion, const char *const *paths, size_t count)
{
    int r = 0;

    assert(conversion && (paths || count == 0));
    if (count > CONVERT_FILES_MAX)
        return conversion_refuse(conversion, (struct place){paths[CONVERT_FILES_MAX], 0},
                                 "more than %d files", CONVERT_FILES_MAX);
    for (size_t i = 0; i < count && r == 0; i++)
        r = convert_one(conversion, paths[i]);
    if (r == 0)
        r = systemd_unit_finish(conversion);
    if (r == 0)
        conversion_settle(conversion);
    return r < 0 ? r : conversion_result(conversion);
}
