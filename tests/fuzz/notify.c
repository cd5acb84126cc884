/*
 * Datagrams of the notify socket: any process of a child may send any.
 */
#include "target.h"

#include "notify.h"
#include "core/vocabulary/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_message message = {};
    struct notify_asides asides;
    char *text = malloc(size + 1), *copy;

    memcpy(text, data, size);
    text[size] = '\0';
    notify_parse(text, &message, &asides);
    if (message.status) {
        copy = strdup(message.status);
        text_make_line(copy);
        if (strcmp(copy, message.status) != 0)
            found("a status that is not UTF-8");
        free(copy);
    }
    free(text);
    return 0;
}
