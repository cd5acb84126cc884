/*
 * The journal of the model: frames in memory, written with the real encoder and
 * read with the real reader, so that the format itself is under test in every
 * run. What was written when the daemon dies is what the next one finds.
 */
#include "daemon/disk.h"

#include "core/vocabulary/invariant.h"
#include "journal/boot.h"
#include "journal/frame.h"

#include <stdio.h>
#include <string.h>

/* The world's, so that it is saved and restored with it. */
static void *resize(void *userdata, void *memory, size_t before, size_t size)
{
    struct world *world = userdata;
    void *fresh = size > 0 ? world_allocate(world, size) : NULL;

    if (fresh && memory)
        memcpy(fresh, memory, before < size ? before : size);
    if (memory)
        memory_release(world->memory, memory);
    return fresh;
}

struct disk *disk_new(struct world *world)
{
    struct disk *disk = world_allocate(world, sizeof(*disk));

    *disk = (struct disk){.world = world, .memory = {.resize = resize, .userdata = world}};
    disk->frames.memory = &disk->memory;
    return disk;
}

void disk_free(struct disk *disk)
{
    frame_buffer_free(&disk->frames);
    memory_release(disk->world->memory, disk);
}

void disk_boot_id(const struct world *world, char id[BOOT_SIZE + 1])
{
    snprintf(id, BOOT_SIZE + 1, "%036u", world->boots);
}

static void write_boot(struct disk *disk)
{
    const struct world *world = disk->world;
    struct boot boot = {.era = world->era,
                        .written = {world_usec(world), world_clocks(world).realtime_usec}};
    struct archive archive = frame_begin(&disk->frames);

    disk_boot_id(world, boot.id);
    boot_archive(&archive, &boot);
    frame_end(&disk->frames, &archive, FRAME_BOOT);
}

void disk_checkpoint(struct disk *disk)
{
    frame_buffer_begin(&disk->frames, 0);
    write_boot(disk);
    struct archive archive = frame_begin(&disk->frames);
    core_archive(disk->world->core, &archive);
    frame_end(&disk->frames, &archive, FRAME_CHECKPOINT);
}

void disk_begin(struct world *world)
{
    if (world->disk)
        return;
    world->disk = disk_new(world);
    world->in_doubt = world_allocate(world, WORLD_DOUBTS * sizeof(*world->in_doubt));
    disk_checkpoint(world->disk);
}

/* The core gives each input before it acts on it. From here on the calls of
 * that input may or may not happen, if the daemon dies now. */
void disk_record(void *userdata, const struct core_input *input)
{
    struct world *world = userdata;
    struct core_input copy = *input;

    INVARIANT((size_t)input->kind < CORE_INPUTS);
    world->n_in_doubt = 0;
    if (!world->disk || world->full)
        return;
    struct archive archive = frame_begin(&world->disk->frames);
    input_archive(&archive, &copy);
    frame_end(&world->disk->frames, &archive, FRAME_INPUT);
}
