/*
 * Disk: the journal of a simulated daemon, in the format of the real one.
 */
#pragma once

#include "core/model/input_archive.h"
#include "journal/boot.h"
#include "journal/frame_buffer.h"
#include "world/world.h"

struct disk {
    struct world *world;
    struct frame_memory memory;
    struct frame_buffer frames;
};

/* From now on there is a journal: a checkpoint of the core as it is. */
void disk_begin(struct world *world);

/* The core's port. */
void disk_record(void *userdata, const struct core_input *input);

/* Instead of what was written before. */
void disk_checkpoint(struct disk *disk);

/* The boot that the machine is in. */
void disk_boot_id(const struct world *world, char id[BOOT_SIZE + 1]);

struct disk *disk_new(struct world *world);
void disk_free(struct disk *disk);
