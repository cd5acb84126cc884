/*
 * Discard: gets rid of descriptors that strangers have sent, and that are not wanted.
 *
 * A descriptor that is dropped may be the last one of its file, and that can take its time: a TCP
 * socket with SO_LINGER waits for its peer as long as its sender chose, a large file of memory has
 * to be freed. The kernel does that in the thread that receives, or that closes the socket in which
 * they are queued, on its way out of the call. So both are done beside the loop. What is received
 * leaves no room for descriptors, so that none of them ever becomes ours; and a signal each
 * millisecond ends what waits for a peer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DATAGRAM_MAX 4096

struct beside_queue;
struct discard;

struct discarded {
    ssize_t size; /* of the text; negative: there is none */
    char text[DATAGRAM_MAX + 1];
    pid_t pid; /* 0: not known */
    uid_t uid;
    uint64_t took_usec;
};

/* The datagram that comes next. done() is called in the loop, with what the datagram said, unless
 * the queue has been cancelled. The socket stays open until then. Returns 0 or -ENOMEM. */
int discard_next(struct beside_queue *queue, int socket,
                 void (*done)(void *userdata, struct discarded *discarded), void *userdata);

/* Closes a socket that strangers can have sent descriptors to. A negative one is ignored. */
void discard_close(int socket);

/* For the kernel (Linux 6.16) to refuse them as they are sent, or not. */
void discard_refuse(int socket, bool refused);
