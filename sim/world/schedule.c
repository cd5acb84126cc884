/*
 * The schedule: every choice of a run, in order. It is drawn, recorded, written
 * as text with a checksum, and given again to repeat the run.
 */
#include "world/schedule.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHOICES_MAX (1u << 24)

/* SplitMix64: the simulator's own copy, so that the core's draws never move its own. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

void schedule_begin(struct schedule *schedule, enum chooser chooser, uint64_t seed)
{
    schedule->chooser = chooser;
    schedule->random = seed; /* mixed: else the draws of a seed are those of the one before it, less
                                the first */
    schedule->random = next(&schedule->random);
    schedule->salt = next(&schedule->random);
    schedule->count = 0;
    schedule->picks = 0;
    schedule_set_depth(schedule, schedule->depth);
}

void schedule_begin_given(struct schedule *schedule, const uint32_t *choices, size_t count)
{
    schedule_begin(schedule, CHOOSER_GIVEN, 0);
    schedule->given = choices;
    schedule->n_given = count;
}

void schedule_free(struct schedule *schedule)
{
    free(schedule->choices);
    schedule->choices = NULL;
    schedule->count = schedule->capacity = 0;
}

void schedule_set_depth(struct schedule *schedule, unsigned depth)
{
    uint64_t state = schedule->salt;

    schedule->depth = depth < SCHEDULE_PCT_DEPTH_MAX ? depth : SCHEDULE_PCT_DEPTH_MAX;
    for (unsigned i = 0; i < schedule->depth; i++)
        schedule->changes[i] = next(&state) % 256;
}

/* A choice becomes part of the schedule. */
static uint32_t record(struct schedule *schedule, uint32_t choice)
{
    if (schedule->count == schedule->capacity) {
        size_t capacity = schedule->capacity ? schedule->capacity * 2 : 1024;
        uint32_t *choices = realloc(schedule->choices, capacity * sizeof(*choices));
        if (!choices) {
            perror("proctor-sim: schedule");
            exit(EXIT_FAILURE);
        }
        schedule->choices = choices;
        schedule->capacity = capacity;
    }
    schedule->choices[schedule->count++] = choice;
    return choice;
}

static uint32_t given(const struct schedule *schedule, uint32_t n)
{
    return schedule->count < schedule->n_given ? schedule->given[schedule->count] % n : 0;
}

/* A number below `n`; 0 without a choice if there is only one. */
uint32_t schedule_choose(struct schedule *schedule, uint32_t n)
{
    if (n <= 1)
        return 0;
    switch (schedule->chooser) {
    case CHOOSER_FIFO:
        return record(schedule, 0);
    case CHOOSER_RANDOM:
    case CHOOSER_PCT:
        return record(schedule, (uint32_t)(((next(&schedule->random) >> 32) * n) >> 32));
    case CHOOSER_GIVEN:
        return record(schedule, given(schedule, n));
    }
    __builtin_unreachable();
}

bool schedule_strikes(struct schedule *schedule, unsigned per_mille)
{
    INVARIANT(per_mille <= 1000);
    if (per_mille == 0 || per_mille >= 1000)
        return per_mille > 0; /* never, or always: there is nothing to choose */
    if (schedule->chooser == CHOOSER_RANDOM || schedule->chooser == CHOOSER_PCT)
        return record(schedule, ((next(&schedule->random) >> 32) * 1000) >> 32 < per_mille);
    return schedule_choose(schedule, 2);
}

/* A stable priority of a key; a change point draws all of them again. */
static uint64_t priority(const struct schedule *schedule, uint64_t key, unsigned epoch)
{
    uint64_t state = schedule->salt ^ (key * UINT64_C(0x9E3779B97F4A7C15)) ^ epoch;
    return next(&state);
}

/* PCT: priorities are random, and change at few points, which finds bugs that
 * need a certain order of few steps. */
static uint32_t pick_by_priority(struct schedule *schedule, const uint64_t *keys, uint32_t n)
{
    unsigned epoch = 0;
    uint32_t best = 0;

    for (unsigned i = 0; i < schedule->depth; i++)
        epoch += schedule->changes[i] <= schedule->picks;
    schedule->picks++;
    for (uint32_t i = 1; i < n; i++)
        if (priority(schedule, keys[i], epoch) > priority(schedule, keys[best], epoch))
            best = i;
    return best;
}

uint32_t schedule_pick(struct schedule *schedule, const uint64_t *keys, uint32_t n)
{
    INVARIANT(n > 0);
    if (n > 1 && schedule->chooser == CHOOSER_PCT)
        return record(schedule, pick_by_priority(schedule, keys, n));
    return schedule_choose(schedule, n);
}

