/*
 * log: what a child has written. Where its manifest says to a file, the file and those that were
 * rotated before it; to the journal, its lines there; anything else is not kept.
 */
#include "core/model/declaration.h"
#include "ctl/call.h"
#include "ctl/document.h"
#include "manifest/manifest.h"
#include "system/number.h"
#include "system/open_regular.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define LINES       10
#define LINES_MAX   1000000
#define LINES_SHOWN 5
#define ENTRY_TIME  32
#define PATH_ROOM   4200

/* ---- lines ----------------------------------------------------------------------------------- */

/* Where lines go: byte for byte to standard output; each into an answer; or, among what we say
 * ourselves, each as a text of one line. */
struct lines {
    struct client *client;
    char *part; /* of a line, the end of which has not come yet */
    size_t n_part;
};

/* A file has no times. */
static void answer_line(struct client *client, const char *line, size_t size,
                        uint64_t realtime_usec)
{
    struct json json;

    if (answer_begin(client, &json) < 0)
        return;
    json_open(&json, '{');
    if (realtime_usec > 0) {
        json_key(&json, "realtime_usec");
        json_number(json.out, realtime_usec);
    }
    json_key(&json, "line");
    json_bytes(json.out, line, size);
    json_close(&json, '}');
    answer_end(client, &json, 0);
}

static void keep_part(struct lines *lines, const char *data, size_t size)
{
    char *longer = realloc(lines->part, lines->n_part + size + 1);

    if (!longer)
        return;
    memcpy(longer + lines->n_part, data, size);
    lines->part = longer;
    lines->n_part += size;
}

static void write_line(const char *line, size_t size)
{
    char *copy = strndup(line, size);

    text_write(stdout, copy ? copy : "");
    puts("");
    free(copy);
}

static void end_line(struct lines *lines)
{
    const char *line = lines->part ? lines->part : "";

    if (lines->client->json != JSON_OFF)
        answer_line(lines->client, line, lines->n_part, 0);
    else
        write_line(line, lines->n_part);
    lines->n_part = 0;
}

/* Among other output lines are escaped; alone, they are passed on byte for
 * byte. */
static void lines_add(struct lines *lines, const char *data, size_t size)
{
    if (lines->client->json == JSON_OFF && !lines->client->lines_among_others) {
        fwrite(data, 1, size, stdout);
        return;
    }
    for (const char *end; (end = memchr(data, '\n', size));) {
        size_t length = (size_t)(end - data);
        keep_part(lines, data, length);
        end_line(lines);
        data += length + 1;
        size -= length + 1;
    }
    keep_part(lines, data, size);
}

/* What came last may have no end. */
static void lines_end(struct lines *lines)
{
    if (lines->n_part > 0)
        end_line(lines);
    free(lines->part);
    *lines = (struct lines){.client = lines->client};
}

/* ---- a file ---------------------------------------------------------------------------------- */

/* Where the last `lines` lines of it begin; *lines: how many are still wanted before that. */
static off_t find_tail(int fd, uint64_t *lines)
{
    char block[4096];
    off_t end = lseek(fd, 0, SEEK_END), at = end;
    bool last = true; /* the newline that ends the last line counts no line */

    while (at > 0) {
        size_t size = at < (off_t)sizeof(block) ? (size_t)at : sizeof(block);
        at -= (off_t)size;
        if (pread(fd, block, size, at) != (ssize_t)size)
            return end;
        for (size_t i = size; i-- > 0; last = false)
            if (block[i] == '\n' && !last && --*lines == 0)
                return at + (off_t)i + 1;
    }
    if (end > 0)
        --*lines;
    return 0;
}

static off_t print_from(struct lines *lines, int fd, off_t at)
{
    char block[65536];

    for (ssize_t n; (n = pread(fd, block, sizeof(block), at)) > 0; at += n)
        lines_add(lines, block, (size_t)n);
    fflush(stdout);
    return at;
}

/* The nth one before the present one. */
static void name_of(const struct process_output *output, uint32_t n, char path[PATH_ROOM])
{
    if (n == 0)
        snprintf(path, PATH_ROOM, "%s", output->path);
    else
        snprintf(path, PATH_ROOM, "%s.%" PRIu32, output->path, n);
}

