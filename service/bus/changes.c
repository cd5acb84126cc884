/*
 * The reply to a reload and its dry run: each child under the word for what
 * happens to it.
 */
#include "bus/changes.h"
#include "bus/encode.h"
#include "bus/history.h"
#include "bus/key.h"
#include "bus/options.h"

#include "core/model/members.h"
#include "core/model/present.h"
#include "core/vocabulary/invariant.h"

#include <stdlib.h>
#include <string.h>

static const char *const change_words[CHANGE_WORDS] = {
    "added", "in-place", "pending", "restart", "removed", "WouldStop", "WouldStart", "WouldRestart",
};

void changes_note_start(void *userdata, const char *id)
{
    changes_note(userdata, "WouldStart", id);
}

void changes_note(void *userdata, const char *what, const char *id)
{
    struct changes *named = userdata;
    size_t word = 0;

    while (word < CHANGE_WORDS && strcmp(change_words[word], what) != 0)
        word++;
    INVARIANT(word < CHANGE_WORDS);
    if (named->n[word] < CHANGES_NAMED_MAX && (named->names[word][named->n[word]] = strdup(id)))
        named->n[word]++;
}

void changes_note_restart(struct changes *named, const struct core *core, const char *id)
{
    const struct child *child = core_find(core, id);
    const struct child *sidecar = child ? child->first_sidecar : NULL;

    INVARIANT(!child || child_is_sound(child));
    for (; sidecar; sidecar = sidecar->next_sidecar)
        if (child_attempt(sidecar) > 0)
            changes_note(named, "WouldRestart", sidecar->id);
    changes_note(named, "WouldRestart", id);
}

/* One word with its list of ids; a range of words for `changed`, which is three
 * of them. */
static int append_names(sd_bus_message *reply, const char *key, const struct changes *named,
                        size_t first, size_t last)
{
    int r = append_open(reply, 'e', "sv");

    if (r >= 0)
        r = append_values(reply, "s", key);
    if (r >= 0)
        r = append_open(reply, 'v', "as");
    if (r >= 0)
        r = append_open(reply, 'a', "s");
    for (size_t word = first; word <= last; word++)
        for (size_t i = 0; r >= 0 && i < named->n[word]; i++)
            r = append_values(reply, "s", named->names[word][i]);
    for (int i = 0; r >= 0 && i < 3; i++)
        r = sd_bus_message_close_container(reply);
    return r;
}

void changes_free(struct changes *named)
{
    for (size_t word = 0; word < CHANGE_WORDS; word++)
        for (size_t i = 0; i < named->n[word]; i++)
            free(named->names[word][i]);
    free(named);
}

/* Every word has its list, also if it is empty, so that a client needs no case
 * for a missing key. */
static int append_all(sd_bus_message *reply, const struct changes *named, uint32_t unchanged,
                      bool dry_run)
{
    int r = append_open(reply, 'a', "{sv}");

    for (size_t word = 0; r >= 0 && word <= WORD_REMOVED; word++)
        r = append_names(reply, change_words[word], named, word, word);
    if (r >= 0)
        r = append_names(reply, "changed", named, WORD_IN_PLACE, WORD_RESTART);
    if (r >= 0)
        r = append_u32(reply, "unchanged", unchanged);
    if (r >= 0 && dry_run)
        r = append_flag(reply, "dry-run", true);
    for (size_t word = WORD_WOULD_STOP; r >= 0 && dry_run && word < CHANGE_WORDS; word++)
        r = append_names(reply, change_words[word], named, word, word);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* The reply waits until the journal has the change (service_acknowledge), and
 * is kept for a repeated call with the same key. */
int changes_answer(struct service *service, sd_bus_message *m, const struct changes *named,
                   uint32_t unchanged, const struct options *options, uid_t uid)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(m, &reply);

    if (r >= 0)
        r = append_all(reply, named, unchanged, options->dry_run);
    if (r >= 0)
        r = service_acknowledge(service, reply);
    if (r >= 0 && !options->dry_run)
        key_remember(service, options, uid, reply);
    return r;
}
