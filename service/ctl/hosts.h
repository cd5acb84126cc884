/*
 * Hosts: the machines that -H names, as ssh knows them: names, addresses and aliases of
 * ssh_config(5), each with or without a user.
 */
#pragma once

#include <stddef.h>

#define HOSTS_MAX 64

struct hosts {
    size_t count; /* 0: none was named, it is this machine */
    char *names[HOSTS_MAX];
};

/* Reads [USER@]HOST[,[USER@]HOST...]. The names stay in text, which is cut up. Returns NULL, or
 * what is wrong. */
const char *hosts_read(char *text, struct hosts *hosts);
