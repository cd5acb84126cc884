/*
 * Manifest progress: which path a set that is being loaded has come to, for another thread that
 * wants to know.
 */
#pragma once

#include <pthread.h>

#define MANIFEST_PROGRESS_MAX 300

struct manifest_progress {
    pthread_mutex_t lock;
    char path[MANIFEST_PROGRESS_MAX];
    unsigned steps; /* how many paths it has come to */
};

/* From the reading thread: this file is read now. */
void manifest_progress_note(struct manifest_progress *progress, const char *path);
unsigned manifest_progress_read(struct manifest_progress *progress,
                                char path[MANIFEST_PROGRESS_MAX]);
