/* Clients without a library: lines of the handshake, and messages that are none. */
#include "talk.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int raw_client(struct talk *talk)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, talk->path, sizeof(address.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

/* Lines until there are as many as wanted, or the bus hangs up. */
static void read_lines(struct talk *talk, int fd, int wanted)
{
    g_autoptr(GString) line = g_string_new(NULL);
    char c;

    while (wanted > 0) {
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        g_assert_cmpint(poll(&polled, 1, DEADLINE_MSEC), ==, 1);
        if (read(fd, &c, 1) <= 0) {
            g_string_append_printf(talk->seen, "%shung up\n", line->str);
            return;
        }
        if (c == '\n') {
            if (g_str_has_prefix(line->str, "OK "))
                g_string_truncate(line, 2);
            g_string_append_printf(talk->seen, "%s\n", line->str);
            g_string_truncate(line, 0);
            wanted--;
        } else if (c != '\r') {
            g_string_append_c(line, c);
        }
    }
}

static void say_lines(struct talk *talk, const char *lines, int answers)
{
    int fd = raw_client(talk);
    size_t size = strlen(lines) + 1;

    g_string_append_printf(talk->seen, "lines: %s", lines);
    g_assert_cmpint(write(fd, "", 1), ==, 1);
    g_assert_cmpint(write(fd, lines, size - 1), ==, size - 1);
    read_lines(talk, fd, answers);
    close(fd);
}

void talk_of_handshakes(struct talk *talk)
{
    g_autofree char *decimal = g_strdup_printf("%u", getuid());
    g_autoptr(GString) own = g_string_new(NULL);
    g_autoptr(GString) external = g_string_new("AUTH EXTERNAL ");

    for (const char *at = decimal; *at; at++)
        g_string_append_printf(own, "%02x", *at);
    g_string_append_printf(external, "%s\r\n", own->str);
    say_lines(talk, external->str, 1);
    g_string_append(external, "NEGOTIATE_UNIX_FD\r\nAUTH EXTERNAL\r\nDATA\r\nFOO\r\nCANCEL\r\n");
    say_lines(talk, external->str, 6);
    say_lines(talk, "AUTH\r\n", 1);
    say_lines(talk, "AUTH ANONYMOUS\r\nAUTH DBUS_COOKIE_SHA1 30\r\n", 2);
    say_lines(talk, "AUTH EXTERNAL 39393939\r\n", 1);
    say_lines(talk, "AUTH EXTERNAL\r\nDATA\r\nERROR\r\n", 3);
    say_lines(talk, "AUTH EXTERNAL\r\nAUTH EXTERNAL\r\nNEGOTIATE_UNIX_FD\r\nX\r\nCANCEL\r\n", 5);
    say_lines(talk, "AUTH EXTERNAL\r\nDATA 39393939\r\n", 2);
    say_lines(talk, "NEGOTIATE_UNIX_FD\r\nDATA\r\nCANCEL\r\nERROR\r\nX\r\n", 5);
    say_lines(talk, "BEGIN\r\n", 1);
    say_lines(talk, "AUTH\r\nAUTH\r\nAUTH\r\nAUTH\r\nAUTH\r\nAUTH\r\nAUTH\r\n", 7);
    say_lines(talk, "AUTH EXTERNAL\r\nBEGIN\r\n", 2);
}

/* After the handshake; the bus either answers with bytes, or hangs up. */
static void say_bytes(struct talk *talk, const char *title, const char *bytes, size_t size)
{
    static const char begin[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
    int fd = raw_client(talk);
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char answer[512];

    g_assert_cmpint(write(fd, begin, sizeof(begin) - 1), ==, sizeof(begin) - 1);
    read_lines(talk, fd, 2);
    g_assert_cmpint(write(fd, bytes, size), ==, size);
    g_assert_cmpint(poll(&polled, 1, DEADLINE_MSEC), ==, 1);
    ssize_t count = read(fd, answer, sizeof(answer));
    g_string_append_printf(talk->seen, "%s: %s\n", title,
                           count <= 0       ? "hung up"
                           : answer[1] == 2 ? "a return"
                           : answer[1] == 3 ? "an error"
                                            : "something else");
    close(fd);
}

#define HELLO_SIZE 128

static void put_hello(char *m)
{
    static const char hello[] = "l\1\0\1\0\0\0\0\1\0\0\0\x6d\0\0\0"
                                "\1\1o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0"
                                "\3\1s\0\5\0\0\0Hello\0\0\0"
                                "\2\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"
                                "\6\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0";

    G_STATIC_ASSERT(sizeof(hello) == HELLO_SIZE + 1);
    memcpy(m, hello, HELLO_SIZE);
}

/* Each byte of a Hello is given each of some values: valid or not, both buses judge alike. */
void talk_of_bytes(struct talk *talk)
{
    static const unsigned char values[] = {0, 1, 2, 'B', 'o', 's', '/', '.', 0x80, 0xff};
    char m[HELLO_SIZE], title[64];

    put_hello(m);
    say_bytes(talk, "hello", m, sizeof(m));
    for (size_t at = 0; at < HELLO_SIZE; at++) {
        if ((at >= 4 && at < 8) || (at >= 12 && at < 16))
            continue; /* a larger length waits for more */
        for (size_t i = 0; i < sizeof(values); i++) {
            put_hello(m);
            m[at] = (char)values[i];
            if (at == 2 && (values[i] & 1))
                continue; /* nobody wants an answer */
            g_snprintf(title, sizeof(title), "byte %zu is %u", at, values[i]);
            say_bytes(talk, title, m, sizeof(m));
        }
    }
}