/* The oldest of them first: FILE.2, FILE.1, FILE. */
static off_t print_files(struct lines *to, const struct process_output *output, uint64_t lines)
{
    int fds[64];
    off_t begins[64], at = 0;
    uint32_t n = 0, most = output->keep < 63 ? output->keep : 63;

    for (; n <= most && lines > 0; n++) {
        char path[PATH_ROOM];
        name_of(output, n, path);
        fds[n] = open_regular(AT_FDCWD, path, O_RDONLY, 0);
        if (fds[n] < 0)
            break;
        begins[n] = find_tail(fds[n], &lines);
    }
    while (n-- > 0) {
        at = print_from(to, fds[n], begins[n]);
        close(fds[n]);
    }
    return at;
}

/* As which one the file is known by now; one more than are kept where it is gone. */
static uint32_t find_number(const struct process_output *output, ino_t inode)
{
    char path[PATH_ROOM];
    struct stat status;
    uint32_t n = 0;

    for (; n <= output->keep; n++) {
        name_of(output, n, path);
        if (stat(path, &status) == 0 && status.st_ino == inode)
            break;
    }
    return n;
}

struct followed {
    int fd;
    ino_t inode;
    off_t at;
};

/* A rotated file may be gone by the time it is opened. */
static bool open_number(const struct process_output *output, uint32_t n, struct followed *file)
{
    char path[PATH_ROOM];
    struct stat status;

    name_of(output, n, path);
    file->fd = open_regular(AT_FDCWD, path, O_RDONLY, 0);
    file->at = 0;
    if (file->fd < 0 || fstat(file->fd, &status) < 0)
        return false;
    file->inode = status.st_ino;
    return true;
}

/* To the end of this file, and of those that have come after it: more than one may have been
 * rotated away meanwhile. */
static void catch_up(struct lines *lines, const struct process_output *output,
                     struct followed *file)
{
    if (file->fd < 0 && !open_number(output, 0, file))
        return;
    for (;;) {
        uint32_t number = find_number(output, file->inode), n = number;
        struct followed next = {.fd = -1};
        file->at = print_from(lines, file->fd, file->at);
        while (n > 0 && !open_number(output, n - 1, &next))
            n--;
        if (next.fd < 0)
            return; /* it is the present one, or there is none yet */
        if (number <= output->keep && find_number(output, file->inode) != number) {
            close(next.fd); /* they moved on between the two looks */
            continue;
        }
        close(file->fd);
        *file = next;
    }
}

/* Until it is interrupted. */
static int follow_files(struct lines *lines, const struct process_output *output, off_t at)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    struct followed file = {.fd = -1};
    int watch = inotify_init1(IN_CLOEXEC);

    if (watch < 0)
        return -errno;
    if (open_number(output, 0, &file))
        file.at = at;
    while (!terminal_failed()) {
        inotify_add_watch(watch, output->path, IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF);
        catch_up(lines, output, &file);
        struct pollfd ready = {.fd = watch, .events = POLLIN};
        if (poll(&ready, 1, 1000) > 0 && read(watch, events, sizeof(events)) < 0 && errno != EINTR)
            return -errno;
    }
    return -EIO;
}

/* Only what the user may read. */
static int log_file(struct client *client, const struct process_output *output, uint64_t lines)
{
    if (access(output->path, R_OK) < 0) {
        bool denied = errno == EACCES;
        client_fail(client, "%s: %s", output->path, strerror(errno));
        return denied ? CTL_NOT_ALLOWED : CTL_ERROR;
    }
    struct lines to = {.client = client};
    off_t at = print_files(&to, output, lines);
    int r = client->follow ? follow_files(&to, output, at) : 0;
    lines_end(&to);
    return r < 0 ? CTL_ERROR : CTL_DONE;
}

/* ---- the journal ----------------------------------------------------------------------------- */

/* An entry of journald. */
static void print_entry(struct client *client, sd_journal *journal)
{
    const void *data;
    uint64_t usec = 0;
    size_t size;
    char text[ENTRY_TIME] = "";
    struct tm local;

    sd_journal_get_realtime_usec(journal, &usec);
    time_t seconds = (time_t)(usec / 1000000);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
    if (sd_journal_get_data(journal, "MESSAGE", &data, &size) < 0 || size < 8)
        return;
    const char *line = (const char *)data + 8;
    if (client->json != JSON_OFF) {
        answer_line(client, line, size - 8, usec);
        return;
    }
    printf("%s.%03" PRIu64 "  ", text, usec / 1000 % 1000);
    if (client->lines_among_others)
        write_line(line, size - 8);
    else
        printf("%.*s\n", (int)(size - 8), line);
}

