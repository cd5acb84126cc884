/*
 * Drives a fuzz target with so many inputs of random bytes, the same ones each time: random COUNT
 * [FIRST]. Prints TAP. A finding ends
 * it by a signal; with SHOW in the environment the number and what is made of it stand before.
 */
#include "target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE_MAX_OF_INPUT 600

static uint64_t step(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15)); /* splitmix64 */

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

int main(int argc, char **argv)
{
    static uint8_t data[SIZE_MAX_OF_INPUT];
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;

    for (uint64_t i = first; i < first + count; i++) {
        uint64_t state = i;
        size_t size = (size_t)(step(&state) % (SIZE_MAX_OF_INPUT + 1));
        for (size_t n = 0; n < size; n++)
            data[n] = (uint8_t)step(&state);
        if (getenv("SHOW"))
            printf("%" PRIu64 "\n", i);
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("1..1\nok 1 - %" PRIu64 " random inputs\n", count);
    return 0;
}
