/*
 * Later keys: the encoding of the keys of a process that came after the first release. They share a
 * number with nice_set, in the bits above it, so that what was written before they were known is
 * still read, as if they had not been given.
 */
#pragma once

struct archive;
struct directory_list;
struct process_spec;

void later_keys_archive(struct archive *archive, struct process_spec *spec);

/* One list of directories, as it is compared, too. */
void later_keys_archive_directories(struct archive *archive, struct directory_list *list);
