/*
 * Directories in a manifest: names below a place that is not written, such as /run, so that none of
 * them leads anywhere else.
 */
#include "manifest/reader.h"
#include "core/vocabulary/invariant.h"

#include "system/number.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define NAME_LENGTH_MAX 200

/* Why it does not name a directory below another one, or NULL. */
static const char *problem_of(const char *name)
{
    if (name[0] == '\0')
        return "must not be empty";
    if (name[0] == '/')
        return "expected a name such as web or web/tmp, not an absolute path";
    if (strlen(name) > NAME_LENGTH_MAX)
        return "is longer than 200 bytes";
    if (strchr(name, ':'))
        return "must not contain a colon, which separates names";
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            return "must not contain control characters";
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t length = strcspn(part, "/");
        if (length == 0)
            return "must not contain an empty part";
        if ((length == 1 && part[0] == '.') || (length == 2 && strncmp(part, "..", 2) == 0))
            return "must not contain . or ..";
    }
    return NULL;
}

static int check_name(struct reader *reader, const struct node *node, const char *name)
{
    const char *problem = problem_of(name);

    return problem ? reader_refuse(reader, node, "%s", problem) : 0;
}

static int check_item(struct reader *reader, const struct node *node, size_t i, void *target)
{
    return check_name(reader, node, ((const char **)target)[i]);
}

/* A single name is a list of one. */
static int read_one(struct reader *reader, const struct node *node, const char ***names)
{
    const char **list = arena_allocate(reader->arena, 2 * sizeof(*list));

    if (!list)
        return -ENOMEM;
    int r = reader_text(reader, node, &list[0]);
    if (r == 0)
        r = check_name(reader, node, list[0]);
    *names = list;
    return r;
}

/* An empty list is none. */
int manifest_read_directories(struct reader *reader, const struct node *node,
                              struct directory_list *list)
{
    size_t count;

    INVARIANT(list);
    if (node->kind == NODE_SCALAR)
        return read_one(reader, node, &list->names);
    if (node->kind != NODE_LIST)
        return reader_refuse(reader, node, "expected a name such as web, or a list of names");
    int r = reader_strings(reader, node, DIRECTORIES_MAX, &list->names, &count);
    if (r == 0)
        r = reader_list(reader, node, list->names, check_item);
    if (r == 0 && count == 0)
        list->names = NULL;
    return r;
}

/* The owner keeps all rights, or the child could not use it. */
int manifest_read_directory_mode(struct reader *reader, const struct node *node,
                                 struct directory_list *list)
{
    const char *text = reader_scalar(reader, node, "an octal mode such as 0750");
    uint64_t mode;

    INVARIANT(list);
    if (!text)
        return -EINVAL;
    if (number_read_octal(text, 0777, &mode) < 0 || (mode & 0700) != 0700)
        return reader_refuse(reader, node,
                             "expected an octal mode from 0700 to 0777, got \"%.60s\"", text);
    list->mode = (uint32_t)mode;
    return 0;
}
