/*
 * Content: the bytes of a file, as they are and as they would be after a loss of power. Pages that
 * were written and not synced are dirty; which of them, and which length, a disk has when the power
 * goes is drawn.
 */
#pragma once

#include "kernel/inode.h"

#include <sys/types.h>

/* Bytes, fewer where the disk is full, or -ENOSPC or -EFBIG. */
ssize_t content_write(struct inode *file, uint64_t offset, const void *bytes, size_t size);
/* How much there was, 0 at the end of the file. */
size_t content_read(const struct inode *file, uint64_t offset, void *bytes, size_t size);
/* 0, -EFBIG or -ENOSPC. */
int content_set_size(struct inode *file, uint64_t size);
/* All pages reach the disk. */
void content_sync(struct inode *file);
/* A sync that failed: what was dirty never reaches the disk, and no later sync says so. */
void content_fail_sync(struct inode *file);
/* Draws what is left of the pages that were not synced. */
void content_lose_power(struct inode *file);
