/*
 * Child row: a child as ListChildren answers it, and whether it has failed.
 */
#pragma once

#include "ctl/client.h"

#define CHILD_ROW "sosssttbsub"

/* The texts are those of the message that it was read from. */
struct child_row {
    const char *id, *path, *operation, *status;
    int exhausted; /* its restart limit */
};

/* Reads the row that has been entered; the message stays at its beginning. Returns 1, or a negative
 * errno. */
int child_row_look(sd_bus_message *m, struct child_row *row);

/* Asks for all children, and calls visit for each. Stops when that returns other than 0, and
 * returns it; else 0, or a negative errno with the error. */
int child_row_each(struct client *client, sd_bus_error *error,
                   int (*visit)(struct client *client, const struct child_row *row, void *userdata),
                   void *userdata);

/* Given up, quarantined, or not running after a failure: as the property NFailed counts. */
bool child_row_has_failed(struct client *client, const struct child_row *row);

/* Running, and not on its way down. */
bool child_row_is_active(const struct child_row *row);
