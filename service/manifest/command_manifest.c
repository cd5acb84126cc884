/*
 * Commands in a manifest: what is run for a child beside its program, each as a list of arguments,
 * or as a mapping that says more.
 */
#include "manifest/reader.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>

#define ARGUMENTS_MAX 256

static int read_arguments(struct reader *reader, const struct node *node, void *target)
{
    struct command_spec *command = target;
    size_t count;
    int r = reader_strings(reader, node, ARGUMENTS_MAX, &command->arguments, &count);

    if (r == 0 && (count == 0 || command->arguments[0][0] != '/'))
        return reader_refuse(reader, node, "expected a list that begins with an absolute path");
    return r;
}

static int read_timeout(struct reader *reader, const struct node *node, void *target)
{
    return reader_deadline(reader, node, &((struct command_spec *)target)->timeout_usec);
}

static int read_may_fail(struct reader *reader, const struct node *node, void *target)
{
    return reader_bool(reader, node, &((struct command_spec *)target)->may_fail);
}

/* A list is the short form. */
static int read_command(struct reader *reader, const struct node *node, size_t i, void *target)
{
    static const struct key keys[] = {
        {"exec", read_arguments}, {"timeout", read_timeout}, {"may_fail", read_may_fail}, {}};
    struct command_spec *command = (struct command_spec *)target + i;

    if (node->kind == NODE_LIST)
        return read_arguments(reader, node, command);
    if (node->kind != NODE_MAPPING)
        return reader_refuse(reader, node,
                             "expected a command such as [/usr/bin/migrate, --all], or {exec: "
                             "[/usr/bin/migrate], timeout: 10s}");
    int r = reader_mapping(reader, node, keys, command);
    return r == 0 && !command->arguments ? reader_refuse(reader, node, "exec is missing") : r;
}

/* The commands live in the arena of the file. */
int manifest_read_commands(struct reader *reader, const struct node *node,
                           struct command_list *list)
{
    size_t count = reader_list_length(node);

    INVARIANT(list);
    if (count > COMMANDS_MAX)
        return reader_refuse(reader, node, "has %zu entries, at most %d are allowed", count,
                             COMMANDS_MAX);
    struct command_spec *commands = arena_allocate(reader->arena, (count + 1) * sizeof(*commands));
    if (!commands)
        return -ENOMEM;
    list->commands = commands;
    list->count = count;
    return reader_list(reader, node, commands, read_command);
}
