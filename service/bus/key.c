/*
 * Idempotency keys: a call that is repeated with the same key gets the first
 * reply, and does nothing. What identifies the call is its key, its user, and a
 * hash of everything in it.
 */
#include "bus/key.h"

#include "bus/authorisation.h"
#include "bus/caller.h"
#include "bus/message.h"
#include "bus/options.h"
#include "bus/wait.h"
#include "bus/private.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LIFE_USEC (UINT64_C(60) * 1000000)
#define HASH_SEED     UINT64_C(14695981039346656037)

struct key {
    char text[KEY_MAX + 1];
    uid_t uid;
    uint64_t usec;
    uint64_t call; /* hash of it */
    sd_bus_message *reply;
};

struct keys {
    struct key keys[KEYS_MAX];
    size_t end; /* none behind it is used */
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
    for (size_t i = 0; i < keys->end; i++)
        sd_bus_message_unref(keys->keys[i].reply);
    free(keys);
}

/* ---- which call it is ------------------------------------------------------------------------ */

static void hash_bytes(uint64_t *hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ bytes[i]) * UINT64_C(1099511628211);
}

static void hash_text(uint64_t *hash, const char *text)
{
    hash_bytes(hash, text ? text : "", strlen(text ? text : "") + 1);
}

static int hash_values(sd_bus_message *m, uint64_t *hash);

/* The entries of a dictionary have no order. */
static int hash_entries(sd_bus_message *m, uint64_t *hash)
{
    uint64_t sum = 0;
    int r;

    for (;;) {
        uint64_t entry = HASH_SEED;
        const char *contents;
        char type;
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
            break;
        r = sd_bus_message_enter_container(m, type, contents);
        if (r >= 0)
            r = hash_values(m, &entry);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
        if (r < 0)
            break;
        sum += entry;
    }
    hash_bytes(hash, &sum, sizeof(sum));
    return r;
}

/* Values as they are on the bus. */
static int hash_basic(sd_bus_message *m, char type, uint64_t *hash)
{
    union {
        const char *text;
        uint64_t number;
    } value = {};
    int r = sd_bus_message_read_basic(m, type, &value);

    if (r < 0)
        return r;
    if (type == 's' || type == 'o' || type == 'g')
        hash_text(hash, value.text);
    else
        hash_bytes(hash, &value, sizeof(value));
    return 0;
}

static int hash_container(sd_bus_message *m, char type, const char *contents, uint64_t *hash)
{
    int r = sd_bus_message_enter_container(m, type, contents);

    hash_text(hash, contents);
    if (r >= 0)
        r = type == 'a' && contents[0] == '{' ? hash_entries(m, hash) : hash_values(m, hash);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Up to the end of the container. */
static int hash_values(sd_bus_message *m, uint64_t *hash)
{
    const char *contents;
    char type;
    int r;

    while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
        hash_bytes(hash, &type, 1);
        r = type == 'a' || type == 'v' || type == 'r' || type == 'e'
                ? hash_container(m, type, contents, hash)
                : hash_basic(m, type, hash);
        if (r < 0)
            break;
    }
    return r;
}

static int hash_call(sd_bus_message *m, uint64_t *hash)
{
    *hash = HASH_SEED;
    hash_text(hash, sd_bus_message_get_path(m));
    hash_text(hash, sd_bus_message_get_interface(m));
    hash_text(hash, sd_bus_message_get_member(m));
    int r = sd_bus_message_rewind(m, true);
    return r < 0 ? r : hash_values(m, hash);
}

/* ---- what is remembered ---------------------------------------------------------------------- */

static bool is_remembered(const struct key *key, uint64_t now)
{
    return key->reply && now - key->usec <= KEY_LIFE_USEC;
}

static struct key *find(struct keys *keys, const char *text, uid_t uid, uint64_t now)
{
    for (size_t i = 0; i < keys->end; i++) {
        struct key *key = &keys->keys[i];
        if (is_remembered(key, now) && key->uid == uid && strcmp(key->text, text) == 0)
            return key;
    }
    return NULL;
}

/* A copy of the reply, addressed to this call. */
static int replay(sd_bus_message *m, const struct key *key)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(m, &reply);

    if (r >= 0)
        r = sd_bus_message_rewind(key->reply, true);
    if (r >= 0)
        r = sd_bus_message_copy(reply, key->reply, true);
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    return r < 0 ? r : 1;
}

