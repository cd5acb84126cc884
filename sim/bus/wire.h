/*
 * Wire: D-Bus values as bytes. A writer appends to a buffer; a reader goes through bytes of a peer
 * and never past their end: after the first mistake it reads zeros and empty texts, and `failed`
 * says so.
 */
#pragma once

#include "bus/bytes.h"

#include <stdbool.h>

#define ARRAY_SIZE_MAX   (UINT32_C(64) << 20)
#define MESSAGE_SIZE_MAX (UINT32_C(128) << 20)

struct wire_writer {
    struct bytes *bytes;
    size_t start; /* from where alignment counts */
    bool big;     /* big endian */
};

/* Adds zeros up to the next multiple of `alignment`, counted from the start of
 * the message. */
void wire_align(struct wire_writer *writer, size_t alignment);
void wire_write_byte(struct wire_writer *writer, uint8_t value);
void wire_write_u32(struct wire_writer *writer, uint32_t value);
void wire_write_u64(struct wire_writer *writer, uint64_t value);
/* Type s or o. */
void wire_write_string(struct wire_writer *writer, const char *text);
void wire_write_signature(struct wire_writer *writer, const char *text);
/* Returns where it begins, for the end. alignment: of an element. */
size_t wire_begin_array(struct wire_writer *writer, size_t alignment);
void wire_end_array(struct wire_writer *writer, size_t begin, size_t alignment);

struct wire_reader {
    const uint8_t *data;
    size_t size, at;
    bool big;
    bool failed;
};

/* Padding must be zero. */
void wire_skip_padding(struct wire_reader *reader, size_t alignment);
/* Reading beyond the end answers 0 and sets `failed`. */
uint8_t wire_read_byte(struct wire_reader *reader);
uint32_t wire_read_u32(struct wire_reader *reader);
uint64_t wire_read_u64(struct wire_reader *reader);
/* Valid as long as the data. Checks the length, the end and UTF-8. */
const char *wire_read_string(struct wire_reader *reader);
/* "" if there is none; the text belongs to the message. */
const char *wire_read_signature(struct wire_reader *reader);
/* Returns where the array ends. */
size_t wire_read_array(struct wire_reader *reader, size_t alignment);

/* Goes over one complete type (or, with a whole signature, over all) and checks every value.
 * descriptors: how many there are for type h. */
bool wire_check(struct wire_reader *reader, const char *signature, uint32_t descriptors);
