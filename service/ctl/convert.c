/*
 * convert: manifests made from files of other supervisors, without a daemon.
 */
#include "convert/convert.h"

#include "core/vocabulary/noun.h"
#include "ctl/document.h"
#include "manifest/manifest.h"
#include "system/open_regular.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A text that the caller frees; draft: NULL for all of them in one file. */
static char *write_text(const struct conversion *conversion, const struct draft *draft)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    if (draft)
        draft_print(draft, out);
    else
        conversion_print(conversion, out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* What check would find in a text; returns whether it finds nothing. */
static bool passes(const char *text, const char *name)
{
    struct manifest *manifest = NULL;
    struct manifest_error error = {};

    if (manifest_parse(text, strlen(text), "", &manifest, &error) == 0) {
        manifest_free(manifest);
        return true;
    }
    client_note("%s: needs your hand: line %zu: %s", name, error.line, error.text);
    return false;
}

/* ---- into a folder --------------------------------------------------------------------------- */

static char *path_of(const struct client *client, const struct draft *draft)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", client->output, draft_file_name(draft)) < 0 ? NULL : path;
}

/* All names first: no existing manifest is overwritten, and nothing is written by halves. */
static int check_names(struct client *client, const struct conversion *conversion)
{
    for (const struct draft *draft = conversion->drafts; draft; draft = draft->next) {
        if (!draft_file_name(draft))
            continue;
        char *path = path_of(client, draft);
        bool exists = path && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        int code = !path    ? client_fail(client, "out of memory")
                   : exists ? client_fail(client, "%s: exists already; nothing was written", path)
                            : CTL_DONE;
        free(path);
        if (code != CTL_DONE)
            return code;
    }
    return CTL_DONE;
}

/* Never overwrites a file: O_EXCL, and no links are followed. */
static int write_file(const char *path, const char *text)
{
    int fd = open_regular(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

    if (fd < 0)
        return fd;
    if (!out) {
        close(fd);
        return -errno;
    }
    fputs(text, out);
    int r = ferror(out) ? -EIO : 0;
    return fclose(out) != 0 && r == 0 ? -errno : r;
}

/* A manifest that does not pass the check is written nevertheless; the user
 * learns why it does not pass. */
static int write_one(struct client *client, const struct draft *draft)
{
    char *path = path_of(client, draft), *text = write_text(draft->conversion, draft);
    int r = path && text ? write_file(path, text) : -ENOMEM, code = CTL_DONE;

    if (r < 0)
        code = client_fail(client, "%s: %s", path ? path : draft->name, strerror(-r));
    else
        passes(text, path);
    free(path);
    free(text);
    return code;
}

/* All names are checked before the first file is written. */
static int write_files(struct client *client, const struct conversion *conversion)
{
    int code = mkdir(client->output, 0755) < 0 && errno != EEXIST
                   ? client_fail(client, "%s: %s", client->output, strerror(errno))
                   : check_names(client, conversion);

    for (const struct draft *draft = conversion->drafts; draft && code == CTL_DONE;
         draft = draft->next)
        if (draft_file_name(draft))
            code = write_one(client, draft);
    return code;
}

/* ---- to standard output ---------------------------------------------------------------------- */

/* What has no counterpart, with file and line. */
static void answer_lost(struct json *json, const struct conversion *conversion)
{
    json_key(json, "lost");
    json_open(json, '[');
    for (const struct remark *remark = conversion->lost; remark; remark = remark->next) {
        json_item(json);
        json_open(json, '{');
        json_key(json, "file");
        json_text(json->out, remark->place.file);
        json_key(json, "line");
        json_number(json->out, remark->place.line);
        json_key(json, "what");
        if (remark->what)
            json_text(json->out, remark->what);
        else
            fputs("null", json->out);
        json_key(json, "why");
        json_text(json->out, remark->text);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* For --json: names, the manifest, and what was lost. */
static int answer(struct client *client, const struct conversion *conversion, const char *text)
{
    struct json json;

    if (answer_begin(client, &json) < 0)
        return CTL_ERROR;
    json_open(&json, '{');
    json_key(&json, "children");
    json_open(&json, '[');
    for (const struct draft *draft = conversion->drafts; draft; draft = draft->next) {
        json_item(&json);
        json_text(json.out, draft->name);
    }
    json_close(&json, ']');
    json_key(&json, "manifest");
    json_text(json.out, text);
    answer_lost(&json, conversion);
    json_close(&json, '}');
    return answer_end(client, &json, 0) < 0 ? CTL_ERROR : CTL_DONE;
}

/* All children in one manifest. */
static int print(struct client *client, const struct conversion *conversion)
{
    char *text = write_text(conversion, NULL);

    if (!text)
        return client_fail(client, "out of memory");
    passes(text, "the manifest");
    int code = CTL_DONE;
    if (client->json != JSON_OFF)
        code = answer(client, conversion, text);
    else
        fputs(text, stdout);
    free(text);
    return code;
}

/* ---- the command ----------------------------------------------------------------------------- */

static void tell(const struct client *client, const struct conversion *conversion)
{
    if (client->quiet)
        return;
    client_note("%zu %s: settings carried over: %zu, keys with a comment: %zu, lost: %zu%s",
                conversion->n_drafts, noun_of(conversion->n_drafts, "child"), conversion->n_kept,
                conversion->n_changed, conversion->n_lost,
                conversion->n_lost > 0 ? " (listed at the top)" : "");
}

/* The summary goes to standard error, so that standard output is a manifest. */
int command_convert(struct client *client)
{
    struct conversion conversion = {};
    int r = convert_files(&conversion, (const char *const *)client->arguments,
                          (size_t)client->n_arguments);
    int code = CTL_ERROR;

    if (r == -ENOMEM)
        code = client_fail(client, "out of memory");
    else if (r < 0) {
        text_write(stderr, conversion.error);
        fputc('\n', stderr);
        if (client->json != JSON_OFF)
            answer_error(client, NULL, conversion.error);
    } else if (conversion.n_drafts == 0)
        code = client_fail(client, "there is no child in these files");
    else
        code = client->output ? write_files(client, &conversion) : print(client, &conversion);
    if (code == CTL_DONE)
        tell(client, &conversion);
    conversion_free(&conversion);
    return code;
}
