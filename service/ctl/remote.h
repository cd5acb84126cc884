/*
 * Remote: the bus of another machine, by ssh.
 *
 * ssh carries out "proctorctl stdio-bridge" there, and sd-bus speaks over its standard input and
 * output. So there is no port of ours, no key and no daemon, and the caller that proctord and
 * polkit see is the user that ssh has logged in. What ssh says on standard error is kept: its last
 * line tells why a host cannot be reached.
 */
#pragma once

#include "ctl/connect.h"

#include <sys/types.h>

struct remote {
    const char *host;
    sd_bus *bus; /* NULL: not connected */
    pid_t pid;   /* of ssh; 0: none */
    int words;   /* what it says on standard error; < 0: not kept */
    char error[256];
};

/* Starts ssh; the bus is usable when remote_wait() has returned 0. alone: ssh may ask a person for
 * a password; with several hosts it never does. Returns 0 or a negative errno. */
int remote_begin(struct remote *remote, const struct place_of_bus *place, bool alone);

/* Waits until the bus has let us in, for the time that a connection may take from now on. Returns
 * 0, or a negative errno with remote->error set: then it is closed. */
int remote_wait(struct remote *remote, bool alone);

/* It has failed with r: sets remote->error, and closes it. */
void remote_fail(struct remote *remote, int r);

/* Ends the connection and ssh. */
void remote_close(struct remote *remote);

/* Carries out a command of proctorctl on the host, because what it needs is there: the files of log
 * and edit. What it prints is printed. Returns its exit code. */
int remote_carry_out(struct client *client, const char *command);
