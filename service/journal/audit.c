#include "audit.h"

void audit_archive(struct archive *a, struct audit_note *note)
{
    ARCHIVE(a, note->sequence);
    ARCHIVE(a, note->realtime_usec);
    ARCHIVE(a, note->cause);
    archive_string(a, &note->kind);
    archive_string(a, &note->child);
    archive_string(a, &note->text);
    a->failed = a->failed || !note->kind || !note->child || !note->text;
}
