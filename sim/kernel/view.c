/*
 * Texts that grow: for files that are made when they are read.
 */
#include "kernel/view.h"

#include "core/vocabulary/invariant.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for so many more bytes, and a NUL. */
static char *room(struct view_text *text, size_t size)
{
    if (text->size + size + 1 > text->capacity) {
        text->capacity = (text->size + size + 1) * 2;
        text->bytes = realloc(text->bytes, text->capacity);
        INVARIANT(text->bytes);
    }
    return text->bytes + text->size;
}

/* printf() into the text. */
void view_add(struct view_text *text, const char *format, ...)
{
    va_list list, again;

    va_start(list, format);
    va_copy(again, list);
    int size = vsnprintf(NULL, 0, format, list);
    INVARIANT(size >= 0);
    vsnprintf(room(text, (size_t)size), (size_t)size + 1, format, again);
    text->size += (size_t)size;
    va_end(again);
    va_end(list);
}

void view_add_bytes(struct view_text *text, const void *bytes, size_t size)
{
    char *end = room(text, size);

    if (size > 0)
        memcpy(end, bytes, size);
    end[size] = '\0';
    text->size += size;
}

void view_text_free(struct view_text *text)
{
    free(text->bytes);
    *text = (struct view_text){0};
}
