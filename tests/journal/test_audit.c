/*
 * The audit's entries as bytes: what is written is read, whatever the fields hold, and so is what
 * proctord wrote before there were fields.
 */
#include "../named.h"
#include "journal/audit.h"
#include "journal/borrow.h"

#include <glib.h>
#include <stdlib.h>

static struct audit_note read_back(const struct archive *written, enum frame_kind kind,
                                   struct borrower *borrower)
{
    const struct frame frame = {.kind = kind, .payload = written->data, .size = written->used};
    struct archive archive = borrow_frame(&frame, borrower);
    struct audit_note note;

    g_assert_true(audit_read(&archive, kind, &note));
    g_assert_false(archive.failed);
    g_assert_cmpuint(archive.used, ==, archive.size);
    return note;
}

static void fields_come_back_as_fields(void)
{
    const struct event_field fields[] = {
        FIELD_TEXT_OF("reason", "x\" by=\"another"), FIELD_NUMBER_OF("number", UINT64_MAX),
        FIELD_SIGNED_OF("signed", -5), FIELD_FLAG_OF("flag", true), FIELD_TEXT_OF("empty", "")};
    struct audit_note note = {.sequence = 7,
                              .realtime_usec = 8,
                              .cause = {UINT32_MAX, UINT64_MAX},
                              .kind = "command-accepted",
                              .child = "",
                              .fields = fields,
                              .n_fields = G_N_ELEMENTS(fields)};
    struct archive archive = {.grow = archive_grow};
    struct borrower borrower = {};

    audit_archive(&archive, &note);
    struct audit_note back = read_back(&archive, FRAME_AUDIT, &borrower);

    g_assert_cmpuint(back.sequence, ==, 7);
    g_assert_cmpuint(back.cause.instance, ==, UINT32_MAX);
    g_assert_cmpuint(back.cause.number, ==, UINT64_MAX);
    g_assert_cmpstr(back.kind, ==, "command-accepted");
    g_assert_cmpuint(back.n_fields, ==, G_N_ELEMENTS(fields));
    g_assert_cmpstr(back.fields[0].text, ==, "x\" by=\"another");
    g_assert_cmpuint(back.fields[1].number, ==, UINT64_MAX);
    g_assert_cmpint(back.fields[2].sign, ==, -5);
    g_assert_true(back.fields[3].flag);
    g_assert_cmpstr(back.fields[4].text, ==, "");
    borrow_end(&borrower);
    free(archive.data);
}

static void an_older_entry_has_its_text(void)
{
    struct archive archive = {.grow = archive_grow};
    struct borrower borrower = {};
    uint64_t numbers[] = {7, 8, 9}; /* sequence, time, cause */
    const char *texts[] = {"command-accepted", "web", "command=\"pause\""};

    for (int i = 0; i < 3; i++)
        archive_number(&archive, &numbers[i]);
    for (int i = 0; i < 3; i++)
        archive_string(&archive, &texts[i]);
    struct audit_note back = read_back(&archive, FRAME_AUDIT_TEXT, &borrower);

    g_assert_cmpuint(back.sequence, ==, 7);
    g_assert_cmpuint(back.cause.number, ==, 0); /* of which history is not known */
    g_assert_cmpstr(back.child, ==, "web");
    g_assert_cmpuint(back.n_fields, ==, 1);
    g_assert_cmpstr(back.fields[0].key, ==, "text");
    g_assert_cmpstr(back.fields[0].text, ==, "command=\"pause\"");
    borrow_end(&borrower);
    free(archive.data);
}

static void what_is_cut_is_not_read(void)
{
    const struct event_field fields[] = {FIELD_TEXT_OF("reason", "maintenance")};
    struct audit_note note = {
        .sequence = 7, .kind = "command-accepted", .child = "web", .fields = fields, .n_fields = 1};
    struct archive written = {.grow = archive_grow};

    audit_archive(&written, &note);
    for (size_t size = 0; size < written.used; size++) {
        const struct frame frame = {.kind = FRAME_AUDIT, .payload = written.data, .size = size};
        struct borrower borrower = {};
        struct archive archive = borrow_frame(&frame, &borrower);
        g_assert_true(audit_read(&archive, FRAME_AUDIT, &note));
        g_assert_true(archive.failed);
        borrow_end(&borrower);
    }
    free(written.data);
}

static void a_command_id_is_read_as_it_is_written(void)
{
    const struct command_id ids[] = {{0, 1}, {0x70a08124, 2}, {UINT32_MAX, UINT64_MAX}};
    char text[COMMAND_ID_SIZE];

    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
        struct command_id back;
        command_id_text(ids[i], text);
        g_assert_cmpint(command_id_parse(text, &back), ==, 0);
        g_assert_cmpuint(back.instance, ==, ids[i].instance);
        g_assert_cmpuint(back.number, ==, ids[i].number);
    }
    g_assert_cmpstr(text, ==, "ffffffff-18446744073709551615");
    command_id_text((struct command_id){5, 0}, text);
    g_assert_cmpstr(text, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/audit", fields_come_back_as_fields);
    TEST("/audit", an_older_entry_has_its_text);
    TEST("/audit", what_is_cut_is_not_read);
    TEST("/audit", a_command_id_is_read_as_it_is_written);
    return g_test_run();
}
