#include "site.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef __x86_64__

#define FRAMES      2
#define STACK_WORDS 4096
#define NEAR_WORDS  256 /* where they mostly are */

static struct {
    uint64_t base, start, end;
    unsigned char *code;
} program;

static ssize_t peek(pid_t pid, uint64_t address, void *buffer, size_t size)
{
    struct iovec here = {buffer, size}, there = {(void *)(uintptr_t)address, size};
    return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

int site_look_at_program(pid_t pid)
{
    char name[64], path[PATH_MAX + 2], line[PATH_MAX + 128], rights[8];
    unsigned long start, end;

    program.base = program.start = program.end = 0;
    snprintf(name, sizeof(name), "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(name, path, sizeof(path) - 2);
    snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(name, "re");
    if (length < 0 || !maps)
        return -1;
    strcpy(path + length, "\n");
    while (fgets(line, sizeof(line), maps)) {
        const char *at = strchr(line, '/');
        if (!at || strcmp(at, path) != 0 || sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3)
            continue;
        if (program.base == 0)
            program.base = start;
        if (rights[2] == 'x') {
            program.start = start;
            program.end = end;
        }
    }
    fclose(maps);
    free(program.code);
    program.code = malloc(program.end - program.start + 1);
    return peek(pid, program.start, program.code, program.end - program.start) > 0 ? 0 : -1;
}

/* Whether a call instruction ends at this address of the program. */
static int is_behind_a_call(uint64_t address)
{
    if (address < program.start + 6 || address >= program.end)
        return 0;
    const unsigned char *code = program.code + (address - program.start);
    return code[-5] == 0xe8 || (code[-6] == 0xff && (code[-5] & 0x38) == 0x10) ||
           (code[-3] == 0xff && (code[-2] & 0x38) == 0x10) ||
           (code[-2] == 0xff && (code[-1] & 0xf8) == 0xd0);
}

/* Libraries keep no frame pointers: whatever on the stack looks like a return address is one. An
 * old one that was never written over makes two sites of one, which does no harm. */
static size_t put_frames(pid_t pid, uint64_t stack, char *text, size_t size)
{
    uint64_t words[STACK_WORDS], found[FRAMES];
    size_t length = 0, n = 0;

    for (size_t wanted = NEAR_WORDS; wanted <= STACK_WORDS && n < FRAMES; wanted *= 4) {
        ssize_t got = peek(pid, stack, words, wanted * sizeof(words[0]));
        n = 0;
        for (ssize_t i = 0; i < got / (ssize_t)sizeof(words[0]) && n < FRAMES; i++)
            if (is_behind_a_call(words[i]))
                found[n++] = words[i];
    }
    for (size_t i = 0; i < n; i++)
        length += (size_t)snprintf(text + length, size - length, " +0x%lx",
                                   (unsigned long)(found[i] - program.base));
    return length;
}

/* Numbers, and the test's own folder, are another in each run. */
static void put_kind(const char *object, char *text, size_t size)
{
    static const char folder[] = "/proctor-crash-";
    const char *ours = strstr(object, folder);
    size_t length = 0;

    if (ours)
        object = ours + strlen(folder) + 6;
    while (*object && length + 2 < size) {
        if (!isdigit((unsigned char)*object)) {
            text[length++] = *object == ' ' || *object == '\n' ? '_' : *object;
            object++;
            continue;
        }
        text[length++] = '#';
        while (isdigit((unsigned char)*object))
            object++;
    }
    text[length] = '\0';
}

static void put_object(pid_t pid, const struct user_regs_struct *registers, enum site_object object,
                       char *text, size_t size)
{
    char name[PATH_MAX] = "", link[64];
    ssize_t length = 0;

    if (object == SITE_ON_DESCRIPTOR || object == SITE_ON_THIRD) {
        snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid,
                 (int)(object == SITE_ON_THIRD ? registers->rdx : registers->rdi));
        length = readlink(link, name, sizeof(name) - 1);
    } else if (object != SITE_ON_NOTHING) {
        uint64_t at = object == SITE_ON_PATH ? registers->rdi : registers->rsi;
        length = peek(pid, at, name, 256);
        if (length < 0) /* the end of the memory is near */
            length = peek(pid, at, name, 4096 - at % 4096);
    }
    name[length > 0 ? length : 0] = '\0';
    put_kind(name[0] ? name : "-", text, size);
}

void site_describe(pid_t pid, const struct user_regs_struct *registers, const char *call,
                   enum site_object object, char text[SITE_MAX])
{
    char kind[128];

    put_object(pid, registers, object, kind, sizeof(kind));
    size_t length = (size_t)snprintf(text, SITE_MAX, "%s %s", call, kind);
    put_frames(pid, registers->rsp, text + length, SITE_MAX - length);
}

#endif
