#include "record.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const names[] = {
    [RECORD_INPUT] = "in",        [RECORD_CALL] = "call",   [RECORD_EVENT] = "event",
    [RECORD_OUTCOME] = "outcome", [RECORD_FAULT] = "fault", [RECORD_VERDICT] = "FAILED",
    [RECORD_PROCESS] = "process",
};

int record_format(const struct record *record, char *line, size_t size)
{
    char attempt[48] = "";
    char cause[32] = "";

    if (record->has_attempt)
        snprintf(attempt, sizeof(attempt), " %" PRIu64 "/%" PRIu64, record->generation,
                 record->attempt);
    if (record->cause > 0)
        snprintf(cause, sizeof(cause), " #%" PRIu64, record->cause);
    int length = snprintf(line, size, "%6" PRIu64 " %14.6f %-8s %s%s%s%s%s%s%s", record->input,
                          (double)(record->time_nsec / 1000) / 1e6, names[record->kind],
                          record->what, record->child[0] ? " " : "", record->child, attempt, cause,
                          record->text[0] ? " " : "", record->text);
    return length < (int)size ? length : (int)size - 1;
}