/*
 * A child "sshd" has its name in the journal in common with the system's sshd. What a child writes
 * is forwarded by proctord with a field of its own, or came from its standard output while an older
 * proctord ran, not from syslog(3), and from the unit that proctord is in. An entry without a unit
 * may be the last word of a process that had gone before journald looked.
 */
struct ours {
    sd_bus_creds *creds;
    const char *unit, *user_unit; /* of proctord; NULL: none, or not known */
};

/* The unit of the proctord that is on the bus, to leave out entries of
 * others. */
static void ours_find(struct client *client, struct ours *ours)
{
    *ours = (struct ours){};
    if (!client->bus || sd_bus_get_name_creds(client->bus, NAME,
                                              SD_BUS_CREDS_AUGMENT | SD_BUS_CREDS_PID |
                                                  SD_BUS_CREDS_UNIT | SD_BUS_CREDS_USER_UNIT,
                                              &ours->creds) < 0)
        return;
    sd_bus_creds_get_unit(ours->creds, &ours->unit);
    sd_bus_creds_get_user_unit(ours->creds, &ours->user_unit);
}

static bool is_service(const char *unit, size_t size)
{
    static const char end[] = ".service";
    const size_t length = sizeof(end) - 1;

    return size > length && memcmp(unit + size - length, end, length) == 0;
}

/* Where neither is a service (a terminal's scope), proctord may have been in another one before. */
static bool is_from(sd_journal *journal, const char *field, const char *unit)
{
    const void *data;
    size_t size, skip = strlen(field) + 1;

    if (sd_journal_get_data(journal, field, &data, &size) < 0 || size < skip)
        return true;
    const char *its = (const char *)data + skip;
    size -= skip;
    if (unit && strlen(unit) == size && memcmp(unit, its, size) == 0)
        return true;
    return !is_service(its, size) && !(unit && is_service(unit, strlen(unit)));
}

static bool is_ours(sd_journal *journal, const struct ours *ours)
{
    return is_from(journal, "_SYSTEMD_UNIT", ours->unit) &&
           is_from(journal, "_SYSTEMD_USER_UNIT", ours->user_unit);
}

/* To before the last `lines` of ours. */
static int seek_back(sd_journal *journal, const struct ours *ours, uint64_t lines)
{
    int r = sd_journal_seek_tail(journal);

    while (r >= 0 && (r = sd_journal_previous(journal)) > 0)
        if (is_ours(journal, ours) && lines-- == 0)
            return 0;
    return r < 0 ? r : sd_journal_seek_head(journal);
}

/* Lines that proctord has forwarded, or that the child has written itself. */
static int open_entries(const char *id, sd_journal **journal)
{
    static const char *const ways[][3] = {{"PROCTOR_OUTPUT=stdout", "PROCTOR_OUTPUT=stderr"},
                                          {"_TRANSPORT=stdout"}};
    char match[600];
    int r = sd_journal_open(journal, SD_JOURNAL_LOCAL_ONLY);

    if (r < 0)
        return r;
    snprintf(match, sizeof(match), "SYSLOG_IDENTIFIER=%s", id);
    for (size_t i = 0; r >= 0 && i < sizeof(ways) / sizeof(ways[0]); i++) {
        r = i > 0 ? sd_journal_add_disjunction(*journal) : 0;
        if (r >= 0)
            r = sd_journal_add_match(*journal, match, 0);
        for (size_t j = 0; r >= 0 && ways[i][j]; j++)
            r = sd_journal_add_match(*journal, ways[i][j], 0);
    }
    if (r < 0)
        sd_journal_close(*journal);
    return r;
}

/* Returns how many lines there were, or a negative errno. */
static int read_journal(struct client *client, const char *id, uint64_t lines, const char *heading)
{
    sd_journal *journal;
    struct ours ours;
    int count = 0, r = open_entries(id, &journal);

    if (r < 0)
        return r;
    ours_find(client, &ours);
    r = seek_back(journal, &ours, lines);
    for (;;) {
        while (r >= 0 && (r = sd_journal_next(journal)) > 0) {
            if (!is_ours(journal, &ours))
                continue;
            if (count++ == 0)
                fputs(heading, stdout);
            print_entry(client, journal);
        }
        if (r < 0 || !client->follow || terminal_failed())
            break;
        r = sd_journal_wait(journal, UINT64_MAX);
    }
    sd_journal_close(journal);
    sd_bus_creds_unref(ours.creds);
    return r < 0 ? r : count;
}

