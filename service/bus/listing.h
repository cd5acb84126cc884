/*
 * Listing: ListChildren and CurrentState, all children in one answer.
 *
 * With many children the answer is made over several turns of the loop (bulk.h): each child is
 * shown as it is at one moment. CurrentState says between which two events these moments fall,
 * `sequence` and `until_sequence`: where they are the same it is a consistent cut, and where they
 * are not, QueryEvents has what happened between them.
 */
#pragma once

#include <systemd/sd-bus.h>

int method_list_children(sd_bus_message *m, void *userdata, sd_bus_error *error);
int method_current_state(sd_bus_message *m, void *userdata, sd_bus_error *error);