/* The place of one more, and how many the uid has; users that are not trusted leave half of the
 * places to those that are. */
static struct key *place_for(struct keys *keys, uid_t uid, uint64_t now, size_t *own)
{
    size_t most = uid_is_trusted(uid) ? KEYS_MAX : KEYS_MAX / 2;
    struct key *place = NULL;

    *own = 0;
    for (size_t i = 0; i < keys->end; i++) {
        struct key *key = &keys->keys[i];
        bool remembered = is_remembered(key, now);
        *own += remembered && key->uid == uid;
        if (!remembered && !place && i < most)
            place = key;
    }
    if (!place && keys->end < most)
        place = &keys->keys[keys->end];
    return place;
}

/* Returns 1 if the call has been answered from here. Full means an error, since
 * forgetting a key would carry out a repeated call a second time. */
int key_claim(struct service *service, sd_bus_message *m, struct options *options,
              const struct caller *caller, sd_bus_error *error)
{
    uint64_t now = core_now(service->core);
    size_t own;

    if (!options->key)
        return 0;
    int r = hash_call(m, &options->call);
    if (r < 0)
        return r;
    const struct key *key = find(service->keys, options->key, caller->uid, now);
    if (key && key->call != options->call)
        return refuse_call(error, PROCTOR_ERROR "InvalidArgument",
                           "options: idempotency-key: the key belongs to another call");
    if (key)
        return replay(m, key);
    if (!place_for(service->keys, caller->uid, now, &own) ||
        caller_has_its_share(caller, own, KEYS_PER_UID))
        return refuse_call(error, PROCTOR_ERROR "LimitExceeded",
                           "options: idempotency-key: %zu keys of %s are remembered, at most %d "
                           "within 60 s",
                           own, caller->text, caller_is_trusted(caller) ? KEYS_MAX : KEYS_PER_UID);
    return 0;
}

bool key_answers(struct service *service, sd_bus_message *m, const struct options *options,
                 uid_t uid)
{
    const struct key *key =
        options->key ? find(service->keys, options->key, uid, core_now(service->core)) : NULL;

    return key && key->call == options->call && replay(m, key) >= 0;
}

/* The reply is kept by reference. */
void key_remember(struct service *service, const struct options *options, uid_t uid,
                  sd_bus_message *reply)
{
    struct keys *keys = service->keys;
    uint64_t now = core_now(service->core);
    size_t own;
    struct key *key = options->key ? place_for(keys, uid, now, &own) : NULL;

    if (!key)
        return;
    if (key == &keys->keys[keys->end])
        keys->end++;
    sd_bus_message_unref(key->reply);
    strcpy(key->text, options->key);
    key->uid = uid;
    key->usec = now;
    key->call = options->call;
    key->reply = sd_bus_message_ref(reply);
}

/* ---- from one program to the next ------------------------------------------------------------ */

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

/* For an upgrade: the reply as values. */
static void archive_key(struct service *service, struct archive *archive, struct key *key)
{
    archive_text(archive, key->text, sizeof(key->text));
    ARCHIVE(archive, key->uid);
    archive_stamp(archive, &key->usec);
    ARCHIVE(archive, key->call);
    if (archive->reading && make_reply(service, &key->reply) < 0)
        archive->failed = true;
    else if (message_archive(archive, key->reply) >= 0 && archive->reading &&
             sd_bus_message_seal(key->reply, 1, 0) < 0)
        archive->failed = true;
}

/* Only those that are still valid. */
void keys_archive(struct service *service, struct archive *archive)
{
    struct keys *keys = service->keys;
    uint64_t now = core_now(service->core);
    size_t count = 0;

    INVARIANT(archive_is_sound(archive));
    for (size_t i = 0; i < keys->end; i++)
        count += is_remembered(&keys->keys[i], now);
    archive_count(archive, &count, KEYS_MAX);
    if (archive->reading) {
        for (; keys->end < count && !archive->failed; keys->end++)
            archive_key(service, archive, &keys->keys[keys->end]);
        return;
    }
    for (size_t i = 0; i < keys->end; i++)
        if (is_remembered(&keys->keys[i], now))
            archive_key(service, archive, &keys->keys[i]);
}
