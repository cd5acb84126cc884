/*
 * Frames: the input journal as bytes. A header that names the format and its version, then frames:
 * length, checksum, kind, payload. Whatever was cut, torn or flipped is found by its checksum; what
 * stands before it can be used. Bytes only: keeping them, in a file or in a simulated one, is the
 * business of others.
 *
 *     "PROCTORJ" version(4) stamp(4) | length(4) crc32c(4) kind(1) payload(length) | ...
 *
 * Numbers are little-endian. The checksum (CRC-32C, of iSCSI) is over length, kind and payload.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define JOURNAL_VERSION     2
#define JOURNAL_HEADER_SIZE 16
#define FRAME_HEADER_SIZE   9
#define FRAME_PAYLOAD_MAX   (256u << 20)

enum frame_kind {
    FRAME_CHECKPOINT = 1, /* core_archive() */
    FRAME_INPUT = 2,      /* input_archive() */
    FRAME_PROCESS = 3,    /* the host's: a process that was started */
    FRAME_AUDIT_TEXT = 5, /* an event that the audit keeps, as text: of older journals */
    FRAME_STATE = 7,      /* of a trace: digest_core() of the core as it is behind it all */
    FRAME_BOOT = 6,       /* which boot of the machine this is, and how far the audit goes */
    FRAME_INSTANCE = 8,   /* what commands of this history are called (command_id.h) */
    FRAME_AUDIT = 9,      /* an event that the audit keeps */
};

struct frame {
    enum frame_kind kind;
    const uint8_t *payload;
    size_t size;
};

void journal_header_write(uint8_t header[JOURNAL_HEADER_SIZE]);

/* A number that tells a segment from another one of the same name. 0: it has none. */
void journal_header_set_stamp(uint8_t header[JOURNAL_HEADER_SIZE], uint32_t stamp);
uint32_t journal_header_stamp(const uint8_t *data, size_t size);

/* 0, -EBADMSG for something else, -EPROTONOSUPPORT for a version that is not ours. */
int journal_header_check(const uint8_t *data, size_t size);

/* The header of a frame, to be followed by its payload. */
void frame_header_write(uint8_t header[FRAME_HEADER_SIZE], enum frame_kind kind,
                        const uint8_t *payload, size_t size);

/* How long the payload behind a header is, as the header says; it may be damaged. */
size_t frame_header_length(const uint8_t header[FRAME_HEADER_SIZE]);

/* The frame at *offset, which is moved behind it. Returns 1; 0 at the end; -EBADMSG, with *offset
 * where it was, for what cannot be a whole frame. The payload points into data. */
int frame_next(const uint8_t *data, size_t size, size_t *offset, struct frame *frame);

uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t size);
