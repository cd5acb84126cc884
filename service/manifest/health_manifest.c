/*
 * Health checks in a manifest: one command, or one place to connect to, and how often.
 */
#include "manifest/reader.h"
#include "core/vocabulary/invariant.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define COMMAND_MAX 256
#define URL_MAX     1024
#define CURL        "/usr/bin/curl"

struct parsed {
    struct child_declaration *declaration;
    struct health_spec *health;
    unsigned ways;
};

/* Runs as the child's user, so the path has to be absolute. */
static int read_command(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;
    const char **arguments;
    size_t count;
    int r = reader_strings(reader, node, COMMAND_MAX, &arguments, &count);

    if (r < 0)
        return r;
    if (count == 0 || arguments[0][0] != '/')
        return reader_refuse(reader, node, "expected a list that begins with an absolute path");
    parsed->health->arguments = arguments;
    parsed->ways++;
    return 0;
}

/* Local or internet, by the key. */
static int read_address(struct reader *reader, const struct node *node, struct parsed *parsed,
                        bool local, const char *expected)
{
    struct socket_spec *where = &parsed->health->target;
    int r = reader_text(reader, node, &where->listen);

    if (r < 0)
        return r;
    if ((where->listen[0] == '/' || where->listen[0] == '@') != local ||
        manifest_parse_address(where->listen, "127.0.0.1", where) < 0)
        return reader_refuse(reader, node, "expected %s, got \"%.60s\"", expected, where->listen);
    parsed->ways++;
    return 0;
}

static int read_tcp(struct reader *reader, const struct node *node, void *target)
{
    return read_address(reader, node, target, false,
                        "ADDRESS:PORT, [ADDRESS]:PORT or a PORT (1 to 65535) of 127.0.0.1");
}

static int read_unix(struct reader *reader, const struct node *node, void *target)
{
    return read_address(reader, node, target, true, "a path, or @NAME for the abstract namespace");
}

static bool is_url(const char *url)
{
    const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                                                          : "";

    if (*host == '\0' || strchr("/?#:", *host) || strlen(url) > URL_MAX)
        return false;
    for (const char *c = url; *c; c++)
        if (!isgraph((unsigned char)*c))
            return false;
    return true;
}

/* Such a part of a URL would be shown with the manifest. */
static bool has_password(const char *url)
{
    const char *host = strstr(url, "://") + 3;

    return memchr(host, '@', strcspn(host, "/?#")) != NULL;
}

/* libcurl asks, in a process of its own, which has its own time and cannot hold up anybody: as
 * `exec`. Neither the user's settings nor a proxy of the environment decide where it asks. */
static int read_http(struct reader *reader, const struct node *node, void *target)
{
    static const char *const command[] = {CURL,       "--disable", "--silent",  "--show-error",
                                          "--fail",   "--globoff", "--noproxy", "*",
                                          "--output", "/dev/null", "--url"};
    size_t n = sizeof(command) / sizeof(command[0]);
    struct parsed *parsed = target;
    const char *url, **arguments;
    int r = reader_text(reader, node, &url);

    if (r < 0)
        return r;
    if (!is_url(url))
        return reader_refuse(reader, node,
                             "expected a URL that begins with http:// or https://, got \"%.60s\"",
                             url);
    if (has_password(url))
        return reader_refuse(reader, node,
                             "a password does not belong into a manifest, which others can read");
    arguments = arena_allocate(reader->arena, (n + 2) * sizeof(*arguments));
    if (!arguments)
        return -ENOMEM;
    memcpy(arguments, command, sizeof(command));
    arguments[n] = url;
    arguments[n + 1] = NULL;
    parsed->health->arguments = arguments;
    parsed->ways++;
    return 0;
}

static int read_positive(struct reader *reader, const struct node *node, uint64_t *usec)
{
    int r = reader_duration(reader, node, usec);
    return r == 0 && *usec == 0 ? reader_refuse(reader, node, "must be longer than 0") : r;
}

static int read_interval(struct reader *reader, const struct node *node, void *target)
{
    return read_positive(reader, node, &((struct parsed *)target)->declaration->health_usec);
}

static int read_timeout(struct reader *reader, const struct node *node, void *target)
{
    return reader_deadline(reader, node,
                           &((struct parsed *)target)->declaration->health_timeout_usec);
}

static int read_retries(struct reader *reader, const struct node *node, void *target)
{
    uint32_t *retries = &((struct parsed *)target)->declaration->health_retries;
    int r = reader_u32(reader, node, 1000, retries);
    return r == 0 && *retries == 0 ? reader_refuse(reader, node, "must be at least 1") : r;
}

static int read_on_failure(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {
        {"report", ON_STALE_REPORT}, {"restart", ON_STALE_RESTART}, {}};
    int value, r = reader_word(reader, node, words, &value);

    if (r == 0)
        ((struct parsed *)target)->declaration->on_unhealthy = (enum on_stale)value;
    return r;
}

/* Exactly one way to ask. */
int manifest_read_health(struct reader *reader, const struct node *node,
                         struct child_declaration *declaration)
{
    INVARIANT(declaration);
    static const struct key keys[] = {{"exec", read_command},
                                      {"http", read_http},
                                      {"tcp", read_tcp},
                                      {"unix", read_unix},
                                      {"interval", read_interval},
                                      {"timeout", read_timeout},
                                      {"retries", read_retries},
                                      {"on_failure", read_on_failure},
                                      {}};
    struct parsed parsed = {.declaration = declaration,
                            .health = arena_allocate(reader->arena, sizeof(*parsed.health))};

    if (!parsed.health)
        return -ENOMEM;
    declaration->health_usec = UINT64_C(10) * 1000000;
    int r = reader_mapping(reader, node, keys, &parsed);
    if (r < 0)
        return r;
    if (parsed.ways != 1)
        return reader_refuse(reader, node, "expected one of exec, http, tcp and unix");
    declaration->process.health = parsed.health;
    return 0;
}
