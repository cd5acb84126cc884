/*
 * The content of files on a disk that can lose power. Each page is what
 * programs see, and, apart from it, what is on the platter; a sync makes them
 * equal. After a loss of power each page that was not synced is the old one,
 * the new one, or torn in the middle, by chance.
 *
 * This is what a journal has to survive, and what most programs are never
 * tested against.
 */
#include "kernel/content.h"

#include "kernel/volume.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_OF_FILE (UINT64_C(1) << 30) /* a model's file that is larger is a mistake */

enum page_state {
    PAGE_CLEAN,
    PAGE_DIRTY,
    PAGE_LOST, /* its sync failed: only this boot has it */
};

static size_t pages_of(uint64_t size)
{
    return (size_t)((size + INODE_PAGE - 1) / INODE_PAGE);
}

static bool is_durable(const struct inode *file)
{
    return file->volume->kind == VOLUME_DISK;
}

/* Room for so many pages. False: the volume is full. */
static bool make_room(struct inode *file, size_t n_pages)
{
    struct volume *volume = file->volume;

    if (n_pages <= file->n_pages)
        return true;
    uint64_t more = (uint64_t)(n_pages - file->n_pages) * INODE_PAGE;
    if (volume->capacity > 0 && volume->used + more > volume->capacity)
        return false;
    if (file->shared && n_pages * INODE_PAGE > file->capacity)
        return false;
    volume->used += more;
    if (n_pages * INODE_PAGE > file->capacity) {
        file->capacity = n_pages * INODE_PAGE * 2;
        file->data = realloc(file->data, file->capacity);
        INVARIANT(file->data);
    }
    file->pages = realloc(file->pages, n_pages);
    INVARIANT(file->pages);
    memset(file->data + file->n_pages * INODE_PAGE, 0, more);
    memset(file->pages + file->n_pages, PAGE_CLEAN, n_pages - file->n_pages);
    file->n_pages = n_pages;
    return true;
}

/* The disk's copy has at least this length, with zeros behind what it had. */
static void stretch_stable(struct inode *file, size_t size)
{
    if (size <= file->stable_size)
        return;
    file->stable_data = realloc(file->stable_data, size);
    INVARIANT(file->stable_data);
    memset(file->stable_data + file->stable_size, 0, size - file->stable_size);
    file->stable_size = size;
}

/* The cut that a truncation made reaches the disk. */
static void cut_stable(struct inode *file)
{
    if (file->cut < file->stable_size)
        file->stable_size = file->cut;
    file->cut = SIZE_MAX;
}

/* Bytes of a page that are within a length. */
static size_t page_bytes(size_t page, size_t size)
{
    size_t start = page * INODE_PAGE;

    return size <= start ? 0 : size - start < INODE_PAGE ? size - start : INODE_PAGE;
}

/* Whether the disk may lack what is in a page. */
static bool is_dirty(const struct inode *file, size_t page)
{
    return file->pages[page] == PAGE_DIRTY || (file->shared && file->pages[page] == PAGE_CLEAN);
}

static void keep_page(struct inode *file, size_t page)
{
    size_t n = page_bytes(page, file->size);

    stretch_stable(file, page * INODE_PAGE + n);
    memcpy(file->stable_data + page * INODE_PAGE, file->data + page * INODE_PAGE, n);
    file->pages[page] = PAGE_CLEAN;
}

/* Pages that were written may reach the disk at any time without a sync, if
 * that fault is on. */
static void dirty_pages(struct inode *file, uint64_t offset, size_t size)
{
    struct volume *volume = file->volume;

    if (!is_durable(file) || size == 0)
        return;
    for (size_t page = offset / INODE_PAGE; page < pages_of(offset + size); page++) {
        file->pages[page] = PAGE_DIRTY;
        if (file->cut == SIZE_MAX && chance_strikes(volume->chance, volume->faults.write_back))
            keep_page(file, page);
    }
}

/* Returns how much was written: less than `size` if the disk becomes full in
 * the middle, as Linux does it. */
ssize_t content_write(struct inode *file, uint64_t offset, const void *bytes, size_t size)
{
    struct volume *volume = file->volume;

    if (offset + size > SIZE_MAX_OF_FILE)
        return -EFBIG;
    if (!make_room(file, pages_of(offset + size))) {
        uint64_t left = volume->used < volume->capacity ? volume->capacity - volume->used : 0;
        uint64_t room = left / INODE_PAGE * INODE_PAGE + (uint64_t)file->n_pages * INODE_PAGE;
        if (room <= offset)
            return -ENOSPC;
        size = (size_t)(room - offset);
        INVARIANT(make_room(file, pages_of(offset + size)));
    }
    memcpy(file->data + offset, bytes, size);
    size_t before = file->size;
    if (offset + size > file->size)
        file->size = (size_t)(offset + size);
    uint64_t start = offset < before ? offset : before;
    dirty_pages(file, start, (size_t)(offset + size - start));
    file->modified_nsec = file->changed_nsec = volume_now(volume);
    return (ssize_t)size;
}

size_t content_read(const struct inode *file, uint64_t offset, void *bytes, size_t size)
{
    if (offset >= file->size)
        return 0;
    if (size > file->size - offset)
        size = (size_t)(file->size - offset);
    memcpy(bytes, file->data + offset, size);
    return size;
}

/* A file that was shortened and not synced may come back with its old
 * length. */
