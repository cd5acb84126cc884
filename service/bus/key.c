/*
 * Idempotency keys: the same key from the same uid within 60 s is answered with the first answer,
 * and nothing is done. The oldest is forgotten when there are too many.
 */
#include "private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_LIFE_USEC (UINT64_C(60) * 1000000)

struct key {
    char text[KEY_MAX + 1];
    uid_t uid;
    uint64_t usec;
    sd_bus_message *reply;
};

struct keys {
    struct key keys[KEYS_MAX];
    size_t next;
};

int keys_new(struct keys **keys)
{
    *keys = calloc(1, sizeof(**keys));
    return *keys ? 0 : -ENOMEM;
}

void keys_free(struct keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < KEYS_MAX; i++)
        sd_bus_message_unref(keys->keys[i].reply);
    free(keys);
}

static struct key *find(struct service *service, const char *text, uid_t uid)
{
    uint64_t now = core_now(service->core);

    for (size_t i = 0; i < KEYS_MAX; i++) {
        struct key *key = &service->keys->keys[i];
        if (key->reply && key->uid == uid && now - key->usec <= KEY_LIFE_USEC &&
            strcmp(key->text, text) == 0)
            return key;
    }
    return NULL;
}

int key_replay(struct service *service, sd_bus_message *m, const struct options *options, uid_t uid)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    struct key *key = options->key ? find(service, options->key, uid) : NULL;

    if (!key)
        return 0;
    int r = sd_bus_message_new_method_return(m, &reply);
    if (r >= 0)
        r = sd_bus_message_rewind(key->reply, true);
    if (r >= 0)
        r = sd_bus_message_copy(reply, key->reply, true);
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    return r < 0 ? r : 1;
}

/* A message that was answered with the reply need not be there any more. */
static int make_reply(struct service *service, sd_bus_message **reply)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *call = NULL;
    int r = sd_bus_message_new_method_call(service->bus, &call, NULL, PROCTOR_PATH,
                                           PROCTOR_INTERFACE "Manager", "Again");
    if (r >= 0)
        r = sd_bus_message_seal(call, 1, 0);
    return r < 0 ? r : sd_bus_message_new_method_return(call, reply);
}

static void archive_key(struct service *service, struct archive *archive, struct key *key)
{
    archive_text(archive, key->text, sizeof(key->text));
    ARCHIVE(archive, key->uid);
    archive_stamp(archive, &key->usec);
    if (archive->reading && make_reply(service, &key->reply) < 0)
        archive->failed = true;
    else if (message_archive(archive, key->reply) >= 0 && archive->reading &&
             sd_bus_message_seal(key->reply, 1, 0) < 0)
        archive->failed = true;
}

/* The oldest first. */
void keys_archive(struct service *service, struct archive *archive)
{
    struct keys *keys = service->keys;
    size_t count = 0, first = keys->next;

    for (size_t i = 0; i < KEYS_MAX; i++)
        count += keys->keys[i].reply != NULL;
    archive_count(archive, &count, KEYS_MAX);
    if (archive->reading) {
        for (size_t i = 0; i < count && !archive->failed; i++)
            archive_key(service, archive, &keys->keys[i]);
        keys->next = count;
        return;
    }
    for (size_t i = 0; i < KEYS_MAX; i++) {
        struct key *key = &keys->keys[(first + i) % KEYS_MAX];
        if (key->reply)
            archive_key(service, archive, key);
    }
}

/* The oldest of all; of a uid that has its share, the oldest of its own. */
static struct key *place_for(struct keys *keys, uid_t uid)
{
    struct key *oldest = NULL;
    size_t own = 0;

    for (size_t i = 0; i < KEYS_MAX; i++) {
        struct key *key = &keys->keys[(keys->next + i) % KEYS_MAX];
        if (!key->reply || key->uid != uid)
            continue;
        own++;
        if (!oldest || key->usec < oldest->usec)
            oldest = key;
    }
    if (uid != 0 && uid != geteuid() && own >= KEYS_PER_UID)
        return oldest;
    return &keys->keys[keys->next++ % KEYS_MAX];
}

void key_remember(struct service *service, const struct options *options, uid_t uid,
                  sd_bus_message *reply)
{
    if (!options->key)
        return;

    struct key *key = place_for(service->keys, uid);
    sd_bus_message_unref(key->reply);
    strcpy(key->text, options->key);
    key->uid = uid;
    key->usec = core_now(service->core);
    key->reply = sd_bus_message_ref(reply);
}
