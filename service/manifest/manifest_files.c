/*
 * Reading files in another process, since any of them may lie on a mount that
 * hangs. Contents come back as files in memory.
 */
#include "manifest/manifest_files.h"
#include "core/vocabulary/invariant.h"

#include "manifest/manifest.h"
#include "system/open_regular.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The answer: why there is none, or what it is, in a memory file that goes with it. */
struct found {
    int32_t error; /* negative errno */
    bool folder;
    char why[160]; /* "": what the errno says */
};

/* ---- outside --------------------------------------------------------------------------------- */

/* The answer carries the descriptor. */
static int keep(struct outside_parcel *answer, const char *data, size_t size)
{
    int fd = memfd_create("proctor-manifests", MFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    answer->fds[answer->n_fds++] = fd;
    for (ssize_t n; size > 0; data += n, size -= (size_t)n) {
        n = write(fd, data, size);
        if (n < 0)
            return -errno;
    }
    return 0;
}

/* A folder that cannot be read is not an empty one: a reload would remove everybody. */
static int folder_failed(const char *path, int error)
{
    (void)path;
    errno = error; /* which stays until glob() returns */
    return error != ENOENT && error != ENOTDIR;
}

/* Names, each with its end. */
static int keep_matches(struct outside_parcel *answer, const glob_t *matches)
{
    char *names = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&names, &size);

    for (size_t i = 0; out && i < matches->gl_pathc; i++)
        fwrite(matches->gl_pathv[i], strlen(matches->gl_pathv[i]) + 1, 1, out);
    int r = !out || fclose(out) != 0 ? -ENOMEM : keep(answer, names, size);
    free(names);
    return r;
}

/* A directory stands for its *.yaml and *.yml. */
static int match(const char *path, bool *is_folder, struct outside_parcel *answer)
{
    char pattern[PATH_MAX + 16];
    struct stat status;
    glob_t matches = {};
    bool folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);

    *is_folder = folder;
    snprintf(pattern, sizeof(pattern), "%s%s", path, folder ? "/*.y{,a}ml" : "");
    int result = glob(pattern, folder ? GLOB_BRACE : 0, folder_failed, &matches);
    int r = result == 0 || result == GLOB_NOMATCH ? keep_matches(answer, &matches)
            : result == GLOB_NOSPACE              ? -ENOMEM
                                                  : -errno;
    globfree(&matches);
    return r;
}

static bool is_text(const struct outside_parcel *request)
{
    return request->size > 0 && ((const char *)request->data)[request->size - 1] == '\0';
}

static void list(const struct outside_parcel *request, struct outside_parcel *answer)
{
    struct found found = {};

    found.error = is_text(request) ? match(request->data, &found.folder, answer) : -EBADMSG;
    memcpy(answer->data, &found, sizeof(found));
    answer->size = sizeof(found);
}

/* Only regular files, up to a limit. */
static void read_one(const struct outside_parcel *request, struct outside_parcel *answer)
{
    const char *path = request->data;
    struct found found = {};
    size_t length;
    char *text = NULL;
    int r = is_text(request) ? read_regular(AT_FDCWD, path, MANIFEST_FILE_MAX, &text, &length)
                             : -EBADMSG;

    if (r == -EMEDIUMTYPE)
        snprintf(found.why, sizeof(found.why), "%s", open_regular_explain(AT_FDCWD, path, r));
    if (r == 0)
        r = keep(answer, text, length);
    free(text);
    found.error = r;
    memcpy(answer->data, &found, sizeof(found));
    answer->size = sizeof(found);
}

const struct outside_job manifest_list_job = {OUTSIDE_LIST, list};
const struct outside_job manifest_read_job = {OUTSIDE_READ, read_one};

/* ---- any caller ---------------------------------------------------------------------------- */

/* The whole file, or an error. */
static int take(int fd, char **text, size_t *length)
{
    struct stat status;
    size_t n = 0;

    if (fstat(fd, &status) < 0)
        return -errno;
    *text = malloc((size_t)status.st_size + 1);
    if (!*text)
        return -ENOMEM;
    for (ssize_t got = 1; got > 0 && n<(size_t)status.st_size; n += got> 0 ? (size_t)got : 0)
        got = pread(fd, *text + n, (size_t)status.st_size - n, (off_t)n);
    (*text)[n] = '\0';
    *length = n;
    if (n == (size_t)status.st_size)
        return 0;
    free(*text);
    *text = NULL;
    return -EIO;
}

/* The descriptors of the answer are closed in any case. */
static int ask(const struct outside_job *job, const char *path, char **text, size_t *length,
               struct found *found)
{
    struct outside_parcel request = {.data = (void *)(uintptr_t)path, .size = strlen(path) + 1},
                          answer = {.data = found, .room = sizeof(*found)};
    int r;

    *text = NULL;
    *length = 0;
    r = outside_make(job, &request, &answer);
    if (r == 0)
        r = answer.size != sizeof(*found) ? -EIO : found->error;
    if (r == 0)
        r = answer.n_fds == 1 ? take(answer.fds[0], text, length) : -EIO;
    for (size_t i = 0; i < answer.n_fds; i++)
        close(answer.fds[i]);
    return r;
}

static int fail(struct error *error, const char *path, const char *why, int r)
{
    snprintf(error->text, sizeof(error->text), "%s: %s", path, why);
    return r;
}

/* Sorted, as glob(3) does it. */
int manifest_files_list(const char *path, char **names, size_t *size, bool *folder,
                        struct error *error)
{
    INVARIANT(error);
    struct found found = {};
    int r = strlen(path) < PATH_MAX ? ask(&manifest_list_job, path, names, size, &found)
                                    : -ENAMETOOLONG;

    *folder = found.folder;
    return r < 0 ? fail(error, path, strerror(-r), r) : 0;
}

/* The text belongs to the caller. */
int manifest_files_read(const char *path, char **text, size_t *length, struct error *error)
{
    INVARIANT(error);
    struct found found = {};
    int r = ask(&manifest_read_job, path, text, length, &found);

    if (r == -EFBIG)
        return fail(error, path, "is larger than 8 MiB", -EINVAL);
    if (r == -EMEDIUMTYPE)
        return fail(error, path, found.why, -EINVAL);
    return r < 0 ? fail(error, path, strerror(-r), r) : 0;
}
