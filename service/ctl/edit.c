/*
 * edit: the manifest file of a child, in the editor of the person. What is edited is a copy beside
 * the file; it takes the file's place only when it passes check, so that a reload in between, and a
 * reboot, find the old file or the new one, and never half of one.
 */
#include "ctl/call.h"
#include "ctl/document.h"
#include "manifest/manifest_set.h"
#include "system/open_regular.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EDIT_MAX (8u << 20) /* bytes of a manifest file */

extern char **environ;

/* With the mode of the original, and never over an earlier copy: that may
 * contain the user's work. */
static int write_copy(const char *copy, const char *text, size_t length, mode_t mode)
{
    int fd = open_regular(AT_FDCWD, copy, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

    if (fd < 0)
        return fd;
    int r = fchmod(fd, mode & 07777) < 0 ? -errno : 0;
    for (size_t done = 0; r == 0 && done < length;) {
        ssize_t n = write(fd, text + done, length - done);
        if (n < 0 && errno != EINTR)
            r = -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return close(fd) < 0 && r == 0 ? -errno : r;
}

/* $VISUAL or $EDITOR may have arguments, so a shell runs it. Returns its exit code, or a negative
 * errno. */
static int run_editor(const char *copy)
{
    const char *editor = getenv("VISUAL");
    pid_t pid;
    int status;

    if (!editor || !*editor)
        editor = getenv("EDITOR");
    if (!editor || !*editor)
        editor = access("/usr/bin/editor", X_OK) == 0 ? "/usr/bin/editor" : "vi";
    char *command = NULL;
    if (asprintf(&command, "%s \"$1\"", editor) < 0)
        return -ENOMEM;
    char *arguments[] = {"sh", "-c", command, "sh", (char *)(uintptr_t)copy, NULL};
    int r = -posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ);
    free(command);
    while (r == 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            r = -errno;
    return r < 0 ? r : WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static bool is_same(const char *copy, const char *text, size_t length)
{
    char *now = NULL;
    size_t size = 0;
    bool same = read_regular(AT_FDCWD, copy, EDIT_MAX, &now, &size) == 0 && size == length &&
                memcmp(now, text, length) == 0;

    free(now);
    return same;
}

static int check(struct client *client, const char *copy)
{
    struct mistakes mistakes = {};
    struct manifest_set *set = NULL;
    struct error error = {};
    int r = manifest_set_load_all(&copy, 1, false, &mistakes, &set, &error);

    if (r < 0)
        r = client_fail(client, "%s", error.text[0] ? error.text : strerror(-r));
    r = client_show_mistakes(client, &mistakes, r);
    mistakes_free(&mistakes);
    manifest_set_free(set);
    return r;
}

/* rename(2) replaces the file in one step. */
static int finish(struct client *client, const char *file, const char *copy)
{
    if (check(client, copy) != CTL_DONE) {
        client_note("%s is unchanged; what you have written is in %s", file, copy);
        return CTL_ERROR;
    }
    if (rename(copy, file) < 0)
        return client_fail(client, "%s: %s; what you have written is in %s", file, strerror(errno),
                           copy);
    if (client->reason) {
        client->n_arguments = 0;
        return command_reload(client);
    }
    if (!client->quiet)
        client_note("%s is changed; \"proctorctl reload --reason=TEXT\" makes it take effect",
                    file);
    return CTL_DONE;
}

/* An editor that fails, or a copy that was not changed, leaves nothing
 * behind. */
static int edit_file(struct client *client, const char *file)
{
    char *text = NULL, *copy = NULL;
    size_t length = 0;
    struct stat st;
    int r = read_regular(AT_FDCWD, file, EDIT_MAX, &text, &length), code = CTL_DONE;

    if (r == 0 && stat(file, &st) < 0)
        r = -errno;
    if (r == 0 && asprintf(&copy, "%s.edited", file) < 0)
        r = -ENOMEM;
    if (r == 0)
        r = write_copy(copy, text, length, st.st_mode);
    if (r == -EEXIST)
        client_note("%s is there from an earlier edit: move it to where it belongs, or remove it",
                    copy);
    if (r < 0) {
        code = client_fail(client, "%s: %s", copy && r == -EEXIST ? copy : file, strerror(-r));
        free(text);
        free(copy);
        return code;
    }
    r = run_editor(copy);
    if (r != 0 || is_same(copy, text, length)) {
        unlink(copy);
        if (r != 0)
            code = client_fail(client, "the editor failed; %s is unchanged", file);
        else
            client_note("%s is unchanged", file);
    } else
        code = finish(client, file, copy);
    free(text);
    free(copy);
    return code;
}

/* A child that was added over the bus has no file. */
int command_edit(struct client *client)
{
    char *path = NULL, *file = NULL;

    if (client->dry_run)
        return client_fail(client, "edit: there is no dry run; \"reload --dry-run\" tells what a "
                                   "changed file would do");
    int code = client_child_path(client, client->arguments[0], &path);
    if (code != CTL_DONE)
        return code;
    int r = call_string(client, path, CHILD, "ManifestPath", &file);
    if (r < 0)
        code = client_error(client, NULL, r);
    else if (!file[0])
        code = client_fail(client,
                           "%s was added over the bus and has no file: change it with \"proctorctl "
                           "add --replace FILE\"",
                           client->arguments[0]);
    else
        code = edit_file(client, file);
    free(path);
    free(file);
    return code;
}
