/*
 * What a fuzz target is: libFuzzer's interface. The same function is driven by replay.c over the
 * inputs of tests/corpus in every test run, with any compiler.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what should never be and ends the process by a signal, which the fuzzer takes for a finding.
 */
__attribute__((noreturn)) void found(const char *what);
