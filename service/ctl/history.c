/*
 * What was: the audit, and the journal as a file.
 */
#include "ctl/call.h"
#include "ctl/client.h"
#include "ctl/document.h"
#include "ctl/fields.h"
#include "ctl/terminal.h"

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

struct entry {
    uint64_t sequence, realtime_usec;
    const char *kind, *child, *cause;
    struct fields fields;
};

static bool is_meant(const struct client *client, const struct entry *entry)
{
    const char *by = fields_text(&entry->fields, "by");
    return !client->by || strncmp(by, client->by, strlen(client->by)) == 0;
}

/* Text of people is quoted, the rest is not. */
static void print_line(const struct entry *entry)
{
    time_t seconds = (time_t)(entry->realtime_usec / 1000000);
    struct tm local;
    char stamp[32];

    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
    printf("%s.%03" PRIu64 "  %-31s ", stamp, entry->realtime_usec / 1000 % 1000, entry->kind);
    text_write(stdout, entry->child);
    fputs(entry->child[0] ? " " : "", stdout);
    for (size_t i = 0; i < entry->fields.count; i++) {
        printf(" %s=", entry->fields.list[i].key);
        field_write(stdout, &entry->fields.list[i]);
    }
    printf(entry->cause[0] ? " command_id=%s\n" : "%s\n", entry->cause);
}

/* A document per entry. */
static int answer_entry(struct client *client, const struct entry *entry)
{
    struct json json;
    int r = answer_begin(client, &json);

    if (r < 0)
        return r;
    json_open(&json, '{');
    json_key(&json, "sequence");
    json_number(json.out, entry->sequence);
    json_key(&json, "realtime_usec");
    json_number(json.out, entry->realtime_usec);
    json_key(&json, "kind");
    json_text(json.out, entry->kind);
    json_key(&json, "child");
    json_text(json.out, entry->child);
    json_key(&json, "cause");
    json_text(json.out, entry->cause);
    json_key(&json, "fields");
    fields_write_json(&json, &entry->fields);
    json_close(&json, '}');
    return answer_end(client, &json, 0);
}

/* Returns 0 at the end of the list. */
static int read_entry(sd_bus_message *m, struct entry *entry)
{
    int r = sd_bus_message_enter_container(m, 'r', "ttsssa{sv}");

    if (r > 0)
        r = sd_bus_message_read(m, "ttsss", &entry->sequence, &entry->realtime_usec, &entry->kind,
                                &entry->child, &entry->cause);
    if (r > 0)
        r = fields_read(m, &entry->fields);
    if (r > 0)
        r = sd_bus_message_exit_container(m);
    return r;
}

/* How far has been read. */
struct place {
    uint64_t usec, sequence;
};

/* Prints one answer. Returns how many of its entries are new. */
static int print_page(struct client *client, sd_bus_message *m, struct place *last)
{
    struct entry entry;
    int news = 0, r = sd_bus_message_enter_container(m, 'a', "(ttsssa{sv})");

    while (r >= 0 && (r = read_entry(m, &entry)) > 0) {
        if (entry.realtime_usec == last->usec && entry.sequence <= last->sequence)
            continue; /* it ended the page before */
        news++;
        *last = (struct place){entry.realtime_usec, entry.sequence};
        if (!is_meant(client, &entry))
            continue;
        if (client->json == JSON_OFF)
            print_line(&entry);
        else
            r = answer_entry(client, &entry);
    }
    return r < 0 ? r : news;
}

/* From the last place on; an answer holds no more than a page. */
static int query_page(struct client *client, struct place *last, int *news)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    int r = client_call(client, PATH, MANAGER, "QueryAudit", &call);

    if (r >= 0)
        r = sd_bus_message_append(call, "tu", last->usec, PAGE);
    if (r >= 0)
        r = client_append_filter(client, call, NULL);
    if (r >= 0)
        r = sd_bus_call(client->bus, call, 0, &error, &reply);
    if (r >= 0)
        r = *news = print_page(client, reply, last);
    return r < 0 ? client_error(client, &error, r) : CTL_DONE;
}

int command_audit(struct client *client)
{
    struct place last = {.usec = client->since_usec};
    int code = CTL_DONE, news = 1;

    document_list(client);
    while (code == CTL_DONE && news > 0 && !terminal_failed())
        code = query_page(client, &last, &news);
    return code;
}

/* ---- trace ----------------------------------------------------------------------------------- */

/* To a file that the user has named. */
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
    int r = call_method(client, PATH, MANAGER, "ReadTrace", error, &reply, "ttu", trace, offset, 0);

    if (r >= 0)
        r = sd_bus_message_read_array(reply, 'y', &piece, &size);
    if (r < 0)
        return r;
    *written = write_all(out, piece, size);
    return (ssize_t)size;
}

/* Piece by piece, as a journal can be large. */
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

/* Only the owner can read the file: it contains everything that happened. */
int command_trace(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    uint64_t trace, size;
    int r, written = 0;

    if (!client->output)
        return client_fail(client, "trace: name the output file with -o FILE");
    r = call_method(client, PATH, MANAGER, "GetTrace", &error, &reply, "");
    if (r >= 0)
        r = sd_bus_message_read(reply, "tt", &trace, &size);
    if (r < 0)
        return client_error(client, &error, r);
    int out = open(client->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        written = -errno;
    else
        r = copy_trace(client, trace, size, out, &written, &error);
    if (out >= 0 && close(out) < 0 && written == 0)
        written = -errno;
    if (r < 0)
        return client_error(client, &error, r);
    if (written < 0)
        return client_fail(client, "%s: %s", client->output, strerror(-written));
    if (client->json != JSON_OFF)
        answer_pair(client, "file", client->output);
    else if (!client->quiet) {
        fputs("look at it with: proctor-sim replay ", stdout);
        text_write(stdout, client->output);
        puts("");
    }
    return CTL_DONE;
}
