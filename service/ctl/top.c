#include "ctl/connect.h"
#include "ctl/top.h"

#include "ctl/outcome.h"
#include "ctl/terminal.h"

#include <curses.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error
#define LOOK_MSEC       1000
#define KEY_ESCAPE      27

static const struct order {
    int key;
    const char *method, *prompt;
} orders[] = {
    {'p', "PauseChild", "reason to pause it: "},
    {'u', "ResumeChild", "reason to resume it: "},
    {'r', "RestartChild", "reason to restart it: "},
    {'x', "QuarantineChild", "reason to quarantine it: "},
    {'D', "RemoveChild", "reason to remove it: "},
};

/* ---- orders ---------------------------------------------------------------------------------- */

static void say_outcome(struct top *top, sd_bus_message *reply)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return;
    outcome_write(out, top->client, reply);
    fclose(out);
    top_say(top, false, text);
    free(text);
}

static void give(struct top *top, const struct order *order, const char *reason)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    int r;

    if (!top_hosts_turn(top)) {
        top_say(top, true, "the host cannot be asked");
        return;
    }
    r = client_call(top->client, PATH, MANAGER, order->method, &call);
    top->client->reason = reason;
    if (r >= 0)
        r = sd_bus_message_append(call, "s", top->selected.id);
    if (r >= 0)
        r = client_append_reason(top->client, call);
    if (r >= 0)
        r = sd_bus_call(top->client->bus, call, 0, &error, &reply);
    if (r < 0)
        top_say(top, true, error.message ? error.message : strerror(-r));
    else
        say_outcome(top, reply);
}

/* ---- questions ------------------------------------------------------------------------------- */

/* Returns 1 when it has been answered, -1 when it was taken back, 0 as long as it is being typed.
 */
static int type(struct top *top, int key)
{
    size_t length = strlen(top->answer);

    if (key == '\r' || key == '\n' || key == KEY_ENTER)
        return 1;
    if (key == KEY_ESCAPE)
        return -1;
    if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
        while (length > 0 && (top->answer[length - 1] & 0xC0) == 0x80)
            top->answer[--length] = '\0'; /* the rest of a character */
        if (length > 0)
            top->answer[length - 1] = '\0';
    } else if (key >= ' ' && key < 256 && key != 127 && length + 1 < sizeof(top->answer)) {
        top->answer[length] = (char)key;
        top->answer[length + 1] = '\0';
    }
    return 0;
}

static void ask(struct top *top, const char *prompt)
{
    top->prompt = prompt;
    top->answer[0] = top->message[0] = '\0';
}

static void answered(struct top *top)
{
    const char *prompt = top->prompt;

    top->prompt = NULL;
    if (strcmp(prompt, "/") == 0) {
        strcpy(top->filter, top->answer);
        top->offset = 0;
        top_arrange(top);
        return;
    }
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        if (orders[i].prompt == prompt && top->selected.id)
            give(top, &orders[i], top->answer);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* A row may stand for a host, too. */
static bool has_child(const struct top *top)
{
    return top->selected.id && top->selected.id[0];
}

static void show_events(struct top *top)
{
    size_t size = 0;
    FILE *out;

    free(top->events);
    top->events = NULL;
    if (!top->details || !has_child(top) || !top_hosts_turn(top) ||
        !(out = open_memstream(&top->events, &size)))
        return;
    events_show_last(top->client, top->selected.id, (size_t)LINES / 2 - 1, out); /* below a line */
    fclose(out);
}

static bool move_to(struct top *top, int key)
{
    long page = (long)top->fit, all = (long)top->n_shown;

    switch (key) {
    case KEY_UP:
    case 'k':
        top_select(top, -1);
        return true;
    case KEY_DOWN:
    case 'j':
        top_select(top, 1);
        return true;
    case KEY_PPAGE:
        top_select(top, -page);
        return true;
    case KEY_NPAGE:
        top_select(top, page);
        return true;
    case KEY_HOME:
    case 'g':
        top_select(top, -all);
        return true;
    case KEY_END:
    case 'G':
        top_select(top, all);
        return true;
    default:
        return false;
    }
}

/* Returns false when it is over. */
static bool press(struct top *top, int key)
{
    if (top->prompt) {
        int r = type(top, key);
        if (r > 0)
            answered(top);
        else if (r < 0)
            top->prompt = NULL;
        return true;
    }
    top->message[0] = '\0';
    if (top->help || key == '?') {
        top->help = !top->help;
        return true;
    }
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        if (orders[i].key == key && has_child(top))
            ask(top, orders[i].prompt);
    if (key == '/')
        ask(top, "/");
    if (key == 's') {
        top->sort = (enum sort)((top->sort + 1) % SORTS);
        top_arrange(top);
    }
    if (key == '\r' || key == '\n' || key == KEY_ENTER)
        top->details = !top->details;
    if (move_to(top, key) || top->details)
        show_events(top);
    return key != 'q' && key != 'Q';
}

/* ---- the loop -------------------------------------------------------------------------------- */

static uint64_t now_msec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Keys until it is time to look again. Returns false when it is over. */
static bool wait_for_keys(struct top *top)
{
    uint64_t end = now_msec() + LOOK_MSEC;

    for (uint64_t now; (now = now_msec()) < end;) {
        timeout((int)(end - now));
        int key = getch();
        if (key == ERR)
            break;
        if (key == KEY_RESIZE)
            top_arrange(top);
        else if (!press(top, key))
            return false;
        screen_draw(top);
    }
    return true;
}

static int look(struct top *top)
{
    if (top->n_hosts == 0)
        return top_look(top);
    top_hosts_look(top);
    return 0;
}

/* Before there is a screen: what is wrong is said on standard error. */
static int open_first(struct top *top)
{
    if (top->client->place->hosts.count > 0)
        return top_hosts_open(top);
    int r = top_look(top);
    return r < 0 || top->message[0] ? -EIO : 0;
}

static int show(struct top *top)
{
    int r;

    terminal_release(); /* curses writes to it itself; what it is given is escaped */
    if (screen_open(top->client) < 0)
        return client_fail(top->client, "top: unknown terminal type (TERM)");
    top->fit = screen_rows(top);
    do {
        r = look(top);
        top_arrange(top);
        show_events(top);
        screen_draw(top);
    } while (r >= 0 && wait_for_keys(top));
    screen_close();
    return r < 0 ? client_fail(top->client, "%s", top->message) : CTL_DONE;
}

int command_top(struct client *client)
{
    struct top top = {.client = client};

    if (client->json != JSON_OFF)
        return client_fail(client,
                           "top: has no JSON output; use \"proctorctl --json=short status\"");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return client_fail(client, "top: needs a terminal; \"proctorctl list\" shows it once");
    int code = open_first(&top) < 0 ? client_fail(client, "%s", top.message) : show(&top);
    top_hosts_close(&top);
    top_free(&top);
    return code;
}
