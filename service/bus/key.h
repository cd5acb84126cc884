/*
 * Idempotency keys: the same call with the same key from the same uid within 60 s is answered with
 * the first answer, and nothing is done. A key belongs to the call that it came with, which is its
 * object, its method and its arguments: another call with it is refused, as its answer would be one
 * to another question. The options may come in another order.
 *
 * What is promised is kept: a key is forgotten when its time is over, and not before. Where there
 * is no room for another one the call is refused before anything is done.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

struct archive;
struct caller;
struct keys;
struct options;
struct service;

#define KEYS_MAX     8192 /* idempotency keys that are remembered */
#define KEY_MAX      128  /* bytes of one */
#define KEYS_PER_UID 128

/* 0 or a negative errno. */
int keys_new(struct keys **keys);
void keys_free(struct keys *keys);
/* For the next program, which answers repeated calls as this one would have. */
void keys_archive(struct service *service, struct archive *archive);
/* 1 when the call was answered from memory; 0 when it is to be carried out; or the refusal. */
int key_claim(struct service *service, sd_bus_message *m, struct options *options,
              const struct caller *caller, sd_bus_error *error);
/* For a call that has waited since key_claim(): another one with its key may have been answered. */
bool key_answers(struct service *service, sd_bus_message *m, const struct options *options,
                 uid_t uid);
/* Keeps the reply for as long as its key is promised. */
void key_remember(struct service *service, const struct options *options, uid_t uid,
                  sd_bus_message *reply);
