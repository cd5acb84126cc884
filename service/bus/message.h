/*
 * A message as bytes: for an answer that must outlive the program that gave it, and for a call that
 * the next program is to handle.
 *
 * message_archive(): the values of a sealed message, or into one that is not. Returns 0 or a
 * negative errno, and then the archive has failed.
 */
#pragma once

#include <systemd/sd-bus.h>

struct archive;

int message_archive(struct archive *archive, sd_bus_message *m);
/* A whole call; read, it comes in on that bus as it came in before. The same errors. */
int call_write(struct archive *archive, sd_bus_message *call);
int call_read(struct archive *archive, sd_bus *bus);