static void shrink(struct inode *file, size_t size)
{
    size_t n_pages = pages_of(size);

    file->volume->used -= (uint64_t)(file->n_pages - n_pages) * INODE_PAGE;
    file->n_pages = n_pages;
    if (size % INODE_PAGE != 0)
        memset(file->data + size, 0, n_pages * INODE_PAGE - size);
    file->size = size;
    if (is_durable(file) && size < file->stable_size && size < file->cut)
        file->cut = size;
}

/* Grows with zeros, which need room on the disk in this model, as on a file
 * system without holes. */
int content_set_size(struct inode *file, uint64_t size)
{
    if (size > SIZE_MAX_OF_FILE)
        return -EFBIG;
    if (size < file->size)
        shrink(file, (size_t)size);
    else if (!make_room(file, pages_of(size)))
        return -ENOSPC;
    size_t before = file->size;
    file->size = (size_t)size;
    dirty_pages(file, before, (size_t)size - before);
    file->modified_nsec = file->changed_nsec = volume_now(file->volume);
    return 0;
}

void content_sync(struct inode *file)
{
    if (!is_durable(file) || !S_ISREG(file->mode))
        return;
    cut_stable(file);
    for (size_t page = 0; page < file->n_pages; page++)
        if (is_dirty(file, page))
            keep_page(file, page);
    stretch_stable(file, file->size);
}

void content_fail_sync(struct inode *file)
{
    for (size_t page = 0; page < file->n_pages; page++)
        if (is_dirty(file, page))
            file->pages[page] = PAGE_LOST;
}

/* Some sectors of a page have reached the disk. */
static void tear_page(struct inode *file, size_t page)
{
    size_t n = page_bytes(page, file->size);

    for (size_t at = 0; at < n; at += INODE_SECTOR) {
        size_t sector = n - at < INODE_SECTOR ? n - at : INODE_SECTOR;
        size_t start = page * INODE_PAGE + at;

        if (chance_choose(file->volume->chance, 2) == 0 || start + sector > file->stable_size)
            continue;
        memcpy(file->stable_data + start, file->data + start, sector);
    }
}

/* A dirty page when the power goes: the disk has it, has it not, or has some of it. */
static void draw_page(struct inode *file, size_t page)
{
    const struct volume *volume = file->volume;

    if (page * INODE_PAGE >= file->stable_size)
        return;
    if (chance_strikes(volume->chance, volume->faults.torn)) {
        tear_page(file, page);
    } else if (chance_choose(volume->chance, 2) == 0) {
        size_t n = page_bytes(page, file->size);

        if (page * INODE_PAGE + n > file->stable_size)
            n = file->stable_size - page * INODE_PAGE;
        memcpy(file->stable_data + page * INODE_PAGE, file->data + page * INODE_PAGE, n);
    }
}

/* The length that the disk has of a file that has grown: any page in between. */
static void draw_size(struct inode *file)
{
    size_t from = file->stable_size / INODE_PAGE;
    size_t choices = pages_of(file->size) > from ? pages_of(file->size) - from : 0;

    if (file->size <= file->stable_size)
        return;
    /* 0: all of it; then, page by page, less; at last what it was. */
    uint32_t less = chance_choose(file->volume->chance, (uint32_t)choices + 1);
    if (less == 0)
        stretch_stable(file, file->size);
    else if (less < choices)
        stretch_stable(file, (pages_of(file->size) - less) * INODE_PAGE);
}

static void flip_bit(struct inode *file)
{
    const struct volume *volume = file->volume;

    if (file->stable_size == 0 || !chance_strikes(volume->chance, volume->faults.flipped))
        return;
    uint32_t at = chance_choose(volume->chance, (uint32_t)file->stable_size);
    file->stable_data[at] ^= (uint8_t)(1u << chance_choose(volume->chance, 8));
}

static bool has_dirty(const struct inode *file)
{
    for (size_t page = 0; page < file->n_pages; page++)
        if (is_dirty(file, page))
            return true;
    return file->cut != SIZE_MAX && file->cut < file->stable_size;
}

/* What the disk has becomes what is there, also what was deleted and is back. */
static void reload(struct inode *file)
{
    uint64_t capacity = file->volume->capacity;

    file->volume->used -= (uint64_t)file->n_pages * INODE_PAGE;
    file->n_pages = 0;
    file->size = 0;
    file->volume->capacity = 0;
    if (!make_room(file, pages_of(file->stable_size)))
        INVARIANT(false);
    file->volume->capacity = capacity;
    if (file->stable_size > 0)
        memcpy(file->data, file->stable_data, file->stable_size);
    file->size = file->stable_size;
}

/* Draws what is left, and shows it to programs from now on. One bit may be
 * wrong in addition: checksums have to find that. */
void content_lose_power(struct inode *file)
{
    if (!S_ISREG(file->mode))
        return;
    bool dirty = has_dirty(file);
    bool was_cut = file->cut == SIZE_MAX || file->cut >= file->stable_size ||
                   chance_choose(file->volume->chance, 2) == 0;
    if (was_cut) {
        cut_stable(file);
        draw_size(file);
        for (size_t page = 0; page < file->n_pages; page++)
            if (is_dirty(file, page))
                draw_page(file, page);
    }
    file->cut = SIZE_MAX;
    if (dirty)
        flip_bit(file);
    reload(file);
}
