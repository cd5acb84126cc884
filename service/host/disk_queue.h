/*
 * Disk queue: the works beside the loop that wait for one disk take few threads, however many files
 * are on it. A disk that does not answer any more keeps those, and leaves the others to the files
 * on other disks, and to whatever else is done beside the loop.
 *
 * All functions are the loop's.
 */
#pragma once

#include "system/beside.h"
#include "system/outside.h"

#include <sys/types.h>

#define DISK_THREADS 4 /* for each disk */

struct disk_queue;

/* One of the queues of a disk, the next each time. NULL without memory. */
struct disk_queue *disk_queue_join(dev_t device);
struct beside_queue *disk_queue_works(const struct disk_queue *queue);
dev_t disk_queue_device(const struct disk_queue *queue);
/* The process outside that its works share. */
struct outside_process *disk_queue_process(const struct disk_queue *queue);

/* What has been handed in is still done. NULL is allowed. */
void disk_queue_leave(struct disk_queue *queue);
