/*
 * Journal stream: a line-wise stream into journald, as of sd_journal_stream_fd(3), that does not
 * wait for a journald which accepts no connection.
 */
#pragma once

/* Lines may begin with a priority, <N>. Returns a descriptor or a negative errno. */
int journal_stream_open(const char *identifier, int priority);
