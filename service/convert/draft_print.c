/*
 * How a draft is written: as a person would, block style, with lists on one line. Each text comes
 * from a file of another program: what YAML could take for something else is quoted, and comments
 * are one line.
 */
#include "convert/draft.h"

#include "core/vocabulary/text.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./@+%=:-"

/* Cautious: whatever a reader of YAML could take for a number, a date or a
 * comment is quoted. */
static bool is_plain(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || strspn(text, PLAIN_CHARACTERS) != length)
        return false;
    if (text[length - 1] == ':' || strchr("%@:=.+", text[0]))
        return false;
    return text[0] != '-' || isalnum((unsigned char)text[text[1] == '-' ? 2 : 1]);
}

/* Within double quotes. */
static void print_escaped(const char *text, FILE *out)
{
    while (*text) {
        enum text_class class;
        uint32_t code;
        size_t n = text_next(text, &class, &code);
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '\t')
            fputs("\\t", out);
        else if (class == TEXT_PLAIN)
            fwrite(text, 1, n, out);
        else if (class != TEXT_INVALID)
            fprintf(out, "\\U%08x", (unsigned)code);
        else
            fputc('?', out);
        text += n;
    }
}

static void print_text(const char *text, FILE *out)
{
    if (is_plain(text)) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    print_escaped(text, out);
    fputc('"', out);
}

/* Comments may not end their line, nor act on a terminal. */
static void print_comment(const char *text, FILE *out)
{
    char *line = strdup(text);

    if (line) {
        text_make_line(line);
        fputs(line, out);
    }
    free(line);
}

static void print_indent(unsigned indent, FILE *out)
{
    fprintf(out, "%*s", (int)indent, "");
}

/* A list of scalars on one line. */
static void print_words(const struct entry *list, FILE *out)
{
    fputc('[', out);
    for (const struct entry *word = list->below; word; word = word->next) {
        print_text(word->text ? word->text : "", out);
        if (word->next)
            fputs(", ", out);
    }
    fputc(']', out);
}

static void print_value(const struct entry *entry, FILE *out)
{
    if (entry->kind == ENTRY_LIST)
        print_words(entry, out);
    else
        print_text(entry->text ? entry->text : "", out);
}

static void print_item(const struct entry *item, FILE *out)
{
    if (item->kind != ENTRY_MAPPING) {
        print_value(item, out);
        return;
    }
    fputc('{', out);
    for (const struct entry *below = item->below; below; below = below->next) {
        print_text(below->key, out);
        fputs(": ", out);
        print_value(below, out);
        if (below->next)
            fputs(", ", out);
    }
    fputc('}', out);
}

/* Whether it is written line by line, as a block. */
static bool is_script(const struct entry *item)
{
    if (!item->text || !strchr(item->text, '\n') || isspace((unsigned char)item->text[0]))
        return false;
    return text_is_at_most(item->text, TEXT_BLANK) && !strchr(item->text, '\t');
}

static bool is_command(const struct entry *item)
{
    return item->kind == ENTRY_LIST || (item->below && item->below->kind == ENTRY_LIST);
}

static bool is_long(const struct entry *list)
{
    for (const struct entry *item = list->below; item; item = item->next)
        if (is_script(item) || is_command(item))
            return true;
    return false;
}

static void print_line_list(const struct entry *list, FILE *out)
{
    fputs(" [", out);
    for (const struct entry *item = list->below; item; item = item->next) {
        print_item(item, out);
        if (item->next)
            fputs(", ", out);
    }
    fputc(']', out);
}

/* A text of several lines, as a block. */
static void print_script(const char *text, unsigned indent, FILE *out)
{
    size_t length = strlen(text);

    fputs(text[length - 1] == '\n' ? "|" : "|-", out);
    while (*text) {
        size_t n = strcspn(text, "\n");
        fputc('\n', out);
        if (n > 0)
            print_indent(indent, out);
        fwrite(text, 1, n, out);
        text += n + (text[n] == '\n');
    }
}

/* One item a line, where one of them has lines itself, or is a command. */
static void print_block_list(const struct entry *list, unsigned indent, FILE *out)
{
    for (const struct entry *item = list->below; item; item = item->next) {
        fputc('\n', out);
        print_indent(indent + 2, out);
        fputs("- ", out);
        if (is_script(item))
            print_script(item->text, indent + 4, out);
        else
            print_item(item, out);
    }
}

/* The value, and the comment behind it. */
static void print_after_colon(const struct entry *entry, FILE *out)
{
    if (entry->kind == ENTRY_SCALAR) {
        fputc(' ', out);
        print_text(entry->text ? entry->text : "", out);
    }
    if (entry->kind == ENTRY_LIST && !is_long(entry))
        print_line_list(entry, out);
    if (entry->comment) {
        fputs("  # ", out);
        print_comment(entry->comment, out);
    }
}

