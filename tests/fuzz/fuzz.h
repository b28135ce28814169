/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what the targets share. A target is one file with LLVMFuzzerTestOneInput, which libFuzzer calls with inputs of its own
 * making and replay.c with the kept ones. It checks what must hold for any input, and ends the process where it does not. */
#ifndef DREAM_TESTS_FUZZ_H
#define DREAM_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns 0; -1 keeps an input out of libFuzzer's corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In every build, unlike assert. */
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                       \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Owned (free()): a copy that ends in a NUL and is no byte longer, so that a sanitizer sees every step past it. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    FUZZ_CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

/* Cuts the first line off: returns it, and moves `*rest` behind its newline; the whole text, and NULL, when there is none. */
static inline char *fuzz_line(char **rest)
{
    char *line = *rest;
    char *end = line == NULL ? NULL : strchr(line, '\n');

    if (end != NULL)
        *end++ = '\0';
    *rest = end;
    return line;
}

#endif
