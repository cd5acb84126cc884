/*
 * Notes for the audit: an event with its fields, as it was reported.
 */
#include "journal/audit.h"
#include "core/vocabulary/invariant.h"

#define FIELDS_MAX 256 /* an event has a dozen */

_Static_assert(FIELD_TEXT == 0 && FIELD_FLAG == 3, "they stand in audits");

/* A field's type is checked when it is read. */
static void archive_field(struct archive *a, struct event_field *field)
{
    archive_string(a, &field->key);
    ARCHIVE_WORD(a, field->type, FIELD_FLAG);
    switch (field->type) {
    case FIELD_TEXT:
        archive_string(a, &field->text);
        a->failed = a->failed || !field->text;
        break;
    case FIELD_NUMBER:
        ARCHIVE(a, field->number);
        break;
    case FIELD_SIGNED:
        ARCHIVE(a, field->sign);
        break;
    case FIELD_FLAG:
        ARCHIVE(a, field->flag);
        break;
    }
    a->failed = a->failed || !field->key;
}

static struct event_field *take_fields(struct archive *a, struct audit_note *note, size_t count)
{
    struct event_field *fields = a->failed ? NULL : a->allocate(a, (count + 1) * sizeof(*fields));

    a->failed = a->failed || !fields;
    note->fields = fields;
    note->n_fields = fields ? count : 0;
    return fields;
}

static void archive_head(struct archive *a, struct audit_note *note)
{
    archive_string(a, &note->kind);
    archive_string(a, &note->child);
    a->failed = a->failed || !note->kind || !note->child;
}

/* The instance is a part of the cause, so that entries of other state
 * directories can be told apart. */
void audit_archive(struct archive *a, struct audit_note *note)
{
    size_t count = note->n_fields;

    INVARIANT(archive_is_sound(a));
    ARCHIVE(a, note->sequence);
    ARCHIVE(a, note->realtime_usec);
    ARCHIVE(a, note->cause.instance);
    ARCHIVE(a, note->cause.number);
    archive_head(a, note);
    archive_count(a, &count, FIELDS_MAX);
    if (a->reading && !take_fields(a, note, count))
        return;
    for (size_t i = 0; i < count; i++)
        archive_field(a, (struct event_field *)(uintptr_t)&note->fields[i]);
}

/* The number of a command stood alone there; of which history it was is not known. */
static void read_text(struct archive *a, struct audit_note *note)
{
    const char *text = NULL;
    uint64_t cause = 0;

    ARCHIVE(a, note->sequence);
    ARCHIVE(a, note->realtime_usec);
    ARCHIVE(a, cause);
    (void)cause;
    archive_head(a, note);
    archive_string(a, &text);
    a->failed = a->failed || !text;
    struct event_field *field = take_fields(a, note, 1);
    if (field)
        *field = (struct event_field)FIELD_TEXT_OF("text", text);
}

bool audit_read(struct archive *a, enum frame_kind kind, struct audit_note *note)
{
    INVARIANT(a->reading);
    *note = (struct audit_note){};
    if (kind == FRAME_AUDIT)
        audit_archive(a, note);
    else if (kind == FRAME_AUDIT_TEXT)
        read_text(a, note);
    return kind == FRAME_AUDIT || kind == FRAME_AUDIT_TEXT;
}
