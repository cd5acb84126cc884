/*
 * One connection to the broker: what has arrived of a message, what waits to be
 * sent, its rules and the answers that are owed to it. Bytes to be sent are
 * kept in parcels, because descriptors travel with the first byte of the
 * message that they belong to.
 */
#include "bus/link.h"

#include "bus/match_rule.h"
#include "core/vocabulary/invariant.h"

#include <stdlib.h>
#include <string.h>

struct link *link_new(const struct link_credentials *credentials)
{
    struct link *link = calloc(1, sizeof(*link));

    INVARIANT(link);
    link->credentials = *credentials;
    link->handshake.uid = credentials->uid;
    link->out_end = &link->out;
    return link;
}

static void parcel_free(struct parcel *parcel)
{
    bytes_free(&parcel->bytes);
    free(parcel->descriptors);
    free(parcel);
}

/* Frees the rules of matching and the notes about answers. */
static void free_requests(struct link *link)
{
    while (link->rules) {
        struct subscription_rule *rule = link->rules;
        link->rules = rule->next;
        match_rule_free(rule->rule);
        free(rule);
    }
    while (link->awaited) {
        struct awaited_reply *awaited = link->awaited;
        link->awaited = awaited->next;
        free(awaited);
    }
}

/* Descriptors that nobody took are given back by `release`, because only the
 * caller knows what a descriptor is in this model. */
void link_free(struct link *link, void (*release)(void *userdata, int descriptor), void *userdata)
{
    for (size_t i = 0; i < link->n_descriptors; i++)
        release(userdata, link->descriptors[i]);
    while (link->out) {
        struct parcel *parcel = link->out;
        link->out = parcel->next;
        for (size_t i = 0; i < parcel->n_descriptors; i++)
            release(userdata, parcel->descriptors[i]);
        parcel_free(parcel);
    }
    free_requests(link);
    free(link->descriptors);
    bytes_free(&link->in);
    free(link);
}

bool link_is_active(const struct link *link)
{
    return link->unique_name[0] != '\0';
}

/* Queues one parcel; the descriptors belong to the link from now on. */
void link_send(struct link *link, const struct bytes *bytes, const int *descriptors, size_t count)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel));

    INVARIANT(parcel && bytes->size > 0);
    bytes_add(&parcel->bytes, bytes->data, bytes->size);
    if (count > 0) {
        parcel->descriptors = calloc(count, sizeof(*descriptors));
        INVARIANT(parcel->descriptors);
        memcpy(parcel->descriptors, descriptors, count * sizeof(*descriptors));
        parcel->n_descriptors = count;
    }
    link->queued_bytes += bytes->size;
    *link->out_end = parcel;
    link->out_end = &parcel->next;
}

void link_close(struct link *link)
{
    link->closing = true;
}

size_t link_output(const struct link *link, const uint8_t **bytes)
{
    if (!link->out)
        return 0;
    *bytes = link->out->bytes.data + link->sent;
    return link->out->bytes.size - link->sent;
}

size_t link_output_descriptors(const struct link *link, const int **descriptors)
{
    if (!link->out || link->sent > 0)
        return 0;
    *descriptors = link->out->descriptors;
    return link->out->n_descriptors;
}

/* Reports that `count` bytes were taken from the first parcel. Its descriptors
 * left with the first of these bytes and no longer belong to the link. */
void link_sent(struct link *link, size_t count)
{
    struct parcel *parcel = link->out;

    if (count == 0)
        return;
    INVARIANT(parcel && link->sent + count <= parcel->bytes.size);
    link->sent += count;
    link->queued_bytes -= count;
    parcel->n_descriptors = 0;
    if (link->sent < parcel->bytes.size)
        return;
    link->sent = 0;
    link->out = parcel->next;
    if (!link->out)
        link->out_end = &link->out;
    parcel_free(parcel);
}

bool link_is_closed(const struct link *link)
{
    return link->closing && !link->out;
}
