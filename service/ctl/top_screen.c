/*
 * Draws the screen of `top` with ncurses: head, rows, details and foot. What is
 * drawn comes from the rows alone (top_rows.c); nothing is asked of the bus
 * here, so drawing never waits.
 */
#include "core/vocabulary/noun.h"
#include "ctl/connect.h"
#include "ctl/top.h"

#include <curses.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAD      2  /* lines above the rows */
#define FOOT      2  /* and below them, */
#define FOOT_TALL 3  /* where a sentence has two lines, */
#define TALL      20 /* on a screen with so many */
#define HOST_MAX  20 /* characters of a host */
#define CURVE     8  /* characters of a curve at least */
#define FIGURE    32 /* bytes of a figure */

enum { PAIR_GOOD = 1, PAIR_WARN, PAIR_BAD };

static bool utf8;

int screen_open(const struct client *client)
{
    /* A container often has no locale at all, and a terminal that knows UTF-8 all the same. */
    bool none = !getenv("LC_ALL") && !getenv("LC_CTYPE") && !getenv("LANG");

    setlocale(LC_ALL, none ? "C.UTF-8" : "");
    utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!newterm(NULL, stdout, stdin))
        return -1;
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    if (client->colour && has_colors()) {
        start_color();
        use_default_colors();
        init_pair(PAIR_GOOD, COLOR_GREEN, -1);
        init_pair(PAIR_WARN, COLOR_YELLOW, -1);
        init_pair(PAIR_BAD, COLOR_RED, -1);
    }
    return 0;
}

void screen_close(void)
{
    endwin();
}

static size_t details_lines(const struct top *top)
{
    return top->details ? (size_t)LINES / 2 : 0;
}

static size_t foot_lines(void)
{
    return LINES >= TALL ? FOOT_TALL : FOOT;
}

size_t screen_rows(const struct top *top)
{
    size_t taken = HEAD + foot_lines() + details_lines(top);
    return (size_t)LINES > taken ? (size_t)LINES - taken : 1;
}

/* ---- figures --------------------------------------------------------------------------------- */

static void format_bytes(char text[FIGURE], uint64_t bytes)
{
    static const char units[] = "BKMGT";
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1000 && unit < 4) {
        value /= 1024;
        unit++;
    }
    snprintf(text, FIGURE, value < 10 && unit > 0 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

static void format_up(char text[FIGURE], uint64_t started_usec)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seconds = (uint64_t)now.tv_sec - started_usec / 1000000;
    if (started_usec == 0 || started_usec / 1000000 > (uint64_t)now.tv_sec)
        strcpy(text, started_usec == 0 ? "-" : "0s");
    else if (seconds < 100)
        snprintf(text, FIGURE, "%" PRIu64 "s", seconds);
    else if (seconds < 6000)
        snprintf(text, FIGURE, "%" PRIu64 "m", seconds / 60);
    else if (seconds < 360000)
        snprintf(text, FIGURE, "%" PRIu64 "h", seconds / 3600);
    else
        snprintf(text, FIGURE, "%" PRIu64 "d", seconds / 86400);
}

/* level: 0 to 8 */
static void add_level(int level)
{
    static const char *const blocks[] = {" ",
                                         "\xe2\x96\x81",
                                         "\xe2\x96\x82",
                                         "\xe2\x96\x83",
                                         "\xe2\x96\x84",
                                         "\xe2\x96\x85",
                                         "\xe2\x96\x86",
                                         "\xe2\x96\x87",
                                         "\xe2\x96\x88"};
    static const char *const letters[] = {" ", ".", ".", ":", ":", "-", "=", "#", "@"};

    addstr(utf8 ? blocks[level] : letters[level]);
}

static int level_of(double value, double full)
{
    if (value <= 0)
        return 0;
    return value >= full ? 8 : 1 + (int)(value / full * 7);
}

/* The last looks, the newest on the right. Four starts in one look fill it, as does a whole
 * processor. */
static void draw_curves(const struct top_row *row, int width)
{
    for (int i = HISTORY - width; i < HISTORY; i++)
        add_level(level_of(row->starts_then[i], 4));
    addstr("  ");
    for (int i = HISTORY - width; i < HISTORY; i++)
        add_level(level_of((double)row->cpu_then[i], 1));
}

/* ---- lines ----------------------------------------------------------------------------------- */