/* No lines is no error. */
static int log_journal(struct client *client, const char *id, uint64_t lines)
{
    int r = read_journal(client, id, lines, "");

    if (r > 0)
        return CTL_DONE;
    if (r < 0)
        client_fail(client, "the journal cannot be read: %s", strerror(-r));
    else
        client_note("the journal has no lines from %s; without journald its output goes to the "
                    "standard error of proctord",
                    id);
    return r == -EACCES || r == -EPERM ? CTL_NOT_ALLOWED : r < 0 ? CTL_ERROR : CTL_DONE;
}

/* ---- the command ----------------------------------------------------------------------------- */

/* Says where the output goes if it is not kept. */
static int log_of(struct client *client, const struct process_output *output, const char *id,
                  uint64_t lines)
{
    switch (output->kind) {
    case OUTPUT_FILE:
        return log_file(client, output, lines);
    case OUTPUT_JOURNAL:
        return log_journal(client, id, lines);
    case OUTPUT_INHERIT:
        client_note("%s writes to the standard error of proctord (stdout: inherit)", id);
        return CTL_DONE;
    case OUTPUT_RAW:
        client_note("%s writes to the standard error of proctord (stdout: raw)", id);
        return CTL_DONE;
    case OUTPUT_NULL:
        client_note("what %s writes is not kept (stdout: null)", id);
        return CTL_DONE;
    }
    return CTL_ERROR;
}

/* What the child's manifest says of its output. Returns an exit code. */
static int find_output(struct client *client, const char *id, const char *path,
                       struct manifest **manifest)
{
    struct manifest_error error = {};
    char *text = NULL;
    int r = call_string(client, path, CHILD, "Manifest", &text);

    *manifest = NULL;
    if (r >= 0)
        r = manifest_parse(text, strlen(text), "", manifest, &error);
    free(text);
    if (r >= 0 && manifest_count(*manifest) == 1)
        return CTL_DONE;
    client_fail(client, "cannot find out where %s writes its output: %s", id,
                error.text[0] ? error.text : strerror(r < 0 ? -r : EINVAL));
    if (*manifest)
        manifest_free(*manifest);
    *manifest = NULL;
    return CTL_ERROR;
}

static const struct process_output *output_of(const struct manifest *manifest)
{
    return &manifest_declaration(manifest, 0)->process.output;
}

static int read_lines(struct client *client, uint64_t *lines)
{
    *lines = LINES;
    if (!client->lines || number_read(client->lines, LINES_MAX, lines) == 0)
        return CTL_DONE;
    return client_fail(client, "-n: expected a number of lines up to %d, got \"%s\"", LINES_MAX,
                       client->lines);
}

/* Where the output goes is in the manifest. */
int command_log(struct client *client)
{
    const char *id = client->arguments[0];
    struct manifest *manifest = NULL;
    char *path = NULL;
    uint64_t lines;

    (client->follow ? document_follow : document_list)(client);
    int code = read_lines(client, &lines);
    if (code == CTL_DONE)
        code = client_child_path(client, id, &path);
    if (code == CTL_DONE)
        code = find_output(client, id, path, &manifest);
    if (code == CTL_DONE)
        code = log_of(client, output_of(manifest), id, lines);
    if (manifest)
        manifest_free(manifest);
    free(path);
    return code;
}

/* For `status`: a few lines, or nothing. */
void log_show_last(struct client *client, const char *id, const char *path)
{
    struct manifest *manifest;

    if (client->host) /* which has the files, and the journal */
        return;
    if (find_output(client, id, path, &manifest) != CTL_DONE)
        return;
    const struct process_output *output = output_of(manifest);
    client->lines_among_others = true;
    if (output->kind == OUTPUT_FILE && access(output->path, R_OK) == 0) {
        fputs("    last lines of ", stdout);
        text_write(stdout, output->path);
        puts(":");
        struct lines to = {.client = client};
        print_files(&to, output, LINES_SHOWN);
        lines_end(&to);
    } else if (output->kind == OUTPUT_JOURNAL) {
        read_journal(client, id, LINES_SHOWN, "    last lines in the journal:\n");
    }
    client->lines_among_others = false;
    manifest_free(manifest);
}
