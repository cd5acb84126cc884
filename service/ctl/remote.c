/*
 * Other machines, through ssh: its standard input and output become the
 * connection to the bus there.
 */
#include "ctl/remote.h"

#include "system/again.h"
#include "system/handle.h"
#include "ctl/terminal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX     24
#define ALONE_USEC    UINT64_C(90000000) /* a person types a password */
#define TOGETHER_USEC UINT64_C(15000000)
#define END_MSEC      1000
#define SSH_FAILED    255

extern char **environ;

/* ---- the command ----------------------------------------------------------------------------- */

/* Words of a command line; owned ones are freed with it. */
struct words {
    char *list[WORDS_MAX + 1];
    size_t count;
};

static void add(struct words *words, const char *word)
{
    assert(words->count < WORDS_MAX);
    words->list[words->count++] = strdup(word);
}

/* ssh hands all words over to a shell, in one line. */
static void add_quoted(struct words *words, const char *option, const char *value)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert(words->count < WORDS_MAX);
    if (!out)
        return;
    fprintf(out, "%s'", option);
    for (; *value; value++)
        if (*value == '\'')
            fputs("'\\''", out);
        else
            fputc(*value, out);
    fputc('\'', out);
    fclose(out);
    words->list[words->count++] = text;
}

static void free_words(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->list[i]);
}

/* One that is silent for fifteen seconds is gone. */
static void add_ssh(struct words *words, const char *host, bool alone, bool terminal)
{
    const char *program = getenv("PROCTOR_SSH");

    add(words, program && *program ? program : "ssh");
    add(words, terminal ? "-xt" : "-xT");
    add(words, "-oConnectTimeout=10");
    add(words, "-oServerAliveInterval=5");
    add(words, "-oServerAliveCountMax=3");
    if (!alone)
        add(words, "-oBatchMode=yes");
    add(words, "--");
    add(words, host);
    add(words, "proctorctl");
}

static void add_place(struct words *words, const struct place_of_bus *place)
{
    if (place->address)
        add_quoted(words, "--address=", place->address);
    if (place->user)
        add(words, "--user");
    if (place->system)
        add(words, "--system");
}

