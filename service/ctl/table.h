/*
 * Table: rows of text in aligned columns, as wide as what is in them, but no wider than the
 * terminal: then the first column is shortened in its middle.
 */
#pragma once

#include "ctl/client.h"

#define TABLE_COLUMNS_MAX 10

struct table;

/* titles: NULL-terminated, valid as long as the table; one that begins with ">" is of a column that
 * is aligned to the right. NULL where there is no memory: the others do nothing then. */
struct table *table_new(const struct client *client, const char *const *titles);

/* Copies the cells, one for each title. colour: an escape sequence, or "". */
void table_add(struct table *table, const char *colour, const char *const *cells);

/* Prints and frees it. */
void table_print(struct table *table);

/* How wide lines may be on a terminal, by COLUMNS or as it says itself; 0: as they are. */
size_t terminal_width(void);
