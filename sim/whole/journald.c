#include "whole/journald.h"

#include "core/vocabulary/invariant.h"
#include "kernel/path.h"
#include "machine/runner.h"
#include "machine/unix_socket.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER      "/run/systemd/journal"
#define SOCKET_PATH FOLDER "/socket"
#define ENTRY_MAX   65536
#define WRITERS     256 /* processes whose lines are remembered; a power of two */

/* The last line of a process. Its number may come again: then its lines begin with 1. */
struct writer {
    int pid;
    unsigned long long line;
};

struct journald {
    struct machine *machine;
    struct unix_socket *socket; /* NULL: it is not there */
    bool reads;
    unsigned changes;
    uint64_t entries;
    struct writer writers[WRITERS];
};

static const struct socket_credentials own = {.pid = 1};

struct journald *journald_new(struct machine *machine)
{
    struct journald *journald = calloc(1, sizeof(*journald));

    INVARIANT(journald);
    journald->machine = machine;
    return journald;
}

void journald_start(struct journald *journald)
{
    struct inode *inode;

    if (journald->socket)
        return;
    path_make_folder(journald->machine->init, NULL, "/run/systemd", 0755);
    path_make_folder(journald->machine->init, NULL, FOLDER, 0755);
    path_unlink(journald->machine->init, NULL, SOCKET_PATH);
    if (path_make_node(journald->machine->init, NULL, SOCKET_PATH, S_IFSOCK | 0666, 0, &inode) < 0)
        return;
    journald->socket = unix_socket_new(SOCK_DGRAM, &own);
    INVARIANT(journald->socket);
    unix_socket_bind(journald->socket, SOCKET_PATH, sizeof(SOCKET_PATH), inode);
    inode_release(inode);
    journald->reads = true;
    journald->machine->changes++;
}

void journald_die(struct journald *journald)
{
    if (journald->socket)
        unix_socket_free(journald->socket);
    journald->socket = NULL;
    journald->machine->changes++;
}

void journald_free(struct journald *journald)
{
    if (!journald)
        return;
    journald_die(journald);
    free(journald);
}

void journald_change(struct journald *journald)
{
    switch (journald->changes++ % 4) {
    case 0:
        journald->reads = false;
        break;
    case 1:
        journald->reads = true;
        break;
    case 2:
        journald_die(journald);
        break;
    case 3:
        journald_start(journald);
        break;
    }
    journald->machine->changes++;
}

/* ---- entries --------------------------------------------------------------------------------- */

/* FIELD=text, or FIELD, a line end, eight bytes of length, as much data, and a line end. */
static bool is_valid(const char *entry, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t name = at;
        while (at < size && ((entry[at] >= 'A' && entry[at] <= 'Z') || entry[at] == '_' ||
                             (at > name && entry[at] >= '0' && entry[at] <= '9')))
            at++;
        if (at == name || at == size)
            return false;
        if (entry[at] == '=') {
            const char *end = memchr(entry + at, '\n', size - at);
            if (!end)
                return false;
            at = (size_t)(end - entry) + 1;
            continue;
        }
        uint64_t length;
        if (entry[at] != '\n' || size - at < 1 + sizeof(length))
            return false;
        memcpy(&length, entry + at + 1, sizeof(length));
        at += 1 + sizeof(length);
        if (length >= size - at || entry[at + length] != '\n')
            return false;
        at += length + 1;
    }
    return size > 0;
}

static void look_at_line(struct journald *journald, const char *line)
{
    unsigned long long number;
    int pid;

    if (sscanf(line, "line %llu of %d:", &number, &pid) != 2)
        return;
    struct writer *writer = &journald->writers[(unsigned)pid % WRITERS];
    if (writer->pid == pid && number <= writer->line && number != 1)
        machine_fail(journald->machine, "line %llu of PID %d comes after line %llu in the journal",
                     number, pid, writer->line);
    *writer = (struct writer){pid, number};
}

static void look_at(struct journald *journald, char *entry, size_t size)
{
    journald->entries++;
    if (!is_valid(entry, size)) {
        machine_fail(journald->machine,
                     "an entry that is not valid was sent to the journal: %.100s", entry);
        return;
    }
    entry[size - 1] = '\0';
    const char *message = strstr(entry, "MESSAGE=");
    if (message)
        look_at_line(journald, message + strlen("MESSAGE="));
}

bool journald_pump(struct journald *journald)
{
    static char entry[ENTRY_MAX + 1];
    struct received received = {};
    bool any = false;
    ssize_t size;

    if (!journald->socket || !journald->reads)
        return false;
    while ((size = unix_socket_take(journald->socket, entry, ENTRY_MAX, false, &received)) >= 0) {
        any = true;
        for (size_t i = 0; i < received.n_passed; i++)
            description_release(received.passed[i]); /* a large entry, in memory of its own */
        if (received.n_passed == 0)
            look_at(journald, entry, (size_t)size);
        received.n_passed = 0;
    }
    return any;
}

uint64_t journald_entries(const struct journald *journald)
{
    return journald->entries;
}