static int columns_of_figures(int curve)
{
    return 1 + 11 + 1 + 7 + 1 + 5 + 1 + 5 + 1 + 6 + 1 + 6 + 2 + curve + 2 + curve;
}

/* Of the column of hosts, with the gap behind it; 0: there is none. */
static int host_width(const struct top *top)
{
    size_t width = strlen("HOST");

    for (size_t i = 0; i < top->n_hosts; i++) {
        size_t length = strlen(top->client->place->hosts.names[i]);
        width = length > width ? length : width;
    }
    return top->n_hosts == 0 ? 0 : (int)(width < HOST_MAX ? width : HOST_MAX) + 1;
}

static int curve_width(const struct top *top)
{
    int curve = (COLS - 24 - host_width(top) - columns_of_figures(0)) / 2;

    return curve < CURVE ? CURVE : curve > HISTORY / 2 ? HISTORY / 2 : curve;
}

/* The beginning and the end of an id tell more than its middle. */
static void draw_id(const char *id, int width)
{
    int length = (int)strlen(id);

    if (length <= width) {
        printw("%-*s", width, id);
        return;
    }
    int tail = (width - 2) / 2, head = width - 2 - tail;
    printw("%.*s..%s", head, id, id + length - tail);
}

static int min_of(int a, int b)
{
    return a < b ? a : b;
}

/* At most so many bytes of it, and no half of a character. */
static void draw_text(const char *text, size_t length, int most)
{
    size_t shown = most > 0 ? (size_t)most : 0;

    if (shown >= length)
        shown = length;
    else
        while (shown > 0 && ((unsigned char)text[shown] & 0xC0) == 0x80)
            shown--;
    addnstr(text, (int)shown);
}

static void draw_string(const char *text, int most)
{
    draw_text(text, strlen(text), most);
}

static attr_t paint(const struct top_row *row)
{
    if (row->bad)
        return COLOR_PAIR(PAIR_BAD);
    return row->good ? COLOR_PAIR(PAIR_GOOD) : COLOR_PAIR(PAIR_WARN);
}

static void draw_row(const struct top *top, const struct top_row *row, bool selected, int y)
{
    int curve = curve_width(top), host = host_width(top);
    int id = COLS - host - columns_of_figures(curve);
    char memory[FIGURE] = "-", up[FIGURE], cpu[FIGURE] = "-", pid[FIGURE] = "-",
         starts[FIGURE] = "-";

    if (row->memory > 0)
        format_bytes(memory, row->memory);
    format_up(up, row->started_usec);
    if (row->cpu >= 0 && row->pid > 0)
        snprintf(cpu, sizeof(cpu), "%.1f", row->cpu * 100);
    if (row->pid > 0)
        snprintf(pid, sizeof(pid), "%" PRIu32, row->pid);
    move(y, 0);
    if (selected)
        attron(A_REVERSE);
    if (host > 0)
        draw_id(row->host, host - 1);
    if (host > 0)
        addch(' ');
    draw_id(row->id[0] ? row->id : "-", id < 8 ? 8 : id);
    addch(' ');
    attron(paint(row));
    printw("%-11.11s", row->state ? row->state : "?");
    attroff(paint(row));
    if (row->attempt > 0)
        snprintf(starts, sizeof(starts), "%" PRIu64, row->attempt);
    printw(" %7s %5s %5s %6s %6s  ", pid, up, cpu, memory, starts);
    draw_curves(row, curve);
    if (selected)
        attroff(A_REVERSE);
}

static void draw_head(const struct top *top)
{
    int curve = curve_width(top), host = host_width(top);
    int id = COLS - host - columns_of_figures(curve);

    size_t children = top->count - top->silent;

    mvprintw(0, 0, "proctor: %zu %s, %zu running", children, noun_of(children, "child"),
             top->active);
    if (top->n_hosts > 0)
        printw(" on %zu of %zu %s", top->n_hosts - top->silent, top->n_hosts,
               noun_of(top->n_hosts, "host"));
    if (top->failed > 0) {
        addstr(", ");
        attron(COLOR_PAIR(PAIR_BAD));
        printw("%zu in trouble", top->failed);
        attroff(COLOR_PAIR(PAIR_BAD));
    }
    if (top->phase[0] && strcmp(top->phase, "idle") != 0)
        printw("; shutdown: %s", top->phase);
    printw("; %s", top_sort_name(top->sort));
    if (top->filter[0])
        printw("; with \"%s\"", top->filter);
    move(1, 0);
    attron(A_BOLD);
    if (host > 0)
        printw("%-*s ", host - 1, "HOST");
    printw("%-*s %-11s %7s %5s %5s %6s %6s  %-*s  %-*s", id < 8 ? 8 : id, "CHILD", "STATE", "PID",
           "UP", "CPU%", "MEMORY", "STARTS", curve, "STARTS", curve, "CPU");
    attroff(A_BOLD);
}

