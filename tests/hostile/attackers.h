/*
 * Attackers: users of the machine who want proctord to stop, each kind with its uid.
 *
 *   lingering  sends sockets whose close(2) waits for seconds
 *   stopping   stops each process of his as soon as it is there, before it has executed
 *   silent     asks for much, and never reads the answers
 *   flooding   as many datagrams and calls as will go
 *
 * All are bounded by the test's end: they are processes of its world.
 */
#pragma once

struct target {
    const char *address; /* of the bus */
    const char *notify;  /* the socket's path */
};

void attack_by_lingering(const struct target *target, int number);
void attack_by_stopping(const struct target *target, int number);
void attack_by_silence(const struct target *target, int number);
void attack_by_flood(const struct target *target, int number);
