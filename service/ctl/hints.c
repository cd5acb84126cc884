/*
 * "Did you mean ...?": the nearest command or child by edit distance, and the
 * words of other tools (start, stop) translated into ours.
 */
#include "ctl/hints.h"

#include "ctl/call.h"
#include "manifest/near.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

/* ---- commands -------------------------------------------------------------------------------- */

static const struct {
    const char *word, *hint;
} words[] = {
    {"stop", "\"pause ID\" stops a child until it is resumed; \"shutdown\" stops the tree"},
    {"down", "\"pause ID\" stops a child until it is resumed; \"shutdown\" stops the tree"},
    {"start", "\"resume ID\" starts a child that is paused; one that is not runs by itself, or "
              "\"status ID\" says why it does not"},
    {"up", "\"resume ID\" starts a child that is paused"},
    {"logs", "\"log ID\" shows the output of a child"},
    {"tail", "\"log ID -f\" follows the output of a child"},
    {"journal", "\"log ID\" shows the output of a child, \"events\" what happened to it"},
    {"history", "\"events\" shows what happened, \"audit\" who did what"},
    {"ps", "\"list\" lists the children, \"top\" shows them live"},
    {"ls", "\"list\" lists the children"},
    {"show-all", "\"status\" shows the tree"},
    {"enable", "a child starts with the tree unless its manifest says \"autostart: false\""},
    {"disable", "\"autostart: false\" in its manifest keeps a child from starting with the tree; "
                "\"pause ID\" holds it, also after a reboot"},
    {"mask", "\"quarantine ID\" stops a child and prevents any start"},
    {"unmask", "\"resume ID\" ends a quarantine"},
    {"reset-failed", "\"resume ID\" starts a child that was given up, with a new restart limit"},
    {"clear", "\"resume ID\" starts a child that was given up, with a new restart limit"},
    {"daemon-reload", "\"reload\" reads the manifests again"},
    {"reread", "\"reload --dry-run\" tells what a reload would change"},
    {"update", "\"reload\" reads the manifests again"},
    {"daemon-reexec", "\"reexec\" replaces proctord by the program on disk"},
    {"try-restart", "\"restart ID\" restarts a child"},
    {"condrestart", "\"restart ID\" restarts a child"},
    {"signal", "\"kill ID SIGNAL\" sends a signal to the main process"},
    {"delete", "\"remove ID\" stops a child and deletes it"},
    {"rm", "\"remove ID\" stops a child and deletes it"},
    {"exec", "\"run FILE\" runs a job"},
    {"systemd-run", "\"run FILE\" runs a job"},
    {"summary", "\"list\" lists the children, \"list --failed\" those that have failed"},
    {"is-enabled", "\"show ID Manifest\" shows whether it says \"autostart: false\""},
    {"list-units", "\"list\" lists the children"},
    {"list-dependencies", "\"tree\" shows supervisors and children"},
    {"verify", "\"check FILE\" validates manifests"},
    {"validate", "\"check FILE\" validates manifests"},
    {"import", "\"convert FILE\" makes manifests from files of other supervisors"},
};

static char *ask_for(const char *word)
{
    char *text = NULL;
    return asprintf(&text, "did you mean \"%s\"?", word) < 0 ? NULL : text;
}

static char *translate(const char *word)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, word) == 0)
            return strdup(words[i].hint);
    return NULL;
}

/* The hint for a word of another tool that is nearly this one. */
static char *translate_near(const char *word)
{
    for (size_t i = 0; strlen(word) > 2 * NEAR_MAX && i < sizeof(words) / sizeof(words[0]); i++)
        if (near_distance(word, words[i].word) <= NEAR_MAX)
            return strdup(words[i].hint);
    return NULL;
}

/* A suggestion has to share half of the letters, otherwise it misleads. */
char *hint_command(const char *word, const char *const *commands)
{
    const char *nearest = NULL;
    size_t best = NEAR_MAX + 1;

    assert(word && commands);
    char *hint = translate(word);
    for (; *commands; commands++) {
        size_t distance = near_distance(word, *commands);
        if (distance < best && 2 * distance < strlen(word)) {
            best = distance;
            nearest = *commands;
        }
    }
    if (!hint)
        hint = nearest ? ask_for(nearest) : translate_near(word);
    return hint;
}

/* ---- children -------------------------------------------------------------------------------- */

struct search {
    const char *id;
    char *nearest; /* to be freed */
    size_t best;
    bool supervisor;
    bool listed; /* as it was typed: it is being removed */
};

static const char *last_part(const char *id)
{
    const char *slash = strrchr(id, '/');
    return slash ? slash + 1 : id;
}

/* How far a child is from what was typed: the same name below a supervisor is nearest. */
static size_t distance_of(const char *id, const char *typed)
{
    if (strcmp(last_part(id), typed) == 0)
        return 0;
    size_t whole = near_distance(id, typed), part = near_distance(last_part(id), typed);
    return whole < part ? whole : part + 1;
}

/* Also notices that a supervisor was meant. */
static void compare(struct search *search, const char *id)
{
    size_t length = strlen(search->id), distance = distance_of(id, search->id);

    if (strncmp(id, search->id, length) == 0 && id[length] == '/')
        search->supervisor = true;
    if (strcmp(id, search->id) == 0)
        search->listed = true;
    if (distance >= search->best || 2 * distance >= strlen(search->id))
        return;
    free(search->nearest);
    search->nearest = strdup(id);
    search->best = distance;
}

/* Nothing if the child exists by now. */
static char *tell(const struct search *search)
{
    char *text = NULL;

    if (search->listed)
        return NULL;
    if (!search->supervisor)
        return search->nearest ? ask_for(search->nearest) : NULL;
    return asprintf(&text, "it is a supervisor; \"%s/\" with a slash means all children below it",
                    search->id) < 0
               ? NULL
               : text;
}

/* Only called after an error, so it may ask for the whole list. */
char *hint_child(struct client *client, const char *id)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    struct search search = {.id = id, .best = NEAR_MAX + 1};
    const char *child;

    assert(client && id);
    int r = call_method(client, PATH, MANAGER, "ListChildren", &error, &reply, NULL);
    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "(sosssttbsub)");
    while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'r', "sosssttbsub")) > 0) {
        r = sd_bus_message_read(reply, "s", &child);
        if (r >= 0)
            compare(&search, child);
        if (r >= 0)
            r = sd_bus_message_skip(reply, "osssttbsub");
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    char *hint = tell(&search);
    free(search.nearest);
    return hint;
}
