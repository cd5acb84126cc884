/*
 * Drives a fuzz target over files and folders of files; prints TAP. A finding ends it by a signal.
 */
#include "target.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned count;

static void replay(const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "re");
    bool whole = file && fstat(fileno(file), &status) == 0;
    size_t size = whole ? (size_t)status.st_size : 0;
    uint8_t *data = malloc(size + 1);

    whole = whole && data && fread(data, 1, size, file) == size;
    if (whole)
        LLVMFuzzerTestOneInput(data, size);
    printf("%sok %u - %s\n", whole ? "" : "not ", ++count, strrchr(path, '/') + 1);
    if (file)
        fclose(file);
    free(data);
}

static void walk(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);

    if (n < 0) {
        replay(path);
        return;
    }
    for (int i = 0; i < n; i++) {
        char below[4096];
        snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            walk(below);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        walk(argv[i]);
    printf("1..%u\n", count);
    return count > 0 ? 0 : 1;
}