size_t schedule_weight(const uint32_t *choices, size_t count)
{
    size_t weight = 0;

    for (size_t i = 0; i < count; i++)
        weight += choices[i] != 0;
    return weight;
}

/* ---- text ------------------------------------------------------------------------------------ */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static uint16_t checksum(const unsigned char *bytes, size_t count)
{
    uint16_t crc = 0xFFFF; /* CRC-16/CCITT */

    for (size_t i = 0; i < count; i++) {
        crc ^= (uint16_t)(bytes[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

static size_t put_number(unsigned char *to, uint32_t number)
{
    size_t n = 0;

    while (number >= 0x80) {
        to[n++] = (unsigned char)(number | 0x80);
        number >>= 7;
    }
    to[n++] = (unsigned char)number;
    return n;
}

/* A 0 is followed by how many more there are; any other number stands for itself. */
static size_t pack(const uint32_t *choices, size_t count, unsigned char *to)
{
    size_t n = 0;

    while (count > 0 && choices[count - 1] == 0)
        count--;
    for (size_t i = 0; i < count; i++) {
        n += put_number(to + n, choices[i]);
        if (choices[i] == 0) {
            uint32_t more = 0;
            while (choices[i + 1] == 0) {
                more++;
                i++;
            }
            n += put_number(to + n, more);
        }
    }
    uint16_t sum = checksum(to, n);
    to[n++] = (unsigned char)(sum >> 8);
    to[n++] = (unsigned char)sum;
    return n;
}

/* Short enough for a command line: zeros are counted, and five bits make a
 * letter. */
char *schedule_to_text(const uint32_t *choices, size_t count)
{
    unsigned char *bytes = malloc(count * 10 + 16);
    char *text = malloc(count * 16 + 32);
    uint32_t window = 0;
    unsigned bits = 0;
    size_t length = 0;

    if (!bytes || !text) {
        perror("proctor-sim: schedule");
        exit(EXIT_FAILURE);
    }
    size_t n = pack(choices, count, bytes);
    for (size_t i = 0; i < n; i++) {
        window = window << 8 | bytes[i];
        for (bits += 8; bits >= 5; bits -= 5)
            text[length++] = alphabet[(window >> (bits - 5)) & 31];
    }
    if (bits > 0)
        text[length++] = alphabet[(window << (5 - bits)) & 31];
    text[length] = '\0';
    free(bytes);
    return text;
}

/* The reverse, with every error found. */
static int unpack(const unsigned char *bytes, size_t n, uint32_t **choices, size_t *count)
{
    size_t at = 0, used = 0, capacity = 64;
    uint32_t *list = malloc(capacity * sizeof(*list));
    bool zeros = false;

    while (list && at < n) {
        uint32_t number = 0;
        unsigned shift = 0;
        do {
            if (shift > 28)
                goto fail;
            number |= (uint32_t)(bytes[at] & 0x7F) << shift;
            shift += 7;
        } while (bytes[at++] & 0x80 && at < n);
        size_t more = zeros ? number : 1;
        if (used + more > CHOICES_MAX)
            goto fail;
        while (used + more > capacity) {
            capacity *= 2;
            uint32_t *larger = realloc(list, capacity * sizeof(*list));
            if (!larger)
                goto fail;
            list = larger;
        }
        for (size_t i = 0; i < more; i++)
            list[used++] = zeros ? 0 : number;
        zeros = !zeros && number == 0;
    }
    *choices = list;
    *count = used;
    return list ? 0 : -ENOMEM;
fail:
    free(list);
    return -EINVAL;
}

/* `problem` says what is wrong, for example that a letter is missing. */
int schedule_from_text(const char *text, uint32_t **choices, size_t *count, const char **problem)
{
    size_t length = strlen(text), n = 0;
    unsigned char *bytes = malloc(length + 1);
    uint32_t window = 0;
    unsigned bits = 0;
    int r = -EINVAL;

    *problem = "a schedule has only digits and capital letters without I, L, O and U";
    for (size_t i = 0; bytes && i < length; i++) {
        const char *found = strchr(alphabet, text[i]);
        if (!found)
            goto fail;
        window = window << 5 | (uint32_t)(found - alphabet);
        bits += 5;
        if (bits >= 8) {
            bytes[n++] = (unsigned char)(window >> (bits - 8));
            bits -= 8;
        }
    }
    *problem = "the schedule's checksum does not fit: a letter is missing or wrong";
    if (!bytes || n < 2 || checksum(bytes, n - 2) != (bytes[n - 2] << 8 | bytes[n - 1]))
        goto fail;
    r = unpack(bytes, n - 2, choices, count);
fail:
    free(bytes);
    return r;
}