static void draw_details(struct top *top)
{
    int y = (int)(HEAD + screen_rows(top)), last = LINES - (int)foot_lines();
    char *at = top->events;

    mvhline(y++, 0, ACS_HLINE, COLS);
    for (; at && *at && y < last; y++) {
        char *end = strchrnul(at, '\n');
        move(y, 0);
        draw_text(at, (size_t)(end - at), COLS);
        at = *end ? end + 1 : end;
    }
}

/* What fits on a line, up to the end of a word. */
static size_t words_that_fit(const char *text, size_t most)
{
    size_t length = strlen(text);

    if (length <= most)
        return length;
    for (length = most; length > 0 && text[length] != ' ';)
        length--;
    return length > 0 ? length : most;
}

/* Over two lines where the screen has them. */
static void draw_sentence(const char *text)
{
    int left = COLS - getcurx(stdscr) - 1;

    if (foot_lines() == FOOT) {
        draw_string(text, left);
        return;
    }
    size_t first = words_that_fit(text, left > 0 ? (size_t)left : 0);
    draw_text(text, first, left);
    text += first;
    move(LINES - 2, 0);
    draw_string(text + strspn(text, " "), COLS - 1);
}

static void draw_keys(void)
{
    static const char *const keys[] = {
        ("q quit  enter why  / search  s sort  p pause  u resume  r restart  x quarantine  "
         "D remove  ? help"),
        "? help  q quit  enter why  / search  s sort  p pause u resume r restart x D",
        "? help  q quit  enter why",
    };
    size_t i = 0;

    while (i < 2 && strlen(keys[i]) > (size_t)COLS)
        i++;
    printw("%.*s", COLS, keys[i]);
}

static void draw_foot(struct top *top)
{
    const struct top_row *selected = top_selected(top);
    const char *name;

    move(LINES - (int)foot_lines(), 0);
    if (selected) {
        name = selected->id[0] ? selected->id : selected->host;
        draw_id(name, min_of((int)strlen(name), COLS / 2));
        addstr(": ");
        draw_sentence(selected->explanation ? selected->explanation : "");
    }
    move(LINES - 1, 0);
    if (top->prompt) {
        printw("%s%s", top->prompt, top->answer);
        attron(A_REVERSE);
        addch(' ');
        attroff(A_REVERSE);
    } else if (top->message[0]) {
        attr_t colour = top->bad_message ? COLOR_PAIR(PAIR_BAD) : 0;
        attron(colour);
        draw_string(top->message, COLS);
        attroff(colour);
    } else {
        draw_keys();
    }
}

static void draw_help(void)
{
    static const char *const lines[] = {
        "up down j k      another child           pgup pgdn home end   further",
        "enter            recent events, and the reason for its state",
        "/                show only ids that contain this text (empty: all)",
        "s                order: trouble first, by name, cpu, memory, starts",
        "p u r x D        pause, resume, restart, quarantine, remove it: asks for the reason",
        "q                quit                     esc  cancel",
        "",
        "STARTS and CPU on the right are sampled once a second: four starts,",
        "or one whole processor, fill the graph.",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        mvprintw(HEAD + (int)i, 2, "%.*s", COLS - 2, lines[i]);
}

void screen_draw(struct top *top)
{
    const struct top_row *selected = top_selected(top);

    top->fit = screen_rows(top);
    erase();
    draw_head(top);
    for (size_t i = 0; !top->help && i < top->fit && top->offset + i < top->n_shown; i++) {
        const struct top_row *row = &top->rows[top->shown[top->offset + i]];
        draw_row(top, row, row == selected, (int)(HEAD + i));
    }
    if (top->help)
        draw_help();
    else if (top->details)
        draw_details(top);
    draw_foot(top);
    refresh();
}
