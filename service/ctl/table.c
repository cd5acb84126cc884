/*
 * Tables: columns as wide as their contents, cut only on a terminal, and only
 * in the first column.
 */
#include "ctl/table.h"

#include "core/vocabulary/invariant.h"
#include "system/number.h"
#include "ctl/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GAP       2  /* between columns */
#define FIRST_MIN 12 /* the first column is not made shorter */
#define ELLIPSIS  "\xe2\x80\xa6"

struct row {
    struct row *next;
    const char *colour;
    char *cells[TABLE_COLUMNS_MAX];
};

struct table {
    const struct client *client;
    const char *titles[TABLE_COLUMNS_MAX];
    bool right[TABLE_COLUMNS_MAX];
    size_t width[TABLE_COLUMNS_MAX], columns;
    struct row *first, **last;
};

/* 0: not a terminal, nothing is cut. */
size_t terminal_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    uint64_t width;

    if (!isatty(STDOUT_FILENO))
        return 0;
    if (columns && number_read(columns, UINT16_MAX, &width) == 0 && width > 0)
        return (size_t)width;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        return size.ws_col;
    return 0;
}

/* A title that begins with `>` aligns to the right. */
struct table *table_new(const struct client *client, const char *const *titles)
{
    struct table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->client = client;
    table->last = &table->first;
    for (; titles[table->columns]; table->columns++) {
        size_t i = table->columns;
        INVARIANT(i < TABLE_COLUMNS_MAX);
        table->right[i] = titles[i][0] == '>';
        table->titles[i] = titles[i] + table->right[i];
        table->width[i] = client->legend ? strlen(table->titles[i]) : 0;
    }
    return table;
}

/* Without memory the row is missing; there is nothing better to do. */
void table_add(struct table *table, const char *colour, const char *const *cells)
{
    struct row *row = table ? calloc(1, sizeof(*row)) : NULL;

    if (!row)
        return;
    row->colour = table->client->colour ? colour : "";
    for (size_t i = 0; i < table->columns; i++) {
        INVARIANT(cells[i]); /* one for each title */
        row->cells[i] = text_shown(cells[i]);
        if (row->cells[i] && strlen(row->cells[i]) > table->width[i])
            table->width[i] = strlen(row->cells[i]);
    }
    *table->last = row;
    table->last = &row->next;
}

/* The first column gives way, down to a minimum. */
static void fit(struct table *table)
{
    size_t width = terminal_width(), total = 0;

    for (size_t i = 0; i < table->columns; i++)
        total += table->width[i] + (i > 0 ? GAP : 0);
    if (width == 0 || total <= width)
        return;
    size_t over = total - width;
    size_t spare = table->width[0] > FIRST_MIN ? table->width[0] - FIRST_MIN : 0;
    table->width[0] -= over < spare ? over : spare;
}

/* The beginning and the end of what is too long: both tell more than the middle. */
static void print_cell(const char *text, size_t width, bool right, bool last)
{
    size_t length = strlen(text);

    if (length > width && width >= 3) {
        size_t tail = (width - 1) / 2, head = width - 1 - tail;
        printf("%.*s" ELLIPSIS "%s", (int)head, text, text + length - tail);
        return;
    }
    printf("%*s", right ? (int)width : last ? 0 : -(int)width, text);
}

static void print_row(const struct table *table, const char *const *cells)
{
    for (size_t i = 0; i < table->columns; i++) {
        printf("%*s", i > 0 ? GAP : 0, "");
        print_cell(cells[i] ? cells[i] : "?", table->width[i], table->right[i],
                   i + 1 == table->columns);
    }
}

/* And frees it. */
void table_print(struct table *table)
{
    if (!table)
        return;
    fit(table);
    if (table->client->legend) {
        print_row(table, table->titles);
        fputc('\n', stdout);
    }
    while (table->first) {
        struct row *row = table->first;
        terminal_paint(stdout, row->colour);
        print_row(table, (const char *const *)row->cells);
        terminal_paint(stdout, row->colour[0] ? "\033[0m" : "");
        fputc('\n', stdout);
        table->first = row->next;
        for (size_t i = 0; i < table->columns; i++)
            free(row->cells[i]);
        free(row);
    }
    free(table);
}
