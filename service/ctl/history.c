/*
 * What was: the audit, and the journal as a file.
 */
#include "client.h"
#include "json.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error
#define PAGE            5000 /* lines that are asked for at once */

/* "10m": so long ago; 0 where nothing was said; UINT64_MAX for what is neither. */
static uint64_t since_usec(const struct client *client)
{
    struct timespec now;
    uint64_t ago, realtime;

    if (!client->since_text)
        return 0;
    clock_gettime(CLOCK_REALTIME, &now);
    realtime = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    if (unit_duration(client->since_text, &ago) < 0)
        return UINT64_MAX;
    return ago < realtime ? realtime - ago : 0;
}

static bool is_meant(const struct client *client, const char *kind, const char *child,
                     const char *text)
{
    bool named = client->n_arguments == 0;
    char by[300];

    for (int i = 0; i < client->n_arguments; i++)
        named = named || strcmp(client->arguments[i], child) == 0;
    if (client->kind && strcmp(client->kind, kind) != 0)
        return false;
    if (!named || !client->by)
        return named;
    snprintf(by, sizeof(by), "by=\"%s", client->by);
    return strstr(text, by) != NULL;
}

struct line {
    uint64_t sequence, realtime_usec;
    const char *kind, *child, *text;
};

static void print_line(const struct client *client, const struct line *line)
{
    time_t seconds = (time_t)(line->realtime_usec / 1000000);
    struct tm local;
    char stamp[32];

    if (client->json != JSON_OFF) {
        printf("{\"sequence\":%" PRIu64 ",\"realtime_usec\":%" PRIu64 ",\"kind\":", line->sequence,
               line->realtime_usec);
        json_text(stdout, line->kind);
        fputs(",\"child\":", stdout);
        json_text(stdout, line->child);
        fputs(",\"text\":", stdout);
        json_text(stdout, line->text);
        fputs("}\n", stdout);
        return;
    }
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
    printf("%s.%03" PRIu64 "  %-31s %s%s%s\n", stamp, line->realtime_usec / 1000 % 1000, line->kind,
           line->child, line->child[0] ? "  " : "", line->text);
}

/* Prints one answer. Returns how many lines it had, and the time of the last one. */
static int print_page(const struct client *client, sd_bus_message *m, uint64_t *last_usec,
                      uint64_t *last_sequence)
{
    struct line line;
    int count = 0;
    int r = sd_bus_message_enter_container(m, 'a', "(ttsss)");

    while (r >= 0 && (r = sd_bus_message_read(m, "(ttsss)", &line.sequence, &line.realtime_usec,
                                              &line.kind, &line.child, &line.text)) > 0) {
        bool again = line.realtime_usec == *last_usec && line.sequence <= *last_sequence;
        count++;
        if (again)
            continue; /* it ended the page before */
        *last_usec = line.realtime_usec;
        *last_sequence = line.sequence;
        if (is_meant(client, line.kind, line.child, line.text))
            print_line(client, &line);
    }
    return r < 0 ? r : count;
}

int command_audit(struct client *client)
{
    uint64_t since = since_usec(client), last = 0;
    int count = PAGE;

    if (since == UINT64_MAX) {
        fprintf(stderr,
                "proctorctl: --since: expected how long ago, such as 10m or 2h, got \"%s\"\n",
                client->since_text);
        return CTL_ERROR;
    }
    while (count == PAGE) {
        CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
        CLEANUP_MESSAGE *reply = NULL;
        uint64_t before = since, before_sequence = last;
        int r = sd_bus_call_method(client->bus, NAME, PATH, MANAGER, "QueryAudit", &error, &reply,
                                   "tua{sv}", since, PAGE, 0);
        if (r >= 0)
            r = count = print_page(client, reply, &since, &last);
        if (r < 0)
            return client_error(&error, r);
        if (since == before && last == before_sequence)
            break; /* more of them in one moment than a page holds */
    }
    return CTL_DONE;
}

/* ---- trace ----------------------------------------------------------------------------------- */

static int write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return -errno;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Returns how many bytes came, or what client_error() takes. */
static ssize_t copy_piece(struct client *client, uint64_t trace, uint64_t offset, int out,
                          int *written, sd_bus_error *error)
{
    CLEANUP_MESSAGE *reply = NULL;
    const void *piece;
    size_t size = 0;
    int r = sd_bus_call_method(client->bus, NAME, PATH, MANAGER, "ReadTrace", error, &reply, "ttu",
                               trace, offset, 0);

    if (r >= 0)
        r = sd_bus_message_read_array(reply, 'y', &piece, &size);
    if (r < 0)
        return r;
    *written = write_all(out, piece, size);
    return (ssize_t)size;
}

static int copy_trace(struct client *client, uint64_t trace, uint64_t size, int out, int *written,
                      sd_bus_error *error)
{
    for (uint64_t offset = 0; offset < size && *written == 0;) {
        ssize_t n = copy_piece(client, trace, offset, out, written, error);
        if (n <= 0)
            return n < 0 ? (int)n : -EBADMSG;
        offset += (uint64_t)n;
    }
    return 0;
}

int command_trace(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    uint64_t trace, size;
    int r, written = 0;

    if (!client->output) {
        fprintf(stderr, "proctorctl: trace: say where to, with -o FILE\n");
        return CTL_ERROR;
    }
    r = sd_bus_call_method(client->bus, NAME, PATH, MANAGER, "GetTrace", &error, &reply, "");
    if (r >= 0)
        r = sd_bus_message_read(reply, "tt", &trace, &size);
    if (r < 0)
        return client_error(&error, r);
    int out = open(client->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        written = -errno;
    else
        r = copy_trace(client, trace, size, out, &written, &error);
    if (out >= 0 && close(out) < 0 && written == 0)
        written = -errno;
    if (r < 0)
        return client_error(&error, r);
    if (written < 0) {
        fprintf(stderr, "proctorctl: %s: %s\n", client->output, strerror(-written));
        return CTL_ERROR;
    }
    if (!client->quiet)
        printf("look at it with: proctor-sim replay %s\n", client->output);
    return CTL_DONE;
}
