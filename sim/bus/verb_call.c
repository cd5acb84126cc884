/*
 * Calls of the verbs of proctord's manager: all have the arguments (child,
 * reason, options), so one function makes them all.
 */
#include "bus/verb_call.h"

static void write_text(struct wire_writer *writer, const char *key, const char *text)
{
    if (!text)
        return;
    wire_align(writer, 8);
    wire_write_string(writer, key);
    wire_write_signature(writer, "s");
    wire_write_string(writer, text);
}

static void write_flag(struct wire_writer *writer, const char *key, bool flag)
{
    if (!flag)
        return;
    wire_align(writer, 8);
    wire_write_string(writer, key);
    wire_write_signature(writer, "b");
    wire_write_u32(writer, 1);
}

/* Sends one command. A caller that waits for the end of its command may be
 * answered late, without being a fault. */
void verb_call(struct peer *peer, const char *member, const char *child, const char *reason,
               const struct verb_options *options, const void *about)
{
    struct bytes body = {0};
    struct wire_writer writer = {.bytes = &body};

    wire_write_string(&writer, child);
    wire_write_string(&writer, reason);
    size_t begin = wire_begin_array(&writer, 8);
    write_text(&writer, "idempotency-key", options->key);
    write_text(&writer, "requested-by", options->requested_by);
    write_flag(&writer, "wait", options->wait);
    write_flag(&writer, "dry-run", options->dry_run);
    wire_end_array(&writer, begin, 8);
    peer_call(peer, PROCTOR, PROCTOR_PATH, PROCTOR_MANAGER, member, "ssa{sv}", &body, about);
    if (options->wait)
        peer_let_wait(peer);
    peer_name_child(peer, child, options->dry_run);
    bytes_free(&body);
}
