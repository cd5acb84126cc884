/*
 * One row of ListChildren, as the commands that go through all children need
 * it.
 */
#include "ctl/child_row.h"

#include "ctl/call.h"

#include <assert.h>
#include <string.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

/* Reads the row without consuming it, because the caller may want to print the
 * whole row. */
int child_row_look(sd_bus_message *m, struct child_row *row)
{
    assert(m && row);
    int r = sd_bus_message_read(m, "soss", &row->id, &row->path, &row->operation, &row->status);

    if (r >= 0)
        r = sd_bus_message_skip(m, "sttbsu");
    if (r >= 0)
        r = sd_bus_message_read(m, "b", &row->exhausted);
    return r < 0 ? r : sd_bus_message_rewind(m, false);
}

/* The visitor ends the walk by returning something other than 0. */
int child_row_each(struct client *client, sd_bus_error *error,
                   int (*visit)(struct client *client, const struct child_row *row, void *userdata),
                   void *userdata)
{
    CLEANUP_MESSAGE *reply = NULL;
    struct child_row row;
    int stopped = 0;

    assert(client && visit);
    int r = call_method(client, PATH, MANAGER, "ListChildren", error, &reply, NULL);
    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "(" CHILD_ROW ")");
    while (r >= 0 && stopped == 0 &&
           (r = sd_bus_message_enter_container(reply, 'r', CHILD_ROW)) > 0) {
        r = child_row_look(reply, &row);
        if (r >= 0)
            stopped = visit(client, &row, userdata);
        if (r >= 0)
            r = sd_bus_message_skip(reply, CHILD_ROW);
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    return r < 0 ? r : stopped;
}

/* Whether there is an attempt. */
static bool is_up(const struct child_row *row)
{
    return strcmp(row->status, "none") != 0 && strcmp(row->status, "stopped") != 0;
}

/* Failed means: given up, quarantined, or down after a start that failed. The
 * last one has to be asked for separately. */
bool child_row_has_failed(struct client *client, const struct child_row *row)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;

    assert(client && row);
    if (row->exhausted || strcmp(row->operation, "quarantined") == 0)
        return true;
    if (is_up(row) ||
        call_property(client, row->path, CHILD, "Failure", &error, &reply, "a{sv}") < 0)
        return false;
    return sd_bus_message_enter_container(reply, 'a', "{sv}") > 0 &&
           sd_bus_message_at_end(reply, false) == 0;
}

bool child_row_is_active(const struct child_row *row)
{
    assert(row);
    return strcmp(row->status, "running") == 0 || strcmp(row->status, "ready") == 0;
}
