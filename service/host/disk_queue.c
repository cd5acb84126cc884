/*
 * Log files are written by other processes, a few for each disk. A disk that
 * hangs holds up only those that write to it; children that write to other
 * disks are not concerned.
 */
#include "host/disk_queue.h"

#include <stdbool.h>
#include <stdlib.h>

struct disk_queue {
    struct beside_queue *works;
    struct outside_process *process;
    unsigned users;
    struct disk *disk;
};

struct disk {
    struct disk *next;
    dev_t device;
    unsigned users, turn;
    struct disk_queue queues[DISK_THREADS];
};

static struct disk *disks; /* those that have users */

static struct disk *find(dev_t device)
{
    struct disk *disk = disks;

    while (disk && disk->device != device)
        disk = disk->next;
    return disk;
}

/* Queues are made when they are first joined. */
static struct disk *add(dev_t device)
{
    struct disk *disk = calloc(1, sizeof(*disk));

    if (!disk)
        return NULL;
    disk->device = device;
    disk->next = disks;
    disks = disk;
    for (int i = 0; i < DISK_THREADS; i++)
        disk->queues[i].disk = disk;
    return disk;
}

/* With its last file a disk is forgotten. */
static void drop_unused(struct disk *disk)
{
    struct disk **place = &disks;

    if (disk->users > 0)
        return;
    while (*place != disk)
        place = &(*place)->next;
    *place = disk->next;
    free(disk);
}

static void end(struct disk_queue *queue)
{
    beside_leave(queue->works);
    outside_process_leave(queue->process);
    queue->works = NULL;
    queue->process = NULL;
}

/* Files take turns among the queues of their disk. */
struct disk_queue *disk_queue_join(dev_t device)
{
    struct disk *disk = find(device);

    if (!disk)
        disk = add(device);
    if (!disk)
        return NULL;
    struct disk_queue *queue = &disk->queues[disk->turn++ % DISK_THREADS];
    if (!queue->works)
        queue->works = beside_queue_new();
    if (!queue->process)
        queue->process = outside_process_new();
    if (!queue->works || !queue->process) {
        if (queue->users == 0)
            end(queue);
        drop_unused(disk);
        return NULL;
    }
    queue->users++;
    disk->users++;
    return queue;
}

struct beside_queue *disk_queue_works(const struct disk_queue *queue)
{
    return queue->works;
}

dev_t disk_queue_device(const struct disk_queue *queue)
{
    return queue->disk->device;
}

struct outside_process *disk_queue_process(const struct disk_queue *queue)
{
    return queue->process;
}

void disk_queue_leave(struct disk_queue *queue)
{
    if (!queue)
        return;
    if (--queue->users == 0)
        end(queue);
    queue->disk->users--;
    drop_unused(queue->disk);
}
