/*
 * How far a thread has come with reading: which file, and how many steps.
 */
#include "manifest/manifest_progress.h"

#include <stdio.h>
#include <string.h>

void manifest_progress_note(struct manifest_progress *progress, const char *path)
{
    if (!progress)
        return;
    pthread_mutex_lock(&progress->lock);
    snprintf(progress->path, sizeof(progress->path), "%s", path);
    progress->steps++;
    pthread_mutex_unlock(&progress->lock);
}

unsigned manifest_progress_read(struct manifest_progress *progress,
                                char path[MANIFEST_PROGRESS_MAX])
{
    pthread_mutex_lock(&progress->lock);
    memcpy(path, progress->path, MANIFEST_PROGRESS_MAX);
    unsigned steps = progress->steps;
    pthread_mutex_unlock(&progress->lock);
    return steps;
}
