/*
 * The format of systemd's EnvironmentFile=, as its own state machine: one
 * function per state. It works in place and allocates nothing, as a birth calls
 * it.
 */
#include "system/environment_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The states and their turns are those of systemd's parse_env_file_internal(). */
enum state {
    BEFORE_NAME,
    NAME,
    BEFORE_VALUE, /* or behind a quote: what follows is joined */
    VALUE,
    VALUE_ESCAPE,
    SINGLE_QUOTE,
    DOUBLE_QUOTE,
    DOUBLE_QUOTE_ESCAPE,
    COMMENT,
    COMMENT_ESCAPE,
};

struct parser {
    enum state state;
    size_t line, quote_line;
    char *variable; /* where the present one begins; it is never longer than what it is made from */
    char *out;
    char *trailing; /* blanks at the end begin here; NULL: none */
    int (*take)(void *userdata, char *variable);
    void *userdata;
    struct environment_problem *problem;
};

static int refuse(struct parser *parser, size_t line, const char *why)
{
    *parser->problem = (struct environment_problem){line, why};
    return -EINVAL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_newline(char c)
{
    return c == '\n' || c == '\r';
}

static bool name_valid(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return length > 0 && name[length] == '\0' && (name[0] < '0' || name[0] > '9');
}

static void put(struct parser *parser, char c)
{
    *parser->out++ = c;
}

/* A character whose blanks at the end of a name or a value do not count. */
static void put_plain(struct parser *parser, char c)
{
    if (!is_blank(c))
        parser->trailing = NULL;
    else if (!parser->trailing)
        parser->trailing = parser->out;
    put(parser, c);
}

static void cut_blanks(struct parser *parser)
{
    if (parser->trailing)
        parser->out = parser->trailing;
    parser->trailing = NULL;
}

bool environment_is_own(const char *name)
{
    static const char *const own[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC",  "WATCHDOG_PID",
                                      "LISTEN_FDS",    "LISTEN_FDNAMES", "LISTEN_PID"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(name, own[i]) == 0)
            return true;
    return strncmp(name, "PROCTOR_", 8) == 0;
}

/* Where systemd ignores a line and logs it, this is an error. */
static int end_name(struct parser *parser)
{
    cut_blanks(parser);
    *parser->out = '\0';
    if (!name_valid(parser->variable))
        return refuse(parser, parser->line,
                      strncmp(parser->variable, "export", 6) == 0 && is_blank(parser->variable[6])
                          ? "\"export\" is not supported: expected NAME=VALUE"
                          : "expected NAME=VALUE with a name of letters, digits and _");
    if (environment_is_own(parser->variable))
        return refuse(parser, parser->line, "sets a variable that is reserved for proctord");
    put(parser, '=');
    parser->state = BEFORE_VALUE;
    return 0;
}

static int end_value(struct parser *parser)
{
    cut_blanks(parser);
    *parser->out++ = '\0';
    if (parser->out - parser->variable > ENVIRONMENT_VARIABLE_MAX)
        return refuse(parser, parser->line, "is longer than the 128 KiB that the kernel accepts");
    parser->state = BEFORE_NAME;
    return parser->take(parser->userdata, parser->variable);
}

/* Comments begin with # or ;. */
static int step_before_name(struct parser *parser, char c, char *at)
{
    if (c == '#' || c == ';') {
        parser->state = COMMENT;
    } else if (!is_blank(c)) {
        parser->variable = parser->out = at;
        parser->trailing = NULL;
        parser->state = NAME;
        if (c == '=')
            return refuse(parser, parser->line, "expected a name before \"=\"");
        put_plain(parser, c);
    }
    return 0;
}

static int step_name(struct parser *parser, char c)
{
    if (is_newline(c))
        return refuse(parser, parser->line, "expected NAME=VALUE, there is no \"=\"");
    if (c == '=')
        return end_name(parser);
    put_plain(parser, c);
    return 0;
}

/* A quote, or the value itself. */
static int step_before_value(struct parser *parser, char c)
{
    if (is_newline(c))
        return end_value(parser);
    if (c == '\'' || c == '"') {
        parser->state = c == '"' ? DOUBLE_QUOTE : SINGLE_QUOTE;
        parser->quote_line = parser->line;
    } else if (c == '\\') {
        parser->state = VALUE_ESCAPE;
    } else if (!is_blank(c)) {
        parser->state = VALUE;
        put_plain(parser, c);
    }
    return 0;
}

/* Quotes within a value are ordinary characters. */
static int step_value(struct parser *parser, char c)
{
    if (is_newline(c))
        return end_value(parser);
    if (c == '\\') {
        parser->state = VALUE_ESCAPE;
        parser->trailing = NULL;
    } else {
        put_plain(parser, c);
    }
    return 0;
}

static void step_quoted(struct parser *parser, char c)
{
    if (c == (parser->state == SINGLE_QUOTE ? '\'' : '"'))
        parser->state = BEFORE_VALUE;
    else if (c == '\\' && parser->state == DOUBLE_QUOTE)
        parser->state = DOUBLE_QUOTE_ESCAPE;
    else
        put(parser, c);
}

static void step_quoted_escape(struct parser *parser, char c)
{
    parser->state = DOUBLE_QUOTE;
    if (c == '\n')
        return;
    if (!strchr("\"\\`$", c))
        put(parser, '\\');
    put(parser, c);
}

/* The states are systemd's. */
static int step(struct parser *parser, char *at)
{
    char c = *at;

    switch (parser->state) {
    case BEFORE_NAME:
        return step_before_name(parser, c, at);
    case NAME:
        return step_name(parser, c);
    case BEFORE_VALUE:
        return step_before_value(parser, c);
    case VALUE:
        return step_value(parser, c);
    case VALUE_ESCAPE:
        parser->state = VALUE;
        if (!is_newline(c))
            put(parser, c);
        return 0;
    case SINGLE_QUOTE:
    case DOUBLE_QUOTE:
        step_quoted(parser, c);
        return 0;
    case DOUBLE_QUOTE_ESCAPE:
        step_quoted_escape(parser, c);
        return 0;
    case COMMENT:
        parser->state = is_newline(c) ? BEFORE_NAME : c == '\\' ? COMMENT_ESCAPE : COMMENT;
        return 0;
    case COMMENT_ESCAPE:
        parser->state = is_newline(c) ? BEFORE_NAME : COMMENT;
        return 0;
    }
    return -EINVAL;
}

/* What may stand at the end. */
static int finish(struct parser *parser)
{
    switch (parser->state) {
    case BEFORE_NAME:
    case COMMENT:
    case COMMENT_ESCAPE:
        return 0;
    case NAME:
        return refuse(parser, parser->line, "expected NAME=VALUE, there is no \"=\"");
    case BEFORE_VALUE:
    case VALUE:
    case VALUE_ESCAPE:
        return end_value(parser);
    case SINGLE_QUOTE:
    case DOUBLE_QUOTE:
    case DOUBLE_QUOTE_ESCAPE:
        return refuse(parser, parser->quote_line, "the quote that begins here is not closed");
    }
    return -EINVAL;
}

/* ---- what is text ---------------------------------------------------------------------------- */

/* The length of the UTF-8 character at `at`, or 0. Overlong forms and surrogates are none. */
static size_t character(const unsigned char *at, size_t left)
{
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xC2 ? 0
                    : at[0] < 0xE0 ? 2
                    : at[0] < 0xF0 ? 3
                    : at[0] < 0xF5 ? 4
                                   : 0;

    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
        (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

/* Before anything is taken. */
static int check_text(struct parser *parser, const char *text, size_t length)
{
    size_t line = 1;

    for (size_t i = 0, n; i < length; i += n) {
        n = character((const unsigned char *)text + i, length - i);
        if (n == 0)
            return refuse(parser, line, "is not UTF-8");
        if (text[i] == '\0')
            return refuse(parser, line, "contains a NUL character");
        line += text[i] == '\n';
    }
    return 0;
}

/* A byte order mark is skipped. */
int environment_file_parse(char *text, size_t length, int (*take)(void *userdata, char *variable),
                           void *userdata, struct environment_problem *problem)
{
    struct parser parser = {.line = 1,
                            .variable = text,
                            .out = text,
                            .take = take,
                            .userdata = userdata,
                            .problem = problem};
    size_t start = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    int r = check_text(&parser, text, length);

    for (size_t i = start; r == 0 && i < length; i++) {
        bool newline = text[i] == '\n';
        r = step(&parser, &text[i]);
        parser.line += newline;
    }
    return r < 0 ? r : finish(&parser);
}
