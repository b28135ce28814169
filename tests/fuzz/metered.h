/* SPDX-License-Identifier: Apache-2.0 */
/* metered.h - a client whose server is a script, for the targets about meters; and what it reported to that server. */
#ifndef DREAM_TESTS_FUZZ_METERED_H
#define DREAM_TESTS_FUZZ_METERED_H

#include "fuzz.h"

#include <dreamapi.h>
#include <dreamapi/testing.h>

typedef struct metered {
    dreamapi_options *options;
    dreamapi_test_transport *transport;
    dreamapi_test_clock *clock;
    dreamapi_client *client;
    uint64_t random; /* ids follow from it: the same in each run */
} metered;

/* `journal` NULL: in memory. `extensions` is the JSON list that the server announces. */
/* Without a client (NULL) when the journal is refused. */
void metered_open(metered *m, const char *journal, const char *extensions);
void metered_close(metered *m);
/* Scripts the answer to POST `path`; `times` may be DREAMAPI_TEST_ALWAYS. */
void metered_answer(metered *m, const char *path, const char *body, int times);
/* The most units that one request claimed to have been admitted. */
uint64_t metered_most_claimed(const metered *m);

#endif
