/*
 * Archive: one walk over a structure that writes it as bytes, or reads it back from them. What is
 * written and what is read cannot drift apart, as it is the same line of code.
 *
 *     ARCHIVE(archive, child->generation);
 *     archive_text(archive, child->status_text, sizeof(child->status_text));
 *
 * Numbers are LEB128, texts carry their length. Reading trusts nothing: a reader that meets bytes
 * which cannot be right, or none where there should be some, sets `failed`, and everything that is
 * read from then on is 0 or empty. The idea: Boost.Serialization's archives.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive {
    bool reading;
    bool failed;
    uint8_t *data;
    size_t size; /* reading: how much there is; writing: how much there is room for */
    size_t used;
    uint32_t version;     /* of the state that is read or written: CORE_STATE_VERSION or older */
    uint64_t latest_usec; /* reading: the latest moment that has been, of those that were read */
    /* Writing: what stands in the place of what may be secret, a variable of an environment or a
     * manifest; NULL where there is no memory. Without: the thing itself. */
    const char *(*redact)(void *redactor, const char *secret);
    void *redactor;

    /* Writing: makes data larger, to at least `size`; false where it cannot. Reading: zeroed
     * memory for what has no place of its own, valid as long as the caller says. */
    bool (*grow)(struct archive *archive, size_t size);
    void *(*allocate)(struct archive *archive, size_t size);
    void *userdata;
};

/* What every room may rely on, of an archive that is handed to it. */
static inline bool archive_is_sound(const struct archive *archive)
{
    return archive && archive->used <= archive->size;
}

void archive_number(struct archive *archive, uint64_t *number);
void archive_bytes(struct archive *archive, void *bytes, size_t size);
void archive_text(struct archive *archive, char *buffer, size_t size);  /* terminated, in place */
void archive_string(struct archive *archive, const char **string);      /* NULL is a value */
void archive_strings(struct archive *archive, const char ***strings);   /* NULL-terminated */
void archive_count(struct archive *archive, size_t *count, size_t max); /* more than max: failed */

/* Moments of the core's time (moment.h), 0 for none: one that has been, and one that may lie ahead.
 * What can be neither was written by a clock that had been reset, and is read as long ago. */
void archive_stamp(struct archive *archive, uint64_t *usec);
void archive_deadline(struct archive *archive, uint64_t *usec);

/* Any whole number, flag or enumeration. */
#define ARCHIVE(archive, lvalue)                                                                   \
    do {                                                                                           \
        uint64_t number_ = (uint64_t)(lvalue);                                                     \
        archive_number(archive, &number_);                                                         \
        (lvalue) = (__typeof__(lvalue))number_;                                                    \
    } while (0)

/* One that is not larger than `last`. */
#define ARCHIVE_WORD(archive, lvalue, last)                                                        \
    do {                                                                                           \
        uint64_t word_ = (uint64_t)(lvalue);                                                       \
        archive_number(archive, &word_);                                                           \
        if (word_ > (uint64_t)(last)) {                                                            \
            (archive)->failed = true;                                                              \
            word_ = 0;                                                                             \
        }                                                                                          \
        (lvalue) = (__typeof__(lvalue))word_;                                                      \
    } while (0)
