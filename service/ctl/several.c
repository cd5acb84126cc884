/*
 * A command on several hosts, in processes of its own: a host that hangs or
 * fails cannot disturb the others. Lines are shown with the name of their host.
 */
#include "ctl/several.h"

#include "ctl/connect.h"
#include "ctl/document.h"
#include "ctl/terminal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES (1u << 20) /* a longer one is printed in parts */

struct stream {
    int fd; /* < 0: it has ended */
    FILE *to;
    char *text; /* what has not been printed */
    size_t length, size;
};

struct turn {
    const char *host;
    pid_t pid;
    struct stream streams[2]; /* standard output, standard error */
    int code;
};

/* ---- what one prints ------------------------------------------------------------------------- */

static void print_line(const struct turn *turn, const struct stream *stream, const char *line,
                       size_t length)
{
    text_write(stream->to, turn->host);
    fputs(length > 0 ? ": " : ":", stream->to);
    terminal_pass(stream->to, line, length);
    fputc('\n', stream->to);
}

/* The document of the other side is passed through as it is. */
static void answer_text(struct client *client, const struct turn *turn, const char *text,
                        size_t length)
{
    struct json json;

    while (length > 0 && text[length - 1] == '\n')
        length--;
    if (answer_begin(client, &json) < 0)
        return;
    json_open(&json, '{');
    json_key(&json, "host");
    json_text(json.out, turn->host);
    if (!client->follow) {
        json_key(&json, "code");
        json_number(json.out, (uint64_t)turn->code);
    }
    json_key(&json, "answer");
    if (length > 0)
        fwrite(text, 1, length, json.out);
    else
        fputs("null", json.out);
    json_close(&json, '}');
    answer_end(client, &json, 0);
}

/* Whether its lines are a document, which is printed as a whole. */
static bool is_document(const struct client *client, const struct stream *stream)
{
    return client->json != JSON_OFF && !client->follow && stream->to == stdout;
}

static void put_line(struct client *client, const struct turn *turn, const struct stream *stream,
                     const char *line, size_t length)
{
    if (client->json != JSON_OFF && stream->to == stdout)
        answer_text(client, turn, line, length);
    else
        print_line(turn, stream, line, length);
}

/* Prints the lines that are complete. last: and what is left. */
static void put_lines(struct client *client, const struct turn *turn, struct stream *stream,
                      bool last)
{
    char *at = stream->text, *end;

    for (; stream->length > 0 && (end = memchr(at, '\n', stream->length)); at = end + 1) {
        put_line(client, turn, stream, at, (size_t)(end - at));
        stream->length -= (size_t)(end + 1 - at);
    }
    if (stream->length > 0 && (last || stream->length >= LINE_MAX_BYTES)) {
        put_line(client, turn, stream, at, stream->length);
        stream->length = 0;
    }
    if (stream->length > 0)
        memmove(stream->text, at, stream->length);
    fflush(stream->to);
}

/* Doubles. */
static bool has_room(struct stream *stream)
{
    if (stream->size - stream->length >= BUFSIZ)
        return true;
    char *larger = realloc(stream->text, 2 * stream->size + BUFSIZ);
    if (!larger)
        return false;
    stream->text = larger;
    stream->size = 2 * stream->size + BUFSIZ;
    return true;
}

/* Whole lines only, so that hosts do not mix within one. */
static void read_stream(struct client *client, struct turn *turn, struct stream *stream)
{
    ssize_t n = has_room(stream)
                    ? read(stream->fd, stream->text + stream->length, stream->size - stream->length)
                    : 0;

    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        close(stream->fd);
        stream->fd = -1;
    } else {
        stream->length += (size_t)n;
    }
    if (!is_document(client, stream))
        put_lines(client, turn, stream, stream->fd < 0);
}

/* ---- the turn of a host ---------------------------------------------------------------------- */

/* In the process of its own. */
static _Noreturn void take_turn(struct client *client,
                                int (*carry_out)(struct client *client, void *userdata),
                                void *userdata, int output, int errors)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    client->form = DOCUMENT_ONE;
    client->answers = 0;
    if (dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0)
        _exit(CTL_ERROR);
    int code = carry_out(client, userdata);
    document_close(client);
    if (terminal_close() < 0)
        code = CTL_ERROR;
    fflush(stderr);
    _exit(code);
}

/* Everything that is buffered is written before the fork, or it would appear
 * twice. */
static int begin_turn(struct client *client, struct turn *turn,
                      int (*carry_out)(struct client *client, void *userdata), void *userdata)
{
    int output[2], errors[2];

    if (pipe2(output, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(errors, O_CLOEXEC) < 0) {
        close(output[0]);
        close(output[1]);
        return -ENFILE;
    }
    fflush(NULL);
    client->host = turn->host;
    turn->pid = fork();
    if (turn->pid == 0)
        take_turn(client, carry_out, userdata, output[1], errors[1]);
    int r = turn->pid < 0 ? -errno : 0;
    close(output[1]);
    close(errors[1]);
    turn->streams[0] = (struct stream){.fd = output[0], .to = stdout};
    turn->streams[1] = (struct stream){.fd = errors[0], .to = stderr};
    return r;
}

/* The exit status, and what was collected. */
static void end_turn(struct client *client, struct turn *turn)
{
    int status = 0;

    while (waitpid(turn->pid, &status, 0) < 0 && errno == EINTR)
        ;
    turn->code = WIFEXITED(status) ? WEXITSTATUS(status) : CTL_ERROR;
    turn->pid = 0;
    if (is_document(client, &turn->streams[0]))
        answer_text(client, turn, turn->streams[0].text, turn->streams[0].length);
    for (int i = 0; i < 2; i++)
        free(turn->streams[i].text);
}

/* Reads what comes until all of them have ended. */
static void attend(struct client *client, struct turn *turns, size_t count)
{
    struct pollfd waits[2 * HOSTS_MAX];
    struct stream *streams[2 * HOSTS_MAX];
    struct turn *owners[2 * HOSTS_MAX];

    for (;;) {
        nfds_t n = 0;
        for (size_t i = 0; i < 2 * count; i++) {
            struct stream *stream = &turns[i / 2].streams[i % 2];
            if (turns[i / 2].pid <= 0 || stream->fd < 0)
                continue;
            streams[n] = stream;
            owners[n] = &turns[i / 2];
            waits[n++] = (struct pollfd){.fd = stream->fd, .events = POLLIN};
        }
        if (n == 0)
            return;
        if (poll(waits, n, -1) < 0)
            continue;
        for (nfds_t i = 0; i < n; i++)
            if (waits[i].revents)
                read_stream(client, owners[i], streams[i]);
    }
}

/* One after the other, or all together if they are followed. */
int several_run(struct client *client, int (*carry_out)(struct client *client, void *userdata),
                void *userdata)
{
    assert(client && client->place && carry_out);
    const struct hosts *hosts = &client->place->hosts;
    size_t together = client->follow ? hosts->count : 1;
    struct turn turns[HOSTS_MAX] = {};
    int worst = CTL_DONE;

    (client->follow ? document_follow : document_list)(client);
    for (size_t first = 0; first < hosts->count; first += together) {
        for (size_t i = first; i < first + together; i++) {
            turns[i].host = hosts->names[i];
            int r = begin_turn(client, &turns[i], carry_out, userdata);
            if (r < 0)
                return client_fail(client, "%s: %s", turns[i].host, strerror(-r));
        }
        attend(client, turns + first, together);
        for (size_t i = first; i < first + together; i++) {
            end_turn(client, &turns[i]);
            worst = turns[i].code > worst ? turns[i].code : worst;
        }
    }
    return worst;
}