/* A key with everything below it. */
static void print_entry(const struct entry *entry, unsigned indent, FILE *out)
{
    print_text(entry->key, out);
    fputc(':', out);
    print_after_colon(entry, out);
    if (entry->kind == ENTRY_LIST && is_long(entry))
        print_block_list(entry, indent, out);
    fputc('\n', out);
    for (const struct entry *below = entry->below; entry->kind == ENTRY_MAPPING && below;
         below = below->next) {
        print_indent(indent + 2, out);
        print_entry(below, indent + 2, out);
    }
}

/* The first line is indented already. */
static void print_child(const struct draft *draft, unsigned indent, FILE *out)
{
    fputs("name: ", out);
    print_text(draft->name, out);
    if (draft->title) {
        fputs("  # ", out);
        print_comment(draft->title, out);
    }
    fputc('\n', out);
    for (const struct entry *entry = draft->entries; entry; entry = entry->next) {
        print_indent(indent, out);
        print_entry(entry, indent, out);
    }
}

static bool is_child_of(const struct draft *draft, const char *supervisor)
{
    return supervisor ? draft->supervisor && strcmp(draft->supervisor, supervisor) == 0
                      : !draft->supervisor;
}

/* Whether one before it has the same supervisor. */
static bool is_printed(const struct draft *draft)
{
    for (const struct draft *other = draft->conversion->drafts; other != draft; other = other->next)
        if (is_child_of(other, draft->supervisor))
            return true;
    return false;
}

/* The children of a supervisor, as items of a list. */
static void print_children(const struct conversion *conversion, const char *supervisor,
                           unsigned indent, FILE *out)
{
    for (const struct draft *draft = conversion->drafts; draft; draft = draft->next)
        if (is_child_of(draft, supervisor)) {
            print_indent(indent, out);
            fputs("- ", out);
            print_child(draft, indent + 2, out);
        }
}

/* Where it was, and what. */
static void print_remark(const struct remark *remark, FILE *out)
{
    fputs("#   ", out);
    print_comment(remark->place.file, out);
    if (remark->place.line)
        fprintf(out, ":%zu", remark->place.line);
    if (remark->what) {
        fputs(": ", out);
        print_comment(remark->what, out);
    }
    fputc('\n', out);
}

/* Whether a remark is printed with a draft: it is about its file, or about one that has no draft
 * and the draft is the first. draft: NULL for all remarks. */
static bool is_shown(const struct conversion *conversion, const struct remark *remark,
                     const struct draft *draft)
{
    if (!draft || strcmp(draft->place.file, remark->place.file) == 0)
        return true;
    for (const struct draft *other = conversion->drafts; other; other = other->next)
        if (strcmp(other->place.file, remark->place.file) == 0)
            return false;
    return draft == conversion->drafts;
}

/* Whether an earlier one has the same reason. */
static bool is_told(const struct conversion *conversion, const struct remark *remark,
                    const struct draft *draft)
{
    for (const struct remark *other = conversion->lost; other != remark; other = other->next)
        if (is_shown(conversion, other, draft) && strcmp(other->text, remark->text) == 0)
            return true;
    return false;
}

/* What is lost, by its reasons. */
static void print_lost(const struct conversion *conversion, const struct draft *draft, FILE *out)
{
    for (const struct remark *first = conversion->lost; first; first = first->next) {
        if (!is_shown(conversion, first, draft) || is_told(conversion, first, draft))
            continue;
        fputs("# Lost: ", out);
        print_comment(first->text, out);
        fputc('\n', out);
        for (const struct remark *remark = first; remark; remark = remark->next)
            if (is_shown(conversion, remark, draft) && strcmp(remark->text, first->text) == 0)
                print_remark(remark, out);
    }
}

/* NULL if the draft is printed in the file of another. */
const char *draft_file_name(const struct draft *draft)
{
    assert(draft);
    if (!draft->supervisor)
        return conversion_format(draft->conversion, "%s.yaml", draft->name);
    return is_printed(draft)
               ? NULL
               : conversion_format(draft->conversion, "%s.supervisor.yaml", draft->supervisor);
}

void draft_print(const struct draft *draft, FILE *out)
{
    assert(draft && out);
    fputs("# Converted from ", out);
    print_comment(draft->place.file, out);
    fputs(" by proctorctl convert.\n", out);
    print_lost(draft->conversion, draft, out);
    if (!draft->supervisor) {
        print_child(draft, 0, out);
        return;
    }
    fputs("supervisor: ", out);
    print_text(draft->supervisor, out);
    fputs("\nchildren:\n", out);
    print_children(draft->conversion, draft->supervisor, 2, out);
}

void conversion_print(const struct conversion *conversion, FILE *out)
{
    assert(conversion && out);
    fputs("# Converted by proctorctl convert.\n", out);
    print_lost(conversion, NULL, out);
    if (conversion->n_drafts == 1 && !conversion->drafts->supervisor) {
        print_child(conversion->drafts, 0, out);
        return;
    }
    fputs("children:\n", out);
    print_children(conversion, NULL, 2, out);
    for (const struct draft *draft = conversion->drafts; draft; draft = draft->next)
        if (draft->supervisor && !is_printed(draft)) {
            fputs("  - supervisor: ", out);
            print_text(draft->supervisor, out);
            fputs("\n    children:\n", out);
            print_children(conversion, draft->supervisor, 6, out);
        }
}