/* input, output: what they are; < 0: ours. errors: the same. */
static int spawn(struct words *words, int input, int output, int errors, pid_t *pid)
{
    const int fds[] = {input, output, errors};
    posix_spawn_file_actions_t actions;
    int r = -posix_spawn_file_actions_init(&actions);

    for (int i = 0; r == 0 && i < 3; i++)
        if (fds[i] >= 0)
            r = -posix_spawn_file_actions_adddup2(&actions, fds[i], i);
    for (size_t i = 0; r == 0 && i < words->count; i++)
        if (!words->list[i])
            r = -ENOMEM;
    if (r == 0)
        r = -posix_spawnp(pid, words->list[0], &actions, NULL, words->list, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* ---- a connection ---------------------------------------------------------------------------- */

/* Without descriptors, which a pipe cannot carry. */
static int open_bus(struct remote *remote, int fd)
{
    int r = sd_bus_new(&remote->bus);

    if (r >= 0)
        r = sd_bus_set_fd(remote->bus, fd, fd);
    if (r < 0) {
        close(fd);
        return r;
    }
    r = sd_bus_set_bus_client(remote->bus, true);
    if (r >= 0)
        r = sd_bus_negotiate_fds(remote->bus, false); /* none come through a pipe */
    return r < 0 ? r : sd_bus_start(remote->bus);
}

/* Several hosts never ask for a password; a single one may. */
int remote_begin(struct remote *remote, const struct place_of_bus *place, bool alone)
{
    assert(remote && remote->host && place);
    struct words words = {};
    int pair[2];

    remote->bus = NULL;
    remote->pid = 0;
    remote->words = memfd_create("ssh", MFD_CLOEXEC);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    add_ssh(&words, remote->host, alone, false);
    add_place(&words, place);
    add(&words, "stdio-bridge");
    int r = spawn(&words, pair[1], pair[1], remote->words, &remote->pid);
    free_words(&words);
    close(pair[1]);
    if (r < 0)
        remote->pid = 0;
    if (r < 0)
        close(pair[0]);
    return r < 0 ? r : open_bus(remote, pair[0]);
}

int remote_wait(struct remote *remote, bool alone)
{
    assert(remote && remote->bus);
    int r = connect_wait(remote->bus, alone ? ALONE_USEC : TOGETHER_USEC);

    if (r < 0)
        remote_fail(remote, r);
    return r;
}

/* patient: it is about to end by itself. */
static void end_ssh(struct remote *remote, bool patient)
{
    int pidfd = again_pidfd(remote->pid);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    if (!patient || poll(&ended, 1, END_MSEC) <= 0)
        handle_signal_child(remote->pid, SIGTERM);
    if (poll(&ended, 1, END_MSEC) <= 0)
        handle_signal_child(remote->pid, SIGKILL);
    waitpid(remote->pid, NULL, 0);
    if (pidfd >= 0)
        close(pidfd);
    remote->pid = 0;
}

void remote_close(struct remote *remote)
{
    assert(remote);
    remote->bus = sd_bus_flush_close_unref(remote->bus);
    if (remote->pid > 0)
        end_ssh(remote, false);
    if (remote->words >= 0)
        close(remote->words);
    remote->words = -1;
}

/* The last line of what ssh has said, or what of the other side; "" if it is silent. */
static void read_last_line(int fd, char *line, size_t size)
{
    char text[4096] = "";
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof(text) - 1 ? end - (off_t)sizeof(text) + 1 : 0;
    ssize_t length = pread(fd, text, sizeof(text) - 1, from);

    while (length > 0 && strchr("\r\n ", text[length - 1]))
        text[--length] = '\0';
    char *begin = strrchr(text, '\n');
    snprintf(line, size, "%s", begin ? begin + 1 : text);
}

/* The last line that ssh has written says more than an error number. */
void remote_fail(struct remote *remote, int r)
{
    char line[sizeof(remote->error)] = "";

    remote->bus = sd_bus_close_unref(remote->bus);
    if (remote->pid > 0)
        end_ssh(remote, r != -ETIMEDOUT);
    if (remote->words >= 0)
        read_last_line(remote->words, line, sizeof(line));
    snprintf(remote->error, sizeof(remote->error), "%s", line[0] ? line : strerror(-r));
    remote_close(remote);
}

/* ---- a command that is carried out there ----------------------------------------------------- */

/* Options that belong to the command there. */
static void add_options(struct words *words, const struct client *client)
{
    if (client->json != JSON_OFF)
        add(words, client->json == JSON_SHORT ? "--json=short" : "--json=pretty");
    if (client->quiet)
        add(words, "--quiet");
    if (client->follow)
        add(words, "--follow");
    if (client->lines)
        add_quoted(words, "--lines=", client->lines);
    if (client->reason)
        add_quoted(words, "--reason=", client->reason);
    if (client->requested_by)
        add_quoted(words, "--requested-by=", client->requested_by);
}

/* Lines go through what guards our own terminal. */
static void copy_output(int fd)
{
    char text[4096];
    ssize_t n;

    while ((n = read(fd, text, sizeof(text))) > 0 || (n < 0 && errno == EINTR)) {
        fwrite(text, 1, n > 0 ? (size_t)n : 0, stdout);
        if (terminal_failed())
            return;
    }
}

static int exit_code_of(struct client *client, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : CTL_ERROR;

    return code == SSH_FAILED ? client_fail(client, "%s cannot be reached", client->host) : code;
}

/* For commands that need files of the other machine. Every argument is quoted
 * for the shell there. */
int remote_carry_out(struct client *client, const char *command)
{
    assert(client && client->host && command);
    bool alone = client->place->hosts.count == 1, screen = strcmp(command, "edit") == 0;
    struct words words = {};
    int ends[2], status = 0;
    pid_t pid = 0;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return client_fail(client, "%s", strerror(errno));
    add_ssh(&words, client->host, alone, screen);
    add_place(&words, client->place);
    add(&words, command);
    add_options(&words, client);
    add(&words, "--");
    add_quoted(&words, "", client->arguments[0]);
    int r = spawn(&words, -1, screen ? -1 : ends[1], -1, &pid);
    free_words(&words);
    close(ends[1]);
    if (r == 0)
        copy_output(ends[0]);
    close(ends[0]);
    if (r < 0)
        return client_fail(client, "ssh cannot be started: %s", strerror(-r));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return exit_code_of(client, status);
}
